//! The hub forgets what nobody looks up any more, and only that.

use std::collections::BTreeSet;

use escale::engine::store;
use escale::record::{PlanLine, RolloutRecord, RolloutState, Scope, Verb, Word, decode_rollout};
use escale::rollout::Outcome;
use jiff::SignedDuration;

use crate::scene::{Scene, outcome, simulated};

/// The rollouts that the hub has on record, and how many shards of plans.
fn remembered(scene: &Scene) -> (BTreeSet<String>, usize) {
    let objects = scene.sims["hub"].objects("configmaps");
    let rollouts = objects
        .iter()
        .filter_map(|object| decode_rollout(object).ok());
    let ids = rollouts.map(|stored| stored.value.id).collect();
    let is_plan = |name: &str| name.starts_with("rollout.") && name.contains(".plan.");
    let names = objects
        .iter()
        .filter_map(|object| object["metadata"]["name"].as_str());
    (ids, names.filter(|name| is_plan(name)).count())
}

fn words(scene: &Scene) -> usize {
    let objects = scene.sims["hub"].objects("configmaps");
    let names = objects
        .iter()
        .filter_map(|object| object["metadata"]["name"].as_str());
    names.filter(|name| name.starts_with("word.")).count()
}

/// As rollouts are named: in the order of time.
fn id_of(scene: &Scene, days: i64) -> String {
    let at = scene.clock.now() - SignedDuration::from_hours(24 * days);
    at.strftime("%Y%m%dt%H%M%Sz.old").to_string()
}

/// A rollout that failed so many days ago, with a plan of one tenant, and somebody's word on it.
async fn remember(scene: &Scene, days: i64) -> anyhow::Result<()> {
    let hub = scene.clusters.hub()?.writer();
    let at = scene.clock.now() - SignedDuration::from_hours(24 * days);
    let id = id_of(scene, days);
    let rollout: RolloutRecord = serde_json::from_value(serde_json::json!({
        "id": id, "environment": "test", "release": format!("old{days}"), "strategy": "normal",
        "created": at, "by": "Ada", "why": "a test", "state": RolloutState::Failed, "since": at,
        "waves": [], "shards": 1,
    }))?;
    let line: PlanLine = serde_json::from_value(serde_json::json!({
        "tenant": "t0", "cluster": "east", "namespace": "t0", "excluded": "unchanged",
    }))?;
    let created = store::create_rollout(&hub, &rollout, &[line]).await;
    created.map_err(|trouble| trouble.advise("hub"))?;
    let pause = Word {
        verb: Verb::Pause,
        environment: "test".to_owned(),
        scope: Scope::Rollout(id),
        author: "Ada".to_owned(),
        reason: "to look".to_owned(),
        at,
        expires: None,
    };
    store::say(&hub, &pause).await?;
    Ok(())
}

#[test]
fn old_rollouts_their_plans_and_words_go_with_the_next_rollout() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let (first, _) = remembered(&scene);
        for days in 10..70 {
            remember(&scene, days).await.unwrap();
        }
        let (newest, oldest) = (id_of(&scene, 10), id_of(&scene, 69));
        let (before, plans) = remembered(&scene);
        assert_eq!((before.len(), plans, words(&scene)), (61, 61, 60));

        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let (after, plans) = remembered(&scene);
        // The newest 50 of before, which the first is one of, and the new one.
        assert_eq!((after.len(), plans), (51, 51));
        assert!(after.is_superset(&first), "{after:?}");
        assert!(after.contains(&newest) && !after.contains(&oldest));
        assert_eq!(words(&scene), 0);
    });
}

#[test]
fn nothing_is_forgotten_while_a_cluster_does_not_answer() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        for days in 10..70 {
            remember(&scene, days).await.unwrap();
        }
        let (before, _) = remembered(&scene);
        scene.sims["west"].tell(escale::sim::Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        let (after, _) = remembered(&scene);
        assert!(after.is_superset(&before), "{after:?}");
        assert_eq!(words(&scene), 60);
    });
}
