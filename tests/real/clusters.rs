//! The real clusters that `tests/run` started, and what one asks of them from outside escale.

use std::path::PathBuf;
use std::process::Command;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

/// The clusters of `environments/production`; the first is the hub.
pub const HUB: &str = "tools-par";
pub const CLUSTERS: [&str; 3] = ["metal-par", "medic-rbx", "managed-ams"];

/// Where to find the clusters. Without them there is nothing to test, and that must not look like success.
pub fn kubeconfig() -> PathBuf {
    PathBuf::from(variable("ESCALE_KUBECONFIG"))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need real clusters, run them by `tests/run real`")
    })
}

/// A client as escale has it: by a context, never by the current one.
pub async fn client(context: &str) -> Client {
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = Kubeconfig::read_from(kubeconfig()).expect("the kubeconfig of the clusters");
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a context of ours");
    Client::try_from(config).expect("a client")
}

/// Runs kubectl as an admin of `cluster` and returns what it prints; fails the test if kubectl fails.
pub fn kubectl(cluster: &str, arguments: &[&str]) -> String {
    let output = Command::new(variable("ESCALE_KUBECTL"))
        .arg("--kubeconfig")
        .arg(kubeconfig())
        .args(["--context", &format!("{cluster}-admin")])
        .args(arguments)
        .output()
        .expect("kubectl starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "kubectl {arguments:?} on {cluster}: {errors}"
    );
    String::from_utf8(output.stdout).expect("kubectl prints UTF-8")
}
