//! Tenants that come or move, lost hubs and clusters.

use std::time::Duration;

use escale::engine::Carried;
use escale::rollout::{Outcome, Role};
use escale::sim::Fault;

use super::{carry_out, edit, grown, lose, objects, plan_of, reason, try_to};
use crate::scene::{Scene, left_out, outcome, simulated};

#[test]
fn a_tenant_that_runs_elsewhere_is_not_started_anew_where_its_file_says() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let files = scene.files.clone();
        edit(&mut scene, "t5", "cluster: west", "cluster: east");
        let release = scene.release("bbbb", "2");
        let place = "environments/test/tenants/t5.yaml:4:17";
        let carried = carry_out(&scene, &release, None).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(
            reason(&carried, "t5"),
            format!(
                "moved: {place}: `cluster` may not be edited: `t5` is on record in namespace `t5` of `west`; \
                 put it back, give the new one another name, and let this one leave"
            )
        );
        assert_eq!(objects(&scene, "east", "t5"), Vec::<String>::new());
        assert_eq!(scene.images()["t5"], "1");

        // Its old cluster is away: the hub remembers.
        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let words = reason(&carry_out(&scene, &release, None).await, "t5");
        assert!(words.contains("that cluster does not answer"), "{words}");
        assert_eq!(objects(&scene, "east", "t5"), Vec::<String>::new());
        scene.sims["west"].tell(Fault::Nothing);

        scene.files = files;
        edit(&mut scene, "t5", "spec: {", "spec: {namespace: other, ");
        let carried = carry_out(&scene, &scene.release("cccc", "3"), None).await;
        let words = reason(&carried, "t5");
        assert!(
            words.contains("t5.yaml:4:19: `namespace` may not be edited"),
            "{words}"
        );
        assert_eq!(objects(&scene, "west", "other"), Vec::<String>::new());
    });
}

#[test]
fn a_record_of_another_environment_is_refused_and_left_as_it_is() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let about = (Some("escale-system"), "t5");
        scene.sims["west"]
            .edit("configmaps", about, |record| {
                record["metadata"]["labels"]["escale.dev/environment"] = "staging".into();
            })
            .unwrap();
        let before = scene.sims["west"].object("configmaps", about.0, about.1);
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(
            left_out(&carried),
            ["t5: not its own: the namespace belongs to tenant `t5` of environment `staging`"]
        );
        assert_eq!(scene.images()["t5"], "1");
        assert_eq!(scene.images()["t4"], "2");
        let after = scene.sims["west"].object("configmaps", about.0, about.1);
        assert_eq!(after, before);
    });
}

fn joins(scene: &mut Scene, tenant: &str, ring: &str) {
    let path = format!("environments/test/tenants/{tenant}.yaml");
    let text = scene.files["environments/test/tenants/t3.yaml"].clone();
    let text = text
        .replace("t3", tenant)
        .replace("p3", &format!("p{tenant}"));
    let text = text
        .replace("c3", &format!("c{tenant}"))
        .replace("rest", ring);
    scene.files.insert(path, text);
}

fn waves(carried: &Carried) -> Vec<(String, Vec<String>)> {
    let waves = plan_of(carried).waves.iter().map(|wave| {
        let tenants = wave.tenants.iter();
        let names = tenants.map(|planned| planned.place.tenant.clone());
        (wave.name.clone(), names.collect())
    });
    waves.collect()
}

const SIZED: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: early, size: 4, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
";

#[test]
fn a_new_tenant_joins_the_last_wave_unless_its_label_selects_it_for_another() {
    simulated(|_| async move {
        let mut scene = Scene::with(0, SIZED);
        grown(&mut scene).await;
        joins(&mut scene, "a-new", "rest");
        joins(&mut scene, "b-new", "canary");
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            waves(&carried),
            [
                ("canary".to_owned(), names(&["b-new", "t0"])),
                ("early".to_owned(), names(&["t1", "t2", "t3", "t4"])),
                ("rest".to_owned(), names(&["a-new", "t5"])),
            ]
        );
    });
}

#[test]
fn a_lost_hub_is_rebuilt_by_the_next_rollout_and_every_way_back_is_still_there() {
    simulated(|mut scene| async move {
        for (id, version) in [("aaaa", "1"), ("bbbb", "2")] {
            scene.roll_out(&scene.release(id, version)).await;
            scene.pass(5).await;
        }
        lose(&mut scene, "hub");
        // Nobody knows any more whether the soak of `bbbb` passed, but by the time in the record.
        scene.roll_back("t5").await.unwrap();
        assert_eq!(scene.images()["t5"], "1");
        let carried = carry_out(&scene, &scene.release("cccc", "3"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!((&*scene.images()["t4"], &*scene.images()["t5"]), ("3", "1"));
        let noted = scene.sims["hub"].objects("configmaps");
        let noted = noted
            .iter()
            .filter(|one| one["metadata"]["labels"]["escale.dev/record"] == "cluster");
        assert_eq!(noted.count(), 3);
        scene.pass(5).await;
        scene.roll_back("t4").await.unwrap();
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_hub_lost_in_the_middle_of_a_rollout_proves_nothing() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let next = scene.release("bbbb", "2");
        // The canary is written and soaks.
        let killed = tokio::time::timeout(Duration::from_secs(20), carry_out(&scene, &next, None));
        assert!(killed.await.is_err());
        lose(&mut scene, "hub");
        let before = scene.record("t0").await;
        let carried = try_to(&scene, &next, None, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let goods: Vec<_> = before
            .goods
            .iter()
            .filter_map(|good| good.release.clone())
            .collect();
        assert_eq!(goods, ["aaaa"]);
        // What the old hub knew of the canary is no proof: the first of the others plays it.
        let first = &plan_of(&carried).waves[0];
        assert_eq!((first.role, first.tenants.len()), (Role::Canary, 5));
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}

#[test]
fn a_tenant_cluster_built_anew_is_refused_until_the_hub_forgets_the_old_one() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        lose(&mut scene, "west");
        let next = scene.release("bbbb", "2");
        let error = try_to(&scene, &next, None, "job 1")
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("the context of cluster `west` answers as another cluster"),
            "{error}"
        );
        assert_eq!(objects(&scene, "west", "t5"), Vec::<String>::new());
        assert_eq!(scene.images()["t4"], "1");
    });
}
