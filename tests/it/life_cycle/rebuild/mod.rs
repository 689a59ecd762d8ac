//! A lost tenant cluster is built anew: everybody gets back what they ran, not what is newest.

mod killed;
mod roster;
mod typed;

use std::collections::BTreeMap;

use escale::engine::{self, Bundles, Carried, Heard, Order, Rebuild, holds};
use escale::manifest::Digest;
use escale::record::Hold;
use escale::rollout::{Outcome, What};
use escale::sim::{Behaviour, Fault, Rule};
use serde_json::Value;

use super::{abort, carry_out, edit, lose, plan_of, reason, record, try_to};
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
    (cluster, holder): (&str, &str),
) -> anyhow::Result<Order<'a>> {
    let rebuild = Rebuild::read(&scene.clusters, &newest.fleet, cluster).await?;
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
    rebuild_of(scene, "west", past, holder).await
}

async fn rebuild_of(
    scene: &Scene,
    cluster: &str,
    past: &[Release],
    holder: &str,
) -> anyhow::Result<Carried> {
    let newest = scene.release("dddd", "4");
    let mut bundles = Bundles::new();
    let order = order(scene, past, (&newest, &mut bundles), (cluster, holder)).await?;
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
        let order = order(&scene, &past, (&newest, &mut bundles), ("west", "job 2"))
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

async fn rebuilds(scene: &Scene) -> usize {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    rollouts.iter().filter(|one| one.rebuild.is_some()).count()
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
        abort(&scene).await;
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
fn clusters_that_are_lost_together_are_rebuilt_one_by_one() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        lose(&mut scene, "east");
        let carried = rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
        assert!(
            scene.images().keys().eq(["t1", "t3", "t5"]),
            "nothing was written to the other one"
        );
        let ordinary = try_to(&scene, &scene.release("dddd", "4"), None, "job 3").await;
        assert!(refusal(ordinary).starts_with("the context of cluster `east` answers as another"));
        let carried = rebuild_of(&scene, "east", &past, "job 4").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t4"], "2");
    });
}
