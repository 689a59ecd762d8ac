//! Secrets with references: what is written, what is left on a way back, and what a diff sends instead of values.

use super::*;

const VALUE: &str = "aHVudGVyMg==";

fn secret(password: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db", "namespace": NAMESPACE}, "data": {"password": password, "user": "YXBw"}})
}

/// The Secret as a server has it after the reference was filled in, and the inventory that recorded it.
fn there() -> (Live, Inventory) {
    let live = applied(&secret(VALUE));
    let recorded = inventory_of(&[&live], &[&secret(TOKEN)]);
    (live, recorded)
}

fn step_of(wanted: &Value, secrets: OnSecrets, live: &Live, inventory: Inventory) -> Step {
    let bundle = bundle([wanted.clone()]);
    let wanted = Wanted {
        bundle: &bundle,
        owner: &owner(),
        epoch: 2,
        secrets,
    };
    let steps = plan_tenant(&wanted, Some(&record(inventory)), &lives([live.clone()]));
    steps.unwrap().steps.remove(0)
}

#[test]
fn a_secret_that_is_as_recorded_is_skipped_and_its_values_are_not_needed() {
    let (live, inventory) = there();
    let step = step_of(&secret(TOKEN), OnSecrets::Apply, &live, inventory);
    assert_eq!(skipped(&step), Some(SkipReason::AsRecorded));
}

#[test]
fn another_version_of_a_reference_is_a_change_and_needs_that_value_alone() {
    let (live, inventory) = there();
    let newer = TOKEN.replace("4f2a", "77cc");
    let step = step_of(&secret(&newer), OnSecrets::Apply, &live, inventory);
    let steps = TenantSteps {
        steps: vec![step.clone()],
        prune: Vec::new(),
    };
    let versions: Vec<String> = steps
        .secret_refs()
        .into_iter()
        .map(|reference| reference.version)
        .collect();
    assert_eq!(versions, ["77cc"]);
    let step = apply_step(step);
    assert_eq!(step.why, Why::Changed);
    let sent = with_stand_ins(&step, &live);
    assert_ne!(sent["data"]["password"], VALUE);
    assert_eq!(sent["data"]["user"], "YXBw");
}

#[test]
fn on_a_way_back_a_secret_that_is_there_stays_and_one_that_is_gone_is_made() {
    let (live, inventory) = there();
    let older = secret(&TOKEN.replace("4f2a", "0011"));
    let step = step_of(&older, OnSecrets::Leave, &live, inventory.clone());
    assert_eq!(skipped(&step), Some(SkipReason::LeftAsFound));
    let bundle = bundle([older]);
    let wanted = Wanted {
        bundle: &bundle,
        owner: &owner(),
        epoch: 2,
        secrets: OnSecrets::Leave,
    };
    let steps = plan_tenant(&wanted, Some(&record(inventory)), &LiveObjects::new()).unwrap();
    assert_eq!(apply_step(steps.steps[0].clone()).why, Why::New);
}

#[test]
fn a_diff_sends_what_is_there_for_a_value_that_nobody_changed_and_else_something_other() {
    let (live, inventory) = there();
    // Somebody labels it: whether the value is still ours is seen by who owns it.
    let labelled = updated(&live, "kubectl-label", None, |object| {
        object["metadata"]["labels"]["team"] = "web".into();
    });
    let step = step_of(
        &secret(TOKEN),
        OnSecrets::Apply,
        &labelled,
        inventory.clone(),
    );
    let Step::DryRun(step) = step else {
        panic!("{step:?}")
    };
    assert_eq!(with_stand_ins(&step, &labelled)["data"]["password"], VALUE);

    let edited = updated(&live, "kubectl-edit", None, |object| {
        object["data"]["password"] = "b3RoZXI=".into();
    });
    let step = step_of(&secret(TOKEN), OnSecrets::Apply, &edited, inventory);
    let Step::DryRun(step) = step else {
        panic!("{step:?}")
    };
    let sent = with_stand_ins(&step, &edited);
    assert_ne!(sent["data"]["password"], "b3RoZXI=");
    assert!(!sent.to_string().contains("escale-secret:"));
}
