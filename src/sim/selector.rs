//! Label and field selectors, as the query of a LIST spells them.

use super::object::{Head, ObjectId, Phase};
use super::refusal::Refusal;

/// What a LIST lets through. Empty lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<(String, Test)>,
    fields: Vec<(Field, String, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Also true where there is no such label.
    NotIn(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Phase,
    Node,
}

impl Selector {
    pub fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Refusal> {
        let labels = requirements(labels.unwrap_or_default());
        let fields = fields
            .unwrap_or_default()
            .split(',')
            .filter(|field| !field.is_empty());
        Ok(Self {
            labels: labels.into_iter().map(label).collect::<Result<_, _>>()?,
            fields: fields.map(field).collect::<Result<_, _>>()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// `node` is asked only if the selector wants it: it is not in the head.
    pub fn matches(&self, id: &ObjectId, head: &Head, node: impl Fn() -> String) -> bool {
        let labels = self
            .labels
            .iter()
            .all(|(key, test)| test.holds(head.label(key)));
        let value = |field: Field| match field {
            Field::Name => id.name().to_owned(),
            Field::Namespace => id.namespace().unwrap_or_default().to_owned(),
            Field::Phase => head
                .pod
                .map(|pod| phase(pod.phase).to_owned())
                .unwrap_or_default(),
            Field::Node => node(),
        };
        labels
            && self
                .fields
                .iter()
                .all(|(field, wanted, equal)| (value(*field) == *wanted) == *equal)
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_in = |values: &[String]| {
            value.is_some_and(|value| values.iter().any(|known| known == value))
        };
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => is_in(values),
            Self::NotIn(values) => !is_in(values),
        }
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "Pending",
        Phase::Running => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
    }
}

/// Splits at commas that stand outside parentheses.
fn requirements(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let split = text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    split
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn label(text: &str) -> Result<(String, Test), Refusal> {
    let (key, condition) = if let Some(pair) = set(text) {
        pair
    } else if let Some(pair) = text.split_once("!=") {
        (pair.0, Test::NotIn(vec![pair.1.trim().to_owned()]))
    } else if let Some(pair) = text.split_once("==").or_else(|| text.split_once('=')) {
        (pair.0, Test::In(vec![pair.1.trim().to_owned()]))
    } else if let Some(key) = text.strip_prefix('!') {
        (key, Test::Absent)
    } else {
        (text, Test::Exists)
    };
    let key = key.trim();
    let values = match &condition {
        Test::In(values) | Test::NotIn(values) => values.as_slice(),
        Test::Exists | Test::Absent => &[],
    };
    if !values.iter().map(String::as_str).chain([key]).all(is_word) {
        return Err(Refusal::bad_request(format!(
            "unable to parse requirement: `{text}`"
        )));
    }
    Ok((key.to_owned(), condition))
}

/// Reads `key in (a, b)` and `key notin (a, b)`.
fn set(text: &str) -> Option<(&str, Test)> {
    let (head, values) = text.strip_suffix(')')?.split_once('(')?;
    let (key, operator) = head.trim().rsplit_once(' ')?;
    let values = values
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect();
    match operator {
        "in" => Some((key, Test::In(values))),
        "notin" => Some((key, Test::NotIn(values))),
        _ => None,
    }
}

fn field(text: &str) -> Result<(Field, String, bool), Refusal> {
    let negative = text
        .split_once("!=")
        .map(|(key, value)| (key, value, false));
    let positive = text.split_once("==").or_else(|| text.split_once('='));
    let (key, value, equal) = negative
        .or_else(|| positive.map(|(key, value)| (key, value, true)))
        .ok_or_else(|| Refusal::bad_request(format!("invalid field selector: `{text}`")))?;
    let field = match key {
        "metadata.name" => Field::Name,
        "metadata.namespace" => Field::Namespace,
        "status.phase" => Field::Phase,
        "spec.nodeName" => Field::Node,
        _ => {
            let message = format!(
                "\"{key}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            );
            return Err(Refusal::bad_request(message));
        }
    };
    Ok((field, value.to_owned(), equal))
}

/// What keys and values of labels are made of.
fn is_word(text: &str) -> bool {
    text.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::kinds::KindId;
    use crate::sim::object::Head;
    use serde_json::json;

    fn matches(selector: &str) -> bool {
        let value =
            json!({"kind": "ConfigMap", "metadata": {"labels": {"app": "web", "tier": "front"}}});
        let head = Head::of(&value, jiff::Timestamp::UNIX_EPOCH);
        let id = ObjectId::new(KindId(0), Some("t1"), "web");
        let selector = Selector::parse(Some(selector), None).expect("valid");
        selector.matches(&id, &head, String::new)
    }

    #[test]
    fn labels_are_selected_by_equality_sets_and_existence() {
        for selector in [
            "app=web",
            "app==web,tier",
            "app in (web, db)",
            "!x",
            "x!=y",
            "app notin (db),tier=front",
            "",
        ] {
            assert!(matches(selector), "{selector}");
        }
        for selector in [
            "app=db",
            "x",
            "!app",
            "app notin (web)",
            "app!=web",
            "app=web,x=y",
            "x in (y)",
        ] {
            assert!(!matches(selector), "{selector}");
        }
    }

    #[test]
    fn a_selector_that_makes_no_sense_is_refused() {
        assert!(Selector::parse(Some("a===b"), None).is_err());
        assert!(Selector::parse(None, Some("spec.x=b")).is_err());
    }
}
