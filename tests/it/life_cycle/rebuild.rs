//! A lost tenant cluster is built anew: everybody gets back what they ran, not what is newest.

use std::collections::BTreeMap;
use std::time::Duration;

use escale::cluster::{Kind, Within};
use escale::engine::{self, Bundles, Carried, Heard, Order, Rebuild, holds};
use escale::manifest::Digest;
use escale::record::{Hold, Place, PlanLine};
use escale::rollout::{Outcome, What};
use escale::sim::{Behaviour, Fault, RequestFaults, Rule, SimCluster};
use serde_json::Value;

use super::{carry_out, connect, edit, lose, options, plan_of, reason, record, try_to};
use crate::scene::{Release, Scene, in_virtual_time, outcome, simulated};

/// Waves, also for three tenants.
const APART: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}
  small: 1
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
";

/// What the tenants of `west` run: release, digest, hold.
type Runs = BTreeMap<String, (String, Digest, Option<Hold>)>;

async fn runs(scene: &Scene) -> Runs {
    let mut runs = Runs::new();
    for tenant in ["t1", "t3", "t5"] {
        if let Some(record) = record(scene, tenant).await {
            let what = (record.release.unwrap(), record.digest.unwrap(), record.hold);
            runs.insert(tenant.to_owned(), what);
        }
    }
    runs
}

fn releases(runs: &Runs) -> Vec<(&str, &str)> {
    let releases = runs
        .iter()
        .map(|(tenant, (release, ..))| (tenant.as_str(), release.as_str()));
    releases.collect()
}

/// `t5` is held at `aaaa`, `t3` runs `bbbb`, `t1` (the canary there) runs `cccc`. Then somebody loses the cluster.
async fn lost(scene: &mut Scene) -> (Vec<Release>, Runs) {
    edit(scene, "t1", "ring: rest", "ring: canary");
    let past: Vec<Release> = [("aaaa", "1"), ("bbbb", "2"), ("cccc", "3")]
        .map(|(id, version)| scene.release(id, version))
        .into();
    scene.roll_out(&past[0]).await;
    scene.pass(5).await;
    let hold = Hold {
        reason: "an audit".to_owned(),
        owner: "ben".to_owned(),
        since: scene.clock.now(),
        expires: None,
        digest: None,
    };
    let west = scene.clusters.get("west").unwrap();
    holds::hold(west, "t5", &hold).await.unwrap();
    scene.roll_out(&past[1]).await;
    scene.pass(5).await;
    let only = Order {
        selected: Some(["t1".to_owned()].into()),
        ..past[2].order("job 1")
    };
    let mut deaf = |_: Heard<'_>| {};
    engine::roll_out(&only, scene.world(&mut deaf))
        .await
        .unwrap();
    scene.pass(5).await;
    let before = runs(scene).await;
    assert_eq!(
        releases(&before),
        [("t1", "cccc"), ("t3", "bbbb"), ("t5", "aaaa")]
    );
    lose(scene, "west");
    (past, before)
}

/// As the command does it: what the hub knows, rendered from the commits.
async fn order<'a>(
    scene: &Scene,
    past: &[Release],
    (newest, bundles): (&'a Release, &'a mut Bundles),
    holder: &str,
) -> anyhow::Result<Order<'a>> {
    let rebuild = Rebuild::read(&scene.clusters, &newest.fleet, "west").await?;
    for (tenant, last) in rebuild.known() {
        let release = past.iter().find(|release| release.id == last.release);
        let bundle = release.unwrap().bundles[tenant].clone();
        bundles.insert(tenant.to_owned(), bundle);
    }
    Ok(Order {
        bundles,
        rebuild: Some(rebuild),
        ..newest.order(holder)
    })
}

async fn rebuild(scene: &Scene, past: &[Release], holder: &str) -> anyhow::Result<Carried> {
    let newest = scene.release("dddd", "4");
    let mut bundles = Bundles::new();
    let order = order(scene, past, (&newest, &mut bundles), holder).await?;
    let mut deaf = |_: Heard<'_>| {};
    engine::roll_out(&order, scene.world(&mut deaf)).await
}

fn refusal(carried: anyhow::Result<Carried>) -> String {
    carried.err().unwrap().to_string()
}

#[test]
fn everybody_gets_back_what_they_ran_canary_first_and_the_next_rollout_takes_them_on() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let newest = scene.release("dddd", "4");
        let error = try_to(&scene, &newest, None, "job 1").await.err().unwrap();
        let hints: Vec<&str> = escale::error::hints(&error).collect();
        assert!(
            hints
                .iter()
                .any(|hint| hint.contains("--rebuild west --reason")),
            "{hints:?}"
        );

        let mut started = Vec::new();
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && let What::TenantStarted { tenant } = &event.what
            {
                started.push(tenant.clone());
            }
        };
        let mut bundles = Bundles::new();
        let order = order(&scene, &past, (&newest, &mut bundles), "job 2")
            .await
            .unwrap();
        let carried = engine::roll_out(&order, scene.world(&mut hear))
            .await
            .unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
        let waves = plan_of(&carried).waves.iter();
        let waves: Vec<(&str, usize)> = waves
            .map(|wave| (wave.name.as_str(), wave.tenants.len()))
            .collect();
        assert_eq!(waves, [("canary", 1), ("rest", 2)]);
        assert_eq!(started[0], "t1");
        let images = scene.images();
        assert_eq!(
            [&images["t1"], &images["t3"], &images["t5"]],
            ["3", "2", "1"]
        );

        // The same command again has nothing to do; an ordinary rollout brings everybody forward that nobody holds.
        let again = rebuild(&scene, &past, "job 3").await.unwrap();
        assert!(matches!(again, Carried::NothingToDo { .. }));
        scene.pass(5).await;
        let carried = carry_out(&scene, &newest, None).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(reason(&carried, "t5"), "held: an audit (ben)");
        let images = scene.images();
        assert_eq!(
            [&images["t1"], &images["t3"], &images["t5"]],
            ["4", "4", "1"]
        );
    });
}

#[test]
fn killed_anywhere_the_same_command_goes_on() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let sims = scene.sims.iter();
        let saved: Vec<(String, Value)> =
            sims.map(|(name, sim)| (name.clone(), sim.save())).collect();
        let writes = [1, 2, 3, 4, 5, 6, 8, 11].map(Kill::Writes);
        // The canary settles, soaks, and then the others do.
        let seconds = [4, 25, 50].map(Kill::Seconds);
        for kill in writes.into_iter().chain(seconds) {
            for (name, saved) in &saved {
                let sim = SimCluster::load(options(&scene, name, 1), saved).unwrap();
                // Requests take their time, so that there is something between two of them.
                sim.tell(Fault::Requests(RequestFaults {
                    latency: Duration::from_millis(4)..Duration::from_millis(6),
                    ..RequestFaults::default()
                }));
                scene.sims.insert(name.clone(), sim);
            }
            connect(&mut scene);
            let is_killed = tokio::select! {
                biased;
                () = kill.moment(&scene) => true,
                _ = rebuild(&scene, &past, "job 2") => false,
            };
            assert!(is_killed, "it was over before {kill:?}");
            let carried = rebuild(&scene, &past, "job 3").await.unwrap();
            assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{kill:?}");
            assert_eq!(runs(&scene).await, before, "{kill:?}");
            assert_eq!(rebuilds(&scene).await, 1, "{kill:?}");
        }
    });
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Writes(usize),
    Seconds(u64),
}

impl Kill {
    async fn moment(self, scene: &Scene) {
        match self {
            Self::Seconds(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            Self::Writes(count) => {
                while scene.writes().len() < count {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}

async fn rebuilds(scene: &Scene) -> usize {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    rollouts.iter().filter(|one| one.rebuild.is_some()).count()
}

#[test]
fn killed_right_after_the_plan_is_frozen_whoever_goes_on_notes_the_new_cluster() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let noted = cluster_record(&scene).await;
        let carried = rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_ne!(cluster_record(&scene).await, noted);

        // As if the last write of the beginning, and all after it, had never been.
        let mut scene = Scene::with(0, APART);
        let (past, _) = lost(&mut scene).await;
        let until_frozen = async {
            let freezing = rebuild(&scene, &past, "job 2");
            tokio::pin!(freezing);
            loop {
                let step = tokio::time::timeout(Duration::from_millis(1), &mut freezing).await;
                assert!(step.is_err(), "it is over already");
                if rebuilds(&scene).await == 1 {
                    break;
                }
            }
        };
        until_frozen.await;
        let writer = scene.clusters.hub().unwrap().writer();
        let mut value = cluster_record(&scene).await;
        value["data"]["cluster"] = noted["data"]["cluster"].clone();
        writer.replace(&value).await.unwrap();
        let ordinary = try_to(&scene, &scene.release("dddd", "4"), None, "job 3").await;
        assert!(refusal(ordinary).starts_with("the context of cluster `west` answers as another"));
        let carried = rebuild(&scene, &past, "job 4").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
    });
}

async fn cluster_record(scene: &Scene) -> Value {
    let hub = scene.clusters.hub().unwrap().reader();
    hub.config_map("escale-system", "cluster.west")
        .await
        .unwrap()
        .unwrap()
}

#[test]
fn a_cluster_that_is_not_lost_or_not_empty_is_refused() {
    simulated(|mut scene| async move {
        let first = [scene.release("aaaa", "1")];
        scene.roll_out(&first[0]).await;
        scene.pass(5).await;
        let error = refusal(rebuild(&scene, &first, "job 2").await);
        assert!(
            error.starts_with("cluster `west` is not lost: its context answers as"),
            "{error}"
        );

        // The hub knows of another one, and on this one tenants run.
        let writer = scene.clusters.hub().unwrap().writer();
        let mut value = cluster_record(&scene).await;
        let text = value["data"]["cluster"].as_str().unwrap();
        let uid = text
            .split("\"uid\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        value["data"]["cluster"] = text.replace(uid, "another").into();
        writer.replace(&value).await.unwrap();
        scene.forget_requests();
        let error = refusal(rebuild(&scene, &first, "job 3").await);
        assert!(
            error.starts_with("cluster `west` has records of tenants already"),
            "{error}"
        );
        assert_eq!(rebuilds(&scene).await, 0);

        // It does not answer at all.
        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let error = refusal(rebuild(&scene, &first, "job 4").await);
        assert!(
            error.starts_with("cluster `west` cannot be rebuilt: "),
            "{error}"
        );
        lose(&mut scene, "hub");
        let error = refusal(rebuild(&scene, &first, "job 5").await);
        assert_eq!(
            error,
            "the hub `hub` does not know of anybody who ran on cluster `west`"
        );
    });
}

#[test]
fn who_is_not_known_or_renders_to_something_else_is_left_out_and_can_be_brought_later() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let path = "environments/test/tenants/t5.yaml";
        let another = scene.files[path]
            .replace("t5", "t7")
            .replace("p5", "p7")
            .replace("c5", "c7");
        scene
            .files
            .insert("environments/test/tenants/t7.yaml".to_owned(), another);
        // The commit of `t3` renders something else than it did, as a newer escale might.
        let mut changed = past;
        changed[1] = scene.release("bbbb", "2b");
        let carried = rebuild(&scene, &changed, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(
            reason(&carried, "t7"),
            "not rebuilt: the hub does not know what it ran"
        );
        let why = reason(&carried, "t3");
        let ran = before["t3"].1.short().to_owned();
        let words = format!("not rebuilt: it ran {ran}, and release bbbb renders ");
        assert!(why.starts_with(&words), "{why}");
        assert_eq!(
            releases(&runs(&scene).await),
            [("t1", "cccc"), ("t5", "aaaa")]
        );

        // `--continue` takes nobody on by itself.
        let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
        let now = scene.clock.now();
        let behind = engine::behind(&scene.clusters, "test", &rollouts, now)
            .await
            .unwrap();
        assert_eq!(behind.unwrap().tenants, [].into());

        // With the right escale: it is the same cluster still, and the others are there.
        changed[1] = scene.release("bbbb", "2");
        let carried = rebuild(&scene, &changed, "job 3").await.unwrap();
        assert_eq!(plan_of(&carried).len(), 1);
        assert_eq!(runs(&scene).await, before);
    });
}

#[test]
fn an_open_rebuild_goes_before_any_other_rollout_and_is_gone_on_with() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        // The canary soaks.
        let moment = Duration::from_secs(25);
        let killed = tokio::time::timeout(moment, rebuild(&scene, &past, "job 2")).await;
        assert!(killed.is_err());
        let newest = scene.release("dddd", "4");
        let carried = try_to(&scene, &newest, None, "job 3").await.unwrap();
        assert!(matches!(carried, Carried::Rebuilding { cluster } if cluster == "west"));
        assert_eq!(scene.images()["t4"], "2");
        let carried = rebuild(&scene, &past, "job 4").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
    });
}

#[test]
fn a_new_cluster_that_is_lost_in_the_middle_is_rebuilt_on_yet_another_one() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let moment = Duration::from_secs(50);
        let killed = tokio::time::timeout(moment, rebuild(&scene, &past, "job 2")).await;
        assert!(killed.is_err());
        super::lose_with(&mut scene, "west", 7);
        let carried = rebuild(&scene, &past, "job 3").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
        assert_eq!(rebuilds(&scene).await, 2);
    });
}

#[test]
fn a_tenant_that_does_not_get_well_pauses_the_rebuild_and_is_tried_again_after_an_abort() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        // Its data is restored only when nobody waits for it any more.
        scene.sims["west"].tell(Fault::Behaviour(Rule {
            image: Some("web:2".to_owned()),
            namespace: Some("t3".to_owned()),
            behaviour: Behaviour::from_word("ready-after=10m").unwrap(),
        }));
        let carried = rebuild(&scene, &past, "job 2").await.unwrap();
        let Carried::Ended(ended) = &carried else {
            panic!("it began")
        };
        assert!(
            matches!(ended.ending, engine::Ending::Person { failed: true, .. }),
            "{:?}",
            ended.ending
        );
        assert_eq!(scene.images()["t4"], "2", "nobody else is touched");
        super::abort(&scene).await;
        let carried = rebuild(&scene, &past, "job 3").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Aborted));
        scene.pass(10).await;
        let carried = rebuild(&scene, &past, "job 4").await.unwrap();
        assert_eq!(
            outcome(&carried),
            Some(Outcome::Succeeded),
            "{:?}",
            plan_of(&carried)
        );
        assert_eq!(runs(&scene).await, before);
    });
}

#[test]
fn the_roster_is_written_for_what_changes_and_not_at_all_for_what_does_not() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let shards = roster(&scene).await;
        assert_eq!(shards, ["roster.test.east.0", "roster.test.west.0"]);
        scene.forget_requests();
        scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(scene.writes(), Vec::<String>::new());
        let only = scene.release("bbbb", "2");
        let only = Order {
            selected: Some(["t1".to_owned()].into()),
            ..only.order("job 1")
        };
        let mut deaf = |_: Heard<'_>| {};
        engine::roll_out(&only, scene.world(&mut deaf))
            .await
            .unwrap();
        let writes = scene.writes();
        let of_roster = writes.iter().filter(|write| write.contains("roster."));
        // When its only wave had passed; at its end, it said so already.
        assert_eq!(of_roster.count(), 1, "{writes:?}");
    });
}

async fn roster(scene: &Scene) -> Vec<String> {
    let hub = scene.clusters.hub().unwrap().reader();
    let within = Within::Namespace("escale-system");
    let selector = Some("escale.dev/record=roster");
    let found = hub
        .list_metadata(&Kind::config_map(), within, selector)
        .await
        .unwrap();
    let mut names: Vec<String> = found.iter().map(|one| one.object().name.clone()).collect();
    names.sort();
    names
}

#[test]
fn what_a_person_put_back_is_what_a_rebuild_brings_back() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let past = [scene.release("aaaa", "1"), scene.release("bbbb", "2")];
        for release in &past {
            scene.roll_out(release).await;
            scene.pass(5).await;
        }
        scene.roll_back("t3").await.unwrap();
        let put_back = scene.record("t3").await;
        let told = engine::tell_roster(&scene.clusters, &[put_back], scene.clock.now()).await;
        told.unwrap();
        let before = runs(&scene).await;
        lose(&mut scene, "west");
        rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(runs(&scene).await, before);
        assert_eq!(scene.images()["t3"], "1");
        let lines = rebuilt_lines(&scene).await;
        let t3 = lines.iter().find(|line| line.tenant == "t3").unwrap();
        assert_eq!(t3.release.as_deref(), Some("aaaa"));
        assert!(t3.hold.is_some() && matches!(t3.place, Place::Wave(_)));
    });
}

/// The plan of the only rebuild.
async fn rebuilt_lines(scene: &Scene) -> Vec<PlanLine> {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    let rebuild = rollouts.iter().find(|one| one.rebuild.is_some()).unwrap();
    let hub = scene.clusters.hub().unwrap().reader();
    engine::store::plan(&hub, rebuild).await.unwrap()
}
