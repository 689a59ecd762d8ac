//! Clusters that share a clock are brought up to it at the same time, and come out as each would alone.

use std::time::Duration;

use kube::api::ListParams;
use serde_json::{Value, json};

use super::{SimCluster, api, apply, cluster};

#[tokio::test(start_paused = true)]
async fn a_cluster_comes_out_the_same_alone_and_beside_others() {
    let alone = cluster(1);
    let (one, other) = (cluster(1), cluster(2));
    SimCluster::share_clock([&one, &other]);
    for cluster in [&alone, &one, &other] {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t1"}});
        apply(cluster, namespace).await.expect("a namespace");
    }
    for image in ["web:1", "web:2-crash", "web:3"] {
        for cluster in [&alone, &one, &other] {
            apply(cluster, deployment(image)).await.expect("applied");
        }
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            // Only the other one is asked: `one` is brought up by that alone.
            let pods = api(&other, "Pod", Some("t1"));
            pods.list(&ListParams::default()).await.expect("listed");
        }
    }
    assert_eq!(alone.save(), one.save());
    assert_ne!(one.save(), other.save(), "chance follows from the seed");
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "t1"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    })
}
