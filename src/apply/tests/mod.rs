//! What is written, left and deleted, on live objects as an API server would answer them.

mod hooks;
mod prune;
mod secrets;
mod stages;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fields::{ApplyRequest, server_apply, server_update};
use crate::manifest::{Bundle, Digest, EPOCH, Live, MANAGER, Manifest, OWNER, ObjectRef, PART_OF};
use crate::record::{Inventory, Line, Outcome, TenantRecord, applyset_id};

use super::*;

const NAMESPACE: &str = "jp-carbone";
const TOKEN: &str = "escale-secret:v1:4f2a:secrets/db.sops.yaml#password";

fn now() -> Timestamp {
    "2026-11-22T01:00:00Z".parse().unwrap()
}

fn owner() -> Owner {
    Owner {
        environment: "production".to_owned(),
        tenant: "vault-carbone".to_owned(),
        namespace: NAMESPACE.to_owned(),
    }
}

fn config(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE}, "data": {"text": text}})
}

fn deployment(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": "web"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [
                    {"name": "nginx", "image": "nginx:1"}, {"name": "php", "image": image}]}}}})
}

fn autoscaler() -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9}})
}

fn manifest(value: Value) -> Manifest {
    Manifest::from_value(value).unwrap()
}

fn bundle(values: impl IntoIterator<Item = Value>) -> Bundle {
    Bundle::new(values.into_iter().map(manifest).collect()).unwrap()
}

fn record(inventory: Inventory) -> TenantRecord {
    TenantRecord {
        environment: "production".to_owned(),
        tenant: "vault-carbone".to_owned(),
        cluster: "gra".to_owned(),
        namespace: NAMESPACE.to_owned(),
        class: "vault".to_owned(),
        state: Outcome::Succeeded,
        digest: None,
        release: None,
        rollout: None,
        since: now(),
        good_from: None,
        hold: None,
        goods: Vec::new(),
        epoch: 1,
        claim: None,
        inventory,
        hooks: std::collections::BTreeMap::new(),
        history: Vec::new(),
    }
}

/// An object as a server stores it after an apply of ours in epoch 1.
fn applied(value: &Value) -> Live {
    let dressed = owner()
        .dress(&manifest(value.clone()), Some("1"))
        .into_value();
    stored(apply_as(MANAGER, None, &dressed))
}

fn apply_as(manager: &str, live: Option<&Value>, sent: &Value) -> Value {
    let request = ApplyRequest {
        live,
        sent,
        manager,
        force: true,
        now: now(),
        subresource: None,
    };
    server_apply(request).unwrap().object
}

fn stored(mut object: Value) -> Live {
    object["metadata"]["uid"] = format!("uid-{}", object["metadata"]["name"]).into();
    object["metadata"]["resourceVersion"] = "7".into();
    Live::from_value(object).unwrap()
}

/// The live object after someone else changed it by an update.
fn updated(
    live: &Live,
    manager: &str,
    subresource: Option<&str>,
    change: impl Fn(&mut Value),
) -> Live {
    let mut new = live.value().clone();
    change(&mut new);
    let mut object = server_update(Some(live.value()), &new, manager, now(), subresource);
    object["metadata"]["resourceVersion"] = "8".into();
    Live::from_value(object).unwrap()
}

fn inventory_of(found: &[&Live], values: &[&Value]) -> Inventory {
    let lines = found.iter().zip(values).map(|(live, value)| Line {
        object: live.object().clone(),
        written: written(live, &Digest::of_object(value)),
    });
    Inventory::new(lines)
}

fn lives(all: impl IntoIterator<Item = Live>) -> LiveObjects {
    let keyed = all.into_iter().map(|live| (live.object().clone(), live));
    keyed.collect()
}

fn plan(bundle: &Bundle, record: &TenantRecord, live: &LiveObjects) -> TenantSteps {
    let wanted = Wanted {
        bundle,
        owner: &owner(),
        epoch: 2,
        secrets: OnSecrets::Apply,
    };
    plan_tenant(&wanted, Some(record), live).unwrap()
}

/// Plans one object that is live and, if so said, recorded as it is live.
fn step(wanted: &Value, recorded: Option<&Value>, live: &Live) -> Step {
    let inventory = match recorded {
        Some(value) => inventory_of(&[live], &[value]),
        None => Inventory::default(),
    };
    let steps = plan(
        &bundle([wanted.clone()]),
        &record(inventory),
        &lives([live.clone()]),
    );
    steps.steps.into_iter().next().unwrap()
}

fn apply_step(step: Step) -> ApplyStep {
    match step {
        Step::Apply(step) => step,
        other => panic!("{other:?}"),
    }
}

fn skipped(step: &Step) -> Option<SkipReason> {
    match step {
        Step::Skip { why, .. } => Some(*why),
        _ => None,
    }
}

#[test]
fn what_is_not_there_is_applied_with_our_marks() {
    let wanted = config("sites", "a");
    let steps = plan(
        &bundle([wanted.clone()]),
        &record(Inventory::default()),
        &LiveObjects::new(),
    );
    let step = apply_step(steps.steps[0].clone());
    assert_eq!(step.why, Why::New);
    assert_eq!((&step.uid, &step.resource_version), (&None, &None));
    assert_eq!(step.digest, Digest::of_object(&wanted));
    assert_eq!(
        step.manifest["metadata"],
        json!({"name": "sites", "namespace": NAMESPACE,
            "labels": {PART_OF: applyset_id(NAMESPACE)},
            "annotations": {EPOCH: "2", OWNER: "production/vault-carbone//ConfigMap/jp-carbone/sites"}})
    );
    assert_eq!(steps.intents().len(), 1);
}

#[test]
fn what_our_last_write_left_costs_nothing() {
    let wanted = config("sites", "a");
    let live = applied(&wanted);
    let step = step(&wanted, Some(&wanted), &live);
    assert_eq!(skipped(&step), Some(SkipReason::AsRecorded));
}

#[test]
fn status_moves_the_resource_version_of_a_workload_and_nothing_else() {
    let wanted = deployment("php:1");
    let mut value = applied(&wanted).value().clone();
    value["metadata"]["generation"] = 1.into();
    let before = Live::from_value(value.clone()).unwrap();
    value["metadata"]["resourceVersion"] = "99".into();
    value["status"] = json!({"readyReplicas": 2});
    let after = Live::from_value(value.clone()).unwrap();
    let recorded = record(inventory_of(&[&before], &[&wanted]));
    let steps = plan(&bundle([wanted.clone()]), &recorded, &lives([after]));
    assert_eq!(skipped(&steps.steps[0]), Some(SkipReason::AsRecorded));
    value["metadata"]["generation"] = 2.into();
    let moved = Live::from_value(value).unwrap();
    let steps = plan(&bundle([wanted]), &recorded, &lives([moved]));
    assert_eq!(skipped(&steps.steps[0]), Some(SkipReason::NothingToChange));
}

#[test]
fn an_object_as_wanted_is_not_written_again_for_a_new_epoch() {
    let wanted = config("sites", "a");
    let step = step(&wanted, None, &applied(&wanted));
    assert_eq!(skipped(&step), Some(SkipReason::NothingToChange));
}

#[test]
fn a_change_in_git_is_applied_on_the_version_that_was_looked_at() {
    let (old, new) = (deployment("php:1"), deployment("php:2"));
    let live = applied(&old);
    let step = apply_step(step(&new, Some(&old), &live));
    assert_eq!((step.why, step.restarts), (Why::Changed, true));
    assert_eq!(step.resource_version.as_deref(), Some("7"));
    assert_eq!(step.uid.as_deref(), Some(live.uid()));
    assert_eq!(step.manifest["metadata"]["annotations"][EPOCH], "2");
}

#[test]
fn a_change_outside_the_pod_template_restarts_nothing() {
    let old = deployment("php:1");
    let mut new = old.clone();
    new["spec"]["replicas"] = 3.into();
    let step = apply_step(step(&new, Some(&old), &applied(&old)));
    assert!(!step.restarts);
}

#[test]
fn what_only_differs_live_is_asked_of_the_server_first() {
    let wanted = config("sites", "a");
    let live = applied(&wanted);
    let drifted = updated(&live, "kubectl-edit", None, |value| {
        value["data"]["text"] = "by hand".into();
    });
    let recorded = record(inventory_of(&[&live], &[&wanted]));
    let steps = plan(&bundle([wanted]), &recorded, &lives([drifted]));
    let Step::DryRun(step) = &steps.steps[0] else {
        panic!("{:?}", steps.steps)
    };
    assert_eq!(step.why, Why::Drifted);
    assert_eq!(
        step.notices,
        [Notice::TakenBack {
            field: ".data.text".to_owned(),
            from: "kubectl-edit".to_owned(),
        }]
    );
    assert!(step.force);
}

#[test]
fn a_dry_run_is_compared_without_what_every_write_moves() {
    let live = applied(&config("sites", "a"));
    let mut answer = live.value().clone();
    answer["metadata"]["resourceVersion"] = "1000".into();
    answer["metadata"]["managedFields"][0]["time"] = "2026-11-22T02:00:00Z".into();
    answer["metadata"]["annotations"][EPOCH] = "2".into();
    let same = Live::from_value(answer.clone()).unwrap();
    assert!(!dry_run_changes(&live, &same));
    answer["data"]["text"] = "b".into();
    assert!(dry_run_changes(&live, &Live::from_value(answer).unwrap()));
}

#[test]
fn a_field_of_another_controller_is_left_to_it_with_a_warning() {
    let old = deployment("php:1");
    let live = updated(&applied(&old), "vpa-updater", None, |value| {
        value["spec"]["template"]["spec"]["containers"][1]["image"] = "php:vpa".into();
        value["metadata"]["labels"]["app.kubernetes.io/name"] = "vpa".into();
    });
    let mut wanted = deployment("php:2");
    let Step::Skip { notices, .. } = step(&wanted, None, &live) else {
        panic!("there is nothing of ours to change")
    };
    wanted["spec"]["replicas"] = 3.into();
    let step = apply_step(step(&wanted, None, &live));
    assert_eq!(step.notices, notices);
    let sent = &step.manifest["spec"]["template"]["spec"]["containers"];
    assert_eq!(
        sent,
        &json!([{"name": "nginx", "image": "nginx:1"}, {"name": "php"}])
    );
    let told: Vec<String> = step.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "`.metadata.labels[\"app.kubernetes.io/name\"]` belongs to `vpa-updater`: left to it",
            "`.spec.template.spec.containers[name=\"php\"].image` belongs to `vpa-updater`: left to it",
        ]
    );
    assert!(!step.restarts);
}

#[test]
fn conflicts_that_only_the_server_saw_are_settled_by_their_spelling() {
    let old = deployment("php:1");
    let live = updated(&applied(&old), "operator", None, |value| {
        value["metadata"]["labels"]["app.kubernetes.io/name"] = "x".into();
    });
    let unaware = ApplyStep {
        manifest: deployment("php:1"),
        ..apply_step(step(&deployment("php:2"), None, &live))
    };
    let reported = |field: &str| [(field.to_owned(), "operator".to_owned())];
    let settled = settle_step(
        &unaware,
        &live,
        &reported(".metadata.labels.app.kubernetes.io/name"),
    );
    assert_eq!(settled.unwrap().manifest["metadata"]["labels"], json!({}));
    assert_eq!(
        settle_step(&unaware, &live, &reported(".spec.nothing")),
        None
    );
}

#[test]
fn replicas_of_an_autoscaled_workload_are_handed_over_before_they_are_no_longer_sent() {
    let web = deployment("php:1");
    let live = applied(&web);
    let recorded = record(inventory_of(&[&live], &[&web]));
    let steps = plan(&bundle([web, autoscaler()]), &recorded, &lives([live]));
    let step = apply_step(steps.steps[0].clone());
    assert_eq!(step.manifest["spec"].get("replicas"), None);
    assert_eq!(
        step.hand_over,
        Some(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": NAMESPACE}, "spec": {"replicas": 2}}))
    );
    let kept = apply_as(
        "escale-hand-over",
        Some(
            &lives([applied(&deployment("php:1"))])[&step.object]
                .value()
                .clone(),
        ),
        step.hand_over.as_ref().unwrap(),
    );
    let after = apply_as(MANAGER, Some(&kept), &step.manifest);
    assert_eq!(after["spec"]["replicas"], 2, "never 1");
}

#[test]
fn replicas_that_an_autoscaler_has_chosen_stay() {
    let web = deployment("php:1");
    let scaled = updated(
        &applied(&web),
        "kube-controller-manager",
        Some("scale"),
        |value| {
            value["spec"]["replicas"] = 5.into();
        },
    );
    let steps = plan(
        &bundle([deployment("php:2"), autoscaler()]),
        &record(Inventory::default()),
        &lives([scaled.clone()]),
    );
    let step = apply_step(steps.steps[0].clone());
    assert_eq!(step.hand_over, None);
    let after = apply_as(MANAGER, Some(scaled.value()), &step.manifest);
    assert_eq!(after["spec"]["replicas"], 5);
}

#[test]
fn an_immutable_change_is_named_and_not_sent() {
    let mut claim = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": NAMESPACE},
        "spec": {"serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}}]}});
    let mut stored = applied(&claim).value().clone();
    let template = &mut stored["spec"]["volumeClaimTemplates"][0];
    template["spec"]["volumeMode"] = "Filesystem".into();
    template["spec"]["resources"]["requests"]["storage"] = "1Gi".into();
    let live = Live::from_value(stored).unwrap();
    let as_before = step(&claim, None, &live);
    assert!(
        !matches!(as_before, Step::NeedsRecreate { .. }),
        "defaults and spellings are no change: {as_before:?}"
    );
    claim["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] =
        "2Gi".into();
    assert_eq!(
        step(&claim, None, &live),
        Step::NeedsRecreate {
            object: live.object().clone(),
            fields: vec![".spec.volumeClaimTemplates".to_owned()],
            allowed: false,
        }
    );
}

#[test]
fn what_is_being_deleted_or_belongs_to_another_tenant_blocks() {
    let wanted = config("sites", "a");
    let mut value = applied(&wanted).value().clone();
    value["metadata"]["annotations"][OWNER] =
        "production/shared-1//ConfigMap/jp-carbone/sites".into();
    let other = Live::from_value(value.clone()).unwrap();
    assert_eq!(
        step(&wanted, None, &other),
        Step::Blocked {
            object: other.object().clone(),
            why: "it belongs to `production/shared-1`".to_owned(),
        }
    );
    value["metadata"]["deletionTimestamp"] = "2026-11-22T01:00:00Z".into();
    value["metadata"]["finalizers"] = json!(["example.com/wait"]);
    let dying = Live::from_value(value).unwrap();
    let Step::Blocked { why, .. } = step(&wanted, None, &dying) else {
        panic!("not blocked")
    };
    assert_eq!(
        why,
        "it is being deleted (finalizers: [\"example.com/wait\"])"
    );
}

fn refusal(value: Value) -> String {
    let bundle = bundle([value]);
    let wanted = Wanted {
        bundle: &bundle,
        owner: &owner(),
        epoch: 1,
        secrets: OnSecrets::Apply,
    };
    plan_tenant(&wanted, None, &LiveObjects::new())
        .unwrap_err()
        .to_string()
}

#[test]
fn the_fence_and_misplaced_secret_values_refuse_before_any_write() {
    let mut outside = config("sites", "a");
    outside["metadata"]["namespace"] = "kube-system".into();
    assert_eq!(
        refusal(outside),
        "tenant `vault-carbone`: `ConfigMap/sites` is not applied: it is in namespace `kube-system`, outside the tenant's `jp-carbone`"
    );
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "all"}});
    assert_eq!(
        refusal(role),
        "tenant `vault-carbone`: `ClusterRole/all` is not applied: it is in no namespace; only the tenant's own Namespace `jp-carbone` may be"
    );
    assert_eq!(
        refusal(config("sites", TOKEN)),
        "tenant `vault-carbone`: `ConfigMap/sites` is not applied: it holds a secret reference at `/data/text`, where only the data of a Secret may"
    );
    let events = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": NAMESPACE}});
    assert!(refusal(events).contains("made by the cluster itself"));
}
