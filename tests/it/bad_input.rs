//! Bad input, by the real binary: each a clear error with file, line and hint, and nothing written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const ENVIRONMENT: &str = "\
apiVersion: escale.dev/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  apps: {wiki: {}}
  classes:
    vault: {require: {clusterLabels: {hds: \"true\"}}}
";

const TENANT: &str = "\
apiVersion: escale.dev/v1alpha1
kind: Tenant
metadata: {name: NAME, labels: {ring: early}}
spec:
  cluster: metal
  platforms:
    NAME-site: {client: NAME, domain: NAME.example.org}
";

const TEMPLATE: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  tenant: {{ tenant.name }}
";

/// A small fleet in a folder of its own.
struct Fleet {
    folder: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let fleet = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        let cluster = |name: &str, labels: &str| {
            let text = format!(
                "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: {name}, labels: {labels}}}\nspec: {{}}\n"
            );
            (
                format!("environments/production/clusters/{name}.yaml"),
                text,
            )
        };
        let (metal, medic) = (
            cluster("metal", "{provider: metal}"),
            cluster("medic", "{hds: \"true\"}"),
        );
        fleet
            .with("environments/production/environment.yaml", ENVIRONMENT)
            .with(&metal.0, &metal.1)
            .with(&medic.0, &medic.1)
            .with_tenant("acme", TENANT)
            .with_tenant("bolt", TENANT)
            .with("templates/platform/web.yaml.j2", TEMPLATE)
    }

    fn with(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("made a folder");
        fs::write(path, text).expect("wrote a file");
        self
    }

    fn with_tenant(self, name: &str, text: &str) -> Self {
        let path = format!("environments/production/tenants/{name}.yaml");
        self.with(&path, &text.replace("NAME", name))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escale"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("the program runs")
    }

    /// What `check` finds; it must be a mistake.
    fn check(&self) -> String {
        let output = self.run(&["check"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What `render` says, which must fail, and must have written nothing.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut all = vec!["render", "--output-dir", "out"];
        all.extend(arguments);
        let output = self.run(&all);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            !self.folder.path().join("out").exists(),
            "something was written"
        );
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).expect("text")
    }
}

#[test]
fn a_good_fleet_has_no_mistakes() {
    let output = Fleet::new().run(&["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "production: 2 tenants, 2 objects: no mistakes, no warnings\n"
    );
}

#[test]
fn an_unknown_field() {
    let fleet = Fleet::new().with_tenant(
        "acme",
        &TENANT.replace("  cluster:", "  namspace: x\n  cluster:"),
    );
    assert_eq!(
        fleet.check(),
        "error: environments/production/tenants/acme.yaml:5:3: unknown field `namspace` in `spec`\n  \
         hint: did you mean `namespace`?\n"
    );
    assert_eq!(
        fleet.refused(&[]),
        "error: 1 mistake in `production`\n  environments/production/tenants/acme.yaml:5:3: unknown field `namspace` \
         in `spec`\n    hint: did you mean `namespace`?\n"
    );
}

#[test]
fn an_undefined_variable() {
    let fleet = Fleet::new().with(
        "templates/platform/web.yaml.j2",
        &TEMPLATE.replace("tenant.name", "tenant.nmae"),
    );
    let told = "templates/platform/web.yaml.j2:6:14: `tenant.nmae` is not defined (in 2 tenants: `acme`, `bolt`)";
    assert_eq!(
        fleet.check(),
        format!("error: {told}\n  hint: did you mean `tenant.name`?\n")
    );
    assert_eq!(
        fleet.refused(&["acme"]),
        format!(
            "error: 1 mistake in `production`\n  {told}\n    hint: did you mean `tenant.name`?\n"
        )
        .replace("in 2 tenants: `acme`, `bolt`", "in tenant `acme`")
    );
}

#[test]
fn two_tenants_in_one_namespace() {
    let fleet = Fleet::new().with_tenant(
        "bolt",
        &TENANT.replace("  platforms:", "  namespace: acme\n  platforms:"),
    );
    assert_eq!(
        fleet.check(),
        "error: environments/production/tenants/bolt.yaml:6:14: namespace `acme` of cluster `metal` is taken by \
         tenant `acme` (environments/production/tenants/acme.yaml:3:18)\n  \
         hint: one namespace holds one tenant: choose another `spec.namespace`\n"
    );
    fleet.refused(&["acme"]);
}

#[test]
fn one_domain_twice() {
    let fleet = Fleet::new().with_tenant("bolt", &TENANT.replace("domain: NAME.", "domain: acme."));
    assert_eq!(
        fleet.check(),
        "error: environments/production/tenants/bolt.yaml:7:39: domain `acme.example.org` leads to platform \
         `acme-site` of tenant `acme` already (environments/production/tenants/acme.yaml:7:39)\n  \
         hint: a domain belongs to one platform; only tenants of one `group` on different clusters share one\n"
    );
    fleet.refused(&[]);
}

#[test]
fn a_vault_tenant_on_a_cluster_without_hds() {
    let fleet = Fleet::new().with_tenant(
        "acme",
        &TENANT.replace("cluster: metal", "cluster: metal\n  class: vault"),
    );
    assert_eq!(
        fleet.check(),
        "error: environments/production/tenants/acme.yaml:5:12: class `vault` demands a cluster labelled `hds=true`, \
         and `metal` is not\n  hint: these do: `medic`\n"
    );
    fleet.refused(&[]);
}

#[test]
fn an_unknown_app() {
    let fleet = Fleet::new().with_tenant(
        "acme",
        &TENANT.replace("example.org}", "example.org, apps: {wikki: {}}}"),
    );
    assert_eq!(
        fleet.check(),
        "error: environments/production/tenants/acme.yaml:7:71: app `wikki` is not in the catalogue\n  \
         hint: did you mean `wiki`?\n"
    );
    fleet.refused(&[]);
}

/// Nine aliases of nine aliases, nine deep: a few lines that ask for a billion nodes.
fn bomb(head: &str) -> String {
    let mut text = format!("{head}  a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        let nine = [alias.as_str(); 9].join(", ");
        text.extend([format!("  a{level}: &a{level} [{nine}]\n")]);
    }
    text
}

#[test]
fn a_yaml_bomb_in_a_file_and_in_what_a_template_renders() {
    let head = TENANT.replace("NAME", "acme") + "  values:\n";
    let fleet = Fleet::new().with(
        "environments/production/tenants/acme.yaml",
        &bomb(&head).replace("\n  a", "\n    a"),
    );
    let told = fleet.check();
    assert!(
        told.starts_with("error: environments/production/tenants/acme.yaml:1"),
        "{told}"
    );
    assert!(told.contains("alias"), "{told}");
    fleet.refused(&[]);

    let fleet = Fleet::new().with(
        "templates/platform/web.yaml.j2",
        &bomb("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n"),
    );
    let told = fleet.check();
    assert!(
        told.starts_with(
            "error: templates/platform/web.yaml.j2:1:1: what it renders is not YAML at line"
        ),
        "{told}"
    );
    fleet.refused(&[]);
}

#[test]
fn an_endless_template() {
    let endless = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }} {% endfor %}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ 'x' * 99999999 }}",
    ];
    for template in endless {
        let fleet = Fleet::new().with("templates/platform/web.yaml.j2", template);
        let told = fleet.check();
        assert!(
            told.starts_with("error: templates/platform/web.yaml.j2:1:"),
            "{told}"
        );
        assert!(told.contains("(in 2 tenants: `acme`, `bolt`)"), "{told}");
        fleet.refused(&["acme"]);
    }
}

#[test]
fn an_unknown_tenant() {
    assert_eq!(
        Fleet::new().refused(&["acmee"]),
        "error: no tenant, platform or domain named `acmee` in `production`\n  hint: did you mean `acme`?\n"
    );
}

#[test]
fn an_empty_selection() {
    let fleet = Fleet::new();
    assert_eq!(
        fleet.refused(&["-l", "ring=late"]),
        "error: the selection matches no tenant of `production`\n  hint: values of `ring` are `early`\n"
    );
    assert_eq!(
        fleet.refused(&["--cluster", "metall"]),
        "error: no cluster named `metall` in `production`\n  hint: did you mean `metal`?\n"
    );
    assert_eq!(
        fleet.refused(&["-l", "ring ~ late"]),
        "error: `ring ~ late` is no label selector\n  hint: write `key=value`, `key!=value`, `key in (a,b)`, \
         `key notin (a,b)`, `key` or `!key`, with commas between\n"
    );
}

#[test]
fn an_unknown_environment_and_an_unknown_revision() {
    let fleet = Fleet::new();
    assert_eq!(
        fleet.refused(&["-e", "prodction"]),
        "error: no environment named `prodction`\n  hint: did you mean `production`?\n"
    );
    let told = fleet.refused(&["--ref", "main"]);
    assert!(
        told.contains("is not in a git repository\n  hint: only the working tree can be read here"),
        "{told}"
    );
}

#[test]
fn a_folder_of_somebody_else_is_not_written_into() {
    let fleet = Fleet::new().with("out/mine.txt", "precious");
    let output = fleet.run(&["render", "--output-dir", "out"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("is not empty, and not made by `render`"),
        "{told}"
    );
    assert_eq!(files(&fleet.folder.path().join("out")), ["mine.txt"]);
}

#[test]
fn a_folder_of_ours_is_written_again_without_what_is_gone() {
    let fleet = Fleet::new();
    let out = fleet.folder.path().join("out");
    assert_eq!(
        fleet.run(&["render", "--output-dir", "out"]).status.code(),
        Some(0)
    );
    assert_eq!(
        files(&out),
        [
            ".escale-render",
            "metal/acme/4-configmap-web.yaml",
            "metal/bolt/4-configmap-web.yaml"
        ]
    );
    assert_eq!(
        fs::read_to_string(out.join("metal/acme/4-configmap-web.yaml")).unwrap(),
        "apiVersion: v1\ndata:\n  tenant: acme\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: acme\n"
    );
    assert_eq!(
        fleet
            .run(&["render", "--output-dir", "out", "bolt"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        files(&out),
        [".escale-render", "metal/bolt/4-configmap-web.yaml"]
    );
}

#[test]
fn a_mistake_leaves_the_last_rendering_as_it_was() {
    let fleet = Fleet::new();
    assert_eq!(
        fleet.run(&["render", "--output-dir", "out"]).status.code(),
        Some(0)
    );
    let before = files(&fleet.folder.path().join("out"));
    let fleet = fleet.with("templates/platform/web.yaml.j2", "{{ wrong }}");
    assert_eq!(
        fleet.run(&["render", "--output-dir", "out"]).status.code(),
        Some(1)
    );
    assert_eq!(files(&fleet.folder.path().join("out")), before);
}

#[test]
fn a_check_for_machines() {
    let fleet = Fleet::new().with_tenant(
        "acme",
        &TENANT.replace("  cluster:", "  namspace: x\n  cluster:"),
    );
    let output = fleet.run(&["check", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report,
        serde_json::json!({
            "apiVersion": "escale.dev/v1alpha1", "kind": "CheckReport", "environment": "production", "tenants": 0, "objects": 0,
            "findings": [{
                "severity": "error", "file": "environments/production/tenants/acme.yaml", "line": 5, "column": 3,
                "message": "unknown field `namspace` in `spec`", "hint": "did you mean `namespace`?",
            }],
        })
    );
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in ASCII");
        if entry.file_type().expect("a file type").is_dir() {
            found.extend(
                files(&entry.path())
                    .iter()
                    .map(|file| format!("{name}/{file}")),
            );
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}
