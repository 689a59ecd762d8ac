//! The sites of an environment: asked for whoever is well by its workloads. A page that does not answer well makes its
//! tenant unwell; what did not answer well before anything was written is not held against the release.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::clock::Clock;
use super::observe::Seen;
use crate::fleet::{Cluster, Fleet, Platform};
use crate::health::{Answer, Question, SiteHealth, judge_site};
use crate::probe::Door;
use crate::rollout::{Health, Sample};

/// So many requests to one ingress are under way at a time.
const AT_A_TIME: usize = 32;
/// If so many find nobody there, no more are sent.
const FIRST: usize = 8;

/// What is asked of whom, and at which doors.
#[derive(Clone, Default)]
pub struct Sites(Arc<Known>);

#[derive(Default)]
struct Known {
    questions: BTreeMap<String, Vec<Arc<Question>>>,
    /// By cluster.
    doors: BTreeMap<String, Door>,
}

/// What is said of one domain.
pub struct Said {
    pub tenant: String,
    pub question: Arc<Question>,
    pub answer: Answer,
    pub health: SiteHealth,
}

/// A tenant to ask for, and pages of it that are left out: their addresses, or [`ALL`].
pub struct Asked {
    pub tenant: String,
    pub excused: BTreeSet<String>,
}

/// A page that does not answer well.
pub struct Fault {
    /// Its address.
    page: String,
    why: String,
    /// For how long it may go on.
    patience: SignedDuration,
}

/// Since when pages of a tenant do not answer well, by address.
#[derive(Clone, Debug, Default)]
pub struct Unanswered(BTreeMap<String, Timestamp>);

/// Every page of a tenant: a plan says so in one word.
pub const ALL: &str = "*";

impl Sites {
    /// Those of a fleet that has probes, where there is a door.
    pub fn of(fleet: &Fleet, door: impl Fn(&Cluster) -> Option<Door>) -> Self {
        let probes = &fleet.environment.spec.health.probes;
        if probes.is_empty() {
            return Self::default();
        }
        let clusters = fleet.clusters.iter();
        let tenants = fleet.tenants.iter();
        Self(Arc::new(Known {
            questions: tenants
                .map(|tenant| {
                    let platforms = tenant.platforms.values();
                    let questions = platforms.flat_map(|platform| questions(fleet, platform));
                    (tenant.name.clone(), questions.map(Arc::new).collect())
                })
                .collect(),
            doors: clusters
                .filter_map(|(name, cluster)| Some((name.clone(), door(cluster)?)))
                .collect(),
        }))
    }

    /// Asks one cluster's door for these tenants.
    pub async fn ask(
        &self,
        cluster: &str,
        asked: impl IntoIterator<Item = &Asked>,
        clock: Clock,
    ) -> Vec<Said> {
        let questions = asked.into_iter().flat_map(|asked| self.questions(asked));
        self.put(cluster, questions.collect(), clock).await
    }

    /// Asks once more for what was not well.
    pub async fn ask_again(&self, cluster: &str, said: Vec<Said>, clock: Clock) -> Vec<Said> {
        let (mut well, unwell): (Vec<Said>, Vec<Said>) = said.into_iter().partition(Said::is_well);
        let questions = unwell.into_iter().map(|said| (said.tenant, said.question));
        well.extend(self.put(cluster, questions.collect(), clock).await);
        well
    }

    async fn put(
        &self,
        cluster: &str,
        mut questions: Vec<(String, Arc<Question>)>,
        clock: Clock,
    ) -> Vec<Said> {
        let Some(door) = self.0.doors.get(cluster) else {
            return Vec::new();
        };
        let rest = questions.split_off(questions.len().min(FIRST));
        let first = questions.into_iter().map(|one| say(door, one, clock));
        let mut said = join_all(first).await;
        if let Some(why) = nobody(&said) {
            let now = clock.now();
            said.extend(rest.into_iter().map(|one| unasked(one, &why, now)));
        } else {
            let rest = rest.into_iter().map(|one| say(door, one, clock));
            let rest = stream::iter(rest).buffered(AT_A_TIME);
            said.extend(rest.collect::<Vec<_>>().await);
        }
        said
    }

    /// What is wrong with the pages of tenants whose workloads are well, by tenant.
    pub async fn faults(
        &self,
        cluster: &str,
        seen: &[Seen],
        asked: &[Asked],
        clock: Clock,
    ) -> BTreeMap<String, Vec<Fault>> {
        let well = seen
            .iter()
            .filter(|seen| seen.sample.health == Health::Healthy);
        let well: BTreeSet<&str> = well.map(|seen| seen.tenant.as_str()).collect();
        let asked = asked
            .iter()
            .filter(|asked| well.contains(asked.tenant.as_str()));
        let mut faults: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
        for said in self.ask(cluster, asked, clock).await {
            if let Some(fault) = said.fault() {
                faults.entry(said.tenant).or_default().push(fault);
            }
        }
        faults
    }

    fn questions(&self, asked: &Asked) -> Vec<(String, Arc<Question>)> {
        let Asked { tenant, excused } = asked;
        let of_tenant = self.0.questions.get(tenant).into_iter().flatten();
        let of_tenant = of_tenant.filter(|_| !excused.contains(ALL));
        let open = of_tenant.filter(|question| !excused.contains(&question.url()));
        open.map(|question| (tenant.clone(), Arc::clone(question)))
            .collect()
    }
}

impl Said {
    pub fn is_well(&self) -> bool {
        self.health.fault.is_none()
    }

    /// Why nobody is there.
    pub fn absence(&self) -> Option<&str> {
        match &self.answer {
            Answer::Unreachable { why } => Some(why),
            Answer::Page(_) | Answer::Silent { .. } => None,
        }
    }

    fn fault(&self) -> Option<Fault> {
        let why = self.health.fault.as_ref()?;
        Some(Fault {
            page: self.question.url(),
            why: format!("platform `{}`: {why}", self.question.platform),
            patience: self.question.probe.fail_after.to_signed(),
        })
    }
}

impl Unanswered {
    /// A sample of a tenant that was seen well by its workloads, in the light of what its pages answered. A page may come
    /// late, or stumble: it has failed once that lasts.
    pub fn doubt(&mut self, seen: Sample, faults: &[Fault]) -> Sample {
        let since = |fault: &Fault| self.0.get(&fault.page).copied().unwrap_or(seen.at);
        let pages = faults
            .iter()
            .map(|fault| (fault.page.clone(), since(fault)));
        self.0 = pages.collect();
        let has_lasted =
            |fault: &&Fault| fault.patience <= seen.at.duration_since(self.0[&fault.page]);
        let failed = faults.iter().find(has_lasted);
        let Some(fault) = failed.or(faults.first()) else {
            return seen;
        };
        Sample {
            at: seen.at,
            health: match failed {
                Some(_) => Health::Failed,
                None => Health::Progressing,
            },
            serves: false,
            headline: fault.why.clone(),
        }
    }

    /// What was before is not held against anybody.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

fn questions<'a>(fleet: &'a Fleet, platform: &'a Platform) -> impl Iterator<Item = Question> + 'a {
    let probes = fleet.environment.spec.health.probes.values();
    probes.flat_map(move |probe| {
        platform.domains().map(move |domain| Question {
            platform: platform.name.clone(),
            domain: domain.to_owned(),
            alias_of: (domain != platform.domain).then(|| platform.domain.clone()),
            has_own_certificate: platform.tls.is_some(),
            probe: probe.clone(),
        })
    })
}

async fn say(door: &Door, (tenant, question): (String, Arc<Question>), clock: Clock) -> Said {
    let answer = door.ask(&question).await;
    Said {
        health: judge_site(&question, &answer, clock.now()),
        tenant,
        question,
        answer,
    }
}

/// Why nobody is at a door, if all the first found it so.
fn nobody(said: &[Said]) -> Option<String> {
    let why = said.first()?.absence()?;
    let is_shut = said.len() == FIRST && said.iter().all(|said| said.absence().is_some());
    is_shut.then(|| why.to_owned())
}

fn unasked((tenant, question): (String, Arc<Question>), why: &str, now: Timestamp) -> Said {
    let answer = Answer::Unreachable {
        why: why.to_owned(),
    };
    Said {
        health: judge_site(&question, &answer, now),
        tenant,
        question,
        answer,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::{Request, Response};

    use super::*;
    use crate::fleet::{Files, load};

    /// Twenty tenants on one cluster, each with a domain and an alias.
    fn fleet() -> Fleet {
        let mut files = Files::new();
        let mut put = |path: &str, kind: &str, name: &str, spec: &str| {
            let text = format!(
                "apiVersion: escale.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
            );
            files.insert(format!("environments/test/{path}.yaml"), text);
        };
        let spec = "{health: {probes: {front: {path: /}}}}";
        put("environment", "Environment", "test", spec);
        put("strategy", "Strategy", "normal", "{waves: [{name: all}]}");
        put("versions", "Versions", "test", "{web: \"web:1\"}");
        let spec = "{ingress: {address: 203.0.113.10}}";
        put("clusters/here", "Cluster", "here", spec);
        for number in 0..20 {
            let name = format!("t{number:02}");
            let domains = format!("domain: {name}.example, aliases: [www.{name}.example]");
            let spec = format!("{{cluster: here, platforms: {{p: {{client: c, {domains}}}}}}}");
            put(&format!("tenants/{name}"), "Tenant", &name, &spec);
        }
        files.insert("templates/platform/all.yaml.j2".to_owned(), String::new());
        load(&files, "test").expect("no mistakes")
    }

    /// Sites behind a door that answers so; and how often it was asked.
    fn sites(answer: fn(usize) -> io::Result<u16>) -> (Sites, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let ingress = tower::service_fn(move |_: Request<Bytes>| {
            let answer = answer(counted.fetch_add(1, Ordering::Relaxed));
            std::future::ready(answer.map(|status| {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = status.try_into().expect("a status");
                response
            }))
        });
        let door = Door::simulated(ingress);
        (Sites::of(&fleet(), |_| Some(door.clone())), asked)
    }

    fn all() -> Vec<Asked> {
        let names = (0..20).map(|number| format!("t{number:02}"));
        let asked = names.map(|tenant| Asked {
            tenant,
            excused: BTreeSet::new(),
        });
        asked.collect()
    }

    fn refused(_: usize) -> io::Result<u16> {
        Err(io::Error::from(io::ErrorKind::ConnectionRefused))
    }

    const CLOCK: Clock = Clock::Wall;

    #[tokio::test]
    async fn where_nobody_is_there_few_are_asked_and_all_are_told() {
        let (sites, asked) = sites(refused);
        let said = sites.ask("here", &all(), CLOCK).await;
        assert_eq!((said.len(), asked.load(Ordering::Relaxed)), (40, FIRST));
        assert!(said.iter().all(|said| !said.is_well()));
    }

    #[tokio::test]
    async fn one_that_answers_is_enough_to_ask_for_all() {
        let (sites, asked) = sites(|number| if number == 3 { Ok(200) } else { refused(0) });
        let said = sites.ask("here", &all(), CLOCK).await;
        assert_eq!((said.len(), asked.load(Ordering::Relaxed)), (40, 40));
        let well: Vec<String> = said
            .iter()
            .filter(|said| said.is_well())
            .map(|said| said.question.url())
            .collect();
        assert_eq!(well, ["https://www.t01.example/"]);
    }

    #[tokio::test]
    async fn what_is_excused_is_not_asked_for() {
        let (sites, asked) = sites(|_| Ok(200));
        let excused = |tenant: &str, page: &str| Asked {
            tenant: tenant.to_owned(),
            excused: BTreeSet::from([page.to_owned()]),
        };
        let some = [excused("t00", "https://t00.example/"), excused("t01", ALL)];
        let said = sites.ask("here", &some, CLOCK).await;
        let urls: Vec<String> = said.iter().map(|said| said.question.url()).collect();
        assert_eq!(urls, ["https://www.t00.example/"]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(sites.ask("elsewhere", &all(), CLOCK).await.is_empty());
    }

    #[test]
    fn a_page_has_failed_once_it_has_been_unwell_for_long_whatever_others_do() {
        let fault = |page: &str| Fault {
            page: page.to_owned(),
            why: format!("{page} answers 500"),
            patience: SignedDuration::from_secs(30),
        };
        let mut unanswered = Unanswered::default();
        let mut after = |seconds: i64, faults: &[Fault]| {
            let seen = Sample {
                at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds),
                health: Health::Healthy,
                serves: true,
                headline: "3 objects healthy".to_owned(),
            };
            let doubted = unanswered.doubt(seen, faults);
            assert_eq!(doubted.serves, faults.is_empty());
            (doubted.health, doubted.headline)
        };
        let told = |page: &str| format!("{page} answers 500");
        assert_eq!(after(0, &[fault("a")]), (Health::Progressing, told("a")));
        let both = [fault("a"), fault("b")];
        assert_eq!(after(20, &both), (Health::Progressing, told("a")));
        // One is well again, and its time begins anew.
        assert_eq!(after(29, &[fault("b")]), (Health::Progressing, told("b")));
        assert_eq!(after(40, &both), (Health::Progressing, told("a")));
        assert_eq!(after(50, &both), (Health::Failed, told("b")));
        assert_eq!(after(60, &[]).0, Health::Healthy);
        assert_eq!(after(62, &both), (Health::Progressing, told("a")));
    }
}
