//! Hooks that come last: checks, and what is done once a tenant is healthy.

use escale::rollout;

use super::{Hook, MIGRATE, jobs, jobs_of, put, why};
use crate::scene::{outcome, simulated};

const SMOKE: Hook<'_> = Hook {
    name: "smoke",
    moment: "check",
    image: "smoke:1",
    ..MIGRATE
};

#[test]
fn checks_run_once_the_tenant_is_healthy_and_before_what_follows_a_rollout() {
    simulated(|mut scene| async move {
        put(&mut scene, &SMOKE);
        put(
            &mut scene,
            &Hook {
                name: "announce",
                moment: "post-rollout",
                ..MIGRATE
            },
        );
        let carried = scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        let created = |name: &str| {
            let job = jobs(&scene).into_iter().find(|job| {
                let is = job["metadata"]["name"].as_str().unwrap().starts_with(name);
                is && job["metadata"]["namespace"] == "t0"
            });
            job.unwrap()["metadata"]["creationTimestamp"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let deployed = scene.sims["east"].objects("deployments.apps");
        let deployed = deployed[0]["metadata"]["creationTimestamp"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(deployed < created("smoke"));
        assert!(created("smoke") < created("announce"));
    });
}

#[test]
fn a_check_that_fails_puts_its_tenant_back() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(
            &mut scene,
            &Hook {
                image: "smoke:1-crash",
                ..SMOKE
            },
        );
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert!(why(&carried, "t0").starts_with("check hook `smoke`: Job/smoke-"));
        assert!(scene.images().values().all(|tag| tag == "1"));
    });
}

#[test]
fn a_hook_that_is_no_more_takes_its_finished_jobs_along() {
    simulated(|mut scene| async move {
        put(&mut scene, &SMOKE);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.files.remove("templates/site/hook-smoke.yaml.j2");
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert!(jobs_of(&scene, "t0").is_empty());
    });
}
