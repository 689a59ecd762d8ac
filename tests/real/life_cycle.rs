//! Tenants that leave, and clusters that are lost, on real API servers.

use crate::binary::{Running, Told, escale, rollback, rollout};
use crate::clusters::{Spare, forget, kubectl};
use crate::fleet::Fleet;
use crate::records::open_claims;
use crate::sites::{SITES, Sites};
use crate::turns::{alone, beside};

/// A cluster that only this test has.
const SPARE: &str = "spare";

pub fn rollout_with(fleet: &Fleet, more: &[&str]) -> Told {
    let command = ["rollout", "-e", fleet.environment()];
    escale(fleet.folder(), &[&command, more].concat())
}

/// The token in what a command said.
pub fn token(told: &str) -> String {
    let after = told.split("--allow-deletes ").nth(1).unwrap_or_default();
    let end = |sign: char| !(sign.is_ascii_alphanumeric() || sign == '-');
    let token = after.split(end).next().unwrap_or_default().to_owned();
    assert!(!token.is_empty(), "no token in:\n{told}");
    token
}

#[test]
fn a_client_that_leaves_goes_with_the_token_and_nobody_else_does() {
    let _turn = beside();
    let sites = Sites {
        environment: "goers",
        on: &["metal-par", "medic-rbx", "medic-rbx"],
        ..SITES
    };
    let fleet = sites.begun();
    let file = "environments/goers/tenants/goers-2.yaml";
    let text = fleet.read(file);
    let leaves = "spec: {lifecycle: leaving, deleteAfter: \"2026-01-01\", ";
    fleet.write(file, &text.replace("spec: {", leaves));
    fleet.release("site", "1.1.0");
    let told = rollout(&fleet).ends_with(6);
    assert_eq!(
        sites.tags()["goers-2"],
        "1.0.0",
        "without the token nothing goes"
    );
    assert_eq!(sites.tags()["goers-1"], "1.1.0");

    let token = token(&told.talk);
    rollout_with(&fleet, &["--allow-deletes", &token]).ends_with(0);
    let left = kubectl(
        "medic-rbx",
        &[
            "get",
            "namespaces",
            "goers-2",
            "--ignore-not-found",
            "-o",
            "jsonpath={.status.phase}",
        ],
    );
    assert!(left.is_empty() || left == "Terminating", "{left}");
    let left = kubectl(
        "medic-rbx",
        &[
            "-n",
            "goers-2",
            "get",
            "deployments,services,configmaps",
            "-o",
            "name",
        ],
    );
    assert!(!left.contains("site") && !left.contains("page"), "{left}");
    let record = kubectl(
        "medic-rbx",
        &[
            "-n",
            "escale-system",
            "get",
            "configmap",
            "goers-2",
            "--ignore-not-found",
        ],
    );
    assert_eq!(record, "");
    assert_eq!(sites.tags().len(), 2);
    rollout(&fleet).ends_with(0);
}

#[test]
fn a_cluster_that_is_lost_comes_back_at_what_its_tenants_ran() {
    let _turn = alone();
    forget();
    let spare = Spare::started(SPARE);
    let sites = Sites {
        environment: "burnt",
        on: &["metal-par", SPARE, SPARE],
        ..SITES
    };
    let fleet = sites.fleet_with(&[(
        "clusters/spare",
        "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {name: spare}\nspec: {context: spare}\n",
    )]);
    rollout(&fleet).ends_with(0);
    // One of them is put back and held, and so is behind.
    fleet.release("site", "1.1.0");
    rollout(&fleet).ends_with(0);
    rollback(fleet.folder(), &["-e", "burnt", "burnt-2"]).ends_with(0);

    spare.burns_down();
    let rebuild = ["--rebuild", SPARE, "--reason", "the hall burned down"];
    let mut killed = Running::rollout_with(&fleet, &rebuild);
    killed.wait_for("burnt-1: ");
    assert!(
        killed.killed_after(std::time::Duration::ZERO),
        "it ended before"
    );
    rollout_with(&fleet, &rebuild).ends_with(0);
    assert_eq!(runs(&sites), ["1.1.0", "1.1.0", "1.0.0"]);
    assert_eq!(open_claims().len(), 0);

    fleet.release("site", "1.2.0");
    rollout(&fleet).ends_with(6).says("burnt-2");
    assert_eq!(runs(&sites), ["1.2.0", "1.2.0", "1.0.0"]);
}

/// What the tenants' workloads are to run, in their order.
fn runs(sites: &Sites<'_>) -> Vec<String> {
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let of = |(number, cluster): (usize, &&str)| {
        let tenant = sites.tenant(number);
        let get = ["-n", &tenant, "get", "deployment", "site", "-o", path];
        let image = kubectl(cluster, &get);
        image.rsplit_once(':').map_or("", |(_, tag)| tag).to_owned()
    };
    sites.on.iter().enumerate().map(of).collect()
}
