//! Tenants that the real Helm installed: a chart that says what the templates of [`Sites`](crate::sites::Sites) say.

use std::path::Path;
use std::process::Command;

use crate::clusters::{kubeconfig, kubectl, programs};
use crate::fleet::Fleet;
use crate::seen::COMPONENT;

pub const TEMPLATE: &str = "templates/site/site.yaml.j2";
/// In the chart and in the templates.
pub const OLD: &str = ", env: [{name: OLD, value: a}]";

const CHART: &str = "apiVersion: v2\nname: site\nversion: 1.2.3\n";
const CHARTED: &str = r"
apiVersion: v1
kind: Service
metadata: {name: site, labels: {helm.sh/chart: site-1.2.3}}
spec:
  selector: {app.kubernetes.io/name: site}
  ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: site, labels: {app.kubernetes.io/name: site, helm.sh/chart: site-1.2.3}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app.kubernetes.io/name: site}}
  template:
    metadata: {labels: {app.kubernetes.io/name: site}}
    spec:
      containers:
        - {name: site, image: {{ .Values.image }}, ports: [{name: http, containerPort: 80, protocol: TCP}], env: [{name: OLD, value: a}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: page-0}
data: {text: {{ .Values.image | quote }}}
";
const VALUES: &str = "replicas: 1\nimage: registry.example.com/platform/site:1.0.0\n";

/// Writes the chart into the folder `chart` of a fleet, and makes the fleet's templates those that the chart has.
pub fn write(fleet: &Fleet) {
    let template = fleet.read(TEMPLATE).replace("replicas: 2", "replicas: 1");
    let template = template.replace(
        "protocol: TCP}]}\n{%",
        &format!("protocol: TCP}}]{OLD}}}\n{{%"),
    );
    assert!(template.contains(OLD));
    fleet.write(TEMPLATE, &template);
    fleet.write("chart/Chart.yaml", CHART);
    fleet.write("chart/values.yaml", VALUES);
    fleet.write("chart/templates/site.yaml", CHARTED);
}

/// Installs the chart of a folder in each of the namespaces, and makes them. Four at a time: each is a process, and
/// there are two cores.
pub fn install(folder: &Path, all: &[(String, &str)]) {
    std::thread::scope(|scope| {
        for some in all.chunks(all.len().div_ceil(4)) {
            scope.spawn(move || {
                for (namespace, cluster) in some {
                    let into = ["-n", namespace, "--create-namespace"];
                    helm(
                        folder,
                        cluster,
                        &[&["install", "site", "chart"], &into[..]].concat(),
                    );
                }
            });
        }
    });
}

pub fn helm(folder: &Path, cluster: &str, arguments: &[&str]) -> String {
    let output = Command::new(programs().join("helm"))
        .arg("--kubeconfig")
        .arg(kubeconfig())
        .args(["--kube-context", &format!("{cluster}-admin")])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("helm starts");
    assert!(output.status.success(), "helm {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("helm prints UTF-8")
}

/// Returns when all pods are ready.
pub fn wait_for_pods<'a>(clusters: impl IntoIterator<Item = &'a str>) {
    let label = format!("app.kubernetes.io/name={COMPONENT}");
    for cluster in clusters {
        let ready = ["--for=condition=Ready", "--timeout=120s"];
        kubectl(
            cluster,
            &[&["wait", "pods", "-A", "-l", &label], &ready[..]].concat(),
        );
    }
}

/// How many records of its releases Helm has.
pub fn records<'a>(clusters: impl IntoIterator<Item = &'a str>) -> usize {
    let list = ["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"];
    let clusters = clusters.into_iter();
    clusters
        .map(|cluster| kubectl(cluster, &list).lines().count())
        .sum()
}
