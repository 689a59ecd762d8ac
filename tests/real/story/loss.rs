//! A cluster is lost, and another one gets what its tenants ran.

use std::collections::BTreeMap;

use super::company::{ANNEX, Company, ENVIRONMENT, TENANTS, all_run, certificates, runs};
use super::complaint::{CLIENT, PUT_BACK};
use crate::clusters::{CLUSTERS, Spare};
use crate::records::digests;

/// It takes the place of the annex.
const NEW: &str = "annex-new";

pub fn its_tenants_are_rebuilt_on_another_at_the_digests_they_ran(
    company: &Company,
    annex: Spare<'_>,
) -> Spare<'static> {
    let (digests_before, runs_before) = (digests(ANNEX), runs(&[ANNEX]));
    assert_eq!(digests_before.len(), TENANTS / 10);
    drop(annex);

    let new = Spare::started(NEW);
    let file = format!("environments/{ENVIRONMENT}/clusters/annex.yaml");
    let text = company.fleet.read(&file);
    company
        .fleet
        .write(&file, &text.replace("context: annex", "context: annex-new"));
    company.fleet.commit("Another annex");
    company
        .rollout(&["--rebuild", ANNEX, "--reason", "the hall burned down"])
        .ends_with(0)
        .says(&format!(
            "held again: {}: documents do not open",
            Company::tenant(CLIENT)
        ));
    assert_eq!(digests(NEW), digests_before);
    assert_eq!(runs(&[NEW]), runs_before);
    new
}

/// The client that was put back is held still, and has the certificate that all have.
pub fn the_next_release_reaches_them_all(company: &Company) {
    company.fleet.release("site", "2.4.0");
    company
        .rollout(&[])
        .ends_with(6)
        .says("documents do not open");
    all_run(&CLUSTERS, "2.4.0", &[]);
    let of_new: BTreeMap<String, String> = runs(&[NEW]);
    assert_eq!(of_new[&Company::tenant(CLIENT)], PUT_BACK.1);
    let others = of_new.values().filter(|tag| *tag == "2.4.0");
    assert_eq!(others.count() + 1, TENANTS / 10);
    let all = certificates(&[CLUSTERS[0], CLUSTERS[1], CLUSTERS[2], NEW]);
    let first = &all[&Company::tenant(0)];
    for (tenant, certificate) in &all {
        assert_eq!(certificate, first, "{tenant}");
    }
}
