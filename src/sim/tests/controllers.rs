//! What is written while no controller looks is seen when they are back.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::{Fault, apply, with_namespace, workload};

#[tokio::test(start_paused = true)]
async fn while_no_controller_looks_the_status_speaks_of_what_was() {
    let cluster = with_namespace(1).await;
    let read = || {
        cluster
            .object("deployments.apps", Some("t1"), "web")
            .expect("it is there")
    };
    apply(&cluster, workload("Deployment", "web:1"))
        .await
        .expect("a workload");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = read()["status"].clone();
    assert_eq!(status["observedGeneration"], json!(1));

    let until = cluster.now() + SignedDuration::from_secs(40);
    cluster.tell(Fault::NoController { until });
    apply(&cluster, workload("Deployment", "web:2"))
        .await
        .expect("a workload");
    tokio::time::sleep(Duration::from_secs(39)).await;
    assert_eq!(read()["metadata"]["generation"], json!(2));
    assert_eq!(read()["status"], status);

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(read()["status"]["observedGeneration"], json!(2));
}
