//! Sites: what the domains of platforms answer, and whether that is well.
//!
//! What the page answers counts for the release; what only the client can mend (a certificate of its own, a certificate
//! that ends) is told and counts for nothing.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::fleet::config::Probe;

/// A request to one domain, and what a good answer to it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub platform: String,
    pub domain: String,
    /// The platform's primary domain, if this is another one: an alias may lead there.
    pub alias_of: Option<String>,
    /// The client brought the certificate.
    pub has_own_certificate: bool,
    pub probe: Probe,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Page(Page),
    /// Nobody is there.
    Unreachable {
        why: String,
    },
    /// Somebody is there, and nothing whole came in time.
    Silent {
        why: String,
    },
}

/// An answer in HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub took: SignedDuration,
    /// As much of it as is read.
    pub body: String,
    /// Where it leads instead.
    pub location: Option<String>,
    /// `None` where there is no TLS: on simulated clusters.
    pub certificate: Option<Certificate>,
}

/// The certificate that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub ends: Option<Timestamp>,
    pub fault: Option<CertificateFault>,
}

/// Why a browser would not take a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    NotForDomain,
    /// Not from anybody whom this machine trusts; or there is nobody whom it trusts.
    Untrusted {
        why: String,
    },
}

/// What is said of one domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteHealth {
    /// Counts as the tenant's.
    pub fault: Option<String>,
    /// Counts for nothing, and somebody should know.
    pub warnings: Vec<String>,
}

impl Question {
    pub fn url(&self) -> String {
        format!("https://{}{}", self.domain, self.probe.path)
    }
}

/// Judges an answer that came at `now`.
pub fn judge_site(question: &Question, answer: &Answer, now: Timestamp) -> SiteHealth {
    let url = question.url();
    match answer {
        Answer::Unreachable { why } => SiteHealth::fault(format!("{url} cannot be reached: {why}")),
        Answer::Silent { why } => SiteHealth::fault(format!("{url} does not answer: {why}")),
        Answer::Page(page) => {
            let mut health = SiteHealth {
                fault: wrong_with(question, page).map(|why| format!("{url} {why}")),
                warnings: Vec::new(),
            };
            if let Some(certificate) = &page.certificate {
                judge_certificate(question, certificate, now, &mut health);
            }
            health
        }
    }
}

fn wrong_with(question: &Question, page: &Page) -> Option<String> {
    let probe = &question.probe;
    if leads_home(question, page) {
        return None;
    }
    if !probe.status.contains(&page.status) {
        let good: Vec<String> = probe.status.iter().map(u16::to_string).collect();
        return Some(format!(
            "answers {} instead of {}",
            page.status,
            good.join(" or ")
        ));
    }
    let text = probe.contains.as_ref()?;
    (!page.body.contains(text)).then(|| format!("answers {} without `{text}`", page.status))
}

/// An alias that leads to the platform's primary domain (RFC 9110, 15.4).
fn leads_home(question: &Question, page: &Page) -> bool {
    let (Some(home), Some(location)) = (&question.alias_of, &page.location) else {
        return false;
    };
    let host = location
        .strip_prefix("https://")
        .or_else(|| location.strip_prefix("http://"));
    let host = host.and_then(|rest| rest.split(['/', '?', '#', ':']).next());
    matches!(page.status, 301 | 302 | 303 | 307 | 308)
        && host.is_some_and(|host| host.eq_ignore_ascii_case(home))
}

fn judge_certificate(
    question: &Question,
    certificate: &Certificate,
    now: Timestamp,
    health: &mut SiteHealth,
) {
    let domain = &question.domain;
    let Some(fault) = &certificate.fault else {
        health
            .warnings
            .extend(ends_soon(question, certificate, now));
        return;
    };
    let said = format!("the certificate of {domain} {fault}");
    let is_of_release =
        !question.has_own_certificate && matches!(fault, CertificateFault::NotForDomain);
    if is_of_release && health.fault.is_none() {
        health.fault = Some(said);
    } else {
        health.warnings.push(said);
    }
}

fn ends_soon(question: &Question, certificate: &Certificate, now: Timestamp) -> Option<String> {
    let left = certificate.ends?.duration_since(now).as_hours() / 24;
    let is_soon = left < i64::from(question.probe.certificate_days);
    let noun = if left == 1 { "day" } else { "days" };
    is_soon.then(|| {
        format!(
            "the certificate of {} ends in {left} {noun}",
            question.domain
        )
    })
}

impl SiteHealth {
    fn fault(why: String) -> Self {
        Self {
            fault: Some(why),
            warnings: Vec::new(),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("has expired"),
            Self::NotForDomain => f.write_str("is for other names"),
            Self::Untrusted { why } => write!(f, "is not trusted: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn question() -> Question {
        Question {
            platform: "acme".to_owned(),
            domain: "acme.example".to_owned(),
            alias_of: None,
            has_own_certificate: false,
            probe: Probe::default(),
        }
    }

    fn alias() -> Question {
        Question {
            domain: "acme.example.org".to_owned(),
            alias_of: Some("acme.example".to_owned()),
            ..question()
        }
    }

    fn page(status: u16) -> Page {
        Page {
            status,
            took: SignedDuration::from_millis(40),
            body: "Welcome".to_owned(),
            location: None,
            certificate: None,
        }
    }

    fn fault(question: &Question, page: Page) -> Option<String> {
        judge_site(question, &Answer::Page(page), NOW).fault
    }

    #[test]
    fn a_page_is_well_with_a_good_status_and_the_text_that_it_should_have() {
        assert_eq!(fault(&question(), page(200)), None);
        assert_eq!(
            fault(&question(), page(503)).as_deref(),
            Some("https://acme.example/ answers 503 instead of 200")
        );
        let probe = Probe {
            path: "/front".to_owned(),
            status: vec![200, 401],
            contains: Some("Sign in".to_owned()),
            ..Probe::default()
        };
        let question = Question {
            probe,
            ..question()
        };
        assert_eq!(
            fault(&question, page(401)).as_deref(),
            Some("https://acme.example/front answers 401 without `Sign in`")
        );
        assert_eq!(
            fault(&question, page(500)).as_deref(),
            Some("https://acme.example/front answers 500 instead of 200 or 401")
        );
    }

    #[test]
    fn nobody_there_and_no_answer_are_told_apart() {
        let why = "connection refused".to_owned();
        let answers = [
            Answer::Unreachable { why: why.clone() },
            Answer::Silent { why },
        ];
        let told = answers.map(|answer| judge_site(&question(), &answer, NOW).fault);
        let told = told.map(Option::unwrap_or_default);
        assert_eq!(
            told,
            [
                "https://acme.example/ cannot be reached: connection refused",
                "https://acme.example/ does not answer: connection refused"
            ]
        );
    }

    #[test]
    fn an_alias_may_lead_to_its_primary_domain_and_nowhere_else() {
        let leading = |to: &str| Page {
            location: Some(to.to_owned()),
            ..page(301)
        };
        assert_eq!(fault(&alias(), leading("https://Acme.example/start")), None);
        assert_eq!(fault(&alias(), leading("https://acme.example:443")), None);
        for elsewhere in [
            "https://acme.example.evil/",
            "/start",
            "https://other.example/",
        ] {
            assert!(fault(&alias(), leading(elsewhere)).is_some(), "{elsewhere}");
        }
        assert!(fault(&question(), leading("https://acme.example/")).is_some());
    }

    #[test]
    fn a_certificate_counts_only_if_it_is_not_the_clients_own_and_for_other_names() {
        let judged = |has_own_certificate: bool, fault: CertificateFault| {
            let question = Question {
                has_own_certificate,
                ..question()
            };
            let certificate = Certificate {
                ends: None,
                fault: Some(fault),
            };
            let page = Page {
                certificate: Some(certificate),
                ..page(200)
            };
            judge_site(&question, &Answer::Page(page), NOW)
        };
        let said = "the certificate of acme.example is for other names";
        assert_eq!(
            judged(false, CertificateFault::NotForDomain),
            SiteHealth::fault(said.to_owned())
        );
        assert_eq!(
            judged(true, CertificateFault::NotForDomain).warnings,
            [said]
        );
        for has_own in [true, false] {
            let expired = judged(has_own, CertificateFault::Expired);
            assert_eq!(expired.fault, None);
            assert_eq!(
                expired.warnings,
                ["the certificate of acme.example has expired"]
            );
        }
    }

    #[test]
    fn a_certificate_that_ends_soon_is_told() {
        let warnings = |days: i64| {
            let certificate = Certificate {
                ends: Some(NOW + SignedDuration::from_hours(24 * days)),
                fault: None,
            };
            let page = Page {
                certificate: Some(certificate),
                ..page(200)
            };
            judge_site(&question(), &Answer::Page(page), NOW).warnings
        };
        assert_eq!(
            warnings(13),
            ["the certificate of acme.example ends in 13 days"]
        );
        assert_eq!(
            warnings(1),
            ["the certificate of acme.example ends in 1 day"]
        );
        assert!(warnings(14).is_empty());
    }
}
