//! Would applying this change anything? Answered from the live object alone, without asking the server.

use serde_json::Value;

/// The answer to "would applying `sent` change anything on `live`?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoOp {
    /// Certainly not: the server would leave object and owners as they are.
    Unchanged,
    /// It would, or it might: only the server knows. Says what gave rise to the suspicion.
    Suspect(String),
}

/// Would applying `sent` as `manager` change anything on `live`, its field owners included?
pub fn would_change(sent: &Value, live: &Value, manager: &str) -> NoOp {
    let request = crate::fields::ApplyRequest {
        live: Some(live),
        sent,
        manager,
        force: false,
        now: jiff::Timestamp::UNIX_EPOCH,
        subresource: None,
    };
    match crate::fields::server_apply(request) {
        Ok(applied) if !applied.changed => NoOp::Unchanged,
        Ok(_) => NoOp::Suspect("the merged object differs".to_owned()),
        Err(error) => NoOp::Suspect(error.to_string()),
    }
}
