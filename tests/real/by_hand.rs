//! People who edit objects while a rollout is under way.

use crate::binary::{Running, rollout};
use crate::clusters::{CLUSTERS, kubectl};
use crate::fleet::Fleet;
use crate::sites::{SITES, Sites};
use crate::turns::beside;

/// The server is asked about everything that is skipped: who edits it at the same time is no mistake of ours.
const ALL: [&str; 2] = ["--verify-sample", "100"];

fn sites(environment: &str) -> Sites<'_> {
    Sites {
        environment,
        on: &CLUSTERS,
        healthy_for: "2s",
        ..SITES
    }
}

/// Scales, labels, patches and deletes on all clusters at once, without touching a pod template.
fn edit(sites: &Sites<'_>, number: usize) {
    let tenant = sites.tenant(number);
    let on = |arguments: &[&str]| {
        kubectl(
            sites.on[number],
            &[&["-n", tenant.as_str()], arguments].concat(),
        )
    };
    on(&["scale", "deployment/site", "--replicas=3"]);
    on(&["label", "service/site", "team=somebody", "--overwrite"]);
    let patch = r#"{"data": {"text": "by hand"}}"#;
    on(&[
        "patch",
        "configmap",
        "page-0",
        "--type=merge",
        "--patch",
        patch,
    ]);
    on(&["delete", "configmap", "page-1", "--ignore-not-found"]);
}

fn edit_all(sites: &Sites<'_>) {
    std::thread::scope(|scope| {
        for number in 0..sites.on.len() {
            scope.spawn(move || edit(sites, number));
        }
    });
}

fn started(fleet: &Fleet, tag: &str) -> Running {
    fleet.release("site", tag);
    Running::rollout_with(fleet, &ALL)
}

fn replicas(sites: &Sites<'_>, number: usize) -> String {
    let tenant = sites.tenant(number);
    let path = "jsonpath={.spec.replicas}";
    kubectl(
        sites.on[number],
        &["-n", &tenant, "get", "deployment", "site", "-o", path],
    )
}

#[test]
fn objects_that_are_edited_in_every_phase_stop_nobody_and_the_next_release_puts_them_right() {
    let _turn = beside();
    let sites = sites("edited");
    let fleet = sites.begun();
    edit_all(&sites);
    let phases = [
        ("1.1.0", "wave canary"),
        ("1.2.0", "edited-0: "),
        ("1.3.0", "wave canary: 1 of 1"),
        ("1.4.0", "edited-1: "),
    ];
    for (tag, phase) in phases {
        let mut rollout = started(&fleet, tag);
        rollout.wait_for(phase);
        edit_all(&sites);
        rollout.told().ends_with(0);
        assert!(
            sites.tags().values().all(|runs| runs == tag),
            "{:?}",
            sites.tags()
        );
    }
    started(&fleet, "2.0.0").told().ends_with(0);
    sites.end_at("2.0.0");
    for number in 0..CLUSTERS.len() {
        assert_eq!(replicas(&sites, number), "2");
    }
}

#[test]
fn edits_on_the_way_back_keep_nobody_from_getting_there() {
    let _turn = beside();
    let sites = sites("edited-back");
    let fleet = sites.begun();
    let mut back = started(&fleet, "1.1.0-crash");
    back.wait_for("goes back");
    edit(&sites, 0);
    back.told().ends_with(3);
    assert!(sites.tags().values().all(|runs| runs == "1.0.0"));
    started(&fleet, "1.2.0").told().ends_with(0);
    sites.end_at("1.2.0");
}

#[test]
fn a_tenant_that_runs_an_image_set_by_hand_proves_nothing() {
    let _turn = beside();
    let sites = sites("swapped");
    let fleet = sites.begun();
    let mut swapped = started(&fleet, "1.1.0");
    swapped.wait_for("swapped-0: ");
    let image = "site=registry.example.com/platform/site:9.9.9";
    let set = ["-n", "swapped-0", "set", "image", "deployment/site", image];
    kubectl(sites.on[0], &set);
    let told = swapped.told().ends_with(3);
    told.says("changed it since");
    assert!(sites.tags().values().all(|runs| runs == "1.0.0"));
    rollout(&fleet).ends_with(6).says("quarantine");
    fleet.release("site", "1.2.0");
    rollout(&fleet).ends_with(0);
    sites.end_at("1.2.0");
}
