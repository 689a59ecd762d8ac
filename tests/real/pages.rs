//! Pages over HTTPS, at the address of an ingress: a server of this test, whose pages are those of what runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::NamedTempFile;

use crate::binary::escale_in;
use crate::clusters::{CLUSTERS, kubectl};
use crate::https::{Signed, serve, signed};
use crate::sites::{SITES, Sites};
use crate::turns::beside;

const PAGED: Sites<'_> = Sites {
    environment: "paged",
    ..SITES
};

/// Every page is that of the image that its tenant wants now; one whose tag says `white` has none.
fn page(request: &str) -> String {
    let host = request.lines().find_map(|line| line.strip_prefix("host: "));
    let tenant = host
        .and_then(|host| host.split('.').next())
        .unwrap_or_default();
    let number: usize = tenant
        .rsplit('-')
        .next()
        .and_then(|digits| digits.parse().ok())
        .expect("a tenant");
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    let runs = kubectl(
        CLUSTERS[number],
        &["-n", tenant, "get", "deployment", "site", "-o", image],
    );
    let (status, body) = if runs.contains("white") {
        ("500 Internal Server Error", String::new())
    } else {
        ("200 OK", format!("Welcome to {runs}"))
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The fleet's clusters answer at an address, and each tenant has a platform there.
fn files(address: &str) -> Vec<(String, String)> {
    let mut files = vec![];
    for (number, cluster) in CLUSTERS.into_iter().enumerate() {
        let tenant = PAGED.tenant(number);
        let ring = if number == 0 { "canary" } else { "rest" };
        files.push((
            format!("tenants/{tenant}"),
            format!(
                "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {tenant}, labels: {{ring: {ring}}}}}\n\
                 spec: {{cluster: {cluster}, platforms: {{{tenant}: {{client: {tenant}, domain: {tenant}.sites.example}}}}}}\n"
            ),
        ));
        files.push((
            format!("clusters/{cluster}"),
            format!(
                "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: {cluster}}}\n\
                 spec: {{ingress: {{address: \"{address}\"}}}}\n"
            ),
        ));
    }
    let probes = "  health: {probes: {front: {path: /, contains: Welcome, failAfter: 5s}}}\n";
    files.push(("environment".to_owned(), PAGED.environment_file() + probes));
    files
}

/// What programs that trust whom this machine trusts take for that.
fn trusting(signed: &Signed) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    let der = STANDARD.encode(&signed.root);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    std::fs::write(file.path(), pem).expect("it can be written");
    file
}

#[test]
fn a_white_page_goes_back_though_its_pods_are_ready() {
    let _turn = beside();
    let signed = signed(&["*.sites.example"], 2100);
    let files = files(&serve(&signed, page));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let fleet = PAGED.fleet_with(&files);
    let trusted = trusting(&signed);
    let trusted = trusted.path().to_str().expect("a plain path");
    let escale =
        |arguments: &[&str]| escale_in(fleet.folder(), &[("SSL_CERT_FILE", trusted)], arguments);
    escale(&["rollout", "-e", "paged"]).ends_with(0);
    escale(&["health", "-e", "paged", "paged-1.sites.example"])
        .ends_with(0)
        .says("https://paged-1.sites.example/ answers 200 in ")
        .says(", certificate until 2100-03-01");

    fleet.release("site", "2.0.0-white");
    escale(&["rollout", "-e", "paged"]).ends_with(3).says(
        "paged-0: FAILED: platform `paged-0`: https://paged-0.sites.example/ answers 500 instead of 200",
    );
    PAGED.end_at("1.0.0");

    // Whoever does not trust the server sees its pages all the same, and is told.
    let fleet = fleet.folder();
    crate::binary::escale(fleet, &["health", "-e", "paged", "paged-2"])
        .ends_with(0)
        .says("the certificate of paged-2.sites.example is not trusted");
}
