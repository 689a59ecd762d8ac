//! How fast and how large a simulated cluster is: `cargo test --release --lib sim::scale -- --ignored --nocapture`.

use std::sync::Arc;

use http::{Method, Request};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use serde_json::{Value, json};
use tower::Service as _;

use super::service::ApiServer;
use super::{Options, SimCluster};

const TENANTS: usize = 1000;

#[tokio::test(start_paused = true)]
#[ignore = "a measurement: run it in release"]
async fn a_thousand_tenants_fit_into_seconds() {
    let start = tokio::time::Instant::now();
    let epoch: Timestamp = "2026-11-22T08:00:00Z".parse().expect("a time");
    let cluster = SimCluster::new(Options {
        name: "scale".to_owned(),
        seed: 1,
        clock: Arc::new(move || epoch + SignedDuration::try_from(start.elapsed()).expect("short")),
        nodes: 20,
    });
    let mut server = ApiServer(cluster.clone());
    for release in 1..=3 {
        timed(&format!("apply release {release}"), async {
            for tenant in 0..TENANTS {
                for object in tenant_objects(tenant, release) {
                    apply(&mut server, &object).await;
                }
            }
        })
        .await;
        timed("settle for 60 s", async {
            for _ in 0..60 {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                get(&mut server, "/version").await;
            }
        })
        .await;
        timed("10 polls of workloads and pods", async {
            let mut bytes = 0;
            for _ in 0..10 {
                for path in [
                    "/apis/apps/v1/deployments",
                    "/apis/apps/v1/statefulsets",
                    "/api/v1/pods",
                ] {
                    bytes += get(&mut server, path).await;
                }
            }
            println!("  {} MB listed", bytes / 1_000_000);
        })
        .await;
        println!("  resident: {} MB", resident());
    }
    let deployments = cluster.objects("deployments.apps");
    assert!(
        deployments
            .iter()
            .all(|one| one["status"]["availableReplicas"] == 2)
    );
}

async fn timed(what: &str, work: impl Future<Output = ()>) {
    #[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
    let start = std::time::Instant::now();
    work.await;
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

async fn apply(server: &mut ApiServer, object: &Value) {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let plural = match text("/kind") {
        "NetworkPolicy" => "networkpolicies".to_owned(),
        "Ingress" => "ingresses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let root = if text("/apiVersion") == "v1" {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}", text("/apiVersion"))
    };
    let namespace = match text("/metadata/namespace") {
        "" => String::new(),
        namespace => format!("/namespaces/{namespace}"),
    };
    let uri = format!(
        "{root}{namespace}/{plural}/{}?fieldManager=escale&force=true",
        text("/metadata/name")
    );
    let request = Request::builder()
        .method(Method::PATCH)
        .uri(uri)
        .header("content-type", "application/apply-patch+yaml")
        .body(Body::from(object.to_string().into_bytes()))
        .expect("a request");
    let response = server.call(request).await.expect("no faults");
    let status = response.status();
    assert!(status.is_success(), "{status}: {object}");
}

async fn get(server: &mut ApiServer, path: &str) -> usize {
    let request = Request::builder()
        .uri(path)
        .body(Body::empty())
        .expect("a request");
    let response = server.call(request).await.expect("no faults");
    let body = response
        .into_body()
        .collect()
        .await
        .expect("in memory")
        .to_bytes();
    body.len()
}

fn tenant_objects(tenant: usize, release: usize) -> Vec<Value> {
    let namespace = format!("tenant-{tenant}");
    let metadata = |name: &str| {
        json!({"name": name, "namespace": namespace, "labels": {
            "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "escale", "escale.dev/tenant": namespace,
        }})
    };
    let object = |version: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": metadata(name), "spec": spec});
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"escale.dev/tenant": namespace}}}),
        object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "deny",
            json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}),
        ),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("platforms"), "data": {"platforms.json": "x".repeat(500)}}),
    ];
    for app in ["web", "tika", "redis", "realtime"] {
        let changes = if app == "web" { release } else { 1 };
        let image = format!("registry.example.com/platform/{app}:{changes}");
        let template = template(app, &image);
        let spec =
            json!({"replicas": 2, "selector": {"matchLabels": {"app": app}}, "template": template});
        objects.push(object("apps/v1", "Deployment", app, spec));
        let spec = json!({"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]});
        objects.push(object("v1", "Service", app, spec));
        let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}});
        objects.push(object("policy/v1", "PodDisruptionBudget", app, spec));
    }
    for app in ["mysql", "solr"] {
        let template = template(app, "registry.example.com/platform/db:1");
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
        let spec = json!({
            "replicas": 1, "serviceName": app, "selector": {"matchLabels": {"app": app}}, "template": template,
            "volumeClaimTemplates": [claim],
        });
        objects.push(object("apps/v1", "StatefulSet", app, spec));
    }
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"name": "http"}}}});
    let rule = json!({"host": format!("{namespace}.example.com"), "http": {"paths": [path]}});
    objects.push(object(
        "networking.k8s.io/v1",
        "Ingress",
        "web",
        json!({"rules": [rule]}),
    ));
    objects
}

fn template(app: &str, image: &str) -> Value {
    let probe = json!({"httpGet": {"path": "/health", "port": "http"}});
    let env: Vec<Value> = (0..8)
        .map(|index| json!({"name": format!("SETTING_{index}"), "value": "some value"}))
        .collect();
    let container = |name: &str| {
        json!({
            "name": name, "image": image, "env": env, "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": probe, "livenessProbe": probe,
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        })
    };
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [container(app)], "securityContext": {"runAsNonRoot": true}}})
}
