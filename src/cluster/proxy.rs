//! Which hosts are reached without the proxy of the environment.
//!
//! kube matches `NO_PROXY` against the proxy's address instead of the server's, so we decide.

/// Whether `NO_PROXY` names a host: exactly, as a suffix (`.internal`), or all of them (`*`).
pub(super) fn is_exempt(host: &str, no_proxy: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_lowercase();
    no_proxy.split(',').map(str::trim).any(|entry| {
        let entry = entry.to_lowercase();
        let entry = without_port(&entry);
        let suffix = entry.trim_start_matches("*.").trim_start_matches('.');
        match entry {
            "" => false,
            "*" => true,
            _ if entry.contains('/') => is_in_network(&host, entry),
            _ => host == suffix || host.ends_with(&format!(".{suffix}")),
        }
    })
}

fn without_port(entry: &str) -> &str {
    match entry.rsplit_once(':') {
        // More than one colon: an IPv6 address.
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => entry,
    }
}

/// `10.1.2.3` is in `10.0.0.0/8`. Networks of IPv6 are not read.
fn is_in_network(host: &str, network: &str) -> bool {
    let parsed = network.split_once('/').and_then(|(base, bits)| {
        let base: std::net::Ipv4Addr = base.parse().ok()?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some((u32::from(base), bits))
    });
    let (Some((base, bits)), Ok(host)) = (parsed, host.parse::<std::net::Ipv4Addr>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(host) & mask == base & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_suffixes_networks_and_everything_can_be_exempt() {
        assert!(is_exempt("kube.internal", "localhost, .internal"));
        assert!(is_exempt("kube.internal", "kube.internal:6443"));
        assert!(is_exempt("10.1.2.3", "10.0.0.0/8"));
        assert!(is_exempt("anything", "*"));
        assert!(!is_exempt("kube.example.com", "internal,10.0.0.0/8"));
        assert!(!is_exempt("notinternal", "internal"));
        assert!(!is_exempt("kube", ""));
    }
}
