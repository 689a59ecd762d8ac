//! A cluster whose nodes are lost under a rollout.

use crate::binary::Running;
use crate::clusters::{forget, kubectl};
use crate::sites::{SITES, Sites};
use crate::turns::alone;

const HERE: &str = "metal-par";

/// No node takes pods any more, and those that were there are gone; until this is dropped.
struct NodesLost;

impl NodesLost {
    fn with_pods_of(sites: &Sites<'_>) -> Self {
        kubectl(HERE, &["taint", "nodes", "--all", "lost=yes:NoSchedule"]);
        std::thread::scope(|scope| {
            for number in (0..sites.on.len()).filter(|number| sites.on[*number] == HERE) {
                scope.spawn(move || {
                    let tenant = sites.tenant(number);
                    let all = ["-n", &tenant, "delete", "pods", "--all", "--wait=false"];
                    kubectl(HERE, &all);
                });
            }
        });
        Self
    }
}

impl Drop for NodesLost {
    fn drop(&mut self) {
        kubectl(HERE, &["taint", "nodes", "--all", "lost-"]);
    }
}

#[test]
fn nobody_fails_because_the_cluster_is_unwell_and_it_goes_on_when_it_is_well() {
    let _turn = alone();
    forget();
    let sites = Sites {
        environment: "ill",
        on: &["medic-rbx", HERE, HERE, HERE, HERE, HERE],
        healthy_for: "5s",
        strategy: "onUnreachable: {deadline: 10m, then: defer}",
        ..SITES
    };
    let fleet = sites.begun_one_by_one();
    fleet.release("site", "1.1.0");
    let mut rollout = Running::rollout(&fleet);
    rollout.wait_for("ill-1: ");
    let lost = NodesLost::with_pods_of(&sites);
    rollout.wait_for("cluster metal-par is unwell");
    drop(lost);
    rollout.wait_for("cluster metal-par is well again");
    rollout.told().ends_with(0);
    sites.end_at("1.1.0");
}
