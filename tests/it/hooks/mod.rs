//! Hooks on simulated clusters: when they run, what their failure leaves, what survives a kill.

mod gone;
mod kills;
mod last;
mod platforms;
mod ways_back;

use std::collections::BTreeSet;

use escale::engine::Carried;
use escale::record::Outcome;
use escale::rollout;
use serde_json::Value;

use crate::scene::{Scene, outcome, simulated};

/// A hook of every tenant.
pub struct Hook<'a> {
    pub name: &'a str,
    pub moment: &'a str,
    pub image: &'a str,
    /// More of its annotations, as `, key: value`.
    pub more: &'a str,
    /// More of the Job's spec, as `, key: value`.
    pub spec: &'a str,
}

pub const MIGRATE: Hook<'_> = Hook {
    name: "migrate",
    moment: "pre-rollout",
    image: "migrate:1",
    more: "",
    spec: "",
};

/// What all tenants have besides, from now on.
pub fn put(scene: &mut Scene, hook: &Hook<'_>) {
    let Hook {
        name,
        moment,
        image,
        more,
        spec,
    } = hook;
    let text = format!(
        "apiVersion: batch/v1\nkind: Job\n\
         metadata: {{name: {name}, annotations: {{escale.dev/hook: {moment}{more}}}}}\n\
         spec: {{backoffLimit: 0{spec}, template: {{spec: {{restartPolicy: Never, containers: [{{name: it, \
         image: \"registry.example.com/{image}\", resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{memory: 16Mi}}}}}}]}}}}}}\n"
    );
    let path = format!("templates/site/hook-{name}.yaml.j2");
    scene.files.insert(path, text);
}

/// Every Job that is there, of all tenants.
pub fn jobs(scene: &Scene) -> Vec<Value> {
    let sims = scene.sims.values();
    sims.flat_map(|sim| sim.objects("jobs.batch")).collect()
}

pub fn jobs_of(scene: &Scene, tenant: &str) -> BTreeSet<String> {
    let jobs = jobs(scene).into_iter();
    let own = jobs.filter(|job| job["metadata"]["namespace"] == tenant);
    own.map(|job| job["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// What was written of one tenant, in order; kinds alone.
pub fn written(scene: &Scene, tenant: &str) -> Vec<String> {
    let all = scene.sims.values();
    let all = all.flat_map(|sim| sim.requests().mutating().cloned().collect::<Vec<_>>());
    let own = all.filter(|request| request.namespace.as_deref() == Some(tenant));
    let own = own.filter(|request| request.manager.as_deref() == Some("escale"));
    own.map(|request| request.resource).collect()
}

pub fn why(carried: &Carried, tenant: &str) -> String {
    let Carried::Ended(ended) = carried else {
        panic!("nothing was done")
    };
    let failure = ended.progress.tenants[tenant].failure.clone();
    failure.map(|failed| failed.why).unwrap_or_default()
}

#[test]
fn a_hook_runs_before_anything_else_is_written_and_once_for_its_content() {
    simulated(|mut scene| async move {
        put(&mut scene, &MIGRATE);
        let carried = scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(
            written(&scene, "t1"),
            ["jobs.batch", "configmaps", "deployments.apps"]
        );
        let first = jobs_of(&scene, "t1");
        assert_eq!(first.len(), 1, "{first:?}");

        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(written(&scene, "t1"), ["deployments.apps"]);
        assert_eq!(jobs_of(&scene, "t1"), first);
        let requests = scene.sims["west"].requests();
        let asked = requests
            .iter()
            .filter(|request| request.resource == "jobs.batch");
        assert_eq!(
            asked.count(),
            0,
            "a hook that does not run is not asked about"
        );

        let changed = Hook {
            image: "migrate:2",
            ..MIGRATE
        };
        put(&mut scene, &changed);
        scene.roll_out(&scene.release("cccc", "2")).await;
        assert_eq!(jobs_of(&scene, "t1").len(), 2);
    });
}

#[test]
fn a_key_that_is_given_decides_whether_a_hook_runs() {
    simulated(|mut scene| async move {
        for (release, image, key, runs) in [
            ("aaaa", "migrate:1", "4", 1),
            ("bbbb", "migrate:2", "4", 1),
            ("cccc", "migrate:2", "5", 2),
            // Back to an older key: the Job of that time is not taken for one of now.
            ("dddd", "migrate:2", "4", 3),
        ] {
            let more = format!(", escale.dev/hook-key: \"{key}\"");
            put(
                &mut scene,
                &Hook {
                    image,
                    more: &more,
                    ..MIGRATE
                },
            );
            scene.roll_out(&scene.release(release, "1")).await;
            let record = scene.record("t1").await;
            assert_eq!(record.hooks["migrate"].count, runs, "{release}");
            scene.pass(5).await;
        }
        let kept = jobs_of(&scene, "t1");
        assert_eq!(
            kept.len(),
            2,
            "the Jobs of older runs are tidied up: {kept:?}"
        );
    });
}

#[test]
fn a_hook_that_fails_leaves_everything_as_it_was_and_says_which_pod_and_why() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(
            &mut scene,
            &Hook {
                image: "migrate:1-crash",
                ..MIGRATE
            },
        );
        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(written(&scene, "t0"), ["jobs.batch"]);
        assert_eq!(written(&scene, "t1"), Vec::<String>::new());
        assert!(scene.images().values().all(|tag| tag == "1"));
        let why = why(&carried, "t0");
        for part in [
            "pre-rollout hook `migrate`",
            "Job/migrate-",
            "pod `migrate-",
            "exit",
        ] {
            assert!(why.contains(part), "{why}");
        }
        let record = scene.record("t0").await;
        assert_eq!(record.state, Outcome::RolledBack);
        assert_eq!(jobs_of(&scene, "t0").len(), 1, "it stays for its logs");
    });
}

#[test]
fn what_is_mended_in_the_next_release_runs_also_where_the_hook_before_never_began() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(
            &mut scene,
            &Hook {
                image: "migrate:typo-pull-error",
                ..MIGRATE
            },
        );
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        let stuck = jobs_of(&scene, "t0");
        assert!(
            why(&carried, "t0").contains("pull"),
            "{}",
            why(&carried, "t0")
        );

        put(&mut scene, &MIGRATE);
        let carried = scene.roll_out(&scene.release("cccc", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert!(jobs_of(&scene, "t0").is_disjoint(&stuck));
        assert_eq!(scene.images()["t0"], "2");
    });
}

#[test]
fn a_hook_that_takes_too_long_is_given_up_not_stopped_and_the_same_release_goes_on_with_it() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(
            &mut scene,
            &Hook {
                image: "migrate:1-slow",
                more: "",
                ..MIGRATE
            },
        );
        slow_for(&scene, 200);
        let late = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&late), Some(rollout::Outcome::RolledBack));
        assert!(
            why(&late, "t0").contains("not done after 2m"),
            "{}",
            why(&late, "t0")
        );
        let began = jobs_of(&scene, "t0");

        // The same hook in a newer release: what runs already is waited for.
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(jobs_of(&scene, "t0"), began);
        assert_eq!(scene.images()["t0"], "3", "{:?}", outcome(&carried));
    });
}

/// Pods of hooks take so many seconds on every cluster.
pub fn slow_for(scene: &Scene, seconds: u64) {
    use escale::sim::{Behaviour, Fault, Rule};
    for sim in scene.sims.values() {
        sim.tell(Fault::Behaviour(Rule {
            image: Some("migrate".to_owned()),
            namespace: None,
            behaviour: Behaviour::Exit {
                code: 0,
                after: std::time::Duration::from_secs(seconds),
            },
        }));
    }
}
