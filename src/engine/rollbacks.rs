//! A typed rollback: the same loop over a plan of older bundles. Needs neither git nor hub nor lease.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::baseline;
use super::conductor::Conductor;
use super::hook_news::refuse_barred;
use super::planning::place_of;
use super::rollouts::{Ended, Who, World, conduct_alone};
use super::soaks::Soaks;
use super::stop::unless_stopped;
use super::store;
use super::work::Terms;
use crate::apply::{OnSecrets, Sample};
use crate::cluster::Cluster;
use crate::error::{Exit, UserError};
use crate::fleet::config::{
    Duration, Limit, LimitSet, OnBreach, OnFailure, OnUnreachable, StrategySpec, TenantStrategy,
    UnreachableThen,
};
use crate::manifest::Digest;
use crate::record::{Action, Good, Hold, Keep, PackedBundle, Stored, TenantRecord};
use crate::rollout::{Coverage, Frozen, Plan, Planned, Role, Strategy, Wave};

/// Somebody waits for the answer: a cluster that is away for this long has failed it.
const PATIENCE: Duration = Duration::from_minutes(1);
/// What nobody knows by then is not known.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// Where to go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The newest good bundle that differs from the one that runs in something that a way back changes.
    PreviousGood,
    /// The newest good bundle, if it differs.
    LastGood,
    /// A commit or a digest, or the beginning of one.
    Named(String),
    /// What ran at a time.
    At(Timestamp),
}

/// One tenant that goes back: from where, to where.
pub struct Return {
    pub stored: Stored<TenantRecord>,
    pub to: Good,
}

/// A typed rollback, decided but not begun.
pub struct RollbackOrder {
    pub returns: Vec<Return>,
    pub who: Who,
    /// The hold that named tenants get, so that the next rollout leaves them alone.
    pub hold_until: Option<Timestamp>,
    pub keep: Keep,
    /// Behind a hook that cannot be undone, too.
    pub even_if_irreversible: bool,
    /// Whether Secrets go back too, or stay as they are found.
    pub secrets: OnSecrets,
    /// When a tenant counts as healthy, and how long it may take.
    pub tenant: TenantStrategy,
}

/// Says where a tenant would go; equal to what runs is an error, never "done". Nobody who names no bundle goes to one that is
/// [`alike`](super::alike).
pub fn destination(
    record: &TenantRecord,
    to: &Destination,
    alike: &BTreeSet<Digest>,
) -> Result<Good, UserError> {
    let tenant = &record.tenant;
    let running = record.running().digest;
    let differs = |good: &&Good| Some(&good.digest) != running && !alike.contains(&good.digest);
    let found = match to {
        Destination::PreviousGood => record.goods.iter().find(differs),
        Destination::LastGood => record.last_good(),
        Destination::Named(name) => record.goods.iter().find(|good| is_named(good, name)),
        Destination::At(at) => record.goods.iter().find(|good| good.at <= *at),
    };
    let good = found.ok_or_else(|| nothing_there(record, to, alike))?;
    if Some(&good.digest) == running && record.state.is_settled() {
        return Err(
            UserError::new(format!("`{tenant}` runs {} already", good.digest.short()))
                .hint(format!("its good bundles: {}", goods(record)))
                .hint("name another one with `--to COMMIT`"),
        );
    }
    Ok(good.clone())
}

fn is_named(good: &Good, name: &str) -> bool {
    let is_release = good
        .release
        .as_ref()
        .is_some_and(|release| release.starts_with(name));
    is_release
        || good.digest.as_str().starts_with(name)
        || good.digest.as_str()[3..].starts_with(name)
}

fn nothing_there(record: &TenantRecord, to: &Destination, alike: &BTreeSet<Digest>) -> UserError {
    let tenant = &record.tenant;
    let is_alike = |good: &Good| alike.contains(&good.digest);
    if *to == Destination::PreviousGood && record.goods.iter().any(is_alike) {
        return UserError::new(format!(
            "`{tenant}` has no good bundle on record that differs from the one it runs in more than Secrets and hooks"
        ))
        .hint("a rollback leaves Secrets as they are and runs no hooks: `--with-secrets` takes Secrets back, too");
    }
    let what = match to {
        Destination::PreviousGood => "no good bundle other than the one it runs".to_owned(),
        Destination::LastGood => "no good bundle".to_owned(),
        Destination::Named(name) => format!("no good bundle `{name}`"),
        Destination::At(at) => format!("no good bundle of {at} or before"),
    };
    let error = UserError::new(format!("`{tenant}` has {what} on record"));
    if record.goods.is_empty() {
        error.hint("a bundle is good once its wave's soak has passed; roll out a commit instead")
    } else {
        error.hint(format!("it has: {}", goods(record)))
    }
}

fn goods(record: &TenantRecord) -> String {
    let named = record.goods.iter().map(|good| {
        let release = good.release.as_deref().map_or_else(String::new, |release| {
            format!(" of {}", &release[..release.len().min(8)])
        });
        format!("{}{release}", good.digest.short())
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Carries a rollback out.
pub async fn roll_back(order: RollbackOrder, world: World<'_>) -> anyhow::Result<Ended> {
    if !order.even_if_irreversible {
        for back in &order.returns {
            refuse_barred(&back.stored.value, &back.to)?;
        }
    }
    let reads = async { tokio::join!(load(&order, &world), unhealthy(&order, &world)) };
    let (bundles, unhealthy) = unless_stopped(&world.stop, reads).await?;
    let bundles = bundles?;
    let now = world.clock.now();
    let plan = plan(&order);
    let strategy = strategy(order.tenant);
    let conductor = Conductor {
        terms: Terms {
            holder: order.who.holder.clone(),
            who: order.who.name.clone(),
            why: order.who.why.clone(),
            action: Action::Rollback,
            environment: order
                .returns
                .first()
                .map(|back| back.stored.value.environment.clone())
                .unwrap_or_default(),
            rollout: None,
            hold: Some(Hold {
                reason: order.who.why.clone(),
                owner: order.who.name.clone(),
                since: now,
                expires: order.hold_until,
                digest: None,
            }),
            keep: order.keep,
            soaks: Arc::new(Soaks::without_hub(unhealthy)),
            sample: Sample::none(),
            secrets: world.secrets,
            on_return: order.secrets,
            ends_helm: false,
        },
        bundles,
        holds: BTreeMap::new(),
        releases: order
            .returns
            .iter()
            .filter_map(|back| Some((back.stored.value.tenant.clone(), back.to.release.clone()?)))
            .collect(),
        records: order
            .returns
            .iter()
            .map(|back| (back.stored.value.tenant.clone(), back.stored.clone()))
            .collect(),
        unread: BTreeMap::new(),
        clusters: world.clusters,
        clock: world.clock,
        frozen: Frozen::new(plan, strategy),
        ledger: None,
        lease: None,
        stop: world.stop,
        wait_limit: world.wait_limit,
        audience: world.audience,
    };
    conduct_alone(conductor).await
}

/// Who is not healthy now: what they run is no bundle to go back to later, however long ago it was written. Nobody waits
/// for that.
async fn unhealthy(order: &RollbackOrder, world: &World<'_>) -> Vec<String> {
    let records = order.returns.iter().map(|back| &back.stored.value);
    // Of others no clock would say that they were good.
    let records = records.filter(|record| record.good_from.is_some());
    let seen = baseline::unhealthy(&world.clusters, records, world.clock);
    let seen = tokio::time::timeout(LOOK, seen).await;
    seen.unwrap_or_default().into_keys().collect()
}

/// Reads every bundle before anything is written: half a rollback is none.
async fn load(
    order: &RollbackOrder,
    world: &World<'_>,
) -> anyhow::Result<BTreeMap<String, PackedBundle>> {
    let loads = order.returns.iter().map(|back| async {
        let record = &back.stored.value;
        let cluster: &Cluster = world.clusters.get(&record.cluster)?;
        let bundle = store::bundle(&cluster.reader(), &back.to.digest)
            .await
            .map_err(|trouble| trouble.advise(cluster.name()))?;
        Ok::<_, UserError>((record.tenant.clone(), bundle))
    });
    let loaded: Result<BTreeMap<String, PackedBundle>, UserError> =
        join_all(loads).await.into_iter().collect();
    Ok(loaded.map_err(|error| error.exit(Exit::PersonNeeded))?)
}

fn plan(order: &RollbackOrder) -> Plan {
    let tenants = order.returns.iter().map(|back| {
        let record = &back.stored.value;
        let (to, from) = (back.to.digest.clone(), record.digest.clone());
        Planned::of(place_of(record), to, from)
    });
    let wave = Wave {
        name: "rollback".to_owned(),
        role: Role::Normal,
        soak: SignedDuration::ZERO,
        on_breach: OnBreach::Continue,
        approval: false,
        tenants: tenants.collect(),
    };
    Plan {
        waves: vec![wave],
        excluded: Vec::new(),
        unrendered: Vec::new(),
        coverage: Coverage::default(),
    }
}

/// All at once, no soak; a tenant that does not get well is left for the person who typed.
fn strategy(tenant: TenantStrategy) -> Strategy {
    let mut spec = StrategySpec {
        tenant,
        ..StrategySpec::default()
    };
    spec.tenant.on_failure = OnFailure::Leave;
    spec.on_unreachable = OnUnreachable {
        deadline: PATIENCE,
        then: UnreachableThen::Fail,
    };
    spec.limits.max_concurrency = LimitSet {
        all: Some(Limit::Count(80)),
        ..LimitSet::default()
    };
    spec.limits.max_unavailable = LimitSet::default();
    spec.limits.max_failures.all = Some(Limit::percent(100));
    spec.limits.max_failures.cluster = None;
    Strategy {
        name: "rollback".to_owned(),
        spec,
        chosen: None,
        max_sample_gap: SignedDuration::from_secs(60),
    }
}
