//! The deployer of the other tests is one a careful administrator would allow (`tests/controlplane/rbac.yaml`).

use crate::clusters::{CLUSTERS, HUB, kubectl};
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
