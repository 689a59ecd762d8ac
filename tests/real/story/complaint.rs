//! One client is not happy, and is put back in chat; what everybody needs reaches him all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use super::company::{ANNEX, Company, TENANTS, Touched, WITH_TENANTS, all_run, certificates, pods};
use crate::audit::Audit;
use crate::clusters::now;

/// The client that complains.
pub const CLIENT: usize = TENANTS - 1;
/// What he runs from then on: what he ran before the release that he complains of.
pub const PUT_BACK: (usize, &str) = (CLIENT, "1.0.0");

/// How long it took from the words to the last write.
pub fn a_client_is_put_back_by_domain_in_chat_while_a_rollout_runs(company: &Company) -> Duration {
    company.fleet.release("site", "1.2.0");
    let mut under_way = company.running_rollout(&["--strategy", "careful"]);
    under_way.wait_for("wave canary");
    let (tenant, audit, typed) = (Company::tenant(CLIENT), Audit::from_now(ANNEX), now());
    let domain = Company::domain(CLIENT);
    company
        .chat(&format!("rollback {domain} because documents do not open"))
        .ends_with(0)
        .says(&format!("rollback {tenant}: done"))
        .says("back and healthy");
    let took = took(&audit, &tenant, typed);
    assert!(took <= Duration::from_secs(2), "it took {took:?}");
    under_way.told().ends_with(6).says(&tenant);
    all_run(&WITH_TENANTS, "1.2.0", &[PUT_BACK]);
    took
}

/// From the words to the last write in the tenant's namespace.
pub fn took(audit: &Audit, tenant: &str, typed: jiff::Timestamp) -> Duration {
    let last = audit.last_change_in(tenant).expect("a rollback writes");
    let took = u64::try_from(last - typed.as_microsecond()).expect("it comes later");
    Duration::from_micros(took)
}

/// Somebody runs it again.
pub fn the_pipeline_respects_the_hold(company: &Company) {
    let touched = Touched::from_now();
    company
        .rollout(&[])
        .ends_with(6)
        .says("documents do not open (ana (chat))");
    assert_eq!(touched.tenants(), BTreeSet::new());
    all_run(&WITH_TENANTS, "1.2.0", &[PUT_BACK]);
}

pub fn the_wildcard_certificate_rotates_everywhere(company: &Company) {
    let before = pods();
    let (certificate, _) = company.new_certificate();
    company.fleet.commit("A new wildcard certificate");
    company
        .rollout(&[])
        .ends_with(6)
        .says("Secret/wildcard was written all the same");
    let found = certificates(&WITH_TENANTS);
    assert_eq!(found.len(), before.len());
    for (tenant, found) in found {
        assert_eq!(found, certificate, "{tenant}");
    }
    assert_eq!(pods(), before, "nothing restarted");
    all_run(&WITH_TENANTS, "1.2.0", &[PUT_BACK]);
}
