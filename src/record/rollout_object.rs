//! A rollout's record and the shards of its plan ↔ `ConfigMap`s on the hub.

use serde_json::Value;

use crate::error::UserError;

use super::object::{RECORD_LABEL, Reader, Stored, Writer};
use super::rollout::{PlanLine, RolloutRecord, TENANTS_PER_SHARD};

const ROLLOUT: &str = "rollout";
const PLAN: &str = "plan";
const ENVIRONMENT: &str = "escale.dev/environment";
const STATE: &str = "escale.dev/state";
const ID: &str = "escale.dev/rollout";
const SHARD: &str = "escale.dev/shard";

/// The name of a rollout's record: `rollout.ID`.
pub fn rollout_name(id: &str) -> String {
    format!("rollout.{id}")
}

/// Finds the shards of one rollout's plan.
pub fn plan_selector(id: &str) -> String {
    format!("{RECORD_LABEL}={PLAN},{ID}={id}")
}

/// Finds the records of these rollouts, and the shards of their plans.
pub fn rollouts_selector(ids: &[String]) -> String {
    format!("{ID} in ({})", ids.join(","))
}

/// The `ConfigMap` of a rollout. To change a stored one, give its `resource_version`.
pub fn encode_rollout(record: &RolloutRecord, resource_version: Option<&str>) -> Value {
    let mut value = Writer::new(ROLLOUT, &rollout_name(&record.id))
        .label(ENVIRONMENT, &record.environment)
        .label(STATE, record.state.as_str())
        .label(ID, &record.id)
        .data("rollout", record)
        .finish();
    if let Some(version) = resource_version {
        value["metadata"]["resourceVersion"] = version.into();
    }
    value
}

pub fn decode_rollout(value: &Value) -> Result<Stored<RolloutRecord>, UserError> {
    let reader = Reader::new(ROLLOUT, value)?;
    let record: RolloutRecord = reader.required_data("rollout")?;
    if rollout_name(&record.id) != reader.name() {
        return Err(reader.corrupt(&format!("it is the record of rollout `{}`", record.id)));
    }
    Ok(reader.stored(record))
}

/// The shards of a plan: `rollout.ID.plan.0` and so on, at most [`TENANTS_PER_SHARD`] lines each.
pub fn encode_plan(rollout: &RolloutRecord, lines: &[PlanLine]) -> Vec<Value> {
    lines
        .chunks(TENANTS_PER_SHARD)
        .enumerate()
        .map(|(index, shard)| {
            Writer::new(PLAN, &shard_name(&rollout.id, index))
                .label(ENVIRONMENT, &rollout.environment)
                .label(ID, &rollout.id)
                .label(SHARD, &index.to_string())
                .data("lines", &shard)
                .finish()
        })
        .collect()
}

/// Reads a plan out of its shards, in any order; a missing shard is an error.
pub fn decode_plan(rollout: &RolloutRecord, shards: &[Value]) -> Result<Vec<PlanLine>, UserError> {
    let mut lines = Vec::new();
    for index in 0..rollout.shards {
        let name = shard_name(&rollout.id, index);
        let shard = shards
            .iter()
            .find(|shard| shard.pointer("/metadata/name").and_then(Value::as_str) == Some(&name))
            .ok_or_else(|| {
                UserError::new(format!(
                    "the plan of rollout `{}` cannot be used: its shard `{name}` is missing",
                    rollout.id
                ))
                .hint("start a new rollout; what this one did is in the records of the tenants")
            })?;
        let reader = Reader::new(PLAN, shard)?;
        lines.extend(reader.required_data::<Vec<PlanLine>>("lines")?);
    }
    Ok(lines)
}

fn shard_name(id: &str, index: usize) -> String {
    format!("{}.plan.{index}", rollout_name(id))
}
