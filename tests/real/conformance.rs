//! Real clusters answer as they did when they were recorded (`tests/run record` records anew). That simulated
//! ones answer like the recordings is checked without a cluster, in `tests/it/conformance.rs`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clusters::{CLUSTERS, client};
use crate::stories::{Exchange, Scenario, Witness, differences, recorded, recording, scenarios};
use crate::turns::alone;

#[tokio::test]
async fn real_clusters_answer_as_recorded() {
    let _turn = alone();
    let mut problems = Vec::new();
    for scenario in scenarios() {
        let exchanges = told_to_a_real_cluster(&scenario).await;
        if std::env::var_os("ESCALE_RECORD").is_some() {
            record(scenario.name, &exchanges);
        }
        let found = differences::between(scenario.name, &recorded(scenario.name), &exchanges);
        let wrong = found
            .into_iter()
            .filter(|difference| difference.allowed.is_none());
        problems.extend(wrong.map(|difference| difference.to_string()));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

async fn told_to_a_real_cluster(scenario: &Scenario) -> Vec<Exchange> {
    let client = client(&format!("{}-admin", CLUSTERS[0])).await;
    let namespace = format!("story-{}-{}", scenario.name, std::process::id());
    let mut witness = Witness::new(
        client,
        Box::new(|time| Box::pin(tokio::time::sleep(time))),
        &namespace,
    );
    witness.settle_in().await;
    // Until the account of pods is there, none can be made.
    while witness.look("serviceaccounts/default").await["code"] == 404 {
        witness.wait(Duration::from_millis(50)).await;
    }
    (scenario.tell)(&mut witness).await;
    witness.leave().await;
    witness.exchanges
}

fn record(scenario: &str, exchanges: &[Exchange]) {
    let mut text = String::new();
    for exchange in exchanges {
        let line = serde_json::to_string(exchange).expect("JSON can be written");
        writeln!(text, "{line}").expect("a string takes any text");
    }
    std::fs::write(recording(scenario), text).expect("recordings can be written");
}
