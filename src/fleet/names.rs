//! Which names Kubernetes and the DNS take.

use crate::fleet::finding::{Finding, Place};

/// Whether it is a DNS label (RFC 1123), as names of namespaces and of our things are.
pub fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
        && is_inner(bytes[0])
        && is_inner(bytes[bytes.len() - 1])
}

/// Whether it is a full host name: labels, two at least, lower case.
pub fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_name)
}

/// Complains about what is no name.
pub fn check_name(what: &str, name: &str, place: Place) -> Option<Finding> {
    (!is_name(name)).then(|| {
        Finding::error(place, format!("{what} `{name}` is not a Kubernetes name")).hint(
            "use lower-case letters, digits and `-`, at most 63, beginning and ending with a letter or digit"
                .to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_and_domains_are_made_of_them() {
        assert!(is_name("vault-carbone") && is_name("0") && is_name(&"a".repeat(63)));
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(64)] {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert!(is_domain("intranet.carbone.fr"));
        for wrong in ["localhost", "a..b", "Intranet.fr", "*.carbone.fr", "a.fr/x"] {
            assert!(!is_domain(wrong), "{wrong}");
        }
    }
}
