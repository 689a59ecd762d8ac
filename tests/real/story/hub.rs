//! The hub is switched off, and another one takes its place.

use std::time::Duration;

use super::company::{Company, ENVIRONMENT, WITH_TENANTS, all_run};
use super::complaint::{PUT_BACK, took};
use crate::audit::Audit;
use crate::binary::{escale, rollback};
use crate::clusters::{Spare, kubectl, now};

/// The cluster that becomes the hub; it has no tenants.
pub const HARBOUR: &str = "harbour";
/// The tenant that is put back from a laptop.
const TENANT: usize = 8;

/// In a folder with nothing in it. What it ran before its certificate rotated is the same release: it goes behind that.
/// How long it took.
pub fn a_laptop_without_git_puts_a_tenant_back() -> Duration {
    let (bare, tenant) = (
        tempfile::tempdir().expect("a folder"),
        Company::tenant(TENANT),
    );
    let cluster = Company::cluster_of(TENANT);
    let (audit, typed) = (Audit::from_now(cluster), now());
    rollback(bare.path(), &["--context", cluster, &tenant])
        .ends_with(0)
        .says("back and healthy");
    let took = took(&audit, &tenant, typed);
    all_run(&WITH_TENANTS, "1.2.0", &[PUT_BACK, (TENANT, "1.1.1")]);
    took
}

/// The old one is still off. Whoever is held stays so: that is on record beside the tenants.
pub fn another_one_takes_its_place(company: &Company) -> Spare<'static> {
    let harbour = Spare::started(HARBOUR);
    let fleet = &company.fleet;
    let of_environment = |file: &str| format!("environments/{ENVIRONMENT}/{file}.yaml");
    let cluster = "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {name: harbour}\nspec: {context: harbour}\n";
    fleet.write(&of_environment("clusters/harbour"), cluster);
    let file = of_environment("environment");
    let text = fleet.read(&file);
    fleet.write(&file, &text.replace("hub: tools-par", "hub: harbour"));
    fleet.remove(&of_environment("clusters/tools-par"));
    fleet.release("site", "1.3.0");
    company
        .rollout(&[])
        .ends_with(6)
        .says("documents do not open");
    all_run(&WITH_TENANTS, "1.3.0", &[PUT_BACK, (TENANT, "1.1.1")]);
    let rosters = [
        "-n",
        "escale-system",
        "get",
        "configmaps",
        "-l",
        "escale.dev/record=roster",
        "-o",
        "name",
    ];
    assert_eq!(
        kubectl(HARBOUR, &rosters).lines().count(),
        WITH_TENANTS.len()
    );
    // The next release takes along whom the laptop put back.
    let release = ["release-hold", "-e", ENVIRONMENT, &Company::tenant(TENANT)];
    escale(company.fleet.folder(), &release).ends_with(0);
    harbour
}
