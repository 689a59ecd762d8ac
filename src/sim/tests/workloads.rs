//! What becomes of workloads that are no Deployments.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stateful_set_stays_stuck_after_the_way_back_until_its_broken_pod_is_deleted() {
    let cluster = with_namespace(4).await;
    for image in ["db:1", "db:2-crash", "db:1"] {
        apply(&cluster, workload("StatefulSet", image))
            .await
            .expect("applied");
        wait(60).await;
    }
    let image = |name: &str| {
        cluster.object("pods", Some("t1"), name).expect("there")["spec"]["containers"][0]["image"]
            .clone()
    };
    assert_eq!(
        (image("web-0"), image("web-1")),
        (json!("db:1"), json!("db:2-crash"))
    );
    let pods = api(&cluster, "Pod", Some("t1"));
    pods.delete("web-1", &DeleteParams::default())
        .await
        .expect("deleted");
    wait(30).await;
    assert_eq!(image("web-1"), "db:1");
    let set = cluster
        .object("statefulsets.apps", Some("t1"), "web")
        .expect("there");
    assert_eq!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
    assert_eq!(set["status"]["readyReplicas"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_runs_on_every_node_and_a_job_ends() {
    let cluster = with_namespace(5).await;
    apply(&cluster, workload("DaemonSet", "agent:1"))
        .await
        .expect("applied");
    apply(&cluster, workload("Job", "job:1"))
        .await
        .expect("applied");
    wait(20).await;
    let set = cluster
        .object("daemonsets.apps", Some("t1"), "web")
        .expect("there");
    assert_eq!(set["status"]["numberAvailable"], 3, "{:#}", set["status"]);
    let job = cluster
        .object("jobs.batch", Some("t1"), "web")
        .expect("there");
    assert_eq!(job["status"]["succeeded"], 1, "{:#}", job["status"]);
    assert_eq!(job["status"]["conditions"][1]["type"], "Complete");
}
