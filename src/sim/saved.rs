//! A cluster as JSON, and back: what `--sim` keeps between commands.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Options;
use super::behaviour::{Behaviour, Rule};
use super::object::ObjectId;
use super::state::State;
use super::store::Store;
use super::timers::What;

/// Raised when older files can no longer be read.
const FORMAT: &str = "sim1";

impl State {
    /// Everything that lasts: objects, what is due, how pods behave. Not the log, pages of lists or faults of requests.
    pub fn save(&self) -> Value {
        let objects: Vec<Value> = self
            .store
            .all()
            .map(|(id, stored)| json!({"created": stored.head.created, "object": stored.value(self.kinds.of(id.kind))}))
            .collect();
        let due: Vec<Value> = self
            .timers
            .iter()
            .map(|(time, task)| {
                json!([
                    time,
                    word(task.what),
                    self.kinds.of(task.object.kind).resource(),
                    task.object.key()
                ])
            })
            .collect();
        json!({
            "format": FORMAT, "revision": self.store.revision(), "objects": objects, "due": due,
            "rules": self.rules.iter().map(rule_to_value).collect::<Vec<_>>(),
        })
    }

    pub fn load(options: &Options, saved: &Value) -> anyhow::Result<Self> {
        ensure!(
            saved["format"] == FORMAT,
            "the saved cluster is not of format `{FORMAT}`"
        );
        let mut state = Self::empty(options);
        let revision = saved["revision"]
            .as_u64()
            .context("the saved cluster has no revision")?;
        state.store = Store::at_revision(revision);
        let list = |key: &str| saved[key].as_array().into_iter().flatten();
        let is_definition = |saved: &&Value| saved["object"]["kind"] == "CustomResourceDefinition";
        for saved in list("objects").filter(is_definition) {
            state.kinds.define(&saved["object"]);
        }
        for saved in list("objects") {
            state.load_object(saved)?;
        }
        for saved in list("due") {
            state.load_task(saved)?;
        }
        state.rules = list("rules")
            .map(rule_from_value)
            .collect::<anyhow::Result<_>>()?;
        Ok(state)
    }

    fn load_object(&mut self, saved: &Value) -> anyhow::Result<()> {
        let object = &saved["object"];
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let kind = self.kinds.find_kind(text("/apiVersion"), text("/kind"));
        let kind =
            kind.ok_or_else(|| anyhow!("unknown kind `{}` in the saved cluster", text("/kind")))?;
        let namespace = object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str);
        let id = ObjectId::new(kind, namespace, text("/metadata/name"));
        self.store.restore(&id, object, time(&saved["created"])?);
        Ok(())
    }

    fn load_task(&mut self, saved: &Value) -> anyhow::Result<()> {
        let text = |index: usize| saved[index].as_str().unwrap_or_default();
        let what = [What::Sync, What::Advance, What::Collect, What::Expire];
        let what = what.into_iter().find(|what| word(*what) == text(1));
        let what =
            what.ok_or_else(|| anyhow!("unknown task `{}` in the saved cluster", text(1)))?;
        let kind = self.kinds.find_resource(text(2));
        let kind =
            kind.ok_or_else(|| anyhow!("unknown resource `{}` in the saved cluster", text(2)))?;
        let at = time(&saved[0])?;
        self.at(at, what, &ObjectId::from_key(kind, text(3)));
        Ok(())
    }
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    let text = value.as_str().context("the saved cluster lacks a time")?;
    text.parse()
        .with_context(|| format!("`{text}` in the saved cluster is not a time"))
}

fn word(what: What) -> &'static str {
    match what {
        What::Sync => "sync",
        What::Advance => "advance",
        What::Collect => "collect",
        What::Expire => "expire",
    }
}

fn rule_to_value(rule: &Rule) -> Value {
    let behaviour = match rule.behaviour {
        Behaviour::Ready { after } => json!({"ready": after.as_millis()}),
        Behaviour::NeverReady => json!({"neverReady": true}),
        Behaviour::Unschedulable => json!({"unschedulable": true}),
        Behaviour::Crash { healthy } => json!({"crash": healthy.as_millis()}),
        Behaviour::PullError => json!({"pullError": true}),
        Behaviour::Exit { code, after } => json!({"exit": code, "after": after.as_millis()}),
    };
    json!({"image": rule.image, "namespace": rule.namespace, "behaviour": behaviour})
}

fn rule_from_value(saved: &Value) -> anyhow::Result<Rule> {
    let behaviour = &saved["behaviour"];
    let millis = |key: &str| behaviour[key].as_u64().map(Duration::from_millis);
    let code = behaviour["exit"]
        .as_i64()
        .and_then(|code| i32::try_from(code).ok());
    let behaviour = if let Some(after) = millis("ready") {
        Behaviour::Ready { after }
    } else if let Some(healthy) = millis("crash") {
        Behaviour::Crash { healthy }
    } else if behaviour["neverReady"] == true {
        Behaviour::NeverReady
    } else if behaviour["unschedulable"] == true {
        Behaviour::Unschedulable
    } else if behaviour["pullError"] == true {
        Behaviour::PullError
    } else {
        let code =
            code.with_context(|| format!("unknown behaviour `{behaviour}` in the saved cluster"))?;
        let after = millis("after").unwrap_or_default();
        Behaviour::Exit { code, after }
    };
    let text = |key: &str| saved[key].as_str().map(str::to_owned);
    Ok(Rule {
        image: text("image"),
        namespace: text("namespace"),
        behaviour,
    })
}
