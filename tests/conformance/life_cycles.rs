//! What becomes of objects after a write: controllers at work.

use std::time::Duration;

use serde_json::{Value, json};

use super::Scenario;
use super::objects::{boat, boats, changed, database, job, web};
use super::witness::{Ask, Witness};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "deployment-life",
            tell: |witness| Box::pin(deployment(witness)),
        },
        Scenario {
            name: "deployment-crash",
            tell: |witness| Box::pin(crash(witness)),
        },
        Scenario {
            name: "deployment-pull-error",
            tell: |witness| Box::pin(pull_error(witness)),
        },
        Scenario {
            name: "deployment-never-ready",
            tell: |witness| Box::pin(never_ready(witness)),
        },
        Scenario {
            name: "stateful-set-life",
            tell: |witness| Box::pin(stateful_set(witness)),
        },
        Scenario {
            name: "job-life",
            tell: |witness| Box::pin(jobs(witness)),
        },
        Scenario {
            name: "definition-then-object",
            tell: |witness| Box::pin(definition_then_object(witness)),
        },
        Scenario {
            name: "custom-unknown-field",
            tell: |witness| Box::pin(custom_unknown_field(witness)),
        },
    ]
}

async fn deployment(witness: &mut Witness) {
    witness
        .ask(Ask::apply(
            "deployments/web",
            &web("registry.example.com/web:1"),
        ))
        .await;
    witness.ask_until("deployments/web", is_rolled_out).await;
    witness
        .ask_until("pods?labelSelector=app%3Dweb", |pods| are(pods, 2))
        .await;
    witness
        .ask(Ask::apply(
            "deployments/web",
            &web("registry.example.com/web:2"),
        ))
        .await;
    witness.ask_until("deployments/web", is_rolled_out).await;
    witness
        .ask_until("replicasets", |sets| {
            are(sets, 2)
                && sum(sets, "/status/replicas") == 2
                && sum(sets, "/status/terminatingReplicas") == 0
        })
        .await;
    let selector = changed(
        web("registry.example.com/web:2"),
        "/spec/selector/matchLabels/app",
        json!("other"),
    );
    let selector = changed(
        selector,
        "/spec/template/metadata/labels/app",
        json!("other"),
    );
    witness.ask(Ask::apply("deployments/web", &selector)).await;
    witness
        .ask(Ask::delete(
            "deployments/web",
            &json!({"propagationPolicy": "Background"}),
        ))
        .await;
    witness.ask_until("pods", |pods| are(pods, 0)).await;
    witness.ask_until("replicasets", |sets| are(sets, 0)).await;
}

async fn crash(witness: &mut Witness) {
    let crashing = changed(
        web("registry.example.com/web:1-crash"),
        "/spec/replicas",
        json!(1),
    );
    witness.ask(Ask::apply("deployments/web", &crashing)).await;
    witness
        .ask_until("pods", |pods| waits_for(pods, "CrashLoopBackOff"))
        .await;
    witness.ask_until("deployments/web", is_observed).await;
}

async fn pull_error(witness: &mut Witness) {
    let unknown = changed(
        web("registry.example.com/web:1-pull-error"),
        "/spec/replicas",
        json!(1),
    );
    witness.ask(Ask::apply("deployments/web", &unknown)).await;
    witness
        .ask_until("pods", |pods| waits_for(pods, "ErrImagePull"))
        .await;
    witness
        .ask_until("pods", |pods| waits_for(pods, "ImagePullBackOff"))
        .await;
}

async fn never_ready(witness: &mut Witness) {
    let stuck = changed(
        web("registry.example.com/web:1-never-ready"),
        "/spec/replicas",
        json!(1),
    );
    let stuck = changed(stuck, "/spec/progressDeadlineSeconds", json!(2));
    witness.ask(Ask::apply("deployments/web", &stuck)).await;
    witness
        .ask_until("pods", |pods| {
            pods["items"][0]["status"]["phase"] == "Running"
        })
        .await;
    witness
        .ask_until("deployments/web", |found| {
            condition(found, "Progressing")["status"] == "False"
        })
        .await;
}

async fn stateful_set(witness: &mut Witness) {
    witness
        .ask(Ask::apply("statefulsets/database", &database()))
        .await;
    witness
        .ask_until("statefulsets/database", is_rolled_out_in_order)
        .await;
    witness
        .ask(Ask::get("persistentvolumeclaims/data-database-0"))
        .await;
    let next = changed(
        database(),
        "/spec/template/spec/containers/0/image",
        json!("registry.example.com/database:2"),
    );
    witness
        .ask(Ask::apply("statefulsets/database", &next))
        .await;
    witness
        .ask_until("statefulsets/database", is_rolled_out_in_order)
        .await;
    let longer = changed(database(), "/spec/serviceName", json!("other"));
    witness
        .ask(Ask::apply("statefulsets/database", &longer))
        .await;
    witness
        .ask(Ask::delete(
            "statefulsets/database",
            &json!({"propagationPolicy": "Foreground"}),
        ))
        .await;
    witness
        .ask_until("statefulsets/database", |answer| answer["code"] == 404)
        .await;
    witness.ask(Ask::get("pods")).await;
}

async fn jobs(witness: &mut Witness) {
    witness
        .ask(Ask::apply("jobs/good", &job("good", "ready")))
        .await;
    witness
        .ask_until("jobs/good", |found| {
            condition(found, "Complete")["status"] == "True"
        })
        .await;
    witness
        .ask(Ask::apply("jobs/bad", &job("bad", "exit=3")))
        .await;
    witness
        .ask_until("jobs/bad", |found| {
            condition(found, "Failed")["status"] == "True"
        })
        .await;
    witness
        .ask(Ask::apply("jobs/good", &job("good", "exit=3")))
        .await;
}

async fn definition_then_object(witness: &mut Witness) {
    forget_boats(witness).await;
    witness.ask(Ask::apply("boats/hermione", &boat())).await;
    witness.ask(Ask::apply(DEFINITION, &boats())).await;
    witness.ask_until(DEFINITION, is_established).await;
    wait_for_boats(witness).await;
    witness.ask(Ask::apply("boats/hermione", &boat())).await;
    let smaller = changed(boat(), "/spec/crew", json!(["cook"]));
    witness.ask(Ask::apply("boats/hermione", &smaller)).await;
    forget_boats(witness).await;
}

async fn custom_unknown_field(witness: &mut Witness) {
    forget_boats(witness).await;
    witness
        .ask_and_forget(Ask::apply(DEFINITION, &boats()))
        .await;
    wait_for_boats(witness).await;
    let sailing = changed(boat(), "/spec/sails", json!(9));
    witness.ask(Ask::apply("boats/hermione", &sailing)).await;
    forget_boats(witness).await;
}

const DEFINITION: &str = "customresourcedefinitions/boats.test.escale.dev";

/// The definition is of the whole cluster, so it may be there from a run before.
async fn forget_boats(witness: &mut Witness) {
    witness
        .ask_and_forget(Ask::delete(DEFINITION, &json!({})))
        .await;
    while witness.look(DEFINITION).await["code"] != 404 {
        witness.wait(Duration::from_millis(200)).await;
    }
}

/// An established kind is served a moment later.
async fn wait_for_boats(witness: &mut Witness) {
    while witness.look("boats").await["kind"] != "BoatList" {
        witness.wait(Duration::from_millis(200)).await;
    }
}

fn is_observed(found: &Value) -> bool {
    found["status"]["observedGeneration"] == found["metadata"]["generation"]
}

fn is_rolled_out(found: &Value) -> bool {
    let status = &found["status"];
    let all = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ];
    // The last word of the controller is the condition, a moment after the counts.
    let said = condition(found, "Progressing")["reason"] == "NewReplicaSetAvailable"
        && status["terminatingReplicas"] == 0;
    is_observed(found)
        && said
        && all
            .iter()
            .all(|count| status[count] == found["spec"]["replicas"])
}

fn is_rolled_out_in_order(found: &Value) -> bool {
    let status = &found["status"];
    let all = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ];
    let one_revision = status["currentRevision"] == status["updateRevision"];
    is_observed(found)
        && one_revision
        && all
            .iter()
            .all(|count| status[count] == found["spec"]["replicas"])
}

fn is_established(found: &Value) -> bool {
    condition(found, "Established")["status"] == "True"
}

fn condition<'a>(found: &'a Value, kind: &str) -> &'a Value {
    let conditions = found["status"]["conditions"].as_array();
    let wanted =
        conditions.and_then(|list| list.iter().find(|condition| condition["type"] == kind));
    wanted.unwrap_or(&Value::Null)
}

fn are(list: &Value, count: usize) -> bool {
    list["items"]
        .as_array()
        .is_some_and(|items| items.len() == count)
}

fn sum(list: &Value, pointer: &str) -> u64 {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|item| item.pointer(pointer)?.as_u64())
        .sum()
}

fn waits_for(pods: &Value, reason: &str) -> bool {
    pods["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
}
