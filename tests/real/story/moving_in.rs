//! Helm installed them; escale takes them over.

use super::company::{Company, ENVIRONMENT, TENANTS, WITH_TENANTS, all_run, pods, runs};
use crate::binary::escale_with;
use crate::charts;
use crate::clusters::{CLUSTERS, HUB, as_account_on, now};

pub fn helm_installs_fifty_namespaces(company: &Company) {
    let numbers = 0..TENANTS;
    let all: Vec<(String, &str)> = numbers
        .map(|number| (Company::tenant(number), Company::cluster_of(number)))
        .collect();
    charts::install(company.fleet.folder(), &all);
    let began = now();
    while runs(&WITH_TENANTS).len() < TENANTS {
        assert!(
            now().duration_since(began).as_secs() < 120,
            "pods that do not get ready"
        );
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(charts::records(WITH_TENANTS), TENANTS);
}

pub fn all_are_adopted_without_a_restart(company: &Company) {
    let before = pods();
    let clusters = CLUSTERS.into_iter().chain([HUB, super::ANNEX]);
    let adopter = as_account_on("escale-adopter", clusters);
    let adopt = [
        "adopt",
        "-e",
        ENVIRONMENT,
        "*",
        "--from-helm",
        "--reason",
        "it moves",
    ];
    escale_with(adopter.path(), company.fleet.folder(), &adopt)
        .ends_with(0)
        .says("wave canary");
    assert_eq!(pods(), before, "nothing restarted");
    assert_eq!(
        charts::records(WITH_TENANTS),
        0,
        "Helm knows nobody any more"
    );
    // The first pipeline has nothing to move.
    company.rollout(&[]).ends_with(0);
    assert_eq!(pods(), before, "nothing restarted");
    all_run(&WITH_TENANTS, "1.0.0", &[]);
}
