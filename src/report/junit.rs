//! A rollout as test cases, one a tenant: `cluster/namespace`, which no two tenants share.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::rollout::{Phase, Plan, Progress};

/// Tenants of each wave, and those that were left out. The text is XML.
pub fn junit(name: &str, plan: &Plan, progress: &Progress) -> String {
    let mut report = Report::new(name);
    for wave in &plan.waves {
        let mut suite = TestSuite::new(format!("wave {}", wave.name));
        for planned in &wave.tenants {
            let place = &planned.place;
            let mut case = TestCase::new(
                format!("{}/{}", place.cluster, place.namespace),
                status(progress, &place.tenant),
            );
            case.set_classname(&wave.name);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let mut left_out = plan.left_out().peekable();
    if left_out.peek().is_some() {
        let mut suite = TestSuite::new("left out");
        for excluded in left_out {
            let name = format!("{}/{}", excluded.cluster, excluded.tenant);
            let mut case = TestCase::new(name, skipped(&excluded.reason.words()));
            case.set_classname("left out");
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn status(progress: &Progress, tenant: &str) -> TestCaseStatus {
    let Some(tenant) = progress.tenants.get(tenant) else {
        return skipped("not attempted");
    };
    let why = tenant.failure.as_ref().map(|failure| failure.why.as_str());
    if let Some(why) = why {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
        failed.set_message(why);
        return failed;
    }
    match &tenant.phase {
        Phase::Succeeded { .. } => TestCaseStatus::success(),
        phase => skipped(phase.as_str()),
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(why);
    skipped
}
