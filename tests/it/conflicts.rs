//! Fields that others have written: taken back from people, left to other controllers, and told.

use std::collections::BTreeMap;

use escale::cluster::Apply;
use escale::engine::{self, Heard};
use escale::rollout::{Outcome, What};
use serde_json::json;

use crate::scene::{outcome, simulated};

#[test]
fn what_a_person_set_is_taken_back_and_what_a_controller_owns_is_left_to_it() {
    simulated(async |scene| {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let at = (Some("t1"), "web");
        let edited = scene.sims["west"].edit("deployments.apps", at, |web| {
            web["spec"]["template"]["spec"]["containers"][0]["image"] =
                "registry.example.com/web:hot".into();
        });
        edited.expect("it is there");
        let operator = Apply {
            manager: "operator",
            force: true,
            ..Apply::default()
        };
        let replicas = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "t1"}, "spec": {"replicas": 3}});
        let names = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "platforms", "namespace": "t1"}, "data": {"names": "theirs"}});
        let west = scene.clusters.get("west").expect("a cluster").writer();
        for object in [replicas, names] {
            west.apply(&object, &operator).await.expect("it is forced");
        }

        let mut told = BTreeMap::new();
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && let What::FieldsSettled { tenant, fields } = &event.what
            {
                told.insert(tenant.clone(), fields.clone());
            }
        };
        let next = scene.release("bbbb", "2");
        let carried = engine::roll_out(&next.order("job 1"), scene.world(&mut hear)).await;
        assert_eq!(
            outcome(&carried.expect("the hub is well")),
            Some(Outcome::Succeeded)
        );
        let fields = [
            "ConfigMap/platforms: `.data.names` belongs to `operator`: left to it",
            "Deployment/web: `.spec.template.spec.containers[name=\"web\"].image` was changed by `kubectl-edit`: taken back",
            "Deployment/web: `.spec.replicas` belongs to `operator`: left to it",
        ];
        assert_eq!(
            told,
            BTreeMap::from([("t1".to_owned(), fields.map(str::to_owned).to_vec())])
        );
        assert_eq!(scene.images()["t1"], "2");
        let web = scene.sims["west"].object("deployments.apps", at.0, at.1);
        assert_eq!(web.expect("it is there")["spec"]["replicas"], 3);
        let map = scene.sims["west"].object("configmaps", at.0, "platforms");
        assert_eq!(map.expect("it is there")["data"]["names"], "theirs");
    });
}
