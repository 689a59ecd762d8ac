//! Objects that reach held tenants too: written once a release has come to a good end, and nothing else is.

use escale::engine::{Carried, holds};
use escale::record::{Action, Outcome, Scope, Verb};
use escale::rollout;

use crate::gates::say;
use crate::scene::{Release, Scene, left_out, outcome, simulated};

/// A scene whose tenants run version 1, `t1` held there.
async fn with_held(scene: &mut Scene) {
    put(scene, "one");
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
    let hold = scene.hold("ana", "audit");
    let west = scene.clusters.get("west").expect("it is connected");
    holds::hold(west, "t1", &hold).await.expect("it is held");
}

/// What all tenants have besides: a map that reaches held ones, and one that does not.
fn put(scene: &mut Scene, text: &str) {
    let map = |name: &str, annotations: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{annotations}}}\ndata: {{text: {text}}}\n"
        )
    };
    let always = map("always", ", annotations: {escale.dev/always: \"true\"}");
    let path = "templates/site/always.yaml.j2";
    let both = format!("{always}---\n{}", map("other", ""));
    scene.files.insert(path.to_owned(), both);
}

fn text(scene: &Scene, tenant: &str, name: &str) -> String {
    let mut sims = scene.sims.values();
    let found = sims.find_map(|sim| sim.object("configmaps", Some(tenant), name));
    let text = found.expect("it is there")["data"]["text"].clone();
    text.as_str().expect("text").to_owned()
}

fn next(scene: &mut Scene) -> Release {
    put(scene, "two");
    scene.release("bbbb", "2")
}

#[test]
fn a_held_tenant_gets_these_and_stays_what_it_is() {
    simulated(|mut scene| async move {
        with_held(&mut scene).await;
        let before = scene.record("t1").await;
        let release = next(&mut scene);
        let carried = scene.roll_out(&release).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(
            left_out(&carried),
            ["t1: held: audit (ana); ConfigMap/always was written all the same"]
        );
        assert_eq!(text(&scene, "t1", "always"), "two");
        assert_eq!(text(&scene, "t1", "other"), "one");
        assert_eq!(scene.images()["t1"], "1");
        let after = scene.record("t1").await;
        assert_eq!(
            (
                after.state,
                &after.digest,
                &after.release,
                after.since,
                &after.hold
            ),
            (
                before.state,
                &before.digest,
                &before.release,
                before.since,
                &before.hold
            )
        );
        assert_eq!(after.history[0].action, Action::Refresh);
        assert_eq!(after.history[0].outcome, Some(Outcome::Succeeded));
        assert_eq!(after.claim, None);

        // Nothing is left to write, and what is good stays so.
        scene.forget_requests();
        let again = scene.roll_out(&release).await;
        assert_eq!(left_out(&again), ["t1: held: audit (ana)"]);
        assert_eq!(scene.writes(), [""; 0]);
        let west = scene.clusters.get("west").expect("it is connected");
        let over = ("ana", "over");
        holds::release(west, "t1", over, scene.clock.now())
            .await
            .expect("it was held");
        scene.roll_out(&release).await;
        assert_eq!(scene.images()["t1"], "2");
        assert_eq!(text(&scene, "t1", "other"), "two");
        assert!(scene.record("t1").await.goods.len() == 1);
    });
}

#[test]
fn nothing_reaches_a_held_tenant_of_a_release_that_fails() {
    simulated(|mut scene| async move {
        with_held(&mut scene).await;
        scene.break_image("registry.example.com/web:2", ("east", "t0"));
        let release = next(&mut scene);
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(text(&scene, "t1", "always"), "one");
        // It is in quarantine now.
        scene.roll_out(&release).await;
        assert_eq!(text(&scene, "t1", "always"), "one");
    });
}

#[test]
fn a_freeze_over_the_held_tenant_is_waited_for_and_the_next_rollout_does_it() {
    simulated(|mut scene| async move {
        with_held(&mut scene).await;
        say(&scene, Verb::Freeze, Scope::Tenant("t1".to_owned()), None).await;
        let release = next(&mut scene);
        let carried = scene.roll_out(&release).await;
        let told = left_out(&carried).join("\n");
        assert!(told.contains("ConfigMap/always waits for"), "{told}");
        assert_eq!(text(&scene, "t1", "always"), "one");

        scene.pass(1).await;
        say(&scene, Verb::Thaw, Scope::Tenant("t1".to_owned()), None).await;
        let carried = scene.roll_out(&release).await;
        assert!(matches!(carried, Carried::NothingToDo { .. }));
        assert_eq!(text(&scene, "t1", "always"), "two");
    });
}
