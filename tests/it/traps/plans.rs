//! What a rollout writes, and to whom: settled when it begins, whatever git does meanwhile.

use escale::record::NAMESPACE;
use escale::rollout::{Outcome, What};
use serde_json::json;

use super::{names, running, settled};
use crate::gates::told;
use crate::scene::{Release, Scene, outcome, simulated};
use crate::succession::{history, killed_at};

fn is_written(name: &'static str) -> impl Fn(&What) -> bool + Send + Sync {
    move |what| matches!(what, What::TenantWritten { tenant, .. } if tenant == name)
}

/// What is written is whatever the name of a revision stands for at the moment of writing.
#[test]
fn t02_a_release_that_renders_otherwise_by_now_is_not_gone_on_with() {
    simulated(|scene| async move {
        settled(&scene).await;
        killed_at(&scene, &scene.release("bbbb", "2"), is_written("t1")).await;
        // The same commit, and another bundle: a branch that was moved, a newer program.
        let moved = Release {
            id: "bbbb".to_owned(),
            ..scene.release("cccc", "9")
        };
        scene.forget_requests();
        let refused = scene.try_roll_out(&moved, "job 2").await.err();
        let said = refused.expect("it is refused").to_string();
        assert!(
            said.contains("does not render to the planned bundle"),
            "{said}"
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
        assert!(running(&scene, "9").is_empty());
    });
}

/// The file of one tenant makes way for that of another.
fn with_newcomer_and_without(scene: &mut Scene, leaver: &str) {
    let path = |tenant: &str| format!("environments/test/tenants/{tenant}.yaml");
    let text = scene.files[&path(leaver)].clone();
    scene.files.remove(&path(leaver));
    let number = leaver.trim_start_matches('t');
    let newcomer = text
        .replace(leaver, "t9")
        .replace(&format!("p{number}"), "p9")
        .replace(&format!("c{number}"), "c9");
    scene.files.insert(path("t9"), newcomer);
}

/// A fleet that changes in the middle of a rollout aborts it, or gets half of it.
#[test]
fn t15_tenants_that_come_and_go_meanwhile_abort_nothing() {
    simulated(|mut scene| async move {
        settled(&scene).await;
        let second = scene.release("bbbb", "2");
        killed_at(&scene, &second, is_written("t1")).await;
        with_newcomer_and_without(&mut scene, "t1");
        let (carried, diary) = told(&scene, &scene.release("cccc", "3"), "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(
            history(&scene).await,
            [
                "aaaa succeeded",
                "bbbb superseded by cccc",
                "cccc succeededWithExceptions"
            ]
        );
        let started = names(&diary);
        assert!(started.contains(&"t9".to_owned()), "{started:?}");
        // Its file went while it was in flight: it settles on what was planned, and is named from then on.
        assert_eq!(running(&scene, "2"), ["t1"]);
        assert_eq!(running(&scene, "3"), ["t0", "t2", "t3", "t4", "t5", "t9"]);
        let orphan = scene.record("t1").await;
        assert_eq!(
            (orphan.claim, orphan.release.as_deref()),
            (None, Some("bbbb"))
        );
    });
}

/// The same, of a tenant whose record is damaged meanwhile: the others are gone on with, and a newer release starts.
#[test]
fn t15_a_record_that_is_damaged_meanwhile_stops_nobody_else() {
    for newer in [false, true] {
        simulated(|scene| async move {
            settled(&scene).await;
            let second = scene.release("bbbb", "2");
            killed_at(&scene, &second, is_written("t1")).await;
            let record = ("configmaps", (Some(NAMESPACE), "t3"));
            let damaged = scene.sims["west"].edit(record.0, record.1, |record| {
                record["data"]["inventory"] = json!("{ not json");
            });
            assert!(damaged.is_ok());
            let (next, tag) = if newer {
                (scene.release("cccc", "3"), "3")
            } else {
                (second, "2")
            };
            let (carried, diary) = told(&scene, &next, "job 2").await;
            assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
            assert_eq!(running(&scene, tag), ["t0", "t1", "t2", "t4", "t5"]);
            assert!(!names(&diary).contains(&"t3".to_owned()));
        });
    }
}
