//! Limits: how many tenants of a scope may be in flight or may have failed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A count, or a share of a scope's tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Limit {
    Count(u32),
    /// 0 to 100.
    Percent(u8),
}

impl Limit {
    /// Resolves the limit for a scope of `total` tenants: never above `total`; a share is rounded
    /// up, so that any share above zero of anything is at least one (I7). This is the only place
    /// where a limit is rounded.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => (count as usize).min(total),
            Self::Percent(percent) => (total * usize::from(percent)).div_ceil(100).min(total),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

impl TryFrom<String> for Limit {
    type Error = NotALimit;

    fn try_from(text: String) -> Result<Self, NotALimit> {
        text.parse()
    }
}

/// What was written where a count or a percentage belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotALimit(String);

impl fmt::Display for NotALimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is neither a count nor a percentage from 0% to 100%",
            self.0
        )
    }
}

impl std::error::Error for NotALimit {}

impl FromStr for Limit {
    type Err = NotALimit;

    fn from_str(text: &str) -> Result<Self, NotALimit> {
        let limit = match text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        limit.ok_or_else(|| NotALimit(text.to_owned()))
    }
}

/// One kind of limit over every scope that a tenant is in; all hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScopedLimits {
    pub all: Option<Limit>,
    pub cluster: Option<Limit>,
    pub provider: Option<Limit>,
    pub group: Option<Limit>,
    pub wave: Option<Limit>,
}

/// A set of tenants over which a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Cluster(String),
    Provider(String),
    Group(String),
    Wave(String),
}

impl ScopedLimits {
    pub fn limit(&self, scope: &Scope) -> Option<Limit> {
        match scope {
            Scope::All => self.all,
            Scope::Cluster(_) => self.cluster,
            Scope::Provider(_) => self.provider,
            Scope::Group(_) => self.group,
            Scope::Wave(_) => self.wave,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("the rollout"),
            Self::Cluster(name) => write!(f, "cluster `{name}`"),
            Self::Provider(name) => write!(f, "provider `{name}`"),
            Self::Group(name) => write!(f, "group `{name}`"),
            Self::Wave(name) => write!(f, "wave `{name}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_rounded_up_and_a_count_is_capped() {
        assert_eq!(Limit::Percent(1).of(40), 1);
        assert_eq!(Limit::Percent(5).of(300), 15);
        assert_eq!(Limit::Percent(0).of(300), 0);
        assert_eq!(Limit::Count(50).of(7), 7);
        assert_eq!(
            "101%".parse::<Limit>().unwrap_err().to_string(),
            "`101%` is neither a count nor a percentage from 0% to 100%"
        );
    }

    proptest! {
        #[test]
        fn resolving_is_monotone_and_never_above_the_total(percent in 0u8..=100, total in 0usize..100_000) {
            let resolved = Limit::Percent(percent).of(total);
            prop_assert!(resolved <= total);
            prop_assert!(resolved <= Limit::Percent(percent).of(total + 1));
            prop_assert!(percent == 100 || resolved <= Limit::Percent(percent + 1).of(total));
            prop_assert!(percent == 0 || total == 0 || resolved >= 1);
        }

        #[test]
        fn a_limit_reads_back_as_it_prints(count in 0u32.., percent in 0u8..=100) {
            prop_assert_eq!(Limit::Count(count).to_string().parse(), Ok(Limit::Count(count)));
            prop_assert_eq!(Limit::Percent(percent).to_string().parse(), Ok(Limit::Percent(percent)));
        }
    }
}
