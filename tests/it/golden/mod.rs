//! What a real API server made of thousands of requests, recorded once and replayed against `fields` ever after.
//!
//! `ESCALE_RECORD_GOLDEN=KUBECONFIG cargo test --test it golden::` records anew; `tests/golden/README.md` says the rest.

mod alter;
mod dice;
mod kinds;
mod record;
mod replay;
mod store;
