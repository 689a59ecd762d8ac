//! The engine on simulated clusters: what a rollout writes, what survives a kill, who is left alone.

use std::time::Duration;

use escale::engine::{self, Carried, Ending, Heard, Stop, World, holds, store};
use escale::error::{Exit, exit_code};
use escale::record::{Outcome, Scope, Verb, Word};
use escale::rollout;
use escale::sim::{self, Fault, RequestFaults};
use jiff::Timestamp;
use serde_json::json;

use crate::scene::{EXTRA, Scene, left_out, outcome, simulated};

#[test]
fn a_second_rollout_of_the_same_commit_writes_nothing() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        assert_eq!(
            outcome(&scene.roll_out(&release).await),
            Some(rollout::Outcome::Succeeded)
        );
        assert_eq!(scene.images().values().filter(|tag| *tag == "1").count(), 6);
        scene.forget_requests();
        let again = scene.roll_out(&release).await;
        assert!(matches!(again, Carried::NothingToDo { .. }));
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn an_unchanged_tenant_gets_no_write_when_another_changes() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.forget_requests();
        let path = "environments/test/tenants/t3.yaml".to_owned();
        let text = scene.files[&path].replace("p3: ", "p9: {client: c9, domain: c9.example}, p3: ");
        scene.files.insert(path, text);
        let carried = scene.roll_out(&scene.release("bbbb", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        let west = scene.sims["west"].requests();
        let written: Vec<&str> = west
            .mutating()
            .filter(|request| request.manager.as_deref() == Some("escale"))
            .filter_map(|request| {
                (request.namespace.as_deref() == Some("t3")).then_some(request.resource.as_str())
            })
            .collect();
        assert_eq!(
            written,
            ["configmaps"],
            "one more platform changes a list, and restarts nothing"
        );
        assert!(
            scene.sims["east"]
                .requests()
                .mutating()
                .all(|request| request.namespace.as_deref() != Some("t0"))
        );
    });
}

#[test]
fn a_bad_release_goes_back_in_the_canary_and_is_not_tried_again_until_cleared() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let bad = scene.release("bbbb", "2-crash");
        scene.forget_requests();
        assert_eq!(
            outcome(&scene.roll_out(&bad).await),
            Some(rollout::Outcome::RolledBack)
        );
        assert!(scene.images().values().all(|tag| tag == "1"));
        assert!(
            scene.sims["west"].requests().mutating().next().is_none(),
            "only the canary's cluster was written to"
        );
        assert_eq!(scene.record("t0").await.state, Outcome::RolledBack);

        let again = scene.roll_out(&bad).await;
        assert!(matches!(again, Carried::NothingToDo { .. }));
        assert_eq!(left_out(&again).len(), 6);
        assert!(
            left_out(&again)[0].starts_with("t0: quarantined"),
            "{:?}",
            left_out(&again)
        );

        let word = Word {
            verb: Verb::Clear,
            environment: "test".to_owned(),
            scope: Scope::Release("bbbb".to_owned()),
            author: "ana".to_owned(),
            reason: "the registry was broken".to_owned(),
            at: scene.clock.now(),
            expires: None,
        };
        store::say(&scene.clusters.hub().unwrap().writer(), &word)
            .await
            .unwrap();
        assert_eq!(
            outcome(&scene.roll_out(&bad).await),
            Some(rollout::Outcome::RolledBack),
            "it is tried, and fails again"
        );
    });
}

#[test]
fn what_was_killed_at_any_time_is_finished_by_the_next_run() {
    for seconds in [1, 3, 6, 9, 20, 44, 50, 61, 80, 95] {
        simulated(|scene| async move {
            scene.roll_out(&scene.release("aaaa", "1")).await;
            scene.pass(5).await;
            let next = scene.release("bbbb", "2");
            let killed = tokio::time::timeout(
                Duration::from_secs(seconds),
                scene.try_roll_out(&next, "job 1"),
            )
            .await;
            if killed.is_ok() {
                return;
            }
            let carried = scene.try_roll_out(&next, "job 2").await.unwrap();
            assert_eq!(
                outcome(&carried),
                Some(rollout::Outcome::Succeeded),
                "killed after {seconds} s"
            );
            assert!(
                scene.images().values().all(|tag| tag == "2"),
                "killed after {seconds} s"
            );
            for tenant in ["t0", "t1", "t2", "t3", "t4", "t5"] {
                let record = scene.record(tenant).await;
                assert_eq!(
                    (record.claim, record.state),
                    (None, Outcome::Succeeded),
                    "killed after {seconds} s"
                );
            }
            scene.forget_requests();
            assert!(matches!(
                scene.roll_out(&next).await,
                Carried::NothingToDo { .. }
            ));
            assert_eq!(scene.writes(), Vec::<String>::new());
        });
    }
}

#[test]
fn who_is_told_to_stop_before_the_first_write_stops_at_once() {
    simulated(|scene| async move {
        scene.sims["hub"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let began = tokio::time::Instant::now();
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let mut deaf = |_: Heard<'_>| {};
        let world = World {
            stop,
            ..scene.world(&mut deaf)
        };
        let release = scene.release("aaaa", "1");
        let order = release.order("job 1");
        let (carried, ()) = tokio::join!(engine::roll_out(&order, world), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            sender.send_replace(Stop::Gently);
        });
        let error = carried.err().unwrap();
        assert_eq!(exit_code(&error), Exit::NotFinished, "{error:#}");
        assert_eq!(began.elapsed().as_secs(), 2);
    });
}

#[test]
fn two_rollouts_at_once_are_one_rollout() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        let (first, second) = tokio::join!(scene.try_roll_out(&release, "job 1"), async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            scene.try_roll_out(&release, "job 2").await
        });
        assert_eq!(outcome(&first.unwrap()), Some(rollout::Outcome::Succeeded));
        let Carried::Taken { by } = second.unwrap() else {
            panic!("two conductors")
        };
        assert_eq!(by, "job 1");
    });
}

#[test]
fn a_survey_that_takes_long_keeps_the_lease() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.sims["east"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let next = scene.release("bbbb", "2");
        // Longer than a lease lasts, and shorter than a cluster is waited for.
        let (first, second) = tokio::join!(scene.try_roll_out(&next, "job 1"), async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            scene.try_roll_out(&next, "job 2").await
        });
        assert!(matches!(first.unwrap(), Carried::Ended(_)));
        assert!(matches!(second.unwrap(), Carried::Taken { by } if by == "job 1"));
    });
}

#[test]
fn a_renewal_of_the_lease_whose_answer_is_lost_keeps_it() {
    simulated(|scene| async move {
        scene.sims["hub"].tell(Fault::Requests(RequestFaults {
            lost: 0.6,
            ..RequestFaults::default()
        }));
        let carried = scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
    });
}

#[test]
fn a_rollback_typed_while_a_tenant_soaks_wins_it_and_the_rollout_says_so() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let (rolled_out, ()) = tokio::join!(scene.roll_out(&next), async {
            // By then the canary has passed its soak, and t1 has succeeded.
            let is_written = |scene: &Scene| scene.images()["t1"] == "2";
            while !is_written(&scene) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            tokio::time::sleep(Duration::from_secs(25)).await;
            scene.roll_back("t1").await.unwrap();
        });
        let Carried::Ended(ended) = &rolled_out else {
            panic!("it did nothing")
        };
        assert_eq!(
            ended.progress.tenants["t1"].phase,
            rollout::Phase::TakenOver {
                by: "ana".to_owned()
            }
        );
        assert_eq!(
            outcome(&rolled_out),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(scene.images()["t1"], "1");
        assert_eq!(scene.images()["t3"], "2");
    });
}

#[test]
fn a_typed_rollback_needs_no_hub_and_the_next_rollout_respects_its_hold() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        scene.sims["hub"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let ended = scene.roll_back("t3").await.unwrap();
        assert!(
            matches!(
                ended.ending,
                Ending::Finished {
                    outcome: rollout::Outcome::Succeeded,
                    ..
                }
            ),
            "{:?}",
            ended.ending
        );
        assert_eq!(scene.images()["t3"], "1");
        let record = scene.record("t3").await;
        assert_eq!(record.state, Outcome::RolledBack);
        assert_eq!(record.hold.unwrap().owner, "ana");

        scene.sims["hub"].tell(Fault::Nothing);
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(left_out(&carried).len(), 1);
        assert!(left_out(&carried)[0].starts_with("t3: held: a test (ana)"));
        assert_eq!(scene.images()["t3"], "1");
        assert_eq!(scene.images()["t4"], "3");
    });
}

#[test]
fn a_rollback_to_what_runs_is_an_error_and_never_done() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let error = scene.roll_back("t3").await.err().unwrap();
        assert!(
            error
                .to_string()
                .contains("no good bundle other than the one it runs"),
            "{error}"
        );
    });
}

#[test]
fn what_is_removed_from_the_templates_is_pruned_after_the_tenant_is_healthy() {
    simulated(|mut scene| async move {
        scene
            .files
            .insert("templates/site/extra.yaml.j2".to_owned(), EXTRA.to_owned());
        for tenant in ["t1", "t2", "t3"] {
            // Three deletes are what the brake lets through.
            scene
                .files
                .remove(&format!("environments/test/tenants/{tenant}.yaml"));
        }
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let extras = |scene: &Scene| {
            scene
                .sims
                .values()
                .flat_map(|sim| sim.objects("configmaps"))
                .filter(|object| object["metadata"]["name"] == "extra")
                .count()
        };
        assert_eq!(extras(&scene), 3);
        scene.files.remove("templates/site/extra.yaml.j2");
        assert_eq!(
            outcome(&scene.roll_out(&scene.release("bbbb", "1")).await),
            Some(rollout::Outcome::Succeeded)
        );
        assert_eq!(extras(&scene), 0);
    });
}

#[test]
fn a_plan_that_deletes_too_much_stops_before_its_first_write() {
    simulated(|mut scene| async move {
        scene
            .files
            .insert("templates/site/extra.yaml.j2".to_owned(), EXTRA.to_owned());
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.files.remove("templates/site/extra.yaml.j2");
        scene.forget_requests();
        let error = scene
            .try_roll_out(&scene.release("bbbb", "1"), "job 1")
            .await
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("the plan deletes 6 objects, more than the 3"),
            "{error}"
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_tenant_file_that_disappears_deletes_nothing() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.files.remove("environments/test/tenants/t5.yaml");
        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "1")).await;
        assert_eq!(
            left_out(&carried),
            ["t5: orphaned: no file names it any more; nothing is pruned"]
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_corrupt_record_keeps_its_tenant_out_and_is_never_taken_for_an_absent_one() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let edited =
            scene.sims["west"].edit("configmaps", (Some("escale-system"), "t3"), |record| {
                record["data"]["inventory"] = json!("{ not json");
            });
        edited.unwrap();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert!(
            left_out(&carried)[0].starts_with("t3: record unreadable"),
            "{:?}",
            left_out(&carried)
        );
        assert_eq!(scene.images()["t3"], "1");
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_cluster_that_does_not_answer_is_left_out_and_the_others_go_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(left_out(&carried).len(), 3);
        assert!(
            left_out(&carried)[0].starts_with("t1: cluster unreachable"),
            "{:?}",
            left_out(&carried)
        );
    });
}

#[test]
fn a_held_tenant_is_left_alone_until_it_is_let_go() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let west = scene.clusters.get("west").unwrap();
        let hold = scene.hold("ana", "audit");
        holds::hold(west, "t1", &hold).await.unwrap();
        let next = scene.release("bbbb", "2");
        assert_eq!(
            left_out(&scene.roll_out(&next).await),
            ["t1: held: audit (ana)"]
        );
        holds::release(west, "t1", ("ana", "over"), scene.clock.now())
            .await
            .unwrap();
        scene.roll_out(&next).await;
        assert_eq!(scene.images()["t1"], "2");
    });
}

/// Seed 81074: whoever typed the hold was told that it holds.
#[test]
fn a_typed_rollback_passes_the_hold_that_it_saw_and_none_that_came_since() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        let west = scene.clusters.get("west").unwrap();
        let hold = scene.hold("bob", "the client presents it");
        let order = scene.rollback_order("t3", "ana").await.unwrap();
        holds::hold(west, "t3", &hold).await.unwrap();
        let mut deaf = |_: Heard<'_>| {};
        let ended = engine::roll_back(order, scene.world(&mut deaf)).await;
        let ended = ended.unwrap();
        let phase = format!("{:?}", ended.progress.tenants["t3"].phase);
        assert!(
            phase.contains("held since a moment ago: the client presents it (bob)"),
            "{phase}"
        );
        assert!(!matches!(
            ended.ending,
            Ending::Finished {
                outcome: rollout::Outcome::Succeeded,
                ..
            }
        ));
        assert_eq!(scene.images()["t3"], "2");
        assert_eq!(scene.record("t3").await.hold, Some(hold));

        scene.roll_back("t3").await.unwrap();
        assert_eq!(scene.images()["t3"], "1");
    });
}

#[test]
fn a_word_pauses_a_rollout_within_seconds_and_another_lets_it_go_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let next = scene.release("bbbb", "2");
        let say = |verb: Verb, at: Timestamp, id: String| Word {
            verb,
            environment: "test".to_owned(),
            scope: Scope::Rollout(id),
            author: "ana".to_owned(),
            reason: "a look".to_owned(),
            at,
            expires: None,
        };
        let people = async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            let hub = scene.clusters.hub().unwrap().writer();
            let latest = engine::latest(&scene.clusters, "test").await.unwrap();
            let id = latest.rollout.unwrap().id;
            store::say(&hub, &say(Verb::Pause, scene.clock.now(), id.clone()))
                .await
                .unwrap();
            scene.pass(10).await;
            let paused = scene.images();
            store::say(&hub, &say(Verb::Resume, scene.clock.now(), id))
                .await
                .unwrap();
            paused
        };
        let (carried, paused) = tokio::join!(scene.roll_out(&next), people);
        assert_eq!(
            paused.values().filter(|tag| *tag == "2").count(),
            1,
            "only the canary had started"
        );
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        let requests = scene.sims["hub"].requests();
        let is_word = |name: &String| name.starts_with("word.");
        let reads = requests.iter().filter(|request| {
            request.verb == sim::Verb::Get && request.name.as_ref().is_some_and(is_word)
        });
        assert_eq!(reads.count(), 2, "each word is read once");
    });
}
