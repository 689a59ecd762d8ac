//! `check --secrets` by the real binary: values that cannot be read, certificates that would not serve.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::project::{Project, Ran};

const TEMPLATE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: site-tls}
type: kubernetes.io/tls
stringData:
  tls.crt: '{{ secret("file:" ~ tenant.name ~ ".crt", version="1") }}'
  tls.key: '{{ secret("file:" ~ tenant.name ~ ".key", version="1") }}'
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site-of-its-own}
spec:
  tls: [{secretName: site-tls, hosts: [acme.example, www.acme.example]}]
  rules: [{host: acme.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
"#;

/// The production fleet with a certificate of its own in every tenant, read from a folder.
struct Certified {
    project: Project,
    folder: tempfile::TempDir,
}

impl Certified {
    fn new(policy: &str) -> Self {
        let project = Project::production();
        let folder = tempfile::tempdir().expect("a folder");
        project.write("templates/platform/certified.yaml.j2", TEMPLATE);
        let environment = "environments/production/environment.yaml";
        let text = std::fs::read_to_string(project.path(environment)).expect("a file");
        let files = folder.path().display();
        let text = format!("{}\n  secrets: {{files: \"{files}\"}}\n", text.trim_end());
        project.write(environment, &text);
        if !policy.is_empty() {
            project.edit(
                environment,
                "  policies:\n",
                &format!("  policies:\n    {policy}\n"),
            );
        }
        Self { project, folder }
    }

    /// The certificate of one tenant.
    fn put(&self, tenant: &str, names: &[&str], (year, month, day): (i32, u8, u8)) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.not_after = date_time_ymd(year, month, day);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let write = |ending: &str, text: String| {
            let path = self.folder.path().join(format!("{tenant}.{ending}"));
            std::fs::write(path, text).expect("a file");
        };
        write("crt", certificate.pem());
        write("key", key.serialize_pem());
    }

    fn put_everywhere(&self, names: &[&str], ends: (i32, u8, u8)) {
        let fleet = escale::fleet::load(&self.project.files(), "production").expect("a fleet");
        for tenant in &fleet.tenants {
            self.put(&tenant.name, names, ends);
        }
    }

    fn check(&self) -> Ran {
        self.project
            .escale(&["check", "-e", "production", "--secrets"])
    }
}

const HOSTS: [&str; 2] = ["acme.example", "www.acme.example"];

#[test]
fn certificates_that_serve_their_hosts_are_no_mistake() {
    let certified = Certified::new("");
    certified.put_everywhere(&HOSTS, (2055, 1, 1));
    let ran = certified.check();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_is_wrong_with_values_and_certificates_is_told_by_tenant_and_template() {
    let certified = Certified::new("certificates: {minDays: 30}");
    certified.put_everywhere(&HOSTS, (2055, 1, 1));
    certified.put("vault-opale", &HOSTS[..1], (2055, 1, 1));
    certified.put("vault-ferrand", &HOSTS, (2020, 1, 1));
    let path = |name: &str| certified.folder.path().join(name);
    std::fs::copy(path("vault-arcadie.key"), path("vault-borealis.key")).expect("a file");
    std::fs::remove_file(path("vault-sablier.key")).expect("a file");
    let ran = certified.check();
    assert_eq!(ran.code, 1);
    let place = "error: templates/platform/certified.yaml.j2:1:1: `Secret/site-tls`: ";
    for (said, tenant) in [
        (
            "its certificate does not cover `www.acme.example`",
            "vault-opale",
        ),
        ("its certificate ended on 2020-01-01", "vault-ferrand"),
        (
            "`tls.key` is not the key of the first certificate in `tls.crt`",
            "vault-borealis",
        ),
    ] {
        let line = format!("{place}{said} (in tenant `{tenant}`)");
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.stdout);
    }
    let missing = "secret `file:vault-sablier.key` cannot be read: file `vault-sablier.key` of `spec.secrets.files`";
    assert!(ran.stdout.contains(missing), "{}", ran.stdout);
    assert!(ran.stderr.contains("4 mistakes"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("PRIVATE KEY"));
    // Without the flag nothing is read.
    let plain = certified.project.escale(&["check", "-e", "production"]);
    assert_eq!(plain.code, 0, "{}", plain.stdout);
}
