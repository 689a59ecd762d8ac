use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn values(text: &str) -> Vec<Value> {
    let nodes = read(text).unwrap();
    nodes.iter().map(Node::to_value).collect()
}

fn value(text: &str) -> Value {
    values(text).remove(0)
}

/// The error with its hint, as people read it.
fn complaint(text: &str) -> String {
    let error = read(text).unwrap_err();
    match &error.hint {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
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
    assert_eq!(nodes[0].to_value(), json!({"a": 3, "b": 1}));
}

#[test]
fn quotes_and_tags_say_what_a_scalar_is() {
    assert_eq!(
        value("{a: 'on', b: \"1\", c: !!str 5, d: !!int '7', e: !mine 5, f: !!binary aGVsbG8=}"),
        json!({"a": "on", "b": "1", "c": "5", "d": 7, "e": "5", "f": "hello"})
    );
    assert_eq!(
        complaint("a: !!int x"),
        "line 1, column 4: `x` is not what its tag `!!int` says"
    );
}

#[test]
fn numbers_are_those_of_go() {
    let text = "[-0b11, 0b-11, 0B1, 0x_f, -0o17, 0777, 08, +1, 1_0.5, .5_0, ._5, 5., 1e999, 0x]";
    let expected = json!([
        -3, -3, 1, 15, -15, 511, 8, 1, 10.5, 0.5, "._5", 5, "1e999", "0x"
    ]);
    assert_eq!(value(text), expected);
    assert_eq!(
        value("[9223372036854775807, 9223372036854775808, -9223372036854775809, 1e20, 1e21]"),
        json!([
            i64::MAX,
            9_223_372_036_854_776_000_u64,
            -9_223_372_036_854_775_808.0,
            1e20,
            1e21
        ])
    );
}

#[test]
fn keys_become_text_as_in_kubectl() {
    assert_eq!(
        value("{on: 1, 2: 2, 0x10: 3, 1.50: 4, 12345678.0: 5, .inf: 6, 1e-9: 7}"),
        json!({"true": 1, "2": 2, "16": 3, "1.5": 4, "1.2345678e+07": 5, ".inf": 6, "1e-09": 7})
    );
    assert_eq!(
        complaint("~: x"),
        "line 1, column 1: a key is null (put the key in quotes if it is meant as text)"
    );
}

#[test]
fn merges_are_resolved_where_they_stand() {
    let bases = "a: &a {x: 1, w: 1}\nb: &b {x: 2, z: 2}\n";
    let merged = |text: &str| value(&format!("{bases}c:\n{text}"))["c"].take();
    assert_eq!(merged("  <<: *a\n  x: own\n"), json!({"x": "own", "w": 1}));
    assert_eq!(merged("  x: own\n  <<: *a\n"), json!({"x": 1, "w": 1}));
    assert_eq!(merged("  <<: [*a, *b]\n"), json!({"x": 1, "w": 1, "z": 2}));
    assert_eq!(merged("  \"<<\": plain\n"), json!({"<<": "plain"}));
    assert_eq!(
        complaint("a: {<<: 1}"),
        "line 1, column 9: `<<` needs a mapping or a list of mappings"
    );
}

#[test]
fn nodes_know_where_they_are() {
    let nodes = read("---\na: 1\n---\n# c\nspec:\n  list:\n  - name: x\n  é~/: 2\n").unwrap();
    let spec = &nodes[1];
    let place = |mark: Option<Mark>| mark.map(|mark| (mark.line, mark.column));
    assert_eq!(place(spec.key_mark("/spec/list")), Some((6, 3)));
    assert_eq!(place(spec.key_mark("/spec/list/0")), Some((7, 5)));
    assert_eq!(place(spec.key_mark("/spec/é~0~1")), Some((8, 3)));
    let name = spec.at("/spec/list/0/name").unwrap();
    assert_eq!((name.mark.line, name.mark.column), (7, 11));
    assert_eq!(name.to_value(), json!("x"));
    assert_eq!(spec.at("/spec/nothing"), None);
    assert_eq!(spec.at("spec"), None);
}

#[test]
fn mistakes_are_told_with_place_and_advice() {
    let texts = [
        "a: 1\nb: 2\na: 3\n",
        "a:\n\tb: c\n",
        "a: b: c\n",
        "a: [1, 2\nb: 3\n",
        "a:\n  b: {c: d\n",
        "a:\n  b: [c d: [e]\n  f: [g]]\n",
        "a: @x\n",
        "a: \"\\d\"\n",
        "a: \"x\nb: y\n",
        "a: \"x\n",
        "a: *nope\n",
        "a: &a [*a]\n",
        "a: .inf\n",
        "a:b\nc: d\n",
        "--- {a: b}\n",
        "a: b\n...\nc: d\n",
        "a: {b:}\n",
        "a: [x?y]\n",
        "a: &é b\n",
        "{[a]: b}\n",
        "a: x\u{2028}y\n",
        "a: \u{7}\n",
        "a: b\n c: d\n",
        "a: \"b\" c\n",
        "v: [\n]\n",
    ];
    let told = texts.map(|text| format!("{text:?}\n  {}\n", complaint(text)));
    insta::assert_snapshot!(told.concat());
}

#[test]
fn line_ends_of_any_system_are_read_alike() {
    let text = "a: |\n  x\n  y\nb: [1,\n  é]\n---\nc: >-\n  d\n  e";
    assert_eq!(values(&text.replace('\n', "\r\n")), values(text));
    assert_eq!(values(text)[0]["a"], "x\ny\n");
}

#[test]
fn bombs_are_refused_soon() {
    let brackets = format!("a: {}", "[".repeat(20_000));
    assert!(complaint(&brackets).contains("brackets are nested too deep"));
    let dashes = "- ".repeat(20_000);
    assert!(complaint(&dashes).contains("nested deeper than 128 levels"));
    let levels = (1..9).map(|level| {
        let aliases = format!("*a{}, ", level - 1).repeat(9);
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    let bomb = format!("a0: &a0 [x, x, x]\n{}", levels.collect::<Vec<_>>().concat());
    assert!(complaint(&bomb).contains("aliases copy too much"));
    let text = "x".repeat(1 << 20);
    let fat = format!("a: &a {text}\nb: [{}]\n", "*a, ".repeat(1000));
    assert!(complaint(&fat).contains("aliases copy too much"));
}

#[test]
fn what_is_written_is_readable() {
    let value = json!({
        "apiVersion": "v1",
        "data": {
            "empty": "", "on": "on", "octal": "0644", "hash": "123e4567", "version": "2026.11.21-3",
            "image": "registry.example.com/web:1", "cpu": "500m", "args": ["--port=80", "a: b", "x #y"],
            "script": "#!/bin/sh\nset -e\n\n  echo \"hi\"  \n", "open": "a\nb", "many": "a\nb\n\n",
            "indented": "  a\nb\n", "tab": "a\tb", "bell": "\u{7}", "1": null, "list": [[1, [2]], [], {}],
            "é": "日本", "long key that goes on and on, longer than a hundred characters in all, so that it gets a mark of its own": [1.5]
        }
    });
    insta::assert_snapshot!(write(&value));
}

fn awkward_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "0", "1", "7", "e", "E", "x", "_", "+", "-", ".", ":", " ", ": ", " #", "#", "\n", "\n\n",
        "  ", "\t", "\r", "'", "\"", "\\", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%",
        "@", "`", "~", "=", "<<", "?", "yes", "on", "null", ".inf", "---", "...", "é", "日", "😀",
        "\u{85}", "\u{2028}", "\u{feff}", "\u{0}", "\u{7f}", "word",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|float: f64| Value::from(float.floor() + 0.125)),
        awkward_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(awkward_text(), inner, 0..5)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

#[test]
fn a_list_that_is_not_indented_is_not_in_the_brackets_of_its_first_element() {
    for text in [
        "a:\n- {}\n- yes?\n",
        "a: &b\n- []\n- yes?\n",
        "a: !!seq\n- [x]\n- yes?\n",
    ] {
        assert!(read(text).is_ok(), "{text}");
    }
    for text in [
        "a: [yes?]\n",
        "a: &b [yes?]\n",
        "a: !!seq [yes?]\n",
        "a:\n- {}\n- {a: yes?}\n",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in tree()) {
        let text = write(&value);
        let back = read(&text).unwrap();
        let expected = Some(value).filter(|value| !value.is_null());
        prop_assert_eq!(back.first().map(Node::to_value), expected);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[\\n\\t ]|[-?:,\\[\\]{}#&*!|>'\"%@`]){0,200}") {
        let _either = read(&text);
    }
}
