//! A lost cluster is built again: its tenants get what they ran last as good, as the roster on the hub has it.
//!
//! It is a rollout of its own, with the waves and limits of a strategy. The identity of the new cluster is noted when its
//! plan is frozen: before that nobody writes there, and after it every rollout may.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::clusters::Clusters;
use super::departures;
use super::identity;
use super::moves;
use super::planning;
use super::records::Records;
use super::rollouts::Order;
use super::store;
use super::survey::Survey;
use crate::cluster::Writer;
use crate::error::{Exit, UserError, did_you_mean};
use crate::fleet::{Fleet, Tenant};
use crate::record::{
    self, Hold, PackedBundle, Place, PlanLine, Rebuilt, RolloutRecord, RosterLine, TenantRecord,
};
use crate::rollout::{self, Candidate, Excluded, Exclusion, LastGood, Plan, Target, Wanted};

/// Which cluster is rebuilt, and what each of its tenants gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    pub cluster: String,
    pub targets: BTreeMap<String, Target>,
}

impl Rebuild {
    /// What the hub remembers, and what a rebuild that is open has frozen of that. Holds no writer.
    pub async fn read(clusters: &Clusters, fleet: &Fleet, cluster: &str) -> anyhow::Result<Self> {
        if !fleet.clusters.contains_key(cluster) {
            return Err(no_such_cluster(fleet, cluster).into());
        }
        let environment = &fleet.environment.name;
        let hub = clusters.hub()?;
        let advise = |trouble: store::Trouble| trouble.advise(hub.name());
        let shards = store::roster(&hub.reader(), environment)
            .await
            .map_err(advise)?;
        let shards = shards
            .into_iter()
            .filter(|one| one.value.cluster == cluster);
        let lines: Vec<RosterLine> = shards.flat_map(|one| one.value.lines).collect();
        if lines.is_empty() {
            return Err(nobody_known(cluster, hub.name()).into());
        }
        let mut targets = rollout::targets(fleet, cluster, &lines);
        let rollouts = super::survey::rollouts(clusters, environment).await?;
        let is_open = |one: &&RolloutRecord| one.state.is_open() && is_of(one, cluster);
        if let Some(open) = rollouts.iter().find(is_open) {
            let lines = store::plan(&hub.reader(), open).await.map_err(advise)?;
            targets.extend(lines.into_iter().filter_map(frozen));
        }
        Ok(Self {
            cluster: cluster.to_owned(),
            targets,
        })
    }

    /// Those of whom it is known what they get.
    pub fn known(&self) -> impl Iterator<Item = (&str, &LastGood)> {
        self.targets
            .iter()
            .filter_map(|(tenant, target)| match target {
                Target::Known(last) => Some((tenant.as_str(), last)),
                Target::NotKnown(_) => None,
            })
    }

    pub fn find(&self, tenant: &str) -> Option<&LastGood> {
        match self.targets.get(tenant)? {
            Target::Known(last) => Some(last),
            Target::NotKnown(_) => None,
        }
    }

    /// The commits that the tenants were rendered from.
    pub fn releases(&self) -> BTreeMap<String, String> {
        let known = self.known();
        let releases = known.map(|(tenant, last)| (tenant.to_owned(), last.release.clone()));
        releases.collect()
    }

    /// Holds that are not over.
    pub fn holds(&self, now: Timestamp) -> BTreeMap<String, Hold> {
        let holds = self.known().filter_map(|(tenant, last)| {
            let hold = last.hold.clone().filter(|hold| hold.holds_at(now))?;
            Some((tenant.to_owned(), hold))
        });
        holds.collect()
    }
}

/// Whether a rollout is the rebuild of a cluster.
pub fn is_of(rollout: &RolloutRecord, cluster: &str) -> bool {
    let rebuild = rollout.rebuild.as_ref();
    rebuild.is_some_and(|rebuild| rebuild.cluster == cluster)
}

fn frozen(line: PlanLine) -> Option<(String, Target)> {
    let Place::Wave(_) = line.place else {
        return None;
    };
    let last = LastGood {
        digest: line.digest?,
        release: line.release?,
        hold: line.hold,
    };
    Some((line.tenant, Target::Known(last)))
}

fn no_such_cluster(fleet: &Fleet, cluster: &str) -> UserError {
    let names = fleet.clusters.keys().map(String::as_str);
    let error = UserError::new(format!(
        "`{}` has no cluster named `{cluster}`",
        fleet.environment.name
    ));
    match did_you_mean(cluster, names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!(
            "a lost cluster keeps its name: environments/{}/clusters/{cluster}.yaml says where the new one is",
            fleet.environment.name
        )),
    }
}

fn nobody_known(cluster: &str, hub: &str) -> UserError {
    UserError::new(format!(
        "the hub `{hub}` does not know of anybody who ran on cluster `{cluster}`"
    ))
    .hint("it knows of those that a rollout found or brought there since it keeps the environment's records")
    .hint(format!(
        "if the hub was lost too: roll out the commit that ran, `escale rollout --cluster {cluster} --ref COMMIT`"
    ))
}

/// Refuses what is not an empty cluster in place of a lost one, nor a rebuild that is gone on with; else says what
/// answers there.
pub fn allow(rebuild: &Rebuild, survey: &Survey) -> Result<Rebuilt, UserError> {
    let cluster = &rebuild.cluster;
    let answers = survey
        .records
        .clusters()
        .any(|(name, answers)| name == cluster && answers);
    let found = survey.instead.as_ref().filter(|_| answers);
    let Some(found) = found else {
        return Err(away(cluster, &survey.records));
    };
    let instead = Rebuilt {
        cluster: cluster.clone(),
        uid: found.uid.clone(),
    };
    let mut rollouts = survey.rollouts.iter();
    let is_begun = rollouts.any(|one| one.value.rebuild.as_ref() == Some(&instead));
    if is_begun {
        return Ok(instead);
    }
    if let Some(recorded) = found
        .recorded
        .as_ref()
        .filter(|one| one.value.uid == found.uid)
    {
        return Err(not_lost(cluster, &recorded.value));
    }
    match first_record(cluster, &survey.records) {
        Some(what) => Err(not_empty(cluster, &what)),
        None => Ok(instead),
    }
}

fn away(cluster: &str, records: &Records) -> UserError {
    let why = records.unreachable().find(|(name, _)| *name == cluster);
    let why = why.map_or_else(
        || "no file of the environment names it".to_owned(),
        |(_, why)| why.to_owned(),
    );
    UserError::new(format!("cluster `{cluster}` cannot be rebuilt: {why}")).hint(format!(
        "make an empty cluster, and let `context:` in environments/.../clusters/{cluster}.yaml lead to it"
    ))
}

fn not_lost(cluster: &str, recorded: &record::ClusterRecord) -> UserError {
    UserError::new(format!(
        "cluster `{cluster}` is not lost: its context answers as the cluster that was recorded on {}",
        recorded.since.strftime("%Y-%m-%d")
    ))
    .hint("let `context:` in its file lead to the new, empty cluster")
    .hint("to put tenants back that run here: `escale rollback`; to bring missing ones: `escale rollout`")
}

/// A record of this environment, or one that cannot be read and may be.
fn first_record(cluster: &str, records: &Records) -> Option<String> {
    let mut ours = records.iter().filter(|one| one.value.cluster == cluster);
    let mut unreadable = records.unreadable().filter(|(name, ..)| *name == cluster);
    let ours = ours.next().map(|one| one.value.namespace.clone());
    ours.or_else(|| {
        unreadable
            .next()
            .map(|(_, namespace, _)| namespace.to_owned())
    })
}

fn not_empty(cluster: &str, namespace: &str) -> UserError {
    UserError::new(format!(
        "cluster `{cluster}` has records of tenants already, of namespace `{namespace}` for one: it is not an empty one"
    ))
    .hint("a rebuild writes only to a cluster on which nothing of this environment runs")
    .hint("if it was restored with its records, delete the hub's record of the old one and roll out as ever: see docs/records.md")
}

/// Whether an open rebuild is of the cluster that answers now; of one that does not answer, nobody can say that it is
/// another.
pub fn is_of_this(rebuilt: Option<&Rebuilt>, survey: &Survey) -> bool {
    match (rebuilt, &survey.instead) {
        (Some(rebuilt), Some(found)) => rebuilt.uid == found.uid,
        (None, _) | (_, None) => true,
    }
}

/// Notes on the hub that this is the cluster now.
pub async fn note_identity(
    hub: &Writer,
    survey: &Survey,
    rebuilt: &Rebuilt,
    now: Timestamp,
) -> Result<(), UserError> {
    let Some(found) = &survey.instead else {
        return Err(away(&rebuilt.cluster, &survey.records).exit(Exit::NotFinished));
    };
    identity::replace(hub, rebuilt, found.recorded.as_ref(), now)
        .await
        .map_err(|error| error.advise("the hub"))
}

/// The plan of a rebuild, as things stand. Holds no writer.
pub fn plan(order: &Order<'_>, rebuild: &Rebuild, survey: &Survey, now: Timestamp) -> Plan {
    let places = moves::places(&survey.records);
    let mut there = BTreeSet::new();
    let tenants = order.fleet.tenants.iter();
    let candidates = tenants
        .filter(|tenant| tenant.cluster == rebuild.cluster)
        .map(|tenant| {
            there.insert(tenant.name.as_str());
            candidate(tenant, (order, rebuild), (survey, &places), now)
        });
    let mut plan = Plan::new(&order.strategy, candidates.collect());
    let elsewhere = rebuild.targets.iter();
    let elsewhere = elsewhere.filter(|(tenant, _)| !there.contains(tenant.as_str()));
    plan.excluded
        .extend(elsewhere.map(|(tenant, target)| Excluded {
            tenant: tenant.clone(),
            cluster: rebuild.cluster.clone(),
            reason: not_rebuilt(target),
        }));
    plan
}

fn not_rebuilt(target: &Target) -> Exclusion {
    Exclusion::NotRebuilt(match target {
        Target::NotKnown(why) => why.clone(),
        Target::Known(_) => "no file names it any more".to_owned(),
    })
}

fn candidate(
    tenant: &Tenant,
    (order, rebuild): (&Order<'_>, &Rebuild),
    (survey, places): (&Survey, &moves::Places<'_>),
    now: Timestamp,
) -> Candidate {
    let (record, trouble) = planning::on_record(tenant, &survey.records);
    let rendered = order.bundles.get(&tenant.name);
    let rendered = rendered.map(|one| one.as_ref().map(PackedBundle::digest));
    let rendered = rendered.map(|one| one.map_err(String::as_str));
    let unknown = Target::NotKnown("the hub does not know what it ran".to_owned());
    let target = rebuild.targets.get(&tenant.name).unwrap_or(&unknown);
    let (wanted, missing) = match rollout::wanted(target, rendered) {
        Ok(digest) => (Wanted::Bundle(digest), None),
        Err(why) => (
            Wanted::NotRendered(why.clone()),
            Some(Exclusion::NotRebuilt(why)),
        ),
    };
    let is_new = record.is_none();
    let kept_out = trouble
        .or_else(|| {
            let environment = &order.fleet.environment.name;
            record.and_then(|record| planning::of_others(record, tenant, environment))
        })
        .or_else(|| record.and_then(is_there))
        .or_else(|| departures::exclusion(tenant, record, now))
        .or_else(|| {
            let records = (&survey.records, places);
            let moved = || moves::exclusion(tenant, records, &survey.seen);
            is_new.then(moved).flatten()
        })
        .or(missing);
    Candidate {
        place: planning::place(tenant),
        wanted,
        // Nobody misses what a rebuild has not brought back yet.
        current: None,
        is_settled: false,
        last_good: None,
        shape: None,
        kept_out,
    }
}

/// Who runs something whole there was rebuilt already, whatever it was brought to since.
fn is_there(record: &TenantRecord) -> Option<Exclusion> {
    let is_whole = record.claim.is_none() && record.state.is_whole();
    is_whole.then_some(Exclusion::Unchanged)
}
