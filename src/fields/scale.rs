//! What a write to the `scale` subresource does to the owners of `spec.replicas`.
//!
//! The API server turns the entries into those of a `Scale` object and back. On the way an updater loses the time of
//! its entry, and what else it owned stays in an entry apart (apimachinery, `managedfields/scalehandler.go`).

use super::managed::{Identity, Managers, Operation, Owned};
use super::path::Path;
use super::set::FieldSet;

/// What was written to `spec.replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scaling {
    /// The number that it was.
    Unchanged,
    /// Another number: the writer owns it.
    To,
    /// Zero, which a `Scale` leaves out: nobody owns it.
    ToZero,
}

/// The entries after a write to `scale`; two of them may have the same identity.
pub(super) fn owners_after(
    managers: Managers,
    writer: &Identity,
    scaling: Scaling,
) -> Vec<(Identity, Owned)> {
    let replicas: FieldSet = [&Path::of_fields(&["spec", "replicas"])]
        .into_iter()
        .collect();
    let owns_replicas = |owned: &Owned| !owned.fields.intersection(&replicas).is_empty();
    let is_changed = scaling != Scaling::Unchanged;
    let mut entries = Vec::new();
    for (identity, owned) in managers {
        let is_applier = identity.operation == Operation::Apply;
        if !owns_replicas(&owned) || (is_applier && !is_changed) {
            entries.push((identity, owned));
            continue;
        }
        if !is_changed {
            entries.push((
                identity.clone(),
                Owned {
                    fields: replicas.clone(),
                    time: None,
                    ..owned.clone()
                },
            ));
        }
        let rest = owned.fields.difference(&replicas);
        if !rest.is_empty() {
            entries.push((
                identity,
                Owned {
                    fields: rest,
                    ..owned
                },
            ));
        }
    }
    if scaling == Scaling::To {
        let owned = Owned {
            api_version: writer.api_version.clone(),
            fields: replicas,
            time: None,
        };
        entries.push((writer.clone(), owned));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::managed;
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
               "fieldsV1": fields, "time": "2026-01-01T00:00:00Z"})
    }

    fn told(scaling: Scaling) -> Vec<(String, Value, bool)> {
        let both = json!({"f:spec": {"f:replicas": {}, "f:paused": {}}});
        let object = json!({"metadata": {"managedFields": [
            entry("escale", "Apply", &both), entry("kubectl-edit", "Update", &both)
        ]}});
        let managers = managed::read(&object).expect("reads");
        let writer = Identity::updater("hpa", "apps/v1", Some("scale"));
        let entries = owners_after(managers, &writer, scaling);
        let told = entries
            .into_iter()
            .map(|(who, what)| (who.manager, what.fields.to_fields_v1(), what.time.is_some()));
        told.collect()
    }

    #[test]
    fn who_scales_takes_the_replicas_from_everybody() {
        let paused = json!({"f:spec": {"f:paused": {}}});
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        assert_eq!(
            told(Scaling::To),
            [
                ("escale".to_owned(), paused.clone(), true),
                ("kubectl-edit".to_owned(), paused, true),
                ("hpa".to_owned(), replicas, false),
            ]
        );
    }

    #[test]
    fn scaling_to_what_it_is_splits_the_entries_of_updaters() {
        let both = json!({"f:spec": {"f:paused": {}, "f:replicas": {}}});
        assert_eq!(
            told(Scaling::Unchanged),
            [
                ("escale".to_owned(), both, true),
                (
                    "kubectl-edit".to_owned(),
                    json!({"f:spec": {"f:replicas": {}}}),
                    false
                ),
                (
                    "kubectl-edit".to_owned(),
                    json!({"f:spec": {"f:paused": {}}}),
                    true
                ),
            ]
        );
    }
}
