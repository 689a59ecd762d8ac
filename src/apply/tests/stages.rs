//! Stamps of a claim, and steps that run side by side.

use super::*;

#[test]
fn a_fence_stamp_carries_only_the_epoch_and_the_uid() {
    let live = applied(&config("sites", "a"));
    assert_eq!(
        fence_stamp(&live, 9),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "sites", "namespace": NAMESPACE, "uid": live.uid(), "annotations": {EPOCH: "9"}}})
    );
}

#[test]
fn a_stamped_object_is_written_again_under_the_new_claim() {
    let wanted = config("sites", "a");
    let live = applied(&wanted);
    let stamped = apply_as("escale-fence", Some(live.value()), &fence_stamp(&live, 2));
    let step = apply_step(step(
        &wanted,
        None,
        &Live::from_value(stamped.clone()).unwrap(),
    ));
    let again = apply_as(MANAGER, Some(&stamped), &step.manifest);
    let released = apply_as("escale-fence", Some(&again), &fence_unstamp(&step.object));
    assert_eq!(released["metadata"]["annotations"][EPOCH], "2");
    assert_eq!(
        released["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_group_of_steps_is_a_stage() {
    let values = [
        deployment("php:1"),
        config("a", ""),
        config("b", ""),
        autoscaler(),
    ];
    let steps = plan(
        &bundle(values),
        &record(Inventory::default()),
        &LiveObjects::new(),
    );
    let groups: Vec<Vec<String>> = steps
        .into_stages()
        .map(|stage| stage.iter().map(|step| step.object().to_string()).collect())
        .collect();
    assert_eq!(
        groups,
        [
            vec!["ConfigMap/a", "ConfigMap/b"],
            vec!["Deployment/web", "HorizontalPodAutoscaler/web"]
        ]
    );
}

#[test]
fn one_object_in_two_versions_of_its_api_is_one_object() {
    let old = ObjectRef {
        api_version: "autoscaling/v1".to_owned(),
        ..manifest(autoscaler()).object().clone()
    };
    let inventory = Inventory::new([Line {
        object: old,
        written: None,
    }]);
    assert_eq!(candidates(&inventory, bundle([autoscaler()]).objects()), []);
}
