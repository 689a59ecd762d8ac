//! A mistake that somebody can mend: what, where, how bad, and how to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

/// A mistake, or something to think about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    #[serde(flatten)]
    pub place: Option<Place>,
    pub severity: Severity,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The tenants in which it shows, by name; empty if it is about a file as such.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tenants: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Error,
    Warning,
}

/// Where in the repository: lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// A file as such.
    pub fn of_file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
        }
    }
}

impl Finding {
    pub fn error(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            severity: Severity::Error,
            message: message.into(),
            hint: None,
            tenants: BTreeSet::new(),
        }
    }

    pub fn warning(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        self.tenants.insert(tenant.to_owned());
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}

/// Sorts findings by place and tells the same mistake once, with all tenants it shows in.
pub fn grouped(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut groups: BTreeMap<Finding, BTreeSet<String>> = BTreeMap::new();
    for mut finding in findings {
        let tenants = std::mem::take(&mut finding.tenants);
        groups.entry(finding).or_default().extend(tenants);
    }
    let together = |(finding, tenants)| Finding { tenants, ..finding };
    groups.into_iter().map(together).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// `error: FILE:LINE:COLUMN: message (in 14 tenants: …)` and a line for the hint.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: ")?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        write_tenants(f, &self.tenants)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

fn write_tenants(f: &mut fmt::Formatter<'_>, tenants: &BTreeSet<String>) -> fmt::Result {
    /// More names than this are a wall of text.
    const NAMED: usize = 3;
    let names: Vec<String> = tenants
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    match tenants.len() {
        0 => Ok(()),
        1 => write!(f, " (in tenant {})", names[0]),
        count if count <= NAMED => write!(f, " (in {count} tenants: {})", names.join(", ")),
        count => write!(f, " (in {count} tenants: {}, …)", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_mistake_is_told_once_with_its_tenants() {
        let mistake = |tenant| {
            let place = Place {
                file: "templates/platform/web.yaml.j2".to_owned(),
                line: 7,
                column: 3,
            };
            Finding::error(place, "`replicas` is not defined")
                .hint("did you mean `replica`?".to_owned())
                .in_tenant(tenant)
        };
        let findings = grouped(["d", "b", "a", "c"].map(mistake));
        let told: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(
            told,
            [
                "error: templates/platform/web.yaml.j2:7:3: `replicas` is not defined \
              (in 4 tenants: `a`, `b`, `c`, …)\n  hint: did you mean `replica`?"
            ]
        );
    }
}
