//! The identities of `docs/rbac` can do what they are for, and no more. The deployer is that of all other tests.

use std::io::Write as _;

use crate::binary::{Told, escale_with};
use crate::clusters::{CLUSTERS, HUB, as_account, forget, kubectl, kubectl_as};
use crate::fleet::Fleet;
use crate::turns::alone;

#[test]
fn the_deployer_may_do_what_escale_needs_and_no_more() {
    let _turn = alone();
    for cluster in CLUSTERS {
        assert!(may(cluster, "patch", "deployments.apps", "some-tenant"));
        assert!(may(cluster, "update", "configmaps", "escale-system"));
        assert!(!may(cluster, "update", "configmaps", "some-tenant"));
        for verb in ["get", "create", "patch", "delete"] {
            assert!(may(cluster, verb, "secrets", "some-tenant"));
        }
        for verb in ["list", "watch", "update"] {
            assert!(!may(cluster, verb, "secrets", "some-tenant"));
        }
        assert!(!may(
            cluster,
            "create",
            "clusterroles.rbac.authorization.k8s.io",
            "some-tenant"
        ));
    }
    assert!(may(
        HUB,
        "update",
        "leases.coordination.k8s.io",
        "escale-system"
    ));
}

const PRODUCTION: [&str; 2] = ["-e", "production"];

fn escale_as(account: &str, fleet: &Fleet, arguments: &[&str]) -> Told {
    let kubeconfig = as_account(account);
    escale_with(
        kubeconfig.path(),
        fleet.folder(),
        &[arguments, &PRODUCTION].concat(),
    )
}

#[test]
fn who_compares_sees_what_would_change_and_can_change_nothing() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    crate::binary::rollout(&fleet).ends_with(0);
    escale_as("escale-diff", &fleet, &["diff", "--exit-code"]).ends_with(0);
    fleet.release("web", "1.1.0");
    escale_as("escale-diff", &fleet, &["diff", "--exit-code"])
        .ends_with(2)
        .says("1.1.0");
    for command in ["plan", "status"] {
        escale_as("escale-diff", &fleet, &[command]).ends_with(0);
    }
    escale_as("escale-diff", &fleet, &["rollout"]).ends_with(1);

    let (namespace, cluster) = ("jp-vault-opale", "medic-rbx");
    let mut map = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: platforms, namespace: {namespace}}}\ndata: {{by: hand}}\n"
    );
    map.write_all(text.as_bytes()).expect("a file");
    let path = map.path().to_str().expect("a plain path");
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", path];
    let refused = kubectl_as("escale-diff", cluster, &apply).expect_err("it is no dry-run");
    assert!(
        refused.contains("escale-diff may only ask what would change"),
        "{refused}"
    );
    let asked = [&apply[..], &["--dry-run=server"]].concat();
    kubectl_as("escale-diff", cluster, &asked).expect("a dry-run changes nothing");
}

#[test]
fn who_looks_sees_records_and_nothing_of_the_tenants() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    crate::binary::rollout(&fleet).ends_with(0);
    escale_as("escale-viewer", &fleet, &["status"]).ends_with(0);
    escale_as("escale-viewer", &fleet, &["history", "vault-opale"]).ends_with(0);
    escale_as("escale-viewer", &fleet, &["plan"]).ends_with(0);
    escale_as("escale-viewer", &fleet, &["rollout"])
        .ends_with(1)
        .says("docs/rbac");
    for what in ["deployments", "secrets", "pods"] {
        let get = ["-n", "jp-vault-opale", "get", what];
        kubectl_as("escale-viewer", "medic-rbx", &get).expect_err(what);
    }
}

fn may(cluster: &str, verb: &str, resource: &str, namespace: &str) -> bool {
    let review = format!(
        r#"{{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{{
            "user":"system:serviceaccount:escale-system:escale-deployer",
            "resourceAttributes":{}}}}}"#,
        attributes(verb, resource, namespace)
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), review).expect("a review");
    let path = file.path().to_str().expect("a plain path");
    kubectl(
        cluster,
        &["create", "-f", path, "-o", "jsonpath={.status.allowed}"],
    ) == "true"
}

fn attributes(verb: &str, resource: &str, namespace: &str) -> String {
    let (name, group) = resource.split_once('.').unwrap_or((resource, ""));
    format!(
        r#"{{"verb":"{verb}","group":"{group}","resource":"{name}","namespace":"{namespace}"}}"#
    )
}
