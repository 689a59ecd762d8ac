//! What somebody changed on the clusters is told against what was rolled out, whatever git says by now.

use std::fs;

use serde_json::Value;

use crate::project::Project;

const SAVED: &str = ".escale/sim/agency.json";

fn rolled_out() -> Project {
    let project = Project::production();
    project.commit();
    assert_eq!(
        project.escale(&["rollout", "-e", "agency", "--sim"]).code,
        6
    );
    project
}

fn drift(project: &Project, code: i32) -> String {
    let ran = project.escale(&["drift", "-e", "agency", "--sim", "--exit-code"]);
    assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    ran.stdout + &ran.stderr
}

/// Somebody changes a Deployment by hand.
fn by_hand(project: &Project, namespace: &str, change: impl Fn(&mut Value)) {
    let file = project.path(SAVED);
    let mut saved: Value = serde_json::from_slice(&fs::read(&file).expect("kept")).expect("JSON");
    let clusters = saved["clusters"]
        .as_object_mut()
        .expect("clusters")
        .values_mut();
    let objects = clusters.flat_map(|cluster| cluster["objects"].as_array_mut().expect("objects"));
    let mut changed = 0;
    for object in objects.map(|saved| &mut saved["object"]) {
        if object["kind"] == "Deployment" && object["metadata"]["namespace"] == namespace {
            object["metadata"]["generation"] = 9.into();
            change(object);
            changed += 1;
        }
    }
    assert!(changed > 0);
    fs::write(&file, saved.to_string()).expect("kept");
}

#[test]
fn what_was_changed_by_hand_is_drift_and_what_git_changed_since_is_not() {
    let project = rolled_out();
    let told = drift(&project, 0);
    assert!(told.contains("no changes in 7 tenants"), "{told}");
    assert!(
        told.contains("not compared: 3 tenants never rolled out, or being written to"),
        "{told}"
    );

    project.edit(
        "environments/agency/versions.yaml",
        "site:2026.11.20-2",
        "site:2026.12.1-1",
    );
    project.commit();
    drift(&project, 0);

    by_hand(&project, "bistrot", |object| {
        object["spec"]["replicas"] = 7.into();
    });
    let told = drift(&project, 2);
    assert!(
        told.contains("in bistrot: update Deployment/site"),
        "{told}"
    );
    assert!(told.contains(".spec.replicas: 7 → 2"), "{told}");
    assert!(
        told.contains("1 of 7 tenants changes") || told.contains("1 of 7 tenants change"),
        "{told}"
    );
}
