//! What pages answer before anything is written: what is not well by then is not held against the release.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::clock::Clock;
use super::clusters::Clusters;
use super::sites::{ALL, Asked, Said};
use crate::rollout::{Plan, Planned, few_of};

/// Who stumbled is asked once more after this.
const AGAIN: Duration = Duration::from_secs(2);
/// So many are named.
const NAMED: usize = 5;

/// What was found.
#[derive(Default)]
pub struct Pages {
    /// By tenant: addresses, or [`ALL`].
    pub unwell: BTreeMap<String, BTreeSet<String>>,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// Asks for the pages of everybody in a plan who runs something already and is well.
pub async fn pages_of(clusters: &Clusters, plan: &Plan, clock: Clock) -> Pages {
    let mut asked: BTreeMap<&str, Vec<Asked>> = BTreeMap::new();
    for (_, planned) in plan.tenants().filter(|(_, planned)| has_pages(planned)) {
        let there = asked.entry(&planned.place.cluster).or_default();
        there.push(Asked {
            tenant: planned.place.tenant.clone(),
            excused: BTreeSet::new(),
        });
    }
    let looks = asked.iter().map(|(cluster, asked)| async move {
        let said = clusters.sites.ask(cluster, asked, clock).await;
        if said.iter().all(Said::is_well) || is_shut(&said) {
            return (*cluster, said);
        }
        tokio::time::sleep(AGAIN).await;
        (
            *cluster,
            clusters.sites.ask_again(cluster, said, clock).await,
        )
    });
    let mut pages = Pages::default();
    for (cluster, said) in join_all(looks).await {
        if is_shut(&said) {
            pages.leave_out(cluster, &said, plan);
        } else {
            pages.note(&said);
        }
    }
    pages
}

fn has_pages(planned: &Planned) -> bool {
    planned.from.is_some() && planned.unhealthy_before.is_none()
}

/// Whether nobody is at the door: from here nothing can be said of the pages behind it.
fn is_shut(said: &[Said]) -> bool {
    !said.is_empty() && said.iter().all(|said| said.absence().is_some())
}

impl Pages {
    fn leave_out(&mut self, cluster: &str, said: &[Said], plan: &Plan) {
        let there = plan.tenants();
        let there = there.filter(|(_, planned)| planned.place.cluster == cluster);
        for (_, planned) in there {
            let all = BTreeSet::from([ALL.to_owned()]);
            self.unwell.insert(planned.place.tenant.clone(), all);
        }
        let why = said.iter().find_map(Said::absence);
        self.warnings.push(format!(
            "no page of cluster `{cluster}` can be reached from here ({}): this rollout does not judge them",
            why.unwrap_or_default()
        ));
    }

    fn note(&mut self, said: &[Said]) {
        let unwell: Vec<&Said> = said.iter().filter(|said| !said.is_well()).collect();
        for said in &unwell {
            let pages = self.unwell.entry(said.tenant.clone()).or_default();
            pages.insert(said.question.url());
        }
        let faults: Vec<&str> = unwell
            .iter()
            .filter_map(|said| said.health.fault.as_deref())
            .collect();
        if !faults.is_empty() {
            self.warnings.push(format!(
                "not well before this rollout, and not held against it: {}",
                few_of(&faults, NAMED)
            ));
        }
        let warnings = said.iter().flat_map(|said| &said.health.warnings);
        let warnings: BTreeSet<&str> = warnings.map(String::as_str).collect();
        let warnings: Vec<&str> = warnings.into_iter().collect();
        if !warnings.is_empty() {
            self.warnings.push(few_of(&warnings, NAMED));
        }
    }
}
