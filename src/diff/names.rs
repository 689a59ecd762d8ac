//! A tenant's own names, replaced so that the same change reads the same in every tenant.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{Change, FieldChange};
use crate::manifest::ObjectRef;

/// What a tenant, its platforms and its domains are called, and what to read instead.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The longest first: a domain may contain the tenant's name.
    names: Vec<(String, &'static str)>,
}

impl Names {
    /// Names with their placeholders: `("acme-prod", "{tenant}")`. Of equal names the first counts.
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, &'static str)>) -> Self {
        let mut names: Vec<(String, &'static str)> = names
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, placeholder)| (name.to_owned(), placeholder))
            .collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { names }
    }

    /// The change as it reads in any tenant.
    pub(super) fn neutral(&self, change: &Change) -> (ObjectRef, Vec<FieldChange>) {
        let object = ObjectRef {
            namespace: change
                .object
                .namespace
                .as_deref()
                .map(|name| self.replace(name)),
            name: self.replace(&change.object.name),
            ..change.object.clone()
        };
        let fields = change.fields.iter().map(|field| FieldChange {
            path: self.replace(&field.path),
            before: field.before.as_ref().map(|value| self.replace_in(value)),
            after: field.after.as_ref().map(|value| self.replace_in(value)),
        });
        (object, fields.collect())
    }

    fn replace_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.replace(text)),
            Value::Array(items) => items.iter().map(|item| self.replace_in(item)).collect(),
            Value::Object(map) => {
                let pairs = map
                    .iter()
                    .map(|(key, value)| (self.replace(key), self.replace_in(value)));
                pairs.collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Whole words only: of a tenant `acme`, `acme-db` holds the name and `acmeology` does not.
    fn replace(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        let mut is_word_open = false;
        while let Some(character) = rest.chars().next() {
            if let Some((name, placeholder)) = self.name_at(rest).filter(|_| !is_word_open) {
                replaced.push_str(placeholder);
                rest = &rest[name.len()..];
                is_word_open = true;
                continue;
            }
            replaced.push(character);
            is_word_open = character.is_alphanumeric();
            rest = &rest[character.len_utf8()..];
        }
        replaced
    }

    fn name_at(&self, text: &str) -> Option<&(String, &'static str)> {
        self.names.iter().find(|(name, _)| {
            let behind = text.strip_prefix(name.as_str());
            behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
        })
    }
}

/// The names of every tenant of a report.
pub type NamesByTenant = BTreeMap<String, Names>;
