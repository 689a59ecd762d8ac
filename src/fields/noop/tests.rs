//! The test of the live object, case by case. `tests/it/golden` holds it against a real server.

use serde_json::{Value, json};

use super::{EPOCH, NoOp, would_change};
use crate::fields::{ApplyRequest, server_apply};
use crate::manifest;

const US: &str = "escale";

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "t", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                 "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "500m"}}},
                {"name": "sidecar", "image": "sidecar:1"}
            ]}}
        }
    })
}

/// The object after an apply, as a server would store it: with the defaults that matter here.
fn applied(live: Option<&Value>, sent: &Value, manager: &str) -> Value {
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let request = ApplyRequest {
        live,
        sent,
        manager,
        force: true,
        now,
        subresource: None,
    };
    let mut object = server_apply(request).expect("applies").object;
    if let Some(port) = object.pointer_mut("/spec/template/spec/containers/0/ports/0") {
        port["protocol"] = json!("TCP");
    }
    object
}

fn live() -> Value {
    applied(None, &deployment(), US)
}

fn altered(pointer: &str, value: Value) -> Value {
    let mut sent = deployment();
    *sent.pointer_mut(pointer).expect("it is there") = value;
    sent
}

const WEB: &str = "/spec/template/spec/containers/0";

fn suspicion(sent: &Value, live: &Value) -> String {
    match would_change(sent, live, US) {
        NoOp::Unchanged => "unchanged".to_owned(),
        NoOp::Suspect(suspicion) => suspicion,
    }
}

#[test]
fn what_was_applied_and_only_gained_defaults_is_unchanged() {
    assert_eq!(suspicion(&deployment(), &live()), "unchanged");
}

#[test]
fn a_suspicion_names_the_field_and_never_a_value() {
    let images = altered(&format!("{WEB}/image"), json!("web:2"));
    let removed = altered(&format!("{WEB}/env"), json!([{"name": "A", "value": "1"}]));
    let added = altered("/metadata/labels", json!({"app": "web", "tier": "front"}));
    let turned = altered(
        &format!("{WEB}/env"),
        json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    );
    let env = r#".spec.template.spec.containers[name="web"].env"#;
    let live = live();
    assert_eq!(
        suspicion(&images, &live),
        r#".spec.template.spec.containers[name="web"].image differs"#
    );
    assert_eq!(
        suspicion(&removed, &live),
        format!("{env} holds elements that we own and no longer send")
    );
    assert_eq!(
        suspicion(&added, &live),
        ".metadata.labels.tier is not ours"
    );
    assert_eq!(
        suspicion(&turned, &live),
        format!(r#"{env}[name="A"] is missing or stands elsewhere"#)
    );
}

#[test]
fn a_field_that_we_no_longer_send_would_be_taken_out() {
    let mut sent = deployment();
    sent["spec"]
        .as_object_mut()
        .expect("a map")
        .remove("replicas");
    assert_eq!(
        suspicion(&sent, &live()),
        ".spec holds fields that we own and no longer send"
    );
}

#[test]
fn another_spelling_counts_only_where_another_manager_owns_the_field() {
    let sent = altered(&format!("{WEB}/resources/limits/cpu"), json!("0.5"));
    let mut live = live();
    assert_eq!(suspicion(&sent, &live), "unchanged");
    let theirs = json!({"manager": "vpa", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1":
        {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}":
            {"f:resources": {"f:limits": {"f:cpu": {}}}}}}}}}});
    live["metadata"]["managedFields"]
        .as_array_mut()
        .expect("a list")
        .push(theirs);
    let cpu = r#".spec.template.spec.containers[name="web"].resources.limits.cpu"#;
    assert_eq!(
        suspicion(&sent, &live),
        format!("{cpu} is spelt otherwise, and another manager owns it")
    );
    assert_eq!(suspicion(&deployment(), &live), "unchanged");
}

#[test]
fn elements_of_others_between_ours_change_nothing() {
    let mut live = live();
    let containers = live
        .pointer_mut("/spec/template/spec/containers")
        .and_then(Value::as_array_mut);
    containers
        .expect("a list")
        .insert(1, json!({"name": "injected", "image": "proxy:1"}));
    assert_eq!(suspicion(&deployment(), &live), "unchanged");
}

#[test]
fn the_epoch_is_not_counted_whoever_has_it() {
    assert_eq!(EPOCH, manifest::EPOCH);
    let stamped = |epoch: &str| {
        let mut sent = deployment();
        sent["metadata"]["annotations"] = json!({manifest::EPOCH: epoch});
        sent
    };
    let live = applied(None, &stamped("6"), US);
    for sent in [stamped("7"), deployment()] {
        assert_eq!(suspicion(&sent, &live), "unchanged");
    }
}

#[test]
fn nothing_is_taken_for_granted_without_an_entry_of_our_own() {
    let theirs = applied(None, &deployment(), "helm");
    assert_eq!(
        suspicion(&deployment(), &theirs),
        "`escale` has not applied it yet"
    );
    let mut bare = live();
    bare["metadata"]
        .as_object_mut()
        .expect("a map")
        .remove("managedFields");
    assert_eq!(
        suspicion(&deployment(), &bare),
        "`escale` has not applied it yet"
    );
    let mut of_old = live();
    of_old["metadata"]["managedFields"][0]["apiVersion"] = json!("apps/v1beta1");
    assert_eq!(
        suspicion(&deployment(), &of_old),
        "fields are owned by another version"
    );
}

#[test]
fn lists_of_custom_resources_are_understood_from_what_we_own() {
    let sent = json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"},
        "spec": {"parts": [{"name": "a", "weight": 1}], "where": {"zone": "a"}}
    });
    let mut live = sent.clone();
    live["spec"]["parts"] =
        json!([{"name": "theirs"}, {"name": "a", "weight": 1, "kind": "plain"}]);
    live["metadata"]["managedFields"] = json!([{"manager": US, "operation": "Apply", "apiVersion": "example.com/v1",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {
            "f:parts": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:weight": {}}}, "f:where": {}}}}]);
    assert_eq!(suspicion(&sent, &live), "unchanged");
    live["spec"]["where"]["rack"] = json!("b");
    assert_eq!(suspicion(&sent, &live), ".spec.where differs");
}
