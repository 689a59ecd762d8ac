//! Tenants: what is wanted against what was found.

use serde_json::{Value, json};

use crate::health::Verdict::{Failed, Healthy, Progressing, Suspended, Unknown};
use crate::health::tests::{
    at, crashed, deployment, deployment_in_rollout, live, pod, replica_set,
};
use crate::health::{Observation, TenantHealth, Tolerance, Verdict, Wanted, judge_tenant};
use crate::manifest::Live;

/// A tenant seen at a moment: everything found is wanted and was written at 100.
#[derive(Default)]
struct Tenant {
    wanted: Vec<Wanted>,
    found: Vec<Live>,
    pods: Vec<Live>,
    replica_sets: Vec<Live>,
}

impl Tenant {
    fn of(objects: Vec<Value>) -> Self {
        let found: Vec<Live> = objects.into_iter().map(live).collect();
        let written = found.iter().map(|live| Wanted {
            generation: live.generation(),
            uid: Some(live.uid().to_owned()),
            written_at: Some(at(100)),
            ..Wanted::unwritten(live.object().clone())
        });
        Self {
            wanted: written.collect(),
            found,
            ..Self::default()
        }
    }

    fn judge(&self, now: i64) -> TenantHealth {
        judge_tenant(&Observation {
            wanted: &self.wanted,
            found: &self.found,
            pods: &self.pods,
            replica_sets: &self.replica_sets,
            now: at(now),
            tolerance: Tolerance::default(),
        })
    }

    fn verdict(&self, now: i64) -> Verdict {
        self.judge(now).verdict
    }
}

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "acme"}})
}

#[test]
fn the_headline_names_object_pod_container_and_reason() {
    let mut tenant = Tenant::of(vec![
        deployment_in_rollout(2),
        object("v1", "Service", "web"),
    ]);
    tenant.replica_sets = vec![live(replica_set("web-new", 2))];
    tenant.pods = vec![live(pod(
        "web-new-1",
        ("ReplicaSet", "web-new"),
        101,
        crashed(3, 1),
    ))];
    let health = tenant.judge(150);
    assert_eq!(health.verdict, Failed);
    assert_eq!(
        health.headline,
        "Deployment/web: pod `web-new-1`: container `php` crashes (exit code 1); restarted 3 times"
    );
}

#[test]
fn a_healthy_tenant_says_how_many_objects_were_judged() {
    let tenant = Tenant::of(vec![deployment(2), object("v1", "Service", "web")]);
    let health = tenant.judge(150);
    assert_eq!(
        (health.verdict, health.headline.as_str()),
        (Healthy, "2 objects healthy")
    );
}

#[test]
fn t80_an_object_that_does_not_exist_fails_at_once() {
    let mut tenant = Tenant::of(vec![deployment(2)]);
    tenant.found.clear();
    tenant.wanted[0].written_at = None;
    let health = tenant.judge(100);
    assert_eq!(health.verdict, Failed);
    assert_eq!(health.headline, "Deployment/web: does not exist");
}

#[test]
fn an_object_that_we_just_wrote_may_be_missing_from_a_list_for_a_moment() {
    let mut tenant = Tenant::of(vec![deployment(2)]);
    tenant.found.clear();
    assert_eq!(tenant.verdict(110), Unknown);
    assert_eq!(tenant.verdict(115), Failed);
}

#[test]
fn objects_without_a_status_need_not_be_listed() {
    let mut tenant = Tenant::of(vec![deployment(2), object("v1", "ConfigMap", "settings")]);
    tenant.found.truncate(1);
    assert_eq!(tenant.verdict(150), Healthy);
    let mut tenant = Tenant::of(vec![object("cert-manager.io/v1", "Certificate", "tls")]);
    tenant.found.clear();
    assert_eq!(tenant.verdict(150), Failed);
}

#[test]
fn what_was_seen_before_our_write_says_nothing() {
    let tenant = Tenant::of(vec![deployment(2)]);
    assert_eq!(tenant.verdict(99), Unknown);
    let mut stale = Tenant::of(vec![deployment(2)]);
    stale.wanted[0].generation = Some(3);
    assert_eq!(stale.verdict(150), Unknown);
    // Somebody scaled it after our write: newer is fine.
    stale.wanted[0].generation = Some(1);
    assert_eq!(stale.verdict(150), Healthy);
}

#[test]
fn an_object_made_again_by_somebody_else_is_not_ours() {
    let mut tenant = Tenant::of(vec![deployment(2)]);
    tenant.wanted[0].uid = Some("ours".into());
    assert_eq!(tenant.verdict(110), Unknown);
    let health = tenant.judge(150);
    assert_eq!(health.verdict, Failed);
    assert_eq!(health.objects[0].reason, "Replaced");
}

#[test]
fn t86_a_hook_job_that_ended_and_was_cleared_away_keeps_its_verdict() {
    let mut job = object("batch/v1", "Job", "migrate");
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let mut tenant = Tenant::of(vec![job]);
    assert_eq!(tenant.verdict(150), Healthy);
    tenant.found.clear();
    tenant.wanted[0].completed = true;
    assert_eq!(tenant.verdict(999), Healthy);
}

#[test]
fn t86_the_complete_job_of_the_run_before_is_not_taken_for_this_one() {
    let mut job = object("batch/v1", "Job", "migrate");
    job["metadata"]["uid"] = json!("of-the-run-before");
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let mut tenant = Tenant::of(vec![job]);
    tenant.wanted[0].uid = Some("of-this-run".into());
    assert_eq!(tenant.verdict(101), Unknown);
}

#[test]
fn t79_a_claim_that_no_pod_mounts_waits_for_its_first_consumer() {
    let mut claim = object("v1", "PersistentVolumeClaim", "files");
    claim["status"] = json!({"phase": "Pending"});
    let mut tenant = Tenant::of(vec![claim]);
    assert_eq!(tenant.verdict(150), Healthy);
    let mut mounting = pod("web-1", ("ReplicaSet", "web"), 100, json!({}));
    mounting["spec"]["volumes"] = json!([{"persistentVolumeClaim": {"claimName": "files"}}]);
    tenant.pods = vec![live(mounting)];
    assert_eq!(tenant.verdict(150), Progressing);
}

#[test]
fn what_is_suspended_is_in_nobodys_way_but_a_paused_old_template_keeps_the_release_out() {
    let mut nightly = object("batch/v1", "CronJob", "backup");
    nightly["spec"] = json!({"suspend": true});
    assert_eq!(
        Tenant::of(vec![deployment(2), nightly]).verdict(150),
        Healthy
    );

    let mut paused = deployment(2);
    paused["spec"]["paused"] = json!(true);
    assert_eq!(Tenant::of(vec![paused.clone()]).verdict(150), Healthy);
    paused["status"]["updatedReplicas"] = json!(0);
    let health = Tenant::of(vec![paused]).judge(150);
    assert_eq!(health.verdict, Failed);
    assert_eq!(health.objects[0].verdict, Suspended);
    assert_eq!(
        health.headline,
        "Deployment/web: is paused and rolls nothing out: 0 of 2 replicas updated"
    );
}

#[test]
fn the_worst_comes_first_and_the_rest_is_counted() {
    let mut lost = object("v1", "PersistentVolumeClaim", "files");
    lost["status"] = json!({"phase": "Lost"});
    let tenant = Tenant::of(vec![deployment(2), deployment_in_rollout(2), lost]);
    let mut renamed = tenant.judge(150);
    assert_eq!(renamed.objects.remove(0).reason, "Lost");
    let tenant = Tenant::of(vec![
        {
            let mut lost = object("v1", "PersistentVolumeClaim", "files");
            lost["status"] = json!({"phase": "Lost"});
            lost
        },
        deployment_in_rollout(2),
    ]);
    assert_eq!(
        tenant.judge(150).headline,
        "PersistentVolumeClaim/files: has lost its volume (and 1 more)"
    );
}

#[test]
fn nothing_wanted_is_not_healthy() {
    assert_eq!(Tenant::default().verdict(0), Unknown);
}

#[test]
fn t81_verdicts_on_what_was_not_written_are_those_of_the_object_itself() {
    let mut tenant = Tenant::of(vec![deployment(2)]);
    tenant.wanted = vec![Wanted::unwritten(tenant.found[0].object().clone())];
    assert_eq!(tenant.verdict(0), Healthy);
}

#[test]
fn a_verdict_reads_back_as_it_was_recorded() {
    let health = Tenant::of(vec![deployment_in_rollout(2)]).judge(150);
    let text = serde_json::to_string(&health).unwrap();
    assert!(
        text.starts_with(r#"{"verdict":"progressing","objects":[{"object":"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<TenantHealth>(&text).unwrap(), health);
}
