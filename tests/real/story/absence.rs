//! A cluster is off for three releases, each of which has a migration more.

use std::collections::BTreeMap;

use super::company::{Company, WITH_TENANTS, all_run, is_ours};
use super::complaint::PUT_BACK;
use crate::clusters::{Trouble, kubectl};

const OFF: &str = "medic-rbx";
const OTHERS: [&str; 3] = ["metal-par", "managed-ams", super::ANNEX];
const TEMPLATE: &str = "templates/site/migrate.yaml.j2";
/// Cumulative, as the guide asks for: each has the steps of those before it.
const MIGRATE: &str = r"
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {escale.dev/hook: pre-rollout}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 50
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: {{ versions.site }}, args: [STEPS]}]
";
const RELEASES: [(&str, &str); 3] = [
    ("2.1.0", "accounts"),
    ("2.2.0", "accounts, invoices"),
    ("2.3.0", "accounts, invoices, reminders"),
];

pub fn a_cluster_misses_three_releases_and_catches_up(company: &Company) {
    let off = Trouble::stopped(OFF);
    for (tag, steps) in RELEASES {
        company
            .fleet
            .write(TEMPLATE, &MIGRATE.replace("STEPS", steps));
        company.fleet.release("site", tag);
        company
            .rollout(&[])
            .ends_with(6)
            .says(&format!("tenants on {OFF} (cluster unreachable"));
        all_run(&OTHERS, tag, &[PUT_BACK]);
    }
    drop(off);
    all_run(&[OFF], "1.3.0", &[]);
    company
        .job(&["rollout", "-e", "story", "--continue"])
        .ends_with(0)
        .says("did not get release");
    all_run(&WITH_TENANTS, "2.3.0", &[PUT_BACK]);

    // One Job with all steps; whoever was there has those of the last two runs.
    let newest = RELEASES.map(|(_, steps)| steps.replace(", ", " "));
    for (tenant, migrations) in migrations(OFF) {
        assert_eq!(migrations, newest[2..], "{tenant}");
    }
    assert_eq!(migrations(OFF).len(), migrations(OTHERS[0]).len());
    for (tenant, migrations) in migrations(OTHERS[0]) {
        assert_eq!(migrations, newest[1..], "{tenant}");
    }
}

/// The steps of the migrations of each tenant that ended well, oldest first.
fn migrations(cluster: &str) -> BTreeMap<String, Vec<String>> {
    let line = r#"jsonpath={range .items[?(@.status.succeeded==1)]}{.metadata.namespace} {.spec.template.spec.containers[0].args[*]}{"\n"}{end}"#;
    let sorted = "--sort-by=.metadata.creationTimestamp";
    let told = kubectl(cluster, &["get", "jobs", "-A", sorted, "-o", line]);
    let mut migrations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in told.lines() {
        let (namespace, steps) = line.split_once(' ').expect("two words");
        if is_ours(namespace) {
            let migrations = migrations.entry(namespace.to_owned()).or_default();
            migrations.push(steps.to_owned());
        }
    }
    migrations
}
