use serde_json::{Value, json};

use super::*;
use crate::manifest::{Bundle, Manifest};

fn object(api_version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "ns"}});
    let fields = object.as_object_mut().unwrap();
    fields.extend(rest.as_object().unwrap().clone());
    object
}

fn deployment(image: &str) -> Value {
    let rest = json!({"spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1"}, {"name": "web", "image": image}]}}
    }});
    object("apps/v1", "Deployment", "web", &rest)
}

fn config(data: &Value) -> Value {
    object("v1", "ConfigMap", "settings", &json!({"data": data}))
}

fn bundle(objects: Vec<Value>) -> Bundle {
    let manifests = objects
        .into_iter()
        .map(|object| Manifest::from_value(object).unwrap());
    Bundle::new(manifests.collect()).unwrap()
}

fn compared(before: &Value, after: &Value) -> Difference {
    compare_objects(Some(before), Some(after))
}

fn told(difference: &Difference) -> String {
    let fields: Vec<String> = difference
        .fields
        .iter()
        .flat_map(|field| lines::lines(field, 200))
        .collect();
    let restarts = if difference.restarts {
        ", restarts"
    } else {
        ""
    };
    format!("{:?}{restarts}: {}", difference.change, fields.join(" | "))
}

/// Eight tenants get a new image; one of them has a flag of its own, another one loses an object.
fn fleet() -> Report {
    let mut items = Vec::new();
    let mut names = NamesByTenant::new();
    for index in 1..=8 {
        let tenant = format!("shared-{index}");
        let domain = format!("wiki-{index}.example.com");
        let own = |objects: Vec<Value>| {
            let text = json!(objects)
                .to_string()
                .replace("\"ns\"", &format!("\"{tenant}\""));
            bundle(serde_json::from_str::<Vec<Value>>(&text).unwrap())
        };
        let flags = if index == 3 { "debug" } else { "none" };
        let mut before = vec![
            deployment("registry.example.com/platform/web:2026.11.20-1"),
            config(&json!({"domain": domain, "flags": "none"})),
        ];
        let after = own(vec![
            deployment("registry.example.com/platform/web:2026.11.21-3"),
            config(&json!({"domain": format!("https://{domain}/"), "flags": flags})),
            object("v1", "ServiceAccount", &tenant, &json!({})),
        ]);
        if index == 5 {
            before.push(object("v1", "ConfigMap", "old", &json!({})));
        }
        let before = own(before);
        let sides = Sides {
            cluster: "par",
            tenant: &tenant,
            before: Some(&before),
            after: Some(&after),
        };
        items.extend(compare_bundles(&sides));
        names.insert(
            tenant.clone(),
            Names::new([(tenant.as_str(), "{tenant}"), (domain.as_str(), "{domain}")]),
        );
    }
    let mut report = Report::new(items, &names);
    report.tenants = 10;
    report
}

#[test]
fn the_same_change_of_many_tenants_is_told_once() {
    insta::assert_snapshot!(text(&fleet(), 100));
}

#[test]
fn a_narrow_terminal_gets_short_lines() {
    insta::assert_snapshot!(text(&fleet(), 60));
}

#[test]
fn a_merge_request_gets_sections() {
    let heading = Heading {
        environment: "production",
        before: "main (1f3a9c2)",
        after: "working tree",
    };
    insta::assert_snapshot!(markdown(&fleet(), &heading, 60_000));
}

#[test]
fn markdown_that_is_too_long_ends_between_groups_and_says_so() {
    let heading = Heading {
        environment: "production",
        before: "a",
        after: "b",
    };
    let cut = markdown(&fleet(), &heading, 640);
    assert!(cut.len() < 1000, "{}", cut.len());
    assert_eq!(
        cut.matches("<details>").count(),
        cut.matches("</details>").count()
    );
    assert!(cut.ends_with(
        "**Not shown for want of space**: 3 more changes of 16 objects: ConfigMap/settings, ConfigMap/settings, ServiceAccount/{tenant}. `escale diff` shows all.\n"
    ), "{cut}");
}

#[test]
fn values_cannot_break_out_of_their_fence() {
    let change = Change {
        cluster: "par".to_owned(),
        tenant: "<b>@all".to_owned(),
        object: Manifest::from_value(config(&json!({})))
            .unwrap()
            .object()
            .clone(),
        change: ChangeKind::Update,
        restarts: false,
        fields: vec![FieldChange {
            path: ".data.x".to_owned(),
            before: Some("a\n````\n</details>\u{1b}[31m".into()),
            after: Some("b\n".into()),
        }],
    };
    let report = Report::new(vec![change], &NamesByTenant::new());
    let heading = Heading {
        environment: "production",
        before: "a`b",
        after: "c",
    };
    insta::assert_snapshot!(markdown(&report, &heading, 60_000));
}

#[test]
fn the_json_is_the_one_of_the_docs() {
    let before = bundle(vec![deployment("web:1")]);
    let after = bundle(vec![deployment("web:2")]);
    let sides = Sides {
        cluster: "par",
        tenant: "acme",
        before: Some(&before),
        after: Some(&after),
    };
    let mut report = Report::new(compare_bundles(&sides), &NamesByTenant::new());
    report.incomplete.push(Incomplete {
        cluster: None,
        tenant: Some("other".to_owned()),
        object: None,
        reason: "not rendered".to_owned(),
    });
    let object =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns", "name": "web"});
    let fields = json!([{
        "path": ".spec.template.spec.containers[name=\"web\"].image", "before": "web:1", "after": "web:2"
    }]);
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({
            "apiVersion": "escale.dev/v1alpha1",
            "kind": "DiffReport",
            "items": [{
                "cluster": "par", "tenant": "acme", "object": object, "change": "update", "restarts": true, "fields": fields
            }],
            "groups": [{
                "tenants": ["acme"], "object": object, "change": "update", "restarts": true, "fields": fields, "objects": 1
            }],
            "incomplete": [{"tenant": "other", "reason": "not rendered"}]
        })
    );
}

#[test]
fn nothing_of_a_secret_is_told_but_the_names_of_its_keys() {
    let secret = |data: Value, annotations: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "annotations": annotations}, "data": data});
    let copy =
        |text: &str| json!({"kubectl.kubernetes.io/last-applied-configuration": text, "note": "n"});
    let before = secret(
        json!({"password": "aHVudGVyMg==", "same": "c2FtZQ=="}),
        copy("hunter2"),
    );
    let after = secret(
        json!({"password": "b3RoZXI=", "same": "c2FtZQ==", "new": "bmV3"}),
        copy("other"),
    );
    assert_eq!(
        told(&compared(&before, &after)),
        "Update: .data.new: (none) → (hidden) | .data.password: (hidden) → (hidden, changed) | \
         .metadata.annotations[\"kubectl.kubernetes.io/last-applied-configuration\"]: (hidden) → (hidden, changed)"
    );
    let mut bare = after.clone();
    bare.as_object_mut().unwrap().remove("data");
    bare["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("annotations");
    let whole = compared(&bare, &after);
    let text = serde_json::to_string(&whole.fields).unwrap();
    assert_eq!(
        whole.fields[0].after,
        Some(json!({"new": "(hidden)", "password": "(hidden)", "same": "(hidden)"}))
    );
    assert!(
        !text.contains("b3RoZXI=") && !text.contains("other"),
        "{text}"
    );
}

#[test]
fn what_the_server_and_we_add_is_no_change() {
    let before = config(&json!({"a": "1"}));
    let mut live = before.clone();
    live["metadata"]["uid"] = "u".into();
    live["metadata"]["resourceVersion"] = "7".into();
    live["metadata"]["managedFields"] = json!([{}]);
    live["metadata"]["annotations"] = json!({"escale.dev/epoch": "3"});
    live["status"] = json!({"x": 1});
    assert_eq!(compared(&before, &live).change, ChangeKind::Unchanged);
}

#[test]
fn pods_restart_when_their_template_changes_and_they_run() {
    let web = deployment("web:1");
    let with = |pointer: &str, value: Value| {
        let mut changed = deployment("web:2");
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        changed
    };
    let restarts = |after: &Value| compared(&web, after).restarts;
    assert!(restarts(&deployment("web:2")));
    assert!(!restarts(&with("/spec/paused", json!(true))));
    let mut idle = web.clone();
    idle["spec"]["replicas"] = json!(0);
    assert!(!compared(&idle, &deployment("web:2")).restarts);
    let mut more = web.clone();
    more["spec"]["replicas"] = json!(3);
    assert_eq!(
        told(&compared(&web, &more)),
        "Update: .spec.replicas: 2 → 3"
    );
}

#[test]
fn immutable_fields_need_the_object_made_again() {
    let change = |api_version: &str, kind: &str, before: Value, after: Value| {
        let of = |rest| object(api_version, kind, "x", &rest);
        let difference = compared(&of(before), &of(after));
        (difference.change, difference.restarts)
    };
    let spec = |spec: Value| json!({"spec": spec});
    let (recreate, update) = (ChangeKind::NeedsRecreate, ChangeKind::Update);
    let selector = |app: &str| spec(json!({"selector": {"matchLabels": {"app": app}}}));
    assert_eq!(
        change("apps/v1", "Deployment", selector("a"), selector("b")),
        (recreate, true)
    );
    let name = |name: &str| spec(json!({"serviceName": name}));
    assert_eq!(
        change("apps/v1", "StatefulSet", name("a"), name("b")),
        (recreate, true)
    );
    let replicas = |count: u32| spec(json!({"replicas": count}));
    assert_eq!(
        change("apps/v1", "StatefulSet", replicas(1), replicas(2)),
        (update, false)
    );
    let job = |image: &str| {
        spec(json!({"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}))
    };
    assert_eq!(
        change("batch/v1", "Job", job("a"), job("b")),
        (recreate, false)
    );
    let size = |size: &str| spec(json!({"resources": {"requests": {"storage": size}}}));
    assert_eq!(
        change("v1", "PersistentVolumeClaim", size("1Gi"), size("2Gi")),
        (update, false)
    );
    let class = |class: &str| spec(json!({"storageClassName": class}));
    assert_eq!(
        change("v1", "PersistentVolumeClaim", class("a"), class("b")),
        (recreate, false)
    );
    let address = |address: &str| spec(json!({"clusterIP": address}));
    assert_eq!(
        change("v1", "Service", address("None"), address("10.0.0.1")),
        (recreate, false)
    );
    assert_eq!(
        change("v1", "Service", address("10.0.0.1"), spec(json!({}))),
        (update, false)
    );
    let sealed = |value: &str| json!({"immutable": true, "data": {"a": value}});
    assert_eq!(
        change("v1", "ConfigMap", sealed("1"), sealed("2")),
        (recreate, false)
    );
    let open = |value: &str| json!({"data": {"a": value}});
    assert_eq!(
        change("v1", "ConfigMap", open("1"), open("2")),
        (update, false)
    );
}

#[test]
fn texts_of_many_lines_are_told_by_line() {
    let before: String = (1..30)
        .map(|line| format!("line {line}\n"))
        .collect::<Vec<_>>()
        .concat();
    let after = before.replace("line 7\n", "line seven\n");
    let difference = compared(
        &config(&json!({"a.conf": before})),
        &config(&json!({"a.conf": after})),
    );
    let lines = lines::lines(&difference.fields[0], 80);
    assert_eq!(
        lines,
        [
            ".data[\"a.conf\"]:",
            "    line 6",
            "  - line 7",
            "  + line seven",
            "    line 8"
        ]
    );
}

#[test]
fn names_are_replaced_as_whole_words_the_longest_first() {
    let names = Names::new([
        ("acme", "{tenant}"),
        ("wiki.acme.example.com", "{domain}"),
        ("acme", "{platform}"),
    ]);
    let change = |value: &str| Change {
        cluster: "c".to_owned(),
        tenant: "acme".to_owned(),
        object: Manifest::from_value(config(&json!({})))
            .unwrap()
            .object()
            .clone(),
        change: ChangeKind::Update,
        restarts: false,
        fields: vec![FieldChange {
            path: ".x".to_owned(),
            before: None,
            after: Some(value.into()),
        }],
    };
    let neutral = |value: &str| names.neutral(&change(value)).1.remove(0).after.unwrap();
    assert_eq!(
        neutral("https://wiki.acme.example.com/acme-x?acmeology=1"),
        "https://{domain}/{tenant}-x?acmeology=1"
    );
    assert_eq!(neutral("xacme acme"), "xacme {tenant}");
}

#[test]
fn a_hook_runs_again_or_is_no_more_and_never_needs_to_be_made_anew() {
    let hook = |image: &str, key: &str| {
        let mut job = object(
            "batch/v1",
            "Job",
            "migrate",
            &json!({"spec": {"template": {"spec": {"image": image}}}}),
        );
        job["metadata"]["annotations"] = json!({"escale.dev/hook": "pre-rollout"});
        if !key.is_empty() {
            job["metadata"]["annotations"]["escale.dev/hook-key"] = key.into();
        }
        bundle(vec![job])
    };
    let nothing = bundle(Vec::new());
    let changes = |before: &Bundle, after: &Bundle| {
        let sides = Sides {
            cluster: "c",
            tenant: "t",
            before: Some(before),
            after: Some(after),
        };
        let changes = compare_bundles(&sides).into_iter();
        changes
            .map(|change| (change.change, change.restarts))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        changes(&hook("1", ""), &hook("2", "")),
        [(ChangeKind::HookRuns, false)]
    );
    assert_eq!(
        changes(&nothing, &hook("1", "")),
        [(ChangeKind::HookRuns, false)]
    );
    assert_eq!(
        changes(&hook("1", "k"), &hook("2", "k")),
        [(ChangeKind::Update, false)]
    );
    assert_eq!(
        changes(&hook("1", "k"), &hook("1", "k")),
        [(ChangeKind::Unchanged, false)]
    );
    assert_eq!(
        changes(&hook("1", ""), &nothing),
        [(ChangeKind::HookGone, false)]
    );
}
