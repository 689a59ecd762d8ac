//! Many objects: pages, selectors, metadata only.

use serde_json::{Value, json};

use super::Scenario;
use super::objects::{changed, settings};
use super::witness::{Ask, Witness};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "paged-list",
            tell: |witness| Box::pin(paged_list(witness)),
        },
        Scenario {
            name: "selectors",
            tell: |witness| Box::pin(selectors(witness)),
        },
        Scenario {
            name: "metadata-only",
            tell: |witness| Box::pin(metadata_only(witness)),
        },
    ]
}

/// A list in pages is of one moment: what is written between two pages shows only in the next list.
async fn paged_list(witness: &mut Witness) {
    five(witness).await;
    let first = witness.ask(page(2, None)).await;
    witness
        .ask(Ask::apply("configmaps/number-2b", &number("2b", "odd")))
        .await;
    witness
        .ask(Ask::delete("configmaps/number-4", &json!({})))
        .await;
    let second = witness.ask(page(2, Some(&first))).await;
    witness.ask(page(2, Some(&second))).await;
    witness.ask(page(500, None)).await;
    witness.ask(page(2, None).with("continue=nonsense")).await;
}

async fn selectors(witness: &mut Witness) {
    five(witness).await;
    for selector in [
        "kind=odd",
        "kind%21%3Dodd,kind",
        "kind in (odd,even)",
        "%21absent,kind",
        "kind notin (even),kind",
    ] {
        let selector = selector.replace(' ', "%20");
        witness
            .ask(Ask::get("configmaps").with(&format!("labelSelector={selector}")))
            .await;
    }
    witness
        .ask(Ask::get("configmaps").with("fieldSelector=metadata.name%3Dnumber-3"))
        .await;
}

async fn metadata_only(witness: &mut Witness) {
    five(witness).await;
    witness
        .ask(
            Ask::get("configmaps")
                .with("labelSelector=kind%3Dodd")
                .metadata_only(),
        )
        .await;
}

async fn five(witness: &mut Witness) {
    for index in 1..=5 {
        let kind = if index % 2 == 1 { "odd" } else { "even" };
        let path = format!("configmaps/number-{index}");
        witness
            .ask(Ask::apply(&path, &number(&index.to_string(), kind)))
            .await;
    }
}

fn number(index: &str, kind: &str) -> Value {
    let named = changed(
        settings(&json!({"n": index})),
        "/metadata/name",
        json!(format!("number-{index}")),
    );
    changed(named, "/metadata/labels", json!({"kind": kind}))
}

/// Every real namespace has a ConfigMap of its own (`kube-root-ca.crt`), which has no label.
fn page(limit: usize, before: Option<&Value>) -> Ask {
    let ask = Ask::get("configmaps")
        .with("labelSelector=kind")
        .with(&format!("limit={limit}"));
    match before.and_then(|list| list["metadata"]["continue"].as_str()) {
        Some(token) => ask.with(&format!("continue={}", token.replace('=', "%3D"))),
        None => ask,
    }
}
