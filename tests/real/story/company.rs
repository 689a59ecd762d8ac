//! Who the story is about: fifty clients, each in a namespace of its own, and a GitLab with a chat.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use age::secrecy::ExposeSecret as _;
use age::x25519;
use rcgen::{CertificateParams, KeyPair};

use crate::audit::Audit;
use crate::binary::{Running, Told, escale_in};
use crate::charts;
use crate::clusters::{CLUSTERS, kubectl};
use crate::encrypted::{decoded, with_age};
use crate::fleet::Fleet;
use crate::gitlab_stub::Stub;
use crate::gitlab_tokens::{claims, keys, token};
use crate::seen::{COMPONENT, pods_of, tags_of};
use crate::sites::{SITES, Sites};

pub const ENVIRONMENT: &str = "story";
pub const TENANTS: usize = 50;
/// A cluster that will be lost; one in ten of the tenants is there.
pub const ANNEX: &str = "annex";
/// All on which there are tenants, the annex last.
pub const WITH_TENANTS: [&str; 4] = [CLUSTERS[0], CLUSTERS[1], CLUSTERS[2], ANNEX];

const STRATEGY: &str = "small: 0\n  onUnreachable: {deadline: 5s, then: defer}";
const CERTIFICATE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: wildcard, annotations: {escale.dev/always: "true"}}
type: kubernetes.io/tls
stringData:
  tls.crt: '{{ secret("secrets/wildcard.crt.age") }}'
  tls.key: '{{ secret("secrets/wildcard.key.age") }}'
"#;
const CHARTED_CERTIFICATE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: wildcard}
type: kubernetes.io/tls
data:
  tls.crt: {{ .Files.Get "wildcard.crt" | b64enc }}
  tls.key: {{ .Files.Get "wildcard.key" | b64enc }}
"#;

pub struct Company {
    pub fleet: Fleet,
    pub gitlab: Stub,
    /// That of the age files in git.
    key: x25519::Identity,
}

impl Company {
    pub fn begun() -> Self {
        let on: Vec<&str> = (0..TENANTS).map(Self::cluster_of).collect();
        let sites = Sites {
            environment: ENVIRONMENT,
            on: &on,
            pages: 1,
            strategy: STRATEGY,
            ..SITES
        };
        let annex = "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {name: annex}\nspec: {context: annex}\n";
        let company = Self {
            fleet: sites.fleet_with(&[("clusters/annex", annex)]),
            gitlab: Stub::new(),
            key: x25519::Identity::generate(),
        };
        company.gitlab.state().keys = keys();
        company.write_files();
        company.fleet.commit("As the chart has it");
        company
    }

    pub fn cluster_of(number: usize) -> &'static str {
        if number % 10 == 9 {
            ANNEX
        } else {
            CLUSTERS[number % CLUSTERS.len()]
        }
    }

    pub fn tenant(number: usize) -> String {
        format!("{ENVIRONMENT}-{number}")
    }

    pub fn domain(number: usize) -> String {
        format!("www.client-{number}.example")
    }

    fn write_files(&self) {
        let fleet = &self.fleet;
        charts::write(fleet);
        fleet.write("templates/site/certificate.yaml.j2", CERTIFICATE);
        fleet.write("chart/templates/certificate.yaml", CHARTED_CERTIFICATE);
        let (certificate, key) = self.new_certificate();
        fleet.write("chart/wildcard.crt", &certificate);
        fleet.write("chart/wildcard.key", &key);
        fleet.write(".gitignore", "*.json\n*.jsonl\n*.xml\n");
        let file = format!("environments/{ENVIRONMENT}/environment.yaml");
        fleet.write(&file, &format!("{}{}", fleet.read(&file), self.surfaces()));
        self.write_strategies();
        for number in 0..TENANTS {
            self.write_platform(number);
        }
    }

    /// The client of a tenant, and his domain.
    fn write_platform(&self, number: usize) {
        let tenant = Self::tenant(number);
        let file = format!("environments/{ENVIRONMENT}/tenants/{tenant}.yaml");
        let domain = Self::domain(number);
        let client = format!("client-{number}: {{client: client-{number}, domain: {domain}}}");
        let text = self.fleet.read(&file);
        let text = text.trim_end().strip_suffix('}').expect("a map");
        let text = format!("{text}, platforms: {{{client}}}}}\n");
        self.fleet.write(&file, &text);
    }

    /// One without soaks, and one with time for somebody to type in chat while the canary soaks.
    fn write_strategies(&self) {
        let file = format!("environments/{ENVIRONMENT}/strategy.yaml");
        let normal = self.fleet.read(&file).replace("soak: 1s", "soak: 0s");
        let careful = normal.replace("name: normal", "name: careful");
        let careful = careful.replace("ring: canary}, soak: 0s", "ring: canary}, soak: 6s");
        assert!(careful.contains("soak: 6s"));
        self.fleet.write(&file, &format!("{normal}---\n{careful}"));
    }

    fn surfaces(&self) -> String {
        format!(
            "  announce: {{ops: {{format: mattermost, url: \"env:OPS_WEBHOOK\"}}}}\n  chat:\n    gitlab: {}\n    \
             project: ops/fleet\n    people: {{ana: 17}}\n    allow: [{{people: [ana], verbs: [status, history, rollback]}}]\n",
            self.gitlab.root()
        )
    }

    /// Puts a new certificate into git, which only the key opens; it and its key.
    pub fn new_certificate(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["*.example".to_owned()];
        let parameters = CertificateParams::new(names).expect("names");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let pair = (certificate.pem(), key.serialize_pem());
        let folder = self.fleet.folder().join("secrets");
        fs::create_dir_all(&folder).expect("a folder");
        for (file, value) in [("crt", &pair.0), ("key", &pair.1)] {
            let path = folder.join(format!("wildcard.{file}.age"));
            fs::write(path, with_age(&self.key, value)).expect("a file");
        }
        pair
    }

    /// A job of GitLab, with what such a job knows.
    pub fn job(&self, arguments: &[&str]) -> Told {
        self.job_with(&[], arguments)
    }

    fn job_with(&self, more: &[(&str, &str)], arguments: &[&str]) -> Told {
        let variables = self.variables();
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (*name, value.as_str()));
        let all: Vec<(&str, &str)> = variables.chain(more.iter().copied()).collect();
        escale_in(self.fleet.folder(), &all, arguments)
    }

    /// The pipeline of what was merged last.
    pub fn rollout(&self, more: &[&str]) -> Told {
        let head = self.fleet.head();
        self.job(&[&["rollout", "-e", ENVIRONMENT, "--ref", &head], more].concat())
    }

    pub fn running_rollout(&self, more: &[&str]) -> Running {
        let head = self.fleet.head();
        let variables = self.variables();
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Running::rollout_in(&self.fleet, &variables, &[&["--ref", &head], more].concat())
    }

    /// What somebody types in chat, and what is posted there.
    pub fn chat(&self, typed: &str) -> Told {
        let token = token(&claims(self.gitlab.root(), "ana", 17));
        let variables = [("CHAT_INPUT", typed), ("ESCALE_ID_TOKEN", &token)];
        self.job_with(&variables, &["chat", "-e", ENVIRONMENT])
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let key = self.key.to_string();
        let job = "https://gitlab.example.com/ops/fleet/-/jobs/1";
        let hook = format!("{}/hooks/planted-hook", self.gitlab.root());
        let mut variables = self.gitlab.variables();
        variables.extend([
            ("OPS_WEBHOOK", hook),
            ("SOPS_AGE_KEY", key.expose_secret().to_owned()),
            ("CI_JOB_URL", job.to_owned()),
            ("GITLAB_USER_LOGIN", "ana".to_owned()),
        ]);
        variables
    }
}

/// Whether it is the namespace of a tenant of the story.
pub fn is_ours(namespace: &str) -> bool {
    let number = namespace.strip_prefix("story-");
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

/// The tag that each tenant runs, as its ready pods say.
pub fn runs(clusters: &[&str]) -> BTreeMap<String, String> {
    tags_of(clusters.iter().copied(), COMPONENT, is_ours)
}

/// Fails the test unless all run a tag but those that are named, each with what it runs.
#[track_caller]
pub fn all_run(clusters: &[&str], tag: &str, but: &[(usize, &str)]) {
    let numbers = (0..TENANTS).filter(|number| clusters.contains(&Company::cluster_of(*number)));
    let runs_tag = |number| {
        let other = but.iter().find(|(one, _)| *one == number);
        other.map_or(tag, |(_, other)| other).to_owned()
    };
    let expected: BTreeMap<String, String> = numbers
        .map(|number| (Company::tenant(number), runs_tag(number)))
        .collect();
    assert_eq!(runs(clusters), expected);
}

/// The uids of the pods of each tenant, and how often they restarted.
pub fn pods() -> BTreeMap<String, Vec<String>> {
    pods_of(WITH_TENANTS, "story-")
}

/// The certificate in each tenant's namespace.
pub fn certificates(clusters: &[&str]) -> BTreeMap<String, String> {
    let line = r#"jsonpath={range .items[*]}{.metadata.namespace} {.data.tls\.crt}{"\n"}{end}"#;
    let get = [
        "get",
        "secrets",
        "-A",
        "--field-selector",
        "metadata.name=wildcard",
    ];
    let mut certificates = BTreeMap::new();
    for cluster in clusters {
        let told = kubectl(cluster, &[&get[..], &["-o", line]].concat());
        for line in told.lines() {
            let (namespace, entry) = line.split_once(' ').expect("two words");
            if is_ours(namespace) {
                certificates.insert(namespace.to_owned(), decoded(entry));
            }
        }
    }
    certificates
}

/// What escale changes from now on.
pub struct Touched([Audit; 4]);

impl Touched {
    pub fn from_now() -> Self {
        Self(WITH_TENANTS.map(Audit::from_now))
    }

    /// The tenants in whose namespaces something was changed.
    pub fn tenants(&self) -> BTreeSet<String> {
        let changes = self
            .0
            .iter()
            .flat_map(|audit| audit.first_changes().into_keys());
        changes.filter(|namespace| is_ours(namespace)).collect()
    }
}
