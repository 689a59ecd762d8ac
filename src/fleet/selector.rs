//! Label selectors as kubectl reads them: `ring=canary,class!=vault,provider in (ovh,scw),!hold`.

use std::str::FromStr;

use crate::error::UserError;
use crate::fleet::model::Tenant;

/// Requirements that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// As in Kubernetes, also true where there is no such label.
    NotIn(Vec<String>),
}

impl Selector {
    pub fn matches(&self, tenant: &Tenant) -> bool {
        self.requirements.iter().all(|requirement| {
            let found = tenant.label(&requirement.key);
            let is_among = |values: &[String]| {
                found.is_some_and(|found| values.iter().any(|value| value == found))
            };
            match &requirement.test {
                Test::Exists => found.is_some(),
                Test::Absent => found.is_none(),
                Test::In(values) => is_among(values),
                Test::NotIn(values) => !is_among(values),
            }
        })
    }

    /// The keys it asks for.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.requirements
            .iter()
            .map(|requirement| requirement.key.as_str())
    }
}

impl FromStr for Selector {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        let requirements = split_outside_brackets(text).into_iter().map(|part| {
            requirement(part).ok_or_else(|| {
                UserError::new(format!("`{part}` is no label selector")).hint(
                    "write `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key` or `!key`, \
                     with commas between",
                )
            })
        });
        Ok(Self {
            requirements: requirements.collect::<Result<_, _>>()?,
        })
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

fn requirement(text: &str) -> Option<Requirement> {
    let made = |key: &str, test| {
        let key = key.trim();
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        (!key.is_empty() && key.bytes().all(is_key)).then(|| Requirement {
            key: key.to_owned(),
            test,
        })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return made(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return made(key, Test::In(one(value)));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let (key, operator) = head.trim_end().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => made(key, Test::In(values)),
            "notin" => made(key, Test::NotIn(values)),
            _ => None,
        };
    }
    match text.strip_prefix('!') {
        Some(key) => made(key, Test::Absent),
        None => made(text, Test::Exists),
    }
}
