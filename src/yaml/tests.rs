use serde_json::json;

use super::*;

fn values(text: &str) -> Vec<serde_json::Value> {
    let nodes = read(text).unwrap();
    nodes.iter().map(Node::to_value).collect()
}

#[test]
fn documents_are_read_as_kubectl_reads_them() {
    assert_eq!(
        values("a: on\nb: 0644\nc: [1e3, 123e4567]\n---\n# nothing\n---\n{x: ~}\n"),
        [
            json!({"a": true, "b": 420, "c": [1000, "123e4567"]}),
            json!({"x": null})
        ]
    );
}
