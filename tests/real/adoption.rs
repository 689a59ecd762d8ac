//! A fleet that the real Helm and kubectl installed is taken over: no pod restarts, Helm forgets it, and from then on what
//! leaves the templates leaves the clusters.

use std::collections::BTreeMap;
use std::fs;

use crate::binary::{Told, escale, escale_with, rollout};
use crate::charts::{self, OLD, TEMPLATE, helm};
use crate::clusters::{CLUSTERS, as_account, forget, kubectl};
use crate::fleet::Fleet;
use crate::seen::pods_of;
use crate::sites::{SITES, Sites};
use crate::turns::alone;

/// Namespaces that Helm installed.
const BY_HELM: usize = 50;
/// Behind them one for each way of kubectl.
const BY_KUBECTL: [&[&str]; 3] = [
    &["apply", "-f"],
    &["apply", "--server-side", "-f"],
    &["apply", "-k"],
];
const ENVIRONMENT: &str = "adopted";
struct Move {
    fleet: Fleet,
    on: Vec<&'static str>,
}

impl Move {
    fn begun() -> Self {
        let on: Vec<&str> = CLUSTERS
            .into_iter()
            .cycle()
            .take(BY_HELM + BY_KUBECTL.len())
            .collect();
        let sites = Sites {
            environment: ENVIRONMENT,
            on: &on,
            pages: 1,
            ..SITES
        };
        let fleet = sites.fleet_with(&[]);
        charts::write(&fleet);
        fleet.commit("As the chart has it");
        Self { fleet, on }
    }

    fn tenant(number: usize) -> String {
        format!("{ENVIRONMENT}-{number}")
    }

    fn by_helm(&self) -> impl Iterator<Item = (String, &'static str)> + '_ {
        self.on
            .iter()
            .take(BY_HELM)
            .enumerate()
            .map(|(number, on)| (Self::tenant(number), *on))
    }

    fn install(&self) {
        let all: Vec<(String, &str)> = self.by_helm().collect();
        charts::install(self.fleet.folder(), &all);
        // One has a second revision.
        helm(
            self.fleet.folder(),
            self.on[3],
            &["upgrade", "site", "chart", "-n", &Self::tenant(3)],
        );
        let folder = tempfile::tempdir().expect("a folder");
        for (number, apply) in BY_KUBECTL.iter().enumerate() {
            let tenant = Self::tenant(BY_HELM + number);
            let file = folder.path().join(&tenant);
            fs::create_dir_all(&file).expect("a folder");
            let rendered = escale(self.fleet.folder(), &["render", "-e", ENVIRONMENT, &tenant])
                .ends_with(0)
                .data;
            fs::write(file.join("all.yaml"), rendered).expect("a file");
            fs::write(file.join("kustomization.yaml"), "resources: [all.yaml]\n").expect("a file");
            let path = if apply.contains(&"-k") {
                file
            } else {
                file.join("all.yaml")
            };
            let path = path.to_str().expect("a path").to_owned();
            kubectl(
                self.on[BY_HELM + number],
                &[apply, [path.as_str()].as_slice()].concat(),
            );
        }
        charts::wait_for_pods(CLUSTERS);
    }

    /// As somebody who may find and end Helm's records.
    fn adopt(&self, arguments: &[&str]) -> Told {
        let adopter = as_account("escale-adopter");
        let command = ["adopt", "-e", ENVIRONMENT, "*", "--reason", "it moves"];
        escale_with(
            adopter.path(),
            self.fleet.folder(),
            &[&command, arguments].concat(),
        )
    }
}

/// The uids of the pods of each tenant, and how often their containers restarted.
fn pods() -> BTreeMap<String, Vec<String>> {
    pods_of(CLUSTERS, ENVIRONMENT)
}

#[test]
fn fifty_namespaces_of_helm_and_some_of_kubectl_are_taken_over_without_a_restart() {
    let _turn = alone();
    forget();
    let it = Move::begun();
    it.install();
    // What people do: one was scaled, one restarted.
    let (scaled, restarted) = (Move::tenant(7), Move::tenant(8));
    kubectl(
        it.on[7],
        &["scale", "deployment/site", "--replicas=3", "-n", &scaled],
    );
    kubectl(
        it.on[8],
        &["rollout", "restart", "deployment/site", "-n", &restarted],
    );
    kubectl(
        it.on[7],
        &[
            "rollout",
            "status",
            "deployment/site",
            "-n",
            &scaled,
            "--timeout=60s",
        ],
    );
    kubectl(
        it.on[8],
        &[
            "rollout",
            "status",
            "deployment/site",
            "-n",
            &restarted,
            "--timeout=60s",
        ],
    );
    let before = pods();
    assert_eq!(before.len(), BY_HELM + BY_KUBECTL.len());
    assert_eq!(charts::records(CLUSTERS), BY_HELM + 1);

    escale(it.fleet.folder(), &["adopt", "-e", ENVIRONMENT, "*"])
        .ends_with(1)
        .says("`--from-helm` takes it over from Helm");
    escale(
        it.fleet.folder(),
        &["adopt", "-e", ENVIRONMENT, "*", "--from-helm"],
    )
    .ends_with(1)
    .says("cannot list resource \"secrets\"");
    let told = it
        .adopt(&["--from-helm", "--dry-run"])
        .ends_with(0)
        .says("nothing was written");
    assert!(
        told.data.contains("in adopted-7: update Deployment/site"),
        "{told}"
    );
    assert!(
        !told.data.contains("in adopted-8"),
        "a restart is no difference: {told}"
    );
    assert_eq!(charts::records(CLUSTERS), BY_HELM + 1);

    it.adopt(&["--from-helm"]).ends_with(0).says("wave canary");
    assert_eq!(pods(), before, "nothing restarted");
    assert_eq!(charts::records(CLUSTERS), 0);
    for cluster in CLUSTERS {
        assert_eq!(helm(it.fleet.folder(), cluster, &["list", "-A", "-q"]), "");
    }
    it.adopt(&["--from-helm"])
        .ends_with(0)
        .says("nothing to adopt");

    // Only who was scaled differs from the templates.
    let told = rollout(&it.fleet).ends_with(0);
    assert!(
        told.talk.contains("adopted-7: ") && !told.talk.contains("adopted-9: "),
        "{told}"
    );
    let mut after = pods();
    assert_eq!(after.remove(&scaled).map(|pods| pods.len()), Some(1));
    assert!(after.iter().all(|(tenant, pods)| before[tenant] == *pods));

    what_leaves_the_templates_leaves(&it);
    let_go_and_nothing_moves(&it);
}

fn what_leaves_the_templates_leaves(it: &Move) {
    let template = it.fleet.read(TEMPLATE);
    it.fleet.write(TEMPLATE, &template.replace(OLD, ""));
    it.fleet.release("site", "1.1.0");
    rollout(&it.fleet).ends_with(0);
    let line = r#"jsonpath={range .items[*]}{.metadata.namespace} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env}{"\n"}{end}"#;
    let mut seen = 0;
    for cluster in CLUSTERS {
        let told = kubectl(cluster, &["get", "deployments", "-A", "-o", line]);
        for line in told.lines().filter(|line| line.starts_with(ENVIRONMENT)) {
            assert!(line.trim_end().ends_with("site:1.1.0"), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen, it.on.len());
}

fn let_go_and_nothing_moves(it: &Move) {
    let tenant = Move::tenant(4);
    let before = pods();
    escale(it.fleet.folder(), &["leave", "-e", ENVIRONMENT, &tenant])
        .ends_with(1)
        .says("would take `adopted-4` over again");
    let file = format!("environments/{ENVIRONMENT}/tenants/{tenant}.yaml");
    let text = it.fleet.read(&file);
    it.fleet.write(
        &file,
        &text.replace("spec: {", "spec: {updates: onRequest, "),
    );
    it.fleet.commit("It leaves");
    escale(it.fleet.folder(), &["leave", "-e", ENVIRONMENT, &tenant])
        .ends_with(0)
        .says("4 objects without our marks");
    assert_eq!(pods(), before);
    let left = kubectl(
        it.on[4],
        &[
            "get",
            "deployment/site",
            "-n",
            &tenant,
            "-o",
            "json",
            "--show-managed-fields",
        ],
    );
    assert!(
        !left.contains("escale.dev") && !left.contains("\"escale\""),
        "{left}"
    );
    rollout(&it.fleet)
        .ends_with(6)
        .says("left out: adopted-4 (updates: onRequest");
    let still = kubectl(
        it.on[4],
        &["get", "deployment/site", "-n", &tenant, "-o", "json"],
    );
    assert!(!still.contains("escale.dev"), "nobody takes it over again");
}
