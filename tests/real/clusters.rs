//! The real clusters that `tests/run` started, and what one asks of them from outside escale.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tempfile::NamedTempFile;

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

/// The kubeconfig of another identity of `docs/rbac`: the contexts of the deployer, with its tokens.
pub fn as_account(account: &str) -> NamedTempFile {
    as_account_on(account, CLUSTERS.into_iter().chain([HUB]))
}

pub fn as_account_on<'a>(
    account: &str,
    clusters: impl IntoIterator<Item = &'a str>,
) -> NamedTempFile {
    let mut text = fs::read_to_string(kubeconfig()).expect("the kubeconfig of the clusters");
    for cluster in clusters {
        let create = ["-n", "escale-system", "create", "token", account];
        let token = kubectl(cluster, &create);
        text = edited_user(&text, cluster, &format!("token: {}", token.trim()));
    }
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("a kubeconfig");
    file
}

/// Runs kubectl as an identity; what it prints, or what it complains of.
pub fn kubectl_as(account: &str, cluster: &str, arguments: &[&str]) -> Result<String, String> {
    let kubeconfig = as_account(account);
    let output = Command::new(variable("ESCALE_KUBECTL"))
        .arg("--kubeconfig")
        .arg(kubeconfig.path())
        .args(["--context", cluster])
        .args(arguments)
        .output()
        .expect("kubectl starts");
    let text = |bytes| String::from_utf8(bytes).expect("kubectl prints UTF-8");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// Gives a user of a kubeconfig other credentials.
pub fn edited_user(text: &str, name: &str, line: &str) -> String {
    edited_entry(text, &format!("- name: {name}\n  user:\n"), line)
}

/// Replaces the one line that follows `heading`.
fn edited_entry(text: &str, heading: &str, line: &str) -> String {
    let start = text.find(heading).expect("an entry of that name") + heading.len();
    let end = start + text[start..].find('\n').expect("a line ends");
    format!("{}    {line}{}", &text[..start], &text[end..])
}

/// The folder of the programs that were built for these tests; `sops` is among them.
pub fn programs() -> PathBuf {
    let kubectl = PathBuf::from(variable("ESCALE_KUBECTL"));
    kubectl.parent().expect("it is in a folder").to_owned()
}

/// Runs `tests/controlplane/run` and returns what it prints.
pub fn controlplane(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/controlplane/run");
    let output = Command::new(script)
        .args(arguments)
        .output()
        .expect("the script starts");
    assert!(
        output.status.success(),
        "{script} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).expect("the script prints UTF-8")
}

#[expect(
    clippy::disallowed_methods,
    reason = "what real clusters do is timed by the clock on the wall"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// What is wrong with a cluster for as long as this is there.
pub struct Trouble<'a> {
    cluster: &'a str,
    mend: &'a str,
}

impl<'a> Trouble<'a> {
    /// It is not there.
    pub fn stopped(cluster: &'a str) -> Self {
        Self::made("stop", cluster, "start")
    }

    /// It takes connections, and says nothing.
    pub fn paused(cluster: &'a str) -> Self {
        Self::made("pause", cluster, "resume")
    }

    /// It answers one request at a time, and turns others away.
    pub fn narrow(cluster: &'a str) -> Self {
        Self::made("narrow", cluster, "widen")
    }

    fn made(command: &str, cluster: &'a str, mend: &'a str) -> Self {
        controlplane(&[command, cluster]);
        Self { cluster, mend }
    }
}

impl Drop for Trouble<'_> {
    fn drop(&mut self) {
        controlplane(&[self.mend, self.cluster]);
    }
}

/// A cluster that only one test has, which removes it when it ends, however it ends.
pub struct Spare<'a>(&'a str);

impl<'a> Spare<'a> {
    pub fn started(name: &'a str) -> Self {
        controlplane(&["start", name]);
        Self(name)
    }

    /// Another one takes its place: empty, under the same name.
    pub fn burns_down(&self) {
        controlplane(&["delete", self.0]);
        controlplane(&["start", self.0]);
    }
}

impl Drop for Spare<'_> {
    fn drop(&mut self) {
        controlplane(&["delete", self.0]);
    }
}

/// Removes what earlier tests left: tenants' namespaces and records.
pub fn clean() {
    on_each(|cluster| {
        remove_namespaces(cluster);
        remove_records(cluster);
    });
}

/// Removes what escale knows of earlier tests, and leaves what runs: a first rollout over it takes half as long as
/// [`clean`] and a rollout of everything anew.
pub fn forget() {
    on_each(remove_records);
}

fn on_each(act: fn(&str)) {
    std::thread::scope(|scope| {
        for cluster in CLUSTERS.into_iter().chain([HUB]) {
            scope.spawn(move || act(cluster));
        }
    });
}

fn remove_records(cluster: &str) {
    let records = [
        "delete",
        "-n",
        "escale-system",
        "configmaps,leases",
        "--all",
    ];
    kubectl(cluster, &records);
}

/// What a namespace would wait for goes first: it is looked at again only many seconds later while pods take time
/// to end or volumes are in use.
fn remove_namespaces(cluster: &str) {
    const KEPT: [&str; 5] = [
        "default",
        "escale-system",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ];
    let delete = |what: &[&str]| kubectl(cluster, &[&["delete"], what].concat());
    let names = "jsonpath={.items[*].metadata.name}";
    let names = kubectl(cluster, &["get", "namespaces", "-o", names]);
    let all = names.split(' ').filter(|name| !KEPT.contains(name));
    let left: Vec<&str> = all.collect();
    if !left.is_empty() {
        let workloads = "deployments,replicasets,statefulsets,cronjobs,jobs";
        delete(&[workloads, "-A", "--all", "--wait=false"]);
        delete(&["pods", "-A", "--all", "--force", "--wait=false"]);
        delete(&["persistentvolumeclaims", "-A", "--all", "--wait=false"]);
        delete(
            &[
                &["namespaces", "--ignore-not-found", "--timeout=120s"],
                left.as_slice(),
            ]
            .concat(),
        );
    }
}
