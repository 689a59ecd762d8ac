//! What can go wrong with a request, sorted by what the caller does about it.

use std::fmt;

use http::StatusCode;
use serde_json::Value;

use crate::error::UserError;
use crate::manifest::SecretValues;

/// Why a request was not carried out. Retries are over when one of these is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Other managers own fields that we sent with other values.
    Conflicts(Vec<FieldConflict>),
    /// The object is not the one, or not in the version, that the request was made for.
    Stale(String),
    /// A create found the object there already.
    Exists(String),
    /// The change touches a field that cannot change in place.
    Immutable(String),
    /// The API server does not accept the object: a mistake in it.
    Invalid(String),
    /// There is no such object, or its namespace is missing.
    Gone(String),
    /// The namespace is being deleted: nothing can be created in it.
    Terminating(String),
    /// The API server does not serve the kind.
    NotServed(String),
    /// Forbidden: by access control, a quota or an admission policy.
    Denied(String),
    /// The credentials are missing, wrong or expired.
    Unauthenticated(String),
    /// A continue token or a resourceVersion is too old.
    Expired(String),
    /// No answer that counts, after all retries. A write may have landed or not.
    Unreachable(String),
}

/// One field that someone else owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// As the API server writes it: `.spec.template.spec.containers[name="web"].image`.
    pub field: String,
    pub manager: String,
}

/// Messages of changes that cannot be made in place (notes 2.2.3); lower case.
const IMMUTABLE: [&str; 5] = [
    "field is immutable",
    "updates to statefulset spec for fields other than",
    "spec is immutable after creation",
    "may not change once set",
    "is immutable",
];

/// How a server complains when what is applied has the uid of another object.
const OTHER_UID: &str = "metadata.uid: Invalid value";
/// A mistake in what is applied (an unknown field, a wrong type) is answered with a 500.
const UNTYPED: &str = "failed to create typed patch object";

impl CallError {
    /// Reads an answer that is not a success.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let reason = answer["reason"].as_str().unwrap_or_default();
        let message = match answer["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("the API server answered {status}"),
        };
        match status.as_u16() {
            401 => Self::Unauthenticated(message),
            403 if is_terminating(&answer) => Self::Terminating(message),
            403 => Self::Denied(message),
            404 => Self::Gone(message),
            409 if reason == "AlreadyExists" => Self::Exists(message),
            409 => match field_conflicts(&answer) {
                conflicts if conflicts.is_empty() => Self::Stale(message),
                conflicts => Self::Conflicts(conflicts),
            },
            410 => Self::Expired(message),
            422 if message.contains(OTHER_UID) => Self::Stale(message),
            422 if is_immutable(&message) => Self::Immutable(message),
            500 if message.starts_with(UNTYPED) => Self::Invalid(message),
            429 | 500..=599 => Self::Unreachable(format!("{message} ({status})")),
            _ => Self::Invalid(message),
        }
    }

    /// The error in the words of who can mend it.
    pub fn advise(&self, cluster: &str) -> UserError {
        let error = UserError::new(format!("cluster `{cluster}`: {self}"));
        match self {
            Self::Unauthenticated(_) => error
                .hint("the credentials of its context are missing, wrong or expired: log in again"),
            Self::Unreachable(_) => error.hint(
                "is the address of its context right, and is there a way to it (VPN, `proxy`)?",
            ),
            Self::Denied(_) => error.hint("docs/rbac/ lists the rights that escale needs"),
            Self::NotServed(_) => {
                error.hint("is the definition of this kind (CRD) installed on the cluster?")
            }
            Self::Conflicts(_)
            | Self::Stale(_)
            | Self::Exists(_)
            | Self::Immutable(_)
            | Self::Invalid(_)
            | Self::Gone(_)
            | Self::Terminating(_)
            | Self::Expired(_) => error,
        }
    }

    /// The same without values of Secrets, which a server or a webhook may repeat.
    #[must_use]
    pub fn hushed(self, values: &SecretValues) -> Self {
        let hush = |message: String| values.hush(&message);
        match self {
            // Only names of fields and managers.
            Self::Conflicts(conflicts) => Self::Conflicts(conflicts),
            Self::Stale(message) => Self::Stale(hush(message)),
            Self::Exists(message) => Self::Exists(hush(message)),
            Self::Immutable(message) => Self::Immutable(hush(message)),
            Self::Invalid(message) => Self::Invalid(hush(message)),
            Self::Gone(message) => Self::Gone(hush(message)),
            Self::Terminating(message) => Self::Terminating(hush(message)),
            Self::NotServed(message) => Self::NotServed(hush(message)),
            Self::Denied(message) => Self::Denied(hush(message)),
            Self::Unauthenticated(message) => Self::Unauthenticated(hush(message)),
            Self::Expired(message) => Self::Expired(hush(message)),
            Self::Unreachable(message) => Self::Unreachable(hush(message)),
        }
    }

    /// Whether the cluster, not the request, is the trouble.
    pub fn is_of_the_cluster(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unauthenticated(_))
    }
}

/// Whether the trouble may pass, so that the same request may be sent again.
pub(super) fn is_passing(status: StatusCode, body: &[u8]) -> bool {
    match status.as_u16() {
        500 => !contains(body, UNTYPED),
        429 | 502 | 503 | 504 => true,
        // The quota of a namespace is updated by compare-and-swap too; whoever loses tries again.
        409 => contains(body, "Operation cannot be fulfilled on resourcequotas"),
        _ => false,
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn is_terminating(answer: &Value) -> bool {
    causes(answer).any(|cause| cause["reason"] == "NamespaceTerminating")
}

fn is_immutable(message: &str) -> bool {
    let message = message.to_lowercase();
    IMMUTABLE.iter().any(|known| message.contains(known))
}

fn field_conflicts(answer: &Value) -> Vec<FieldConflict> {
    causes(answer)
        .filter(|cause| cause["reason"] == "FieldManagerConflict")
        .map(|cause| FieldConflict {
            field: cause["field"].as_str().unwrap_or_default().to_owned(),
            manager: quoted(cause["message"].as_str().unwrap_or_default()),
        })
        .collect()
}

fn causes(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["details"]["causes"].as_array().into_iter().flatten()
}

/// `conflict with "kubectl-edit" using apps/v1` → `kubectl-edit`.
fn quoted(message: &str) -> String {
    message.split('"').nth(1).unwrap_or(message).to_owned()
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflicts(conflicts) => {
                let owned = conflicts
                    .iter()
                    .map(|conflict| format!("`{}` by `{}`", conflict.field, conflict.manager));
                write!(
                    f,
                    "others own fields: {}",
                    owned.collect::<Vec<_>>().join(", ")
                )
            }
            Self::Unauthenticated(message) => {
                write!(f, "it does not accept our credentials: {message}")
            }
            Self::Unreachable(message) => write!(f, "it cannot be reached: {message}"),
            Self::NotServed(kind) => write!(f, "it does not serve `{kind}`"),
            Self::Stale(message)
            | Self::Exists(message)
            | Self::Immutable(message)
            | Self::Invalid(message)
            | Self::Gone(message)
            | Self::Terminating(message)
            | Self::Denied(message)
            | Self::Expired(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SecretRef;
    use serde_json::json;

    fn error(code: u16, answer: &Value) -> CallError {
        CallError::of(
            StatusCode::from_u16(code).unwrap(),
            answer.to_string().as_bytes(),
        )
    }

    #[test]
    fn a_conflict_names_every_field_and_its_manager() {
        let answer = json!({"reason": "Conflict", "message": "Apply failed", "details": {"causes": [
            {"reason": "FieldManagerConflict", "field": ".spec.replicas",
             "message": "conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1"},
        ]}});
        assert_eq!(
            error(409, &answer),
            CallError::Conflicts(vec![FieldConflict {
                field: ".spec.replicas".to_owned(),
                manager: "kube-controller-manager".to_owned(),
            }])
        );
    }

    #[test]
    fn a_conflict_without_fields_is_a_stale_precondition() {
        let answer = json!({"reason": "Conflict", "message": "the object has been modified"});
        assert_eq!(
            error(409, &answer),
            CallError::Stale("the object has been modified".to_owned())
        );
    }

    #[test]
    fn immutable_is_told_from_merely_invalid() {
        let stateful = json!({"message": "StatefulSet.apps \"db\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"});
        let typo =
            json!({"message": "Deployment \"web\" is invalid: spec.replicas: Invalid value: -1"});
        assert!(matches!(error(422, &stateful), CallError::Immutable(_)));
        assert!(matches!(error(422, &typo), CallError::Invalid(_)));
    }

    #[test]
    fn what_a_server_repeats_of_a_secret_is_hidden() {
        let reference = SecretRef::parse("escale-secret:v1:4f2a:secrets/db.age#key").unwrap();
        let mut values = SecretValues::default();
        values.insert(reference, b"hunter2".to_vec());
        let answer = json!({"message": "admission webhook denied the request: weak: aHVudGVyMg=="});
        let error = error(403, &answer).hushed(&values);
        assert_eq!(
            error.to_string(),
            "admission webhook denied the request: weak: (hidden)"
        );
    }

    #[test]
    fn an_answer_that_is_no_json_is_still_told() {
        let error = CallError::of(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(
            error.to_string(),
            "it cannot be reached: the API server answered 502 Bad Gateway (502 Bad Gateway)"
        );
    }
}
