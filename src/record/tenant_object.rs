//! A tenant's record ↔ its `ConfigMap`, which is also the parent of the tenant's `ApplySet`.

use serde_json::Value;

use crate::error::UserError;

use super::applyset::{GROUP_KINDS, ID, NAMESPACES, TOOLING, applyset_id, group_kinds};
use super::object::{Reader, Stored, Writer};
use super::outcome::Outcome;
use super::tenant::TenantRecord;

const RECORD: &str = "tenant";
const ENVIRONMENT: &str = "escale.dev/environment";
const TENANT: &str = "escale.dev/tenant";
const STATE: &str = "escale.dev/state";
const CLASS: &str = "escale.dev/class";
const CLUSTER: &str = "escale.dev/cluster";
const DIGEST: &str = "escale.dev/digest";
const RELEASE: &str = "escale.dev/release";
const ROLLOUT: &str = "escale.dev/rollout";
const SINCE: &str = "escale.dev/since";
const GOOD_FROM: &str = "escale.dev/good-from";
const HOLD: &str = "escale.dev/hold";
const EPOCH: &str = "escale.dev/epoch";
/// `TOOL/SEMVER`, as kubectl demands of the parent of an `ApplySet`.
const TOOL: &str = concat!("escale/v", env!("CARGO_PKG_VERSION"));

/// The `ConfigMap` of a tenant's record. To change a stored one, give its `resource_version`.
pub fn encode_tenant(record: &TenantRecord, resource_version: Option<&str>) -> Value {
    let hold = record.hold.as_ref().map(|hold| {
        let json = serde_json::to_string(hold);
        json.expect("a hold is plain JSON")
    });
    let digest = record.digest.as_ref().map(ToString::to_string);
    let good_from = record.good_from.map(|from| from.to_string());
    let mut writer = Writer::new(RECORD, &record.namespace)
        .label(ENVIRONMENT, &record.environment)
        .label(TENANT, &record.tenant)
        .label(STATE, record.state.as_str())
        .label(CLASS, &record.class)
        .label(ID, &applyset_id(&record.namespace))
        .annotation(CLUSTER, Some(&record.cluster))
        .annotation(DIGEST, digest.as_deref())
        .annotation(RELEASE, record.release.as_deref())
        .annotation(ROLLOUT, record.rollout.as_deref())
        .annotation(SINCE, Some(&record.since.to_string()))
        .annotation(GOOD_FROM, good_from.as_deref())
        .annotation(HOLD, hold.as_deref())
        .annotation(EPOCH, Some(&record.epoch.to_string()))
        .annotation(TOOLING, Some(TOOL))
        .annotation(GROUP_KINDS, Some(&group_kinds(&record.inventory)))
        .annotation(NAMESPACES, Some(&record.namespace))
        .data("goods", &record.goods)
        .data("claim", &record.claim)
        .data("inventory", &record.inventory)
        .data("history", &record.history);
    if !record.hooks.is_empty() {
        writer = writer.data("hooks", &record.hooks);
    }
    let mut value = writer.finish();
    if let Some(version) = resource_version {
        value["metadata"]["resourceVersion"] = version.into();
    }
    value
}

/// Reads a tenant's record; an error names the object and what is wrong with it.
pub fn decode_tenant(value: &Value) -> Result<Stored<TenantRecord>, UserError> {
    let reader = Reader::new(RECORD, value)?;
    let state = reader.required_label(STATE)?;
    let state = Outcome::parse(&state)
        .ok_or_else(|| reader.corrupt(&format!("its state {state:?} is not known")))?;
    let epoch = reader.annotation(EPOCH).unwrap_or_default();
    let epoch = epoch
        .parse()
        .map_err(|_| reader.corrupt(&format!("its epoch {epoch:?} is not a number")))?;
    let hold = match reader.annotation(HOLD) {
        Some(json) => serde_json::from_str(json)
            .map_err(|error| reader.corrupt(&format!("its hold does not read: {error}")))?,
        None => None,
    };
    let cluster = reader.annotation(CLUSTER).unwrap_or_default().to_owned();
    let record = TenantRecord {
        environment: reader.required_label(ENVIRONMENT)?,
        tenant: reader.required_label(TENANT)?,
        cluster,
        namespace: reader.name().to_owned(),
        class: reader.required_label(CLASS)?,
        state,
        digest: reader.digest(DIGEST)?,
        release: reader.annotation(RELEASE).map(str::to_owned),
        rollout: reader.annotation(ROLLOUT).map(str::to_owned),
        since: reader.required_time(SINCE)?,
        good_from: reader.time(GOOD_FROM)?,
        hold,
        goods: reader.required_data("goods")?,
        epoch,
        claim: reader.required_data("claim")?,
        inventory: reader.required_data("inventory")?,
        hooks: reader.data("hooks")?.unwrap_or_default(),
        history: reader.required_data("history")?,
    };
    Ok(reader.stored(record))
}
