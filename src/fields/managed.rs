//! `metadata.managedFields`: who owns which fields of an object, since when.
//!
//! Follows apimachinery's `util/managedfields`: appliers are told apart by name and subresource, updaters by
//! apiVersion as well; entries without fields are dropped; more than ten updaters are folded into one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::path::Path;
use super::set::FieldSet;

/// Tells one manager's entry from another's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for appliers: an applier stays the same over versions.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What one manager owns.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) api_version: String,
    pub(super) fields: FieldSet,
    /// RFC 3339, as it stands in the object.
    pub(super) time: Option<String>,
}

/// All entries of an object.
pub(super) type Managers = BTreeMap<Identity, Owned>;

/// More updaters than this are folded into `ANCIENT`, the oldest first.
const MOST_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Identity {
    pub(super) fn applier(manager: &str, subresource: Option<&str>) -> Self {
        Self {
            manager: named(manager),
            operation: Operation::Apply,
            api_version: String::new(),
            subresource: subresource.unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn updater(manager: &str, api_version: &str, subresource: Option<&str>) -> Self {
        Self {
            manager: named(manager),
            operation: Operation::Update,
            api_version: api_version.to_owned(),
            subresource: subresource.unwrap_or_default().to_owned(),
        }
    }
}

fn named(manager: &str) -> String {
    if manager.is_empty() {
        "unknown"
    } else {
        manager
    }
    .to_owned()
}

/// Reads the entries of an object; an error says what the API server would not accept.
pub(super) fn read(object: &Value) -> Result<Managers, String> {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(at, entry)| read_entry(at, entry))
        .collect()
}

fn read_entry(at: usize, entry: &Value) -> Result<(Identity, Owned), String> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
        other => {
            return Err(format!(
                "invalid fieldsType {other:?} in managed fields entry {at}"
            ));
        }
    }
    let identity = Identity {
        manager: text("manager").to_owned(),
        operation,
        api_version: if operation == Operation::Apply {
            ""
        } else {
            api_version
        }
        .to_owned(),
        subresource: text("subresource").to_owned(),
    };
    let owned = Owned {
        api_version: api_version.to_owned(),
        fields: entry
            .get("fieldsV1")
            .map(FieldSet::from_fields_v1)
            .unwrap_or_default(),
        time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
    };
    Ok((identity, owned))
}

/// The entries of the live object, none if they cannot be read: an update must never fail over them.
pub(super) fn read_or_none(object: Option<&Value>) -> Managers {
    object
        .and_then(|object| read(object).ok())
        .unwrap_or_default()
}

/// Writes the entries into an object: appliers first, then by time and name. Without any, the field goes.
pub(super) fn write<'a>(
    object: &mut Value,
    entries: impl IntoIterator<Item = (&'a Identity, &'a Owned)>,
) {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_cached_key(|(identity, owned)| {
        (
            identity.operation,
            seconds(owned),
            identity.manager.clone(),
            owned.api_version.clone(),
            identity.subresource.clone(),
        )
    });
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(identity, owned)| written(identity, owned))
        .collect();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

fn written(identity: &Identity, owned: &Owned) -> Value {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Value| entry.insert(name.to_owned(), value);
    put("manager", json!(identity.manager));
    put("operation", json!(identity.operation.as_str()));
    put("apiVersion", json!(owned.api_version));
    put("fieldsType", json!("FieldsV1"));
    put("fieldsV1", owned.fields.to_fields_v1());
    if let Some(time) = &owned.time {
        put("time", json!(time));
    }
    if !identity.subresource.is_empty() {
        put("subresource", json!(identity.subresource));
    }
    Value::Object(entry)
}

fn seconds(owned: &Owned) -> i64 {
    let time = owned
        .time
        .as_deref()
        .and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or(0, Timestamp::as_second)
}

/// A moment as `managedFields` writes it: whole seconds.
pub(super) fn time_of(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Takes out identity and bookkeeping fields, which nobody ever owns.
pub(super) fn forget_identity(fields: &mut FieldSet) {
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut paths: Vec<_> = metadata
        .iter()
        .map(|name| Path::of_fields(&["metadata", name]))
        .collect();
    paths.extend(["apiVersion", "kind", "metadata"].map(|name| Path::of_fields(&[name])));
    fields.subtract(&paths.iter().collect());
}

/// Folds the oldest updaters of each version into one until no more than ten are left.
pub(super) fn fold_oldest(managers: &mut Managers) {
    let mut updaters: Vec<_> = managers
        .iter()
        .filter(|(identity, _)| identity.operation == Operation::Update)
        .map(|(identity, owned)| (seconds(owned), identity.clone()))
        .collect();
    updaters.sort();
    let mut surplus = updaters.len().saturating_sub(MOST_UPDATERS);
    let mut first_of_version: BTreeMap<String, Identity> = BTreeMap::new();
    for (_, identity) in updaters {
        if surplus == 0 {
            return;
        }
        let Some(first) = first_of_version.get(&identity.api_version) else {
            first_of_version.insert(identity.api_version.clone(), identity);
            continue;
        };
        let bucket = Identity::updater(ANCIENT, &identity.api_version, None);
        if !managers.contains_key(&bucket) {
            let oldest = managers
                .remove(first)
                .expect("it was there when the versions were noted");
            managers.insert(bucket.clone(), oldest);
        }
        if identity == bucket {
            continue;
        }
        let folded = managers
            .remove(&identity)
            .expect("each updater is folded once");
        let ancient = managers.get_mut(&bucket).expect("made just above");
        ancient.fields = folded.fields.union(&ancient.fields);
        ancient.time = folded.time;
        surplus -= 1;
    }
}
