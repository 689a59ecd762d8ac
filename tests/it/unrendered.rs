//! Tenants with a mistake of their own: left as they are, counted as failed, and no reason to stop the others.

use std::time::Duration;

use escale::engine::{self, Carried, Ending, Heard, Order};
use escale::rollout::Outcome;

use crate::scene::{EXTRA, Release, STRATEGY, Scene, in_virtual_time, left_out, outcome};

const TEMPLATE: &str = "templates/site/all.yaml.j2";
const MISTAKE: &str = "{% if values.broken is defined %}{{ fail('no') }}{% endif %}\n";

/// The fleet of six at version 1, with an object that version 2 does not have. One may fail.
async fn scene() -> Scene {
    let strategy = STRATEGY
        .replace("maxFailures: {all: 0}", "maxFailures: {all: 1}")
        .replace("deletes: 3", "deletes: 9");
    let mut scene = Scene::with(0, &strategy);
    let template = scene.files[TEMPLATE].clone();
    let with_extra = format!("{template}---{EXTRA}");
    scene.files.insert(TEMPLATE.to_owned(), with_extra);
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
    scene.forget_requests();
    scene
        .files
        .insert(TEMPLATE.to_owned(), MISTAKE.to_owned() + &template);
    scene
}

/// Version 2, which does not render for these.
fn broken(scene: &mut Scene, tenants: &[&str]) -> Release {
    for tenant in tenants {
        let path = format!("environments/test/tenants/{tenant}.yaml");
        let text = scene.files[&path].replace("spec: {", "spec: {values: {broken: true}, ");
        scene.files.insert(path, text);
    }
    scene.release("bbbb", "2")
}

/// Changes to objects in a tenant's namespace.
fn written(scene: &Scene, tenant: &str) -> usize {
    let requests = scene.sims.values().map(|sim| {
        let requests = sim.requests();
        let in_it = requests
            .mutating()
            .filter(|request| request.namespace.as_deref() == Some(tenant));
        in_it.count()
    });
    requests.sum()
}

#[test]
fn a_tenant_that_does_not_render_is_left_as_it_is_and_the_others_go_on() {
    in_virtual_time(async {
        let mut scene = scene().await;
        let next = broken(&mut scene, &["t3"]);
        let carried = scene.roll_out(&next).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(left_out(&carried), ["t3: not rendered: a mistake"]);
        let images = scene.images();
        assert_eq!(images.values().filter(|tag| *tag == "2").count(), 5);
        assert_eq!(images["t3"], "1");
        assert_eq!(written(&scene, "t3"), 0);
        let has_extra = |tenant: &str| {
            let maps = scene.sims["west"].objects("configmaps");
            let mut own = maps
                .iter()
                .filter(|map| map["metadata"]["namespace"] == tenant);
            own.any(|map| map["metadata"]["name"] == "extra")
        };
        assert_eq!(
            [has_extra("t3"), has_extra("t5")],
            [true, false],
            "nothing of it is pruned"
        );
    });
}

#[test]
fn it_counts_as_a_failure_also_for_a_process_that_takes_over() {
    in_virtual_time(async {
        let mut scene = scene().await;
        let next = broken(&mut scene, &["t3"]);
        scene.break_image("registry.example.com/web:2", ("west", "t5"));
        let killed = scene.try_roll_out(&next, "job 1");
        let killed = tokio::time::timeout(Duration::from_secs(20), killed).await;
        assert!(killed.is_err(), "it was still in its canary");
        scene.pass(5).await;
        match scene.try_roll_out(&next, "job 2").await.unwrap() {
            Carried::Ended(ended) => match ended.ending {
                Ending::Person { on, failed } => {
                    assert!(failed);
                    assert!(
                        on[0].ends_with("2 of the rollout failed, 1 may: t3, t5"),
                        "{on:?}"
                    );
                }
                other => panic!("{other:?}"),
            },
            _ => panic!("it had something to do"),
        }
    });
}

#[test]
fn more_than_may_fail_start_nothing_and_the_mistakes_are_told() {
    in_virtual_time(async {
        let mut scene = scene().await;
        let next = broken(&mut scene, &["t3", "t4"]);
        let refused = scene.try_roll_out(&next, "job 1").await.err().unwrap();
        assert_eq!(
            refused.to_string(),
            "nothing is started: 2 of the rollout cannot be rendered, 1 may fail (`limits.maxFailures`): t3, t4\n  \
             t3: a mistake\n  t4: a mistake"
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_canary_that_does_not_render_starts_nothing_but_others_may_be_named() {
    in_virtual_time(async {
        let mut scene = scene().await;
        let next = broken(&mut scene, &["t0"]);
        let refused = scene.try_roll_out(&next, "job 1").await.err().unwrap();
        let why = "canary `t0` cannot be rendered, and wave `canary` tolerates no failure";
        assert!(refused.to_string().contains(why), "{refused}");
        assert_eq!(scene.writes(), Vec::<String>::new());
        let named = Order {
            selected: Some(["t1".to_owned()].into()),
            ..next.order("job 1")
        };
        let mut deaf = |_: Heard<'_>| {};
        let carried = engine::roll_out(&named, scene.world(&mut deaf))
            .await
            .unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
    });
}
