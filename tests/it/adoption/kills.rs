//! Killed after any write, the next one finishes it, and nothing has restarted.

use std::time::Duration;

use escale::record::Outcome;

use super::{By, adopt, install, running, succeeded};
use crate::scene::simulated;

#[test]
fn whoever_is_killed_while_taking_over_is_gone_on_with() {
    for by in [By::Kubectl, By::Helm] {
        for moment in [20, 60, 110, 170, 250, 400, 900, 4_000, 8_000] {
            simulated(|scene| async move {
                let release = scene.release("aaaa", "1");
                install(&scene, &release, by, |_| {}).await;
                let before = running(&scene);
                for sim in scene.sims.values() {
                    sim.tell(escale::sim::Fault::Requests(escale::sim::RequestFaults {
                        latency: Duration::from_millis(10)..Duration::from_millis(30),
                        ..Default::default()
                    }));
                }
                let from_helm = by == By::Helm;
                let killed = tokio::time::timeout(
                    Duration::from_millis(moment),
                    Box::pin(adopt(&scene, &release, from_helm)),
                );
                assert!(killed.await.is_err(), "killed after {moment} ms");
                scene.pass(2).await;
                succeeded(&Box::pin(adopt(&scene, &release, from_helm)).await);
                assert_eq!(running(&scene), before, "killed after {moment} ms");
                for tenant in release.bundles.keys() {
                    let record = scene.record(tenant).await;
                    assert_eq!(record.state, Outcome::Succeeded);
                    let wanted = release.bundles[tenant].as_ref().expect("it rendered");
                    assert_eq!(
                        record.digest.as_ref(),
                        Some(wanted.digest()),
                        "killed after {moment} ms"
                    );
                }
            });
        }
    }
}
