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

#[test]
fn of_a_key_that_was_found_twice_the_last_one_counts() {
    let text = "a: {x: 1, x: 2}\nb: 1\na: 3\n";
    assert!(read(text).is_err());
    let nodes = read_as_found(text).unwrap();
    assert_eq!(nodes[0].to_value(), serde_json::json!({"a": 3, "b": 1}));
}
