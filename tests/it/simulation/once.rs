//! I30: within one rollout a tenant goes back once, and is not moved again.

use std::collections::{BTreeMap, BTreeSet};

use escale::rollout::What;

/// Who is back, by rollout, over all processes that conducted it.
#[derive(Default)]
pub struct Once(BTreeMap<String, BTreeSet<String>>);

impl Once {
    /// Takes in an event, and says how it breaks the rule, if it does.
    pub fn hear(&mut self, rollout: &str, what: &What) -> Option<String> {
        // Typed rollbacks have no rollout: each is one of its own.
        if rollout.is_empty() {
            return None;
        }
        let back = self.0.entry(rollout.to_owned()).or_default();
        match what {
            What::TenantRolledBack { tenant } => {
                back.insert(tenant.clone());
                None
            }
            What::TenantStarted { tenant } | What::TenantGoesBack { tenant, .. } => back
                .contains(tenant)
                .then(|| format!("`{tenant}` is moved again, and had gone back")),
            _ => None,
        }
    }
}
