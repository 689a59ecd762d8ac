//! Limits on how many tenants: absolute, or a share of the tenants that a plan changes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A number of tenants, or a percentage of those that a plan changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Count(u32),
    /// In hundredths of a percent, so that `0.5%` is exact: 10,000 is all.
    Share(u32),
}

/// `0.5%`, `5%`, `100%`: at most two decimals.
const PATTERN: &str = r"^(?:100(?:\.0{1,2})?|[0-9]{1,2}(?:\.[0-9]{1,2})?)%$";
const WHOLE: u32 = 10_000;

impl Limit {
    pub const fn percent(percent: u32) -> Self {
        Self::Share(percent * 100)
    }

    /// How many of `total` tenants that is, never more than `total`: a share is rounded up, so that
    /// any share above zero of anything is at least 1. The only place where a limit is rounded.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => (count as usize).min(total),
            Self::Share(share) => (total * share as usize).div_ceil(WHOLE as usize),
        }
    }
}

/// Limits that hold all at once; a scope without one is not limited by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitSet {
    /// Over the whole rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Limit>,
    /// In each cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Limit>,
    /// Over the clusters with the same label `provider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Limit>,
    /// Among the tenants of one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Limit>,
    /// In each wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<Limit>,
}

/// How many tenants may fail before the wave stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailureLimits {
    /// Over the whole rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Limit>,
    /// In each cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Limit>,
    /// Over the clusters with the same label `provider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Limit>,
    /// Among the tenants of one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Limit>,
    /// In each wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<Limit>,
    /// Whether tenants in flight count as if they failed.
    #[serde(default)]
    pub mode: FailureMode,
}

/// How exactly the failure limits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureMode {
    /// Starts stop once the limit is passed; what is in flight may still fail.
    #[default]
    Soft,
    /// Never more in flight than may still fail: at most the limit and one more ever fail.
    Strict,
}

impl FailureLimits {
    /// The limits without the mode.
    pub fn limits(&self) -> LimitSet {
        LimitSet {
            all: self.all,
            cluster: self.cluster,
            provider: self.provider,
            group: self.group,
            wave: self.wave,
        }
    }
}

/// Text that is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotALimit;

impl FromStr for Limit {
    type Err = NotALimit;

    fn from_str(text: &str) -> Result<Self, NotALimit> {
        let number = text.strip_suffix('%').ok_or(NotALimit)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) || decimals.len() > 2 || whole.len() > 3 {
            return Err(NotALimit);
        }
        let whole: u32 = whole.parse().map_err(|_| NotALimit)?;
        let hundredths: u32 = format!("{decimals:0<2}").parse().map_err(|_| NotALimit)?;
        let share = whole * 100 + hundredths;
        (share <= WHOLE)
            .then_some(Self::Share(share))
            .ok_or(NotALimit)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Self::Share(share) => {
                let decimals = format!("{:02}", share % 100);
                write!(f, "{}.{}%", share / 100, decimals.trim_end_matches('0'))
            }
        }
    }
}

impl fmt::Display for NotALimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a limit: write a number of tenants (`40`) or a share of them (`5%`)")
    }
}

impl std::error::Error for NotALimit {}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Share(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tenants (`40`) or a share of them (`5%`)")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Limit, E> {
        u32::try_from(count).map(Limit::Count).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Limit, E> {
        u32::try_from(count).map(Limit::Count).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of tenants (`40`), or a share of the tenants that a plan changes \
                            on reachable clusters (`5%`; rounded up, at least 1).",
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": u32::MAX,
            "pattern": PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limit(value: serde_json::Value) -> Limit {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_share_is_rounded_up_and_at_least_one() {
        assert_eq!(limit(json!("5%")).of(300), 15);
        assert_eq!(limit(json!("1%")).of(301), 4);
        assert_eq!(limit(json!("0.5%")).of(10), 1);
        assert_eq!(limit(json!("33%")).of(0), 0);
        assert_eq!(limit(json!("0%")).of(300), 0);
        assert_eq!(limit(json!(40)).of(3), 3);
        assert_eq!(limit(json!(0)).of(3), 0);
    }

    #[test]
    fn a_limit_is_written_as_it_was_read() {
        for value in [
            json!(200),
            json!("5%"),
            json!("0.5%"),
            json!("33.25%"),
            json!("100%"),
        ] {
            assert_eq!(serde_json::to_value(limit(value.clone())).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for value in [
            json!("5"),
            json!("101%"),
            json!("%"),
            json!("1.234%"),
            json!(-1),
            json!("+5%"),
        ] {
            assert!(
                serde_json::from_value::<Limit>(value.clone()).is_err(),
                "{value}"
            );
        }
    }
}
