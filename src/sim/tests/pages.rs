//! What the domains of a simulated cluster answer.

use super::*;
use bytes::Bytes;
use http::Request;

/// A cluster in which `web` of this image answers for `acme.example`.
async fn serving(image: &str) -> SimCluster {
    let cluster = cluster(1);
    let labels = json!({"app": "web"});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let metadata = json!({"name": "web", "namespace": "default", "labels": labels});
    for object in [
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [{"name": "web", "image": image}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
            "spec": {"rules": [{"host": "acme.example", "http": {"paths": [path]}}]}}),
    ] {
        apply(&cluster, object).await.expect("it is valid");
    }
    cluster
}

fn asked(cluster: &SimCluster, host: &str) -> (u16, String) {
    let request = Request::get("/").header("host", host).body(Bytes::new());
    let request = request.expect("a plain request");
    let answer = cluster.ingress().answer(&request).expect("it is there");
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    (answer.status().as_u16(), body)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_is_answered_for_by_a_pod_that_is_ready() {
    let cluster = serving("web:1").await;
    assert_eq!(asked(&cluster, "acme.example").0, 503);
    pass(60).await;
    let welcome = "Welcome to acme.example\n".to_owned();
    assert_eq!(asked(&cluster, "acme.example"), (200, welcome));
    assert_eq!(asked(&cluster, "other.example").0, 404);
}

#[tokio::test(start_paused = true)]
async fn an_image_says_what_its_pages_are() {
    for (image, page) in [
        ("web:1-error-page", (500, String::new())),
        ("web:1-blank-page", (200, String::new())),
    ] {
        let cluster = serving(image).await;
        pass(60).await;
        assert_eq!(asked(&cluster, "acme.example"), page, "{image}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_moves_with_its_ingress_and_ends_with_it() {
    let cluster = serving("web:1").await;
    pass(60).await;
    let ingress = cluster.ingress();
    let asked = |host: &str| {
        let request = Request::get("/").header("host", host).body(Bytes::new());
        let answer = ingress.answer(&request.expect("a plain request"));
        answer.expect("it is there").status().as_u16()
    };
    assert_eq!(asked("acme.example"), 200);
    let ingresses = api(&cluster, "Ingress", Some("default"));
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let rule = json!({"host": "new.example", "http": {"paths": [path]}});
    let moved = Patch::Merge(json!({"spec": {"rules": [rule]}}));
    ingresses
        .patch("web", &PatchParams::default(), &moved)
        .await
        .expect("it is there");
    assert_eq!((asked("acme.example"), asked("new.example")), (404, 200));
    ingresses
        .delete("web", &DeleteParams::default())
        .await
        .expect("it is there");
    assert_eq!(asked("new.example"), 404);
}
