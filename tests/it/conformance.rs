//! Simulated clusters answer as real ones did when they were recorded, but for the differences that
//! `docs/simulation.md` tells with their reasons.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use escale::sim::{Options, SimCluster};
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::stories::{Exchange, Scenario, Witness, differences, recorded, scenarios};

#[tokio::test]
async fn simulated_clusters_answer_as_real_ones_did() {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for scenario in scenarios() {
        let exchanges = told_to_a_simulated_cluster(&scenario).await;
        for difference in differences::between(scenario.name, &recorded(scenario.name), &exchanges)
        {
            match difference.allowed {
                Some(allowed) => drop(used.insert(allowed.place)),
                None => problems.push(difference.to_string()),
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    let allowed: BTreeSet<&str> = differences::ALLOWED
        .iter()
        .map(|allowed| allowed.place)
        .collect();
    assert_eq!(allowed, used, "what is allowed to differ, and what does");
}

async fn told_to_a_simulated_cluster(scenario: &Scenario) -> Vec<Exchange> {
    let elapsed = Arc::new(AtomicI64::new(0));
    let (clock, hand) = (Arc::clone(&elapsed), elapsed);
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
    let cluster = SimCluster::new(Options {
        name: "story".to_owned(),
        seed: 1,
        clock: Arc::new(move || {
            start + jiff::SignedDuration::from_millis(clock.load(Ordering::SeqCst))
        }),
        nodes: 3,
    });
    let pause = move |time: Duration| -> BoxFuture<'static, ()> {
        let milliseconds = i64::try_from(time.as_millis()).expect("a short time");
        hand.fetch_add(milliseconds, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    };
    let mut witness = Witness::new(cluster.client(), Box::new(pause), "escale-conformance-sim");
    witness.settle_in().await;
    (scenario.tell)(&mut witness).await;
    witness.leave().await;
    witness.exchanges
}
