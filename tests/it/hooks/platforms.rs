//! Hooks of platforms: beside each other, in their order, and named when they fail.

use std::time::Duration;

use escale::record::Outcome;
use escale::rollout;
use escale::sim::{Behaviour, Fault, Rule};

use super::{jobs_of, why, written};
use crate::scene::{Scene, outcome, simulated};

/// A hook for each platform of a tenant.
fn put(scene: &mut Scene, name: &str, image: &str, order: i32) {
    let text = format!(
        "{{%- for platform in platforms %}}\n---\napiVersion: batch/v1\nkind: Job\n\
         metadata: {{name: {name}-{{{{ platform.name }}}}, annotations: {{escale.dev/hook: pre-rollout, escale.dev/hook-order: \"{order}\", \
         escale.dev/platform: {{{{ platform.name }}}}}}}}\n\
         spec: {{backoffLimit: 0, template: {{spec: {{restartPolicy: Never, containers: [{{name: it, \
         image: \"registry.example.com/{image}-{{{{ platform.name }}}}:1\", resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{memory: 16Mi}}}}}}]}}}}}}\n\
         {{%- endfor %}}\n"
    );
    let path = format!("templates/site/hook-{name}.yaml.j2");
    scene.files.insert(path, text);
}

/// `t0`, the canary, serves four clients.
fn with_platforms(scene: &mut Scene) {
    let platforms: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| format!("{name}: {{client: {name}, domain: {name}.example}}"))
        .collect();
    let tenant = scene
        .files
        .get_mut("environments/test/tenants/t0.yaml")
        .expect("a tenant");
    let (before, _) = tenant.split_once("platforms:").expect("it has some");
    *tenant = format!("{before}platforms: {{{}}}}}\n", platforms.join(", "));
}

fn tell(scene: &Scene, image: &str, code: i32, seconds: u64) {
    for sim in scene.sims.values() {
        sim.tell(Fault::Behaviour(Rule {
            image: Some(image.to_owned()),
            namespace: None,
            behaviour: Behaviour::Exit {
                code,
                after: Duration::from_secs(seconds),
            },
        }));
    }
}

#[test]
fn platforms_do_not_wait_for_one_another_and_each_keeps_the_order() {
    simulated(|mut scene| async move {
        with_platforms(&mut scene);
        put(&mut scene, "backup", "backup", -10);
        put(&mut scene, "migrate", "migrate", 0);
        tell(&scene, "backup", 0, 60);
        tell(&scene, "migrate", 0, 60);
        let start = scene.clock.now();
        let carried = scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));

        let hooks = scene.record("t0").await.hooks;
        assert_eq!(hooks.len(), 8);
        let begun = |name: &str| hooks[name].runs[0].since.duration_since(start).as_secs();
        let ended = |name: &str| {
            hooks[name]
                .succeeded
                .as_ref()
                .expect("it did")
                .at
                .duration_since(start)
                .as_secs()
        };
        for platform in ["a", "b", "c", "d"] {
            assert!(begun(&format!("backup-{platform}")) < 10, "all at once");
            assert!(ended("backup-a") <= begun(&format!("migrate-{platform}")));
            assert!(
                ended(&format!("migrate-{platform}")) < 160,
                "two turns, not eight"
            );
        }
    });
}

#[test]
fn who_fails_is_named_the_others_come_to_their_end_and_do_not_run_again() {
    simulated(|mut scene| async move {
        with_platforms(&mut scene);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, "migrate", "migrate", 0);
        tell(&scene, "migrate", 0, 20);
        tell(&scene, "migrate-b", 3, 5);
        tell(&scene, "migrate-d", 3, 10);
        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(
            written(&scene, "t0"),
            ["jobs.batch"; 4],
            "nothing but the hooks"
        );
        let why = why(&carried, "t0");
        for part in [
            "pre-rollout hook `migrate-b` of platform `b`: ",
            "; pre-rollout hook `migrate-d` of platform `d`: ",
        ] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(why.matches("of platform").count(), 2, "{why}");
        let record = scene.record("t0").await;
        assert_eq!(record.state, Outcome::RolledBack);
        let succeeded = |name: &str| record.hooks[name].succeeded.is_some();
        assert!(succeeded("migrate-a") && succeeded("migrate-c"));

        tell(&scene, "migrate", 0, 5);
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(jobs_of(&scene, "t0").len(), 6, "two ran again");
    });
}

#[test]
fn once_one_has_failed_none_is_begun() {
    simulated(|mut scene| async move {
        with_platforms(&mut scene);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, "backup", "backup", -10);
        put(&mut scene, "migrate", "migrate", 0);
        tell(&scene, "backup-c", 1, 5);
        scene.roll_out(&scene.release("bbbb", "2")).await;
        let jobs = jobs_of(&scene, "t0");
        assert!(
            jobs.iter().all(|job| job.starts_with("backup-")),
            "{jobs:?}"
        );
    });
}
