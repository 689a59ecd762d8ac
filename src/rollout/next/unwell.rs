//! Clusters that answer and are unwell: tenants turn unhealthy there that the rollout has not touched.
//!
//! It is asked only when it matters: before a tenant is called failed. Untouched are tenants of the plan that were
//! healthy when it was made and are still to come; no release can make them ill. Fewer than two of them are no
//! evidence, and then a failure is a failure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Look, Wait, Whom};
use crate::rollout::absence::Absence;
use crate::rollout::control;
use crate::rollout::event::What;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::tenant::{Health, Phase, TenantProgress};

/// So many untouched tenants of a cluster are looked at, evenly spread over the plan: a look costs no more in a cluster of thousands.
const SAMPLE: usize = 10;
/// Untouched tenants have to be well for so long before a cluster is. Nodes count as lost after 40 s: one that comes
/// and goes shows by then.
const WELL_FOR: SignedDuration = SignedDuration::from_secs(60);
/// A tenant that soaks and does not serve makes nobody look at the others more often.
const SELDOM: SignedDuration = SignedDuration::from_secs(20);

/// Why one would ask untouched tenants how their cluster is.
enum Doubt {
    /// A tenant seems to have failed since then.
    Fails(Timestamp),
    /// A tenant that soaks was seen without pods.
    Lags(Timestamp),
    /// Somebody was left in the middle by a process that may have known more.
    LeftOff,
}

impl<'a> Look<'a> {
    /// That a tenant's cluster is unwell now.
    pub(super) fn illness(&self, planned: &Planned) -> Option<&'a Absence> {
        self.progress.illnesses.current(&planned.place.cluster)
    }

    /// Whether a tenant's cluster does not answer or is unwell.
    pub(super) fn is_out(&self, planned: &Planned) -> bool {
        self.absence(planned).is_some() || self.illness(planned).is_some()
    }

    /// When its cluster got well again, if it was unwell.
    pub(super) fn recovered(&self, planned: &Planned) -> Option<Timestamp> {
        self.progress.illnesses.last_end(&planned.place.cluster)
    }

    /// Since when its deadline runs: anew since its cluster got well, which is not known to the second, nor how long it
    /// takes what has crashed until then to be started again.
    pub(super) fn waiting_since(&self, planned: &Planned, written_at: Timestamp) -> Timestamp {
        let recovered = self.recovered(planned).unwrap_or(written_at);
        written_at.max(recovered)
    }

    /// Clusters that turn out to be unwell, or well again, and who is interrupted by that.
    pub(super) fn illnesses(&self) -> Vec<What> {
        let mut unwell = BTreeSet::new();
        let mut interrupted = Vec::new();
        for (wave, planned, progress) in self.tenants() {
            if let Some(illness) = self.illness(planned) {
                interrupted.extend(interruption(planned, progress, illness));
            } else if let Some(doubt) = self.doubt(wave, planned, progress)
                && self.is_ill(planned, &doubt) == Some(true)
            {
                unwell.insert(planned.place.cluster.as_str());
            }
        }
        let unwell = unwell.into_iter().map(|cluster| What::ClusterUnwell {
            cluster: cluster.to_owned(),
            why: self.why_unwell(cluster),
        });
        self.recoveries().chain(unwell).chain(interrupted).collect()
    }

    fn why_unwell(&self, cluster: &str) -> String {
        let control = self.progress.controls.of(cluster);
        control.map_or_else(String::new, |control| control.last.words())
    }

    fn recoveries(&self) -> impl Iterator<Item = What> {
        let is_well = |cluster: &str| {
            let control = self.progress.controls.of(cluster);
            let since = control.and_then(|control| control.well_since);
            since.is_some_and(|since| self.now.duration_since(since) >= WELL_FOR)
        };
        let unwell = self.progress.illnesses.all_current();
        unwell
            .filter(move |(cluster, _)| is_well(cluster))
            .map(|(cluster, _)| What::ClusterWell {
                cluster: cluster.to_owned(),
            })
    }

    /// Whether its cluster may be why a tenant seems to have failed, so that nobody can tell now.
    pub(super) fn may_be_its_cluster(
        &self,
        wave: &Wave,
        planned: &Planned,
        progress: &TenantProgress,
    ) -> bool {
        if self.illness(planned).is_some() {
            return true;
        }
        let doubt = self.doubt(wave, planned, progress);
        let is_known_well = doubt.is_none_or(|doubt| self.is_ill(planned, &doubt) == Some(false));
        // Who is waited for is asked again once its cluster answers.
        let is_away = self.absence(planned).is_some();
        let is_given_up = is_away && self.waits_since(wave, planned, progress).is_none();
        !is_known_well && !is_given_up
    }

    /// Whether it has to be asked how the cluster is before one who was left in the middle goes on.
    pub(super) fn is_to_be_asked(&self, planned: &Planned) -> bool {
        self.has_control(planned) && self.is_ill(planned, &Doubt::LeftOff) != Some(false)
    }

    /// What is waited for while a failure cannot be decided, as untouched tenants were not looked at.
    pub(super) fn wait_for_controls(&self) -> Option<Wait> {
        let clusters = self.questions(|doubt| !matches!(doubt, Doubt::Lags(_)));
        let on = clusters.into_iter().map(|cluster| {
            format!("tenants on `{cluster}` that are not touched yet to be looked at")
        });
        let on: Vec<String> = on.collect();
        (!on.is_empty()).then_some(Wait {
            until: None,
            on,
            whom: Whom::Tenants,
        })
    }

    /// Clusters that are asked about, or were unwell when they were last, and who is asked.
    pub(super) fn control_looks(&self) -> BTreeMap<String, Vec<String>> {
        let unwell = self.progress.illnesses.all_current();
        let unwell = unwell.map(|(cluster, _)| cluster);
        let answers = |cluster: &&str| self.progress.absences.current(cluster).is_none();
        let asked = self.questions(|_| true).into_iter().chain(unwell);
        asked
            .filter(answers)
            .map(|cluster| (cluster.to_owned(), self.sample_of(cluster)))
            .collect()
    }

    fn sample_of(&self, cluster: &str) -> Vec<String> {
        let all = self.controls().get(cluster).map_or(&[][..], Vec::as_slice);
        let count = all.len().min(SAMPLE);
        let chosen = (0..count).map(|number| all[number * all.len() / count]);
        chosen.map(|planned| planned.place.tenant.clone()).collect()
    }

    /// Clusters on which a doubt of this kind has no answer yet.
    fn questions(&self, which: impl Fn(&Doubt) -> bool) -> BTreeSet<&'a str> {
        let is_open = |(wave, planned, progress): &(&'a Wave, &'a Planned, &'a TenantProgress)| {
            let doubt = self.doubt(wave, planned, progress);
            doubt.is_some_and(|doubt| which(&doubt) && self.is_ill(planned, &doubt).is_none())
                && !self.is_out(planned)
        };
        self.tenants()
            .filter(is_open)
            .map(|(_, planned, _)| planned.place.cluster.as_str())
            .collect()
    }

    /// Whether the cluster may be to blame for how a tenant is, and untouched tenants can tell.
    fn doubt(&self, wave: &Wave, planned: &Planned, progress: &TenantProgress) -> Option<Doubt> {
        if progress.phase == Phase::LeftOff {
            return self.has_control(planned).then_some(Doubt::LeftOff);
        }
        let sample = progress.last_sample.as_ref()?;
        if sample.health == Health::Healthy {
            return None;
        }
        let lags = matches!(progress.phase, Phase::Succeeded { .. })
            && !sample.serves
            && self.is_fresh(sample)
            && self.must_be_seen(wave, progress);
        let doubt = if let Some(since) = self.seems_failed_since(planned, progress) {
            Doubt::Fails(since)
        } else if lags {
            Doubt::Lags(sample.at)
        } else {
            return None;
        };
        self.has_control(planned).then_some(doubt)
    }

    /// What untouched tenants say; `None`: they have to be asked.
    fn is_ill(&self, planned: &Planned, doubt: &Doubt) -> Option<bool> {
        let control = self.progress.controls.of(&planned.place.cluster)?;
        let last = &control.last;
        let is_answer = match doubt {
            Doubt::Fails(at) => *at <= last.at,
            Doubt::Lags(at) => *at <= last.at + SELDOM,
            Doubt::LeftOff => true,
        };
        is_answer.then(|| last.is_ill())
    }

    fn has_control(&self, planned: &Planned) -> bool {
        let there = self.controls().get(planned.place.cluster.as_str());
        there.is_some_and(|tenants| control::FEW <= tenants.len())
    }

    fn controls(&self) -> &BTreeMap<&'a str, Vec<&'a Planned>> {
        self.controls.get_or_init(|| {
            let mut controls: BTreeMap<&str, Vec<&Planned>> = BTreeMap::new();
            for (_, planned, progress) in self.tenants() {
                if is_untouched(planned, progress) {
                    let there = controls.entry(&planned.place.cluster).or_default();
                    there.push(planned);
                }
            }
            controls
        })
    }
}

/// Whether it runs what it ran before, and was healthy with it.
fn is_untouched(planned: &Planned, progress: &TenantProgress) -> bool {
    let is_to_come = matches!(progress.phase, Phase::Pending | Phase::Deferred { .. });
    let was_healthy = planned.from.is_some() && planned.unhealthy_before.is_none();
    is_to_come && was_healthy && !progress.is_touched
}

fn interruption(planned: &Planned, progress: &TenantProgress, illness: &Absence) -> Option<What> {
    let settles = matches!(
        progress.phase,
        Phase::Settling { .. } | Phase::SettlingBack { .. }
    );
    (settles && progress.interrupted.is_none()).then(|| What::TenantInterrupted {
        tenant: planned.place.tenant.clone(),
        is_touched: true,
        why: format!(
            "cluster `{}` is unwell: {}",
            planned.place.cluster, illness.why
        ),
    })
}
