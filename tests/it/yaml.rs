//! We read as `kubectl` reads, and `kubectl` reads back what we write.
//!
//! The oracle is `kubectl annotate --local`, which needs no cluster. Without it these tests fail:
//! nothing else can tell.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use escale::yaml::{self, Node};
use serde_json::{Value, json};

/// Traps where we answer otherwise on purpose.
const DIFFERENT: &[(&str, &str)] = &[("07-dup", "duplicate keys are errors, not last-one-wins")];

#[test]
fn every_trap_is_read_as_kubectl_reads_it() {
    let traps = shared().join("yaml-traps");
    let expected = fs::read_to_string(traps.join("EXPECTED-BY-KUBECTL.txt")).unwrap();
    let mut lines = expected.lines();
    let mut seen = 0;
    while let Some(name) = lines.next().and_then(|line| line.strip_prefix("## ")) {
        let answer = lines.next().unwrap().strip_prefix("kubectl ").unwrap();
        let text = fs::read_to_string(traps.join(format!("{name}.yaml"))).unwrap();
        let ours = yaml::read(&text);
        let is_different = DIFFERENT.iter().any(|(different, _)| *different == name);
        if is_different || answer.starts_with("RAW error") {
            assert!(ours.is_err(), "{name}: {ours:?}");
        } else {
            let ours = ours.unwrap_or_else(|error| panic!("{name}: {error}"));
            let theirs: Vec<Value> = serde_json::from_str(answer).unwrap();
            assert_eq!(trees(&ours), theirs, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 26);
}

#[test]
fn generated_scalars_are_read_as_kubectl_reads_them() {
    let mut random = Random(1);
    let mut scalars = Vec::new();
    while scalars.len() < 6000 {
        let scalar = random.text(NUMBER_LIKE, 7);
        if let Ok(nodes) = yaml::read(&format!("v: {scalar}\n{scalar}: v\n"))
            && nodes.len() == 1
        {
            scalars.push(scalar);
        }
    }
    let documents: Vec<String> = scalars
        .chunks(20)
        .map(|chunk| {
            let values = chunk
                .iter()
                .map(|scalar| format!("- {scalar}\n- {scalar}: v\n"));
            format!("{HEAD}list:\n{}", values.collect::<String>())
        })
        .collect();
    let stream = documents.join("---\n");
    let ours = trees(&yaml::read(&stream).unwrap());
    let theirs = kubectl_reads(&stream);
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(same(ours, theirs), "ours {ours}\ntheirs {theirs}");
    }
}

#[test]
fn kubectl_reads_back_what_we_write() {
    let mut random = Random(2);
    let values: Vec<Value> = (0..300)
        .map(|_| {
            let texts = (0..20).map(|index| {
                let pieces = if index % 2 == 0 { NUMBER_LIKE } else { AWKWARD };
                Value::from(random.text(pieces, 9))
            });
            let texts: Vec<Value> = texts.collect();
            let keyed: Value = (0..5)
                .map(|_| (random.text(AWKWARD, 4), Value::from(1)))
                .collect();
            let mut value =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
            value["list"] = texts.into();
            value["keys"] = keyed;
            value["numbers"] = json!([1.5, 1e300, -0.25, i64::MAX, i64::MIN, 1e-9]);
            value
        })
        .collect();
    let stream = values
        .iter()
        .map(yaml::write)
        .collect::<Vec<_>>()
        .join("---\n");
    let theirs = kubectl_reads(&stream);
    assert_eq!(theirs.len(), values.len());
    for (ours, theirs) in values.iter().zip(&theirs) {
        assert!(same(ours, theirs), "ours {ours}\ntheirs {theirs}");
    }
}

/// Texts that end without a newline, or in a list that is empty but for a comment.
#[test]
fn the_ends_of_streams_are_read_as_kubectl_reads_them() {
    for end in [
        "a: |\n  x\n  y",
        "a: |\n  x\n  ",
        "a: |+\n  x\n\n",
        "a: >-\n  x\n\n",
        "a:",
    ] {
        let stream = format!("{HEAD}{end}");
        assert_eq!(
            trees(&yaml::read(&stream).unwrap()),
            kubectl_reads(&stream),
            "{end:?}"
        );
    }
}

const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

const NUMBER_LIKE: &[&str] = &[
    "0",
    "1",
    "7",
    "8",
    "9",
    "00",
    "12",
    "_",
    "+",
    "-",
    ".",
    "e",
    "E",
    "x",
    "o",
    "b",
    "B",
    "a",
    "F",
    "1e",
    "0x",
    "0b",
    "0o",
    "999999999999999999",
    "18446744073709551615",
    ":",
    "T",
    "Z",
    "2024-01-01",
    ".5",
    "inf",
    ".inf",
    ".nan",
    "y",
    "Y",
    "n",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "null",
    "~",
];

const AWKWARD: &[&str] = &[
    "0", "1", "e", "x", "-", ".", ":", " ", "  ", ": ", " #", "#", "\n", "\n\n", "\t", "\r", "'",
    "\"", "\\", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "~", "=", "<<",
    "?", "yes", "on", "null", "---", "...", "é", "日", "😀", "\u{85}", "\u{a0}", "\u{2028}",
    "\u{feff}", "\u{0}", "\u{7f}", "word",
];

/// Seeded (xorshift), so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % limit
    }

    fn text(&mut self, pieces: &[&str], longest: usize) -> String {
        let count = self.below(longest);
        let chosen = (0..=count).map(|_| pieces[self.below(pieces.len())]);
        chosen.collect()
    }
}

fn kubectl_reads(stream: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("objects.yaml");
    fs::write(&file, stream).expect("a temporary folder can be written");
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("kubectl")
        .args(["annotate", "--local", "-o", "json", "read=yes", "-f"])
        .arg(&file)
        .output()
        .expect("kubectl is needed to tell how kubectl reads YAML: put it on the PATH");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let objects = serde_json::Deserializer::from_slice(&stdout).into_iter::<Value>();
    objects
        .map(|object| without_annotation(object.expect("kubectl prints JSON")))
        .collect()
}

fn without_annotation(mut object: Value) -> Value {
    object["metadata"]
        .as_object_mut()
        .expect("every object has metadata")
        .remove("annotations");
    object
}

fn trees(nodes: &[Node]) -> Vec<Value> {
    nodes.iter().map(Node::to_value).collect()
}

/// Equal, where `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.keys().eq(right.keys())
                && left
                    .values()
                    .zip(right.values())
                    .all(|(left, right)| same(left, right))
        }
        _ => left == right,
    }
}

fn shared() -> PathBuf {
    match std::env::var_os("ESCALE_SHARED") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    }
}
