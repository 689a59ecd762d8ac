//! One object at a time: server-side apply, field ownership, refusals.

use serde_json::{Value, json};

use super::Scenario;
use super::objects::{changed, container, lease, nightly, service, settings, web, without};
use super::witness::{Ask, Witness};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "create",
            tell: |witness| Box::pin(create(witness)),
        },
        Scenario {
            name: "no-op",
            tell: |witness| Box::pin(no_op(witness)),
        },
        Scenario {
            name: "update",
            tell: |witness| Box::pin(update(witness)),
        },
        Scenario {
            name: "removed-field",
            tell: |witness| Box::pin(removed_field(witness)),
        },
        Scenario {
            name: "removed-list-element",
            tell: |witness| Box::pin(removed_list_element(witness)),
        },
        Scenario {
            name: "reorder",
            tell: |witness| Box::pin(reorder(witness)),
        },
        Scenario {
            name: "spelling",
            tell: |witness| Box::pin(spelling(witness)),
        },
        Scenario {
            name: "conflict",
            tell: |witness| Box::pin(conflict(witness)),
        },
        Scenario {
            name: "shared-field",
            tell: |witness| Box::pin(shared_field(witness)),
        },
        Scenario {
            name: "dry-run",
            tell: |witness| Box::pin(dry_run(witness)),
        },
        Scenario {
            name: "immutable-field",
            tell: |witness| Box::pin(immutable_field(witness)),
        },
        Scenario {
            name: "unknown-field",
            tell: |witness| Box::pin(unknown_field(witness)),
        },
        Scenario {
            name: "wrong-uid",
            tell: |witness| Box::pin(wrong_uid(witness)),
        },
        Scenario {
            name: "stale-version",
            tell: |witness| Box::pin(stale_version(witness)),
        },
        Scenario {
            name: "replace",
            tell: |witness| Box::pin(replace(witness)),
        },
        Scenario {
            name: "lease-take-over",
            tell: |witness| Box::pin(lease_take_over(witness)),
        },
        Scenario {
            name: "absent",
            tell: |witness| Box::pin(absent(witness)),
        },
    ]
}

/// What is asked of objects with containers is asked of a suspended CronJob: no controller writes to it between
/// two questions.
const IMAGE: &str = "registry.example.com/web:1";

async fn create(witness: &mut Witness) {
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness.ask(Ask::get("configmaps/settings")).await;
    witness
        .ask(Ask::create("configmaps", &settings(&json!({"a": "2"}))))
        .await;
    witness
        .ask(Ask::apply("deployments/web", &web(IMAGE)))
        .await;
    witness
        .ask(Ask::apply("services/web", &service(&json!([{"port": 80}]))))
        .await;
}

async fn no_op(witness: &mut Witness) {
    for _ in 0..2 {
        witness
            .ask(Ask::apply(
                "configmaps/settings",
                &settings(&json!({"a": "1"})),
            ))
            .await;
        witness
            .ask(Ask::apply("services/web", &service(&json!([{"port": 80}]))))
            .await;
    }
}

async fn update(witness: &mut Witness) {
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "2", "b": "1"})),
        ))
        .await;
    let ports = json!([{"name": "http", "port": 80}]);
    witness
        .ask(Ask::apply("services/web", &service(&ports)))
        .await;
    witness
        .ask(Ask::apply(
            "services/web",
            &changed(service(&ports), "/spec/selector/tier", json!("front")),
        ))
        .await;
}

async fn removed_field(witness: &mut Witness) {
    let annotated = changed(
        settings(&json!({"a": "1", "b": "2"})),
        "/metadata/annotations",
        json!({"x": "1"}),
    );
    witness
        .ask(Ask::apply("configmaps/settings", &annotated))
        .await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)))
        .await;
    let without_env = without(
        nightly(IMAGE),
        "/spec/jobTemplate/spec/template/spec/containers/0/env",
    );
    witness
        .ask(Ask::apply("cronjobs/nightly", &without_env))
        .await;
}

async fn removed_list_element(witness: &mut Witness) {
    let ports = json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]);
    witness
        .ask(Ask::apply("services/web", &service(&ports)))
        .await;
    witness
        .ask(Ask::apply(
            "services/web",
            &without(service(&ports), "/spec/ports/0"),
        ))
        .await;
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)))
        .await;
    let without_b = without(
        nightly(IMAGE),
        "/spec/jobTemplate/spec/template/spec/containers/0/env/1",
    );
    witness
        .ask(Ask::apply("cronjobs/nightly", &without_b))
        .await;
}

async fn reorder(witness: &mut Witness) {
    let (web_container, side) = (container("web", IMAGE), container("side", IMAGE));
    let both = |containers: Value| {
        changed(
            nightly(IMAGE),
            "/spec/jobTemplate/spec/template/spec/containers",
            containers,
        )
    };
    witness
        .ask(Ask::apply(
            "cronjobs/nightly",
            &both(json!([web_container, side])),
        ))
        .await;
    witness
        .ask(Ask::apply(
            "cronjobs/nightly",
            &both(json!([side, web_container])),
        ))
        .await;
    let turned = json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]);
    let turned = changed(
        nightly(IMAGE),
        "/spec/jobTemplate/spec/template/spec/containers/0/env",
        turned,
    );
    witness.ask(Ask::apply("cronjobs/nightly", &turned)).await;
}

/// The same value written differently is kept as it was written, or brought to one form.
async fn spelling(witness: &mut Witness) {
    let cpu = |text: &str| {
        changed(
            nightly(IMAGE),
            "/spec/jobTemplate/spec/template/spec/containers/0/resources/requests/cpu",
            json!(text),
        )
    };
    witness
        .ask(Ask::apply("cronjobs/nightly", &cpu("1000m")))
        .await;
    witness.ask(Ask::apply("cronjobs/nightly", &cpu("1"))).await;
    let port = |port: Value| service(&json!([port]));
    witness
        .ask(Ask::apply(
            "services/web",
            &port(json!({"port": 80, "protocol": "TCP"})),
        ))
        .await;
    witness
        .ask(Ask::apply("services/web", &port(json!({"port": 80}))))
        .await;
    witness
        .ask(Ask::apply(
            "services/web",
            &port(json!({"port": 80, "targetPort": 80})),
        ))
        .await;
}

async fn conflict(witness: &mut Witness) {
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)))
        .await;
    let other = changed(
        nightly(IMAGE),
        "/spec/jobTemplate/spec/template/spec/containers/0/image",
        json!("registry.example.com/web:2"),
    );
    witness
        .ask(Ask::apply_by("somebody", "cronjobs/nightly", &other))
        .await;
    witness
        .ask(Ask::apply_by("somebody", "cronjobs/nightly", &other).force())
        .await;
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)))
        .await;
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)).force())
        .await;
    witness
        .ask(Ask::merge(
            "cronjobs/nightly",
            &json!({"metadata": {"labels": {"app": "edited"}}}),
        ))
        .await;
    witness
        .ask(Ask::apply("cronjobs/nightly", &nightly(IMAGE)))
        .await;
}

/// Two managers that agree own a field together; it stays until both let go.
async fn shared_field(witness: &mut Witness) {
    let both = settings(&json!({"a": "1", "b": "1"}));
    witness.ask(Ask::apply("configmaps/settings", &both)).await;
    witness
        .ask(Ask::apply_by("somebody", "configmaps/settings", &both))
        .await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness
        .ask(Ask::apply_by(
            "somebody",
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness
        .ask(Ask::merge(
            "configmaps/settings",
            &json!({"data": {"c": "1"}}),
        ))
        .await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1", "c": "2"})),
        ))
        .await;
}

async fn dry_run(witness: &mut Witness) {
    witness
        .ask(Ask::apply("configmaps/settings", &settings(&json!({"a": "1"}))).dry_run())
        .await;
    witness.ask(Ask::get("configmaps/settings")).await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    witness
        .ask(Ask::apply("configmaps/settings", &settings(&json!({"a": "2"}))).dry_run())
        .await;
    witness.ask(Ask::get("configmaps/settings")).await;
    witness
        .ask(Ask::delete(
            "configmaps/settings",
            &json!({"dryRun": ["All"]}),
        ))
        .await;
    witness.ask(Ask::get("configmaps/settings")).await;
}

async fn immutable_field(witness: &mut Witness) {
    let first = Ask::apply("services/web", &service(&json!([{"port": 80}])));
    witness.ask(first).await;
    let routed = changed(
        service(&json!([{"port": 80}])),
        "/spec/clusterIP",
        json!("10.0.0.99"),
    );
    witness.ask(Ask::apply("services/web", &routed)).await;
    let frozen = changed(settings(&json!({"a": "1"})), "/immutable", json!(true));
    witness
        .ask(Ask::apply("configmaps/settings", &frozen))
        .await;
    let thawed = changed(frozen, "/data/a", json!("2"));
    witness
        .ask(Ask::apply("configmaps/settings", &thawed))
        .await;
}

async fn unknown_field(witness: &mut Witness) {
    let typo = changed(settings(&json!({"a": "1"})), "/datum", json!({"b": "2"}));
    witness.ask(Ask::apply("configmaps/settings", &typo)).await;
    let typo = changed(
        nightly(IMAGE),
        "/spec/jobTemplate/spec/template/spec/containers/0/imagePullPolcy",
        json!("Always"),
    );
    witness.ask(Ask::apply("cronjobs/nightly", &typo)).await;
    let wrong_type = changed(nightly(IMAGE), "/spec/suspend", json!("yes"));
    witness
        .ask(Ask::apply("cronjobs/nightly", &wrong_type))
        .await;
}

async fn wrong_uid(witness: &mut Witness) {
    const WRONG: &str = "11111111-2222-3333-4444-555555555555";
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    let wrong = changed(settings(&json!({"a": "2"})), "/metadata/uid", json!(WRONG));
    witness.ask(Ask::apply("configmaps/settings", &wrong)).await;
    witness
        .ask(Ask::apply("configmaps/settings", &wrong).force())
        .await;
    witness
        .ask(Ask::delete(
            "configmaps/settings",
            &json!({"preconditions": {"uid": WRONG}}),
        ))
        .await;
    witness.ask(Ask::get("configmaps/settings")).await;
    let missing = changed(wrong, "/metadata/name", json!("missing"));
    witness
        .ask(Ask::apply("configmaps/missing", &missing))
        .await;
}

async fn stale_version(witness: &mut Witness) {
    let first = witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "1"})),
        ))
        .await;
    let stale = &first["metadata"]["resourceVersion"];
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "2"})),
        ))
        .await;
    let old = changed(
        settings(&json!({"a": "3"})),
        "/metadata/resourceVersion",
        stale.clone(),
    );
    witness.ask(Ask::apply("configmaps/settings", &old)).await;
    witness
        .ask(Ask::apply("configmaps/settings", &old).force())
        .await;
    witness.ask(Ask::replace("configmaps/settings", &old)).await;
    witness
        .ask(Ask::delete(
            "configmaps/settings",
            &json!({"preconditions": {"resourceVersion": stale}}),
        ))
        .await;
    let missing = changed(old, "/metadata/name", json!("missing"));
    witness
        .ask(Ask::apply("configmaps/missing", &missing))
        .await;
}

async fn replace(witness: &mut Witness) {
    let first = witness
        .ask(Ask::create(
            "configmaps",
            &settings(&json!({"a": "1", "b": "1"})),
        ))
        .await;
    let fresh = &first["metadata"]["resourceVersion"];
    let next = changed(
        settings(&json!({"a": "2"})),
        "/metadata/resourceVersion",
        fresh.clone(),
    );
    witness
        .ask(Ask::replace("configmaps/settings", &next))
        .await;
    witness
        .ask(Ask::replace(
            "configmaps/settings",
            &settings(&json!({"a": "3"})),
        ))
        .await;
    witness
        .ask(Ask::apply_by(
            "somebody",
            "configmaps/settings",
            &settings(&json!({"a": "4"})),
        ))
        .await;
    witness
        .ask(Ask::apply(
            "configmaps/settings",
            &settings(&json!({"a": "4"})),
        ))
        .await;
}

async fn lease_take_over(witness: &mut Witness) {
    let first = witness.ask(Ask::create("leases", &lease("first", 0))).await;
    witness
        .ask(Ask::create("leases", &lease("second", 0)))
        .await;
    let seen = &first["metadata"]["resourceVersion"];
    let taken = changed(
        lease("second", 1),
        "/metadata/resourceVersion",
        seen.clone(),
    );
    witness.ask(Ask::replace("leases/rollouts", &taken)).await;
    let late = changed(lease("first", 0), "/metadata/resourceVersion", seen.clone());
    witness.ask(Ask::replace("leases/rollouts", &late)).await;
    witness.ask(Ask::get("leases/rollouts")).await;
}

async fn absent(witness: &mut Witness) {
    witness.ask(Ask::get("configmaps/settings")).await;
    witness
        .ask(Ask::delete("configmaps/settings", &json!({})))
        .await;
    witness
        .ask(Ask::replace("configmaps/settings", &settings(&json!({}))))
        .await;
    witness
        .ask(Ask::merge(
            "configmaps/settings",
            &json!({"data": {"a": "1"}}),
        ))
        .await;
    let other = changed(settings(&json!({})), "/metadata/name", json!("other"));
    witness.ask(Ask::apply("configmaps/settings", &other)).await;
    let shouting = changed(settings(&json!({})), "/metadata/name", json!("SETTINGS"));
    witness
        .ask(Ask::apply("configmaps/SETTINGS", &shouting))
        .await;
}
