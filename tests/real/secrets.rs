//! Secrets by reference, from the real `sops`, age, a variable, a file and a program, on real API servers. A value that
//! was planted in each source is found in the Secret and in nothing that escale said, wrote or kept.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use age::secrecy::ExposeSecret as _;
use age::x25519;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::binary::{Told, escale_in};
use crate::clusters::{CLUSTERS, HUB, forget, kubectl, programs};
use crate::encrypted::{decoded, with_age};
use crate::fleet::Fleet;
use crate::turns::alone;

/// Two tenants: namespace and cluster.
const OPALE: (&str, &str) = ("jp-vault-opale", "medic-rbx");
const SHARED: (&str, &str) = ("jp-shared-par-1", "metal-par");
const SOPS_FILE: &str = "secrets/planted.sops.yaml";

/// What is planted where: a value, and whatever else is in the source beside it.
const IN_SOPS: &str = "planted-in-sops-1";
const IN_AGE: &str = "planted-in-age-1";
const IN_VARIABLE: &str = "planted-in-a-variable-1";
const IN_FILE: &str = "planted-in-a-file-1";
const IN_PROGRAM: &str = "planted-in-a-program-1";
const ROTATED: &str = "planted-in-sops-2";
const BESIDE: &str = "planted-beside-what-is-asked-for";

const TEMPLATE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: planted}
stringData:
  sops: '{{ secret("secrets/planted.sops.yaml#db.password") }}'
  age: '{{ secret("secrets/planted.key.age") }}'
  variable: '{{ secret("env:PLANTED_KEY", version="1") }}'
  file: '{{ secret("file:planted.json#db.password", version="1") }}'
  program: '{{ secret("print:planted.json#other", version="1") }}'
"#;

/// A fleet with a Secret from every source, and what it takes to read them.
struct Planted {
    fleet: Fleet,
    folder: tempfile::TempDir,
    key: x25519::Identity,
    said: String,
}

impl Planted {
    fn new() -> Self {
        let fleet = Fleet::in_a_hurry();
        let folder = tempfile::tempdir().expect("a folder");
        let file = format!(
            r#"{{"db": {{"password": "{IN_FILE}"}}, "other": "{IN_PROGRAM}", "more": "{BESIDE}"}}"#
        );
        fs::write(folder.path().join("planted.json"), file).expect("a file");
        let path = "environments/production/environment.yaml";
        let there = folder.path().display();
        let sources = format!(
            "\n  secrets:\n    env: [PLANTED_*]\n    files: \"{there}\"\n    exec: {{print: {{command: [cat, \"{there}/{{path}}\"]}}}}\n"
        );
        let environment = fleet.read(path);
        fleet.write(path, &format!("{}{sources}", environment.trim_end()));
        fleet.write("templates/platform/planted.yaml.j2", TEMPLATE);
        let planted = Self {
            fleet,
            folder,
            key: x25519::Identity::generate(),
            said: String::new(),
        };
        planted.encrypt(IN_SOPS);
        planted.encrypt_with_age();
        planted.fleet.commit("Secrets");
        planted
    }

    fn encrypt(&self, password: &str) {
        let document = format!("db:\n  password: {password}\n  other: {BESIDE}\n");
        let recipient = self.key.to_public().to_string();
        let mut sops = Command::new(programs().join("sops"))
            .args(["--encrypt", "--age", &recipient])
            .args([
                "--input-type",
                "yaml",
                "--output-type",
                "yaml",
                "/dev/stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sops starts");
        let mut stdin = sops.stdin.take().expect("it is piped");
        stdin.write_all(document.as_bytes()).expect("sops reads");
        drop(stdin);
        let output = sops.wait_with_output().expect("sops ends");
        assert!(output.status.success(), "sops: {output:?}");
        let text = String::from_utf8(output.stdout).expect("YAML");
        self.fleet.write(SOPS_FILE, &text);
    }

    fn encrypt_with_age(&self) {
        let encrypted = with_age(&self.key, IN_AGE);
        let path = self.fleet.folder().join("secrets/planted.key.age");
        fs::write(path, encrypted).expect("a file");
    }

    /// What it says, and what it would say at length, with all keys at hand.
    fn escale(&mut self, arguments: &[&str]) -> Told {
        let key = self.key.to_string();
        let path = Self::path();
        let environment = [
            ("PATH", path.as_str()),
            ("SOPS_AGE_KEY", key.expose_secret()),
            ("PLANTED_KEY", IN_VARIABLE),
        ];
        self.escale_in(&environment, arguments)
    }

    /// With `sops` in it.
    fn path() -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", programs().display())
    }

    fn escale_in(&mut self, environment: &[(&str, &str)], arguments: &[&str]) -> Told {
        let told = escale_in(self.fleet.folder(), environment, arguments);
        self.said.push_str(&told.to_string());
        told
    }

    /// Whether a text has any of the values in it, or the key, as it is or as a Secret spells it.
    #[track_caller]
    fn is_silent(&self, what: &str, text: &str) {
        let key = self.key.to_string();
        let planted = [
            IN_SOPS,
            IN_AGE,
            IN_VARIABLE,
            IN_FILE,
            IN_PROGRAM,
            ROTATED,
            BESIDE,
            key.expose_secret(),
        ];
        for value in planted {
            assert!(!text.contains(value), "{what} has `{value}` in it");
            let encoded = STANDARD.encode(value);
            assert!(!text.contains(&encoded), "{what} has `{encoded}` in it");
        }
    }
}

/// An entry of the Secret, as pods would see it.
fn entry((namespace, cluster): (&str, &str), name: &str) -> String {
    let path = format!("jsonpath={{.data.{name}}}");
    let get = ["-n", namespace, "get", "secret", "planted", "-o", &path];
    decoded(&kubectl(cluster, &get))
}

/// Everything that escale keeps on a cluster, bundles unpacked, and every object of the tenants but Secrets.
fn kept(cluster: &str) -> String {
    let kinds = "configmaps,leases,deployments,statefulsets,jobs,ingresses,events,namespaces";
    let objects = kubectl(
        cluster,
        &["get", kinds, "-A", "-o", "json", "--show-managed-fields"],
    );
    let all: serde_json::Value = serde_json::from_str(&objects).expect("JSON");
    let items = all["items"].as_array().expect("a list").iter();
    let packed = items.flat_map(|item| item["binaryData"].as_object().cloned().unwrap_or_default());
    let unpacked: String = packed
        .filter_map(|(_, part)| {
            let bytes = STANDARD.decode(part.as_str()?).ok()?;
            let json = zstd::stream::decode_all(bytes.as_slice()).ok()?;
            String::from_utf8(json).ok()
        })
        .collect();
    format!("{objects}{unpacked}")
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("events.jsonl")).expect("the event log")
}

#[test]
fn values_of_every_source_reach_the_secret_and_nothing_else() {
    let _turn = alone();
    forget();
    let mut planted = Planted::new();
    let log = planted.folder.path().join("events.jsonl");
    let log = log.to_str().expect("a plain path").to_owned();
    let production = ["-e", "production"];
    let run = |planted: &mut Planted, arguments: &[&str]| {
        planted.escale(&[arguments, &production].concat())
    };
    run(&mut planted, &["check"]).ends_with(0);
    run(&mut planted, &["render", "vault-opale"])
        .ends_with(0)
        .says("escale-secret:v1:");
    run(&mut planted, &["rollout", "-vv", "--events", &log]).ends_with(0);
    for (name, value) in [
        ("sops", IN_SOPS),
        ("age", IN_AGE),
        ("variable", IN_VARIABLE),
        ("file", IN_FILE),
        ("program", IN_PROGRAM),
    ] {
        assert_eq!(entry(OPALE, name), value);
    }
    // Nothing changed: no source is asked, so that none is needed.
    planted
        .escale_in(&[], &["rollout", "-e", "production"])
        .ends_with(0);
    run(&mut planted, &["diff", "--exit-code"]).ends_with(0);

    planted.encrypt(ROTATED);
    planted.fleet.release("web", "1.1.0");
    run(&mut planted, &["diff", "--exit-code", "-o", "json"]).ends_with(2);
    run(&mut planted, &["diff", "--against", "HEAD~1"])
        .ends_with(0)
        .says("hidden, changed");
    // Without keys the canary fails before anything of it is written, and the reason names what is missing.
    let path = Planted::path();
    let keyless = [
        ("PATH", path.as_str()),
        ("HOME", "/nowhere"),
        ("PLANTED_KEY", IN_VARIABLE),
    ];
    planted
        .escale_in(&keyless, &["rollout", "-e", "production"])
        .ends_with(3)
        .says("secret `secrets/planted.")
        .says("cannot be read: ")
        .says("; and 1 more");
    assert_eq!(entry(SHARED, "sops"), IN_SOPS);
    planted.fleet.release("web", "1.2.0");
    run(&mut planted, &["rollout", "--events", &log]).ends_with(0);
    assert_eq!(entry(OPALE, "sops"), ROTATED);

    // The way back needs no key, and takes no value back; unless that is what one wants.
    let back = ["rollback", "-e", "production", "--reason", "a white page"];
    planted
        .escale_in(&[], &[&back[..], &["vault-opale"]].concat())
        .ends_with(0);
    assert_eq!(entry(OPALE, "sops"), ROTATED);
    planted
        .escale(&[&back[..], &["shared-par-1", "--with-secrets"]].concat())
        .ends_with(0);
    assert_eq!(entry(SHARED, "sops"), IN_SOPS);
    run(&mut planted, &["history", "vault-opale"]).ends_with(0);
    run(&mut planted, &["status"]);

    planted.is_silent("what was said", &planted.said);
    planted.is_silent("the event log", &log_of(planted.folder.path()));
    for cluster in CLUSTERS.into_iter().chain([HUB]) {
        planted.is_silent(cluster, &kept(cluster));
    }
    forget();
}
