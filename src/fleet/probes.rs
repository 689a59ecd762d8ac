//! What is asked of platforms' domains, and where: mistakes that would make every answer a bad one.

use core::net::IpAddr;
use std::collections::BTreeSet;

use crate::fleet::check::platforms;
use crate::fleet::config::{Duration, EnvironmentSpec, Ingress, Probe};
use crate::fleet::finding::Finding;
use crate::fleet::names::{is_domain, is_name};
use crate::fleet::parts::Parts;
use crate::fleet::read::Read;

/// Every mistake in probes and in the addresses that they go to.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let mut findings = addresses(parts);
    if let Some(environment) = &parts.environment {
        for (name, probe) in &environment.spec().health.probes {
            findings.extend(wrong(environment, name, probe));
        }
        if !environment.spec().health.probes.is_empty() {
            findings.extend(unasked(parts));
        }
    }
    findings
}

fn wrong(environment: &Read<EnvironmentSpec>, name: &str, probe: &Probe) -> Vec<Finding> {
    let error = |field: &str, message: String| {
        let pointer = format!("/spec/health/probes/{name}/{field}");
        Finding::error(environment.place(&pointer), message)
    };
    let mut findings = Vec::new();
    if !probe.path.starts_with('/') || probe.path.contains(char::is_whitespace) {
        let message = format!("`{}` is not the path of a page", probe.path);
        let hint = "begin it with `/`: the domains are those of the platforms";
        findings.push(error("path", message).hint(hint.to_owned()));
    }
    if probe.status.is_empty() {
        let message = "no status would be a good answer".to_owned();
        findings.push(error("status", message));
    }
    let strange = probe.status.iter().find(|code| !is_status(**code));
    if let Some(code) = strange {
        findings.push(error("status", format!("{code} is not a status of HTTP")));
    }
    if probe.within == Duration::default() {
        let message = "no answer comes within no time".to_owned();
        findings.push(error("within", message));
    }
    findings
}

fn is_status(code: u16) -> bool {
    (200..600).contains(&code)
}

fn addresses(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for cluster in &parts.clusters {
        let Some(ingress) = &cluster.spec().ingress else {
            continue;
        };
        if !is_address(ingress) {
            let message = format!("`{}` is not an address", ingress.address);
            let hint = "write an IP address or a host name, with a port if it is not 443: `203.0.113.10:8443`";
            let place = cluster.place("/spec/ingress/address");
            findings.push(Finding::error(place, message).hint(hint.to_owned()));
        }
    }
    findings
}

/// Clusters of which nobody knows where their platforms answer.
fn unasked(parts: &Parts) -> Vec<Finding> {
    let owners: BTreeSet<&str> = platforms(parts).map(|placed| placed.tenant).collect();
    let tenants = parts.tenants.iter();
    let used: BTreeSet<&str> = tenants
        .filter(|tenant| owners.contains(tenant.name()))
        .map(|tenant| tenant.spec().cluster.as_str())
        .collect();
    let silent = parts
        .clusters
        .iter()
        .filter(|cluster| cluster.spec().ingress.is_none() && used.contains(cluster.name()));
    silent
        .map(|cluster| {
            let message = "its platforms are not probed: it has no `ingress.address`";
            Finding::warning(cluster.place(""), message)
                .hint("say where domains lead: `ingress: {address: 203.0.113.10}`".to_owned())
        })
        .collect()
}

fn is_address(ingress: &Ingress) -> bool {
    let (host, port) = ingress.host_and_port();
    let is_host = host.parse::<IpAddr>().is_ok() || is_name(&host) || is_domain(&host);
    is_host && port != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Ingress {
        Ingress {
            address: address.to_owned(),
        }
    }

    #[test]
    fn an_address_is_a_host_with_or_without_a_port() {
        for good in [
            "203.0.113.10",
            "203.0.113.10:8443",
            "2001:db8::1",
            "[2001:db8::1]:443",
            "ingress.example.com",
            "localhost:8443",
        ] {
            assert!(is_address(&at(good)), "{good}");
        }
        for wrong in [
            "",
            "https://a.example",
            "a.example:0",
            "a.example:web",
            "a b",
            ":443",
        ] {
            assert!(!is_address(&at(wrong)), "{wrong}");
        }
    }
}
