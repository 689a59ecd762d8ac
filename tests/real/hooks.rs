//! Hooks on real API servers: Jobs of the real Job controller.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::binary::{killed_rollout, rollback, rollout};
use crate::clusters::kubectl;
use crate::fleet::Fleet;
use crate::records::open_claims;
use crate::sites::{SITES, Sites};
use crate::turns::beside;

const TEMPLATE: &str = "templates/site/migrate.yaml.j2";
/// Runs for every release; its pod behaves as the annotation says.
const MIGRATE: &str = r#"
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  namespace: {{ tenant.namespace }}
  annotations:
    escale.dev/hook: pre-rollout
    escale.dev/hook-key: {{ versions.site | tojson }}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 60
  template:
    metadata: {annotations: {sim.escale.dev/behaviour: "exit=0"}}
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: {{ versions.site }}}]
"#;
const ON: [&str; 2] = ["metal-par", "medic-rbx"];

fn sites() -> Sites<'static> {
    Sites {
        environment: "hooks",
        on: &ON,
        ..SITES
    }
}

/// The Jobs of a tenant, oldest first, each with its uid.
fn jobs(number: usize) -> Vec<String> {
    let sites = sites();
    let tenant = sites.tenant(number);
    let told = kubectl(
        ON[number],
        &[
            "get",
            "jobs",
            "-n",
            &tenant,
            "--sort-by=.metadata.creationTimestamp",
            "-o",
            r#"jsonpath={range .items[*]}{.metadata.name}@{.metadata.uid}{"\n"}{end}"#,
        ],
    );
    told.lines().map(str::to_owned).collect()
}

fn with_hook(fleet: &Fleet, tag: &str, behaviour: &str) {
    fleet.write(TEMPLATE, &MIGRATE.replace("exit=0", behaviour));
    fleet.release("site", tag);
}

#[test]
fn a_migration_runs_once_for_a_release_and_one_that_fails_keeps_everything_as_it_is() {
    let _turn = beside();
    let sites = sites();
    let fleet = sites.begun();
    with_hook(&fleet, "1.1.0", "exit=0");
    rollout(&fleet).ends_with(0);
    sites.end_at("1.1.0");
    let first = [jobs(0), jobs(1)];
    assert!(first.iter().all(|jobs| jobs.len() == 1), "{first:?}");

    // Nothing changes: nothing runs.
    rollout(&fleet).ends_with(0);
    assert_eq!([jobs(0), jobs(1)], first);

    with_hook(&fleet, "1.2.0", "exit=1");
    rollout(&fleet)
        .ends_with(3)
        .says("pre-rollout hook `migrate`");
    sites.end_at("1.1.0");
    assert_eq!(jobs(1), first[1], "the canary stopped it");

    // What goes back runs none.
    let before = jobs(1);
    rollback(fleet.folder(), &["hooks-1", "-e", "hooks"]).ends_with(0);
    assert_eq!(jobs(1), before);
}

#[test]
fn whoever_goes_on_after_a_kill_waits_for_the_job_that_is_there() {
    let _turn = beside();
    let sites = Sites {
        environment: "hooks-killed",
        on: &ON[..1],
        ..SITES
    };
    let fleet = sites.begun();
    with_hook(&fleet, "1.1.0", "ready-after=8s");
    killed_rollout(&fleet, "wave", Duration::from_secs(3));
    rollout(&fleet).ends_with(0);
    // Its answer was not heard, so that the record has no uid of it: only its name.
    assert!(
        sites.tags().values().all(|tag| tag == "1.1.0"),
        "{:?}",
        sites.tags()
    );
    assert_eq!(open_claims(), BTreeSet::new());
    let jobs = kubectl(
        ON[0],
        &["get", "jobs", "-n", "hooks-killed-0", "-o", "name"],
    );
    assert_eq!(jobs.lines().count(), 1, "{jobs}");
}
