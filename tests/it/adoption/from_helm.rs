//! What Helm installed: refused without a word about it, and Helm's ownership ends last.

use escale::engine::Look;
use escale::rollout;
use serde_json::{Value, json};

use super::{By, adopt, found, install, looks, running, succeeded, web};
use crate::scene::{Scene, outcome, simulated};

fn helm_records(scene: &Scene) -> usize {
    let sims = scene.sims.values();
    let secrets = sims.flat_map(|sim| sim.objects("secrets"));
    secrets
        .filter(|secret| secret["type"] == "helm.sh/release.v1")
        .count()
}

#[test]
fn what_belongs_to_helm_is_taken_from_it_only_if_somebody_says_so() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Helm, |_| {}).await;
        let Look::Refused(why) = &looks(&scene, &release, false).await["t1"] else {
            panic!("it is Helm's")
        };
        assert!(why.contains("Helm release `site`: `--from-helm`"), "{why}");

        let before = running(&scene);
        let all = found(looks(&scene, &release, true).await);
        assert!(
            all.iter()
                .all(|found| found.is_as_wanted && found.helm == ["site"])
        );
        assert_eq!(helm_records(&scene), 6);
        succeeded(&adopt(&scene, &release, true).await);
        assert_eq!(running(&scene), before);
        assert_eq!(helm_records(&scene), 0);
        let deployment = web(&scene, "west", "t1");
        assert!(
            !deployment["metadata"].to_string().contains("meta.helm.sh/"),
            "{deployment}"
        );
        assert_eq!(
            deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"],
            Value::Null
        );

        scene.pass(5).await;
        scene.forget_requests();
        scene.roll_out(&release).await;
        assert_eq!(
            scene.writes(),
            ["Apply namespaces Some(\"escale-system\")"],
            "on the hub"
        );
    });
}

#[test]
fn what_a_chart_says_and_no_template_is_told_and_so_are_its_objects_that_stay() {
    simulated(|mut scene| async move {
        let template = scene.files["templates/site/all.yaml.j2"].clone();
        let charted = template.replace("replicas: 2", "replicas: 2\n  minReadySeconds: 1")
            + "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-the-chart}\ndata: {a: b}\n";
        scene
            .files
            .insert("templates/site/all.yaml.j2".to_owned(), charted);
        let chart = scene.release("aaaa", "1");
        install(&scene, &chart, By::Helm, |_| {}).await;
        scene
            .files
            .insert("templates/site/all.yaml.j2".to_owned(), template);
        let release = scene.release("bbbb", "1");

        let all = found(looks(&scene, &release, true).await);
        let t1 = all
            .iter()
            .find(|found| found.place.tenant == "t1")
            .expect("it is there");
        let fields: Vec<&str> = t1
            .changes
            .iter()
            .flat_map(|change| &change.fields)
            .map(|field| field.path.as_str())
            .collect();
        assert_eq!(fields, [".spec.minReadySeconds"]);
        let stays: Vec<&str> = t1.stays.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(stays, ["of-the-chart"]);
        assert!(t1.needs_consent());

        let before = running(&scene);
        succeeded(&adopt(&scene, &release, true).await);
        assert_eq!(running(&scene), before);
        scene.pass(5).await;
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(
            web(&scene, "west", "t1")["spec"]["minReadySeconds"],
            Value::Null
        );
        let stays = scene.sims["west"].object("configmaps", Some("t1"), "of-the-chart");
        assert_eq!(stays.expect("it stays")["data"], json!({"a": "b"}));
    });
}
