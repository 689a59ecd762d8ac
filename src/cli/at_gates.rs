//! What stands at the gates, for `status` and `plan`: freezes, and what rollouts and tenants wait for.

use serde_json::{Value, json};

use crate::cli::source::{Bundles, Source};
use crate::cli::stage::Stage;
use crate::engine::{self, Latest, Records, store};
use crate::error::UserError;
use crate::fleet::Tenant;
use crate::fleet::config::Updates;
use crate::record::{self, Word};

/// Who waits for what; empty where nothing is closed.
#[derive(Default)]
pub struct AtGates {
    freezes: Vec<Word>,
    /// What the open rollout waits for.
    rollout: Vec<String>,
    /// Tenants that wait to be approved, and what to type.
    tenants: Vec<(String, String)>,
}

impl AtGates {
    /// As the hub and the files here say.
    pub async fn read(
        stage: &Stage,
        source: &Source,
        records: &Records,
        latest: &Latest,
    ) -> Result<Self, UserError> {
        let environment = &source.fleet.environment.name;
        let now = stage.clock.now();
        let hub = stage.clusters.hub()?;
        let words = store::words(&hub.reader(), environment)
            .await
            .map_err(|trouble| trouble.advise(hub.name()))?;
        let last_words = record::last_words(&words);
        let open = latest.rollout.as_ref().filter(|one| one.state.is_open());
        let rollout = open.map(|open| engine::waits_at_gates(open, &last_words, now));
        let is_asked = |tenant: &&Tenant| tenant.updates != Updates::Automatic;
        let asked: Vec<&Tenant> = source.fleet.tenants.iter().filter(is_asked).collect();
        let (bundles, _) = Bundles::packed(source.bundles(&asked));
        Ok(Self {
            freezes: record::standing(&words, now).freezes,
            rollout: rollout.unwrap_or_default(),
            tenants: engine::unapproved(&source.fleet, &bundles, records, (&last_words, now)),
        })
    }

    /// One line each.
    pub fn text(&self) -> String {
        let freezes = self
            .freezes
            .iter()
            .map(|freeze| frozen_words(freeze) + "\n");
        let rollout = self.rollout.iter().map(|on| format!("it waits for {on}\n"));
        let tenants = self.tenants.iter();
        let tenants = tenants.map(|(tenant, why)| format!("left out: {tenant} ({why})\n"));
        freezes.chain(rollout).chain(tenants).collect()
    }

    pub fn json(&self) -> Value {
        let tenants = self.tenants.iter();
        let tenants = tenants.map(|(tenant, why)| json!({"tenant": tenant, "why": why}));
        json!({
            "freezes": self.freezes,
            "rolloutWaitsFor": self.rollout,
            "unapproved": tenants.collect::<Vec<_>>(),
        })
    }
}

/// `frozen until 2026-11-26 18:00:00 UTC: cluster `metal-par`, by ana (moving the database)`.
pub fn frozen_words(freeze: &Word) -> String {
    let until = match freeze.expires {
        Some(expires) => format!("until {}", expires.strftime("%F %H:%M:%S UTC")),
        None => format!("since {}", freeze.at.strftime("%F %H:%M:%S UTC")),
    };
    let Word {
        scope,
        author,
        reason,
        ..
    } = freeze;
    format!("frozen {until}: {scope}, by {author} ({reason})")
}
