//! Reads what the rules ask of an object: counters, conditions, times. Whatever is of another
//! type than Kubernetes promises counts as absent.

use jiff::Timestamp;
use serde_json::Value;

use crate::manifest::Live;

/// The fields of a live object that health is about.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub live: &'a Live,
}

/// One entry of `status.conditions`.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a> {
    value: &'a Value,
}

impl<'a> Reading<'a> {
    pub fn of(live: &'a Live) -> Self {
        Self { live }
    }

    pub fn at(self, pointer: &str) -> Option<&'a Value> {
        let found = self.live.value().pointer(pointer);
        found.filter(|value| !value.is_null())
    }

    pub fn text(self, pointer: &str) -> &'a str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn is_true(self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool) == Some(true)
    }

    pub fn integer(self, pointer: &str) -> Option<i64> {
        self.at(pointer)?.as_i64()
    }

    /// A counter of the status; Kubernetes leaves out those that are 0.
    pub fn count(self, name: &str) -> i64 {
        let count = self.at("/status").and_then(|status| status.get(name));
        count.and_then(Value::as_i64).unwrap_or_default()
    }

    /// `spec.replicas`, which the API server defaults to 1.
    pub fn wanted_replicas(self) -> i64 {
        self.integer("/spec/replicas").unwrap_or(1)
    }

    pub fn items(self, pointer: &str) -> &'a [Value] {
        let found = self.at(pointer).and_then(Value::as_array);
        found.map(Vec::as_slice).unwrap_or_default()
    }

    pub fn condition(self, kind: &str) -> Option<Condition<'a>> {
        Condition::named(self.items("/status/conditions"), kind)
    }

    pub fn time(self, pointer: &str) -> Option<Timestamp> {
        time(self.at(pointer))
    }

    pub fn created_at(self) -> Option<Timestamp> {
        self.time("/metadata/creationTimestamp")
    }
}

impl<'a> Condition<'a> {
    pub fn named(conditions: &'a [Value], kind: &str) -> Option<Self> {
        let mut of_kind = conditions.iter().filter(|value| value["type"] == kind);
        of_kind.next().map(|value| Self { value })
    }

    pub fn is_true(self) -> bool {
        self.text("status") == "True"
    }

    pub fn is_false(self) -> bool {
        self.text("status") == "False"
    }

    pub fn reason(self) -> &'a str {
        self.text("reason")
    }

    pub fn message(self) -> &'a str {
        self.text("message")
    }

    /// Some controllers date each condition (`meta/v1.Condition.observedGeneration`).
    pub fn observed_generation(self) -> Option<i64> {
        self.value.get("observedGeneration")?.as_i64()
    }

    /// When its status last changed.
    pub fn changed_at(self) -> Option<Timestamp> {
        time(self.value.get("lastTransitionTime"))
    }

    /// When it was last said, or else when it last changed.
    pub fn said_at(self) -> Option<Timestamp> {
        time(self.value.get("lastUpdateTime")).or_else(|| self.changed_at())
    }

    fn text(self, field: &str) -> &'a str {
        let found = self.value.get(field).and_then(Value::as_str);
        found.unwrap_or_default()
    }
}

pub(super) fn time(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}
