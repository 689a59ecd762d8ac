//! A release that is broken, and the one that mends it.

use std::collections::BTreeSet;

use super::company::{Company, ENVIRONMENT, TENANTS, Touched, WITH_TENANTS, all_run, pods};

const BRANCH: &str = "release";

/// Returns what was merged.
pub fn a_merge_request_has_one_note(company: &Company) -> String {
    let base = company.fleet.branch(BRANCH);
    company.fleet.release("site", "1.1.0-pull-error");
    let check = ["check", "-e", ENVIRONMENT, "--against", &base];
    company.job(&check).ends_with(0);
    let diff = [
        "diff",
        "-e",
        ENVIRONMENT,
        "--against",
        &base,
        "-o",
        "markdown",
        "--note",
    ];
    company.job(&diff).ends_with(0);
    company
        .job(&diff)
        .ends_with(0)
        .says("says the same already");
    let state = company.gitlab.state();
    assert_eq!(state.complaints, Vec::<String>::new());
    assert_eq!(state.notes.len(), 1);
    let note = &state.notes[0].2;
    let says = |text: &str| assert!(note.contains(text), "`{text}` is not in {note}");
    says(&format!("in {TENANTS} tenants"));
    says("site:1.0.0 → site:1.1.0-pull-error");
    drop(state);
    company.fleet.merge(BRANCH)
}

pub fn the_canary_fails_and_goes_back_alone_and_that_is_announced(company: &Company, broken: &str) {
    let (before, touched) = (pods(), Touched::from_now());
    company.rollout(&[]).ends_with(3);
    let canary = Company::tenant(0);
    assert_eq!(touched.tenants(), BTreeSet::from([canary.clone()]));
    all_run(&WITH_TENANTS, "1.0.0", &[]);
    let mut after = pods();
    after.remove(&canary);
    assert!(after.iter().all(|(tenant, pods)| before[tenant] == *pods));

    let told = company.gitlab.state().told.clone();
    let of_it = |text: &&String| text.contains(&broken[..8]);
    let told: Vec<&String> = told.iter().filter(of_it).collect();
    let says = |text: &str| assert!(told.iter().any(|line| line.contains(text)), "{told:?}");
    says(&format!("1 tenant failed: {canary}: "));
    says("STOPPED in wave canary");
}

pub fn the_fix_reaches_everybody(company: &Company) {
    company.fleet.branch("fix");
    company.fleet.release("site", "1.1.1");
    company.fleet.merge("fix");
    company.rollout(&[]).ends_with(0);
    all_run(&WITH_TENANTS, "1.1.1", &[]);
}
