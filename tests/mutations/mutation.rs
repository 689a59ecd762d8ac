//! Which fault was put into the engine on purpose: copied into the sources by `tests/mutations/run`, and nowhere else.

use std::sync::OnceLock;

static FAULT: OnceLock<Option<String>> = OnceLock::new();

pub fn is(name: &str) -> bool {
    let fault = FAULT.get_or_init(|| std::env::var("ESCALE_MUTATION").ok());
    fault.as_deref() == Some(name)
}
