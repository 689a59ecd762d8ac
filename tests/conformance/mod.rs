//! What a client sees of an API server: scenarios that run alike on a simulated and on a real cluster.
//!
//! A scenario asks through a [`Witness`], which writes down every question and answer with what is random in
//! them renamed (`mask.rs`). The answers of a real server are kept in `recorded/`, so that the simulation can
//! be held against them without a cluster; on real clusters the suite checks that the recordings still hold.
//! `differences.rs` has what may differ, and why.

pub mod differences;
mod life_cycles;
mod lists;
mod mask;
mod objects;
mod witness;
mod writes;

use std::path::PathBuf;

use futures::future::BoxFuture;

pub use witness::{Exchange, Witness};

/// One story, told to whoever answers.
pub struct Scenario {
    pub name: &'static str,
    pub tell: for<'a> fn(&'a mut Witness) -> BoxFuture<'a, ()>,
}

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = writes::scenarios();
    scenarios.extend(lists::scenarios());
    scenarios.extend(life_cycles::scenarios());
    scenarios
}

/// What a real server answered when it was last asked, if it ever was.
pub fn recorded(scenario: &str) -> Vec<Exchange> {
    let path = recording(scenario);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: record it by `tests/run record`",
            path.display()
        )
    });
    let lines = text.lines().map(|line| {
        let mut exchange: Exchange = serde_json::from_str(line)?;
        mask::put_managers_in_order(&mut exchange.body);
        Ok(exchange)
    });
    let exchanges: serde_json::Result<_> = lines.collect();
    exchanges.expect("a recording has one exchange on each line")
}

/// Where the account of a scenario is kept: one exchange on each line.
pub fn recording(scenario: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/recorded");
    folder.join(format!("{scenario}.jsonl"))
}
