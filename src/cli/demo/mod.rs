//! `escale demo`: the whole story on simulated clusters, in virtual time.

mod fleet;
mod story;

use jiff::Timestamp;

use crate::cli::ui::Ui;
use crate::cli::{Common, runtime};
use crate::error::Exit;

/// Watch a fleet roll out, fail in the canary, go back, and be rolled back by hand.
///
/// No cluster, no network, no set-up: the production fleet that comes with escale, on simulated
/// clusters whose clock jumps while everybody waits.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Enlarge the fleet to so many tenants
    #[arg(long, value_name = "N")]
    tenants: Option<usize>,
    /// Another run of chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Demo {
    pub fn run(&self, _: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let files = fleet::files(self.tenants);
        runtime::virtual_time(story::tell(ui, files, self.seed, noon()))
    }
}

/// When the story begins. Always the same, so that the story is too.
fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z"
        .parse()
        .expect("a constant that is a time")
}
