//! What was written after a version is told apart from what was not.

use serde_json::json;

use super::{apply, cluster};

#[tokio::test(start_paused = true)]
async fn only_what_was_written_since_is_read_again() {
    let cluster = cluster(1);
    let (all, before) = cluster.objects_since("namespaces", 0);
    assert_eq!(all, cluster.objects("namespaces"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t1"}});
    let new = apply(&cluster, namespace).await.expect("a namespace");
    let (written, after) = cluster.objects_since("namespaces", before);
    assert_eq!(written, [new]);
    assert_eq!(
        cluster.objects_since("namespaces", after),
        (Vec::new(), after)
    );
}
