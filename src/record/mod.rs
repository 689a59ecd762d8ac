//! What is stored: tenant record, claim, inventory, bundle, rollout record; types, codec, sizes, legal transitions.
//!
//! Everything here is a `ConfigMap` in the namespace [`NAMESPACE`] of a cluster; `docs/records.md`
//! shows the formats. Nothing is derived from a secret value. What cannot be read is an error that
//! names the object: a corrupt record is never taken for an absent one.

mod applyset;
mod bundle;
mod claim;
mod cluster;
mod forget;
mod history;
mod hooks;
mod inventory;
mod keep;
mod object;
mod outcome;
mod refresh;
mod rollout;
mod rollout_object;
mod roster;
mod tenant;
mod tenant_object;
mod word;

#[cfg(test)]
mod tests;

pub use applyset::applyset_id;
pub use bundle::{
    PackedBundle, bundle_of_part, bundle_selector, count_of_parts, decode_bundle, part_names,
};
pub use claim::{
    CLAIM_MARGIN, Claim, ClaimLost, Closing, HoldChange, Intent, IntentAct, PassHold, Refused,
    Soak, Taken, Taking, Turned, close_claim, hold, release_hold, renew_claim, take_claim,
};
pub use cluster::{ClusterRecord, cluster_name, decode_cluster, encode_cluster};
pub use forget::{Forgettable, Memory};
pub use hooks::{HookEnd, HookNote, HookRecord, HookRun, HookSuccess, Hooks, note_hook};
pub use inventory::{Inventory, Line, Written};
pub use keep::{Keep, StoredPart, bundles_to_keep, unreferenced_parts};
pub use object::{FORMAT, NAMESPACE, RECORD_LABEL, Stored, selector};
pub use outcome::Outcome;
pub use refresh::{Refreshed, close_refresh};
pub use rollout::{
    Place, PlanLine, Rebuilt, RolloutRecord, RolloutState, TENANTS_PER_SHARD, WaveRecord, WaveState,
};
pub use rollout_object::{
    decode_plan, decode_rollout, encode_plan, encode_rollout, plan_selector, rollout_name,
    rollouts_selector,
};
pub use roster::{
    RosterChange, RosterChanges, RosterLine, RosterShard, RosterWrite, decode_roster,
    encode_roster, roster_selector, update_roster,
};
pub use tenant::{Action, Entry, Good, Hold, TenantRecord};
pub use tenant_object::{decode_tenant, encode_tenant};
pub use word::{Scope, Standing, Verb, Word, decode_word, encode_word, last_words, standing};
