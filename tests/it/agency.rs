//! The environment `agency` keeps what its page promises, over simulated clusters.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use escale::engine::{self, Carried, Heard, Order, store};
use escale::record::{PackedBundle, Scope, Verb, Word};
use escale::rollout::{Outcome, What};
use escale::sim::Fault;

use crate::project::Project;
use crate::scene::{Release, Scene, in_virtual_time, left_out, outcome};

const ENVIRONMENT: &str = "agency";
const SITE: &str = "templates/agency/site.yaml.j2";
const CLUSTERS: [&str; 3] = ["lyon", "paris", "prefecture"];

fn begun() -> Scene {
    let files = Project::production().files();
    Scene::of(0, CLUSTERS, "paris", files)
}

/// A release of the site's image.
fn release(scene: &Scene, id: &str, version: &str) -> Release {
    let mut files = scene.files.clone();
    let versions = files
        .get_mut("environments/agency/versions.yaml")
        .expect("it is there");
    *versions = versions.replace("site:2026.11.20-2", &format!("site:{version}"));
    Release::of(id, &files, ENVIRONMENT)
}

/// The versions of the sites that run, by namespace.
fn running(scene: &Scene) -> BTreeMap<String, String> {
    let mut running = scene.images();
    running.retain(|_, tag| tag != "9.6.1-4");
    running
}

fn at(scene: &Scene, version: &str) -> BTreeSet<String> {
    let running = running(scene).into_iter();
    running
        .filter(|(_, tag)| tag == version)
        .map(|(tenant, _)| tenant)
        .collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

const AUTOMATIC: [&str; 7] = [
    "bistrot",
    "librairie",
    "maison",
    "musee",
    "observatoire",
    "prefecture",
    "theatre",
];

async fn approve(scene: &Scene, release: &Release, tenant: &str) {
    let digest = PackedBundle::digest(release.bundles[tenant].as_ref().unwrap()).clone();
    let word = Word {
        verb: Verb::Approve,
        environment: ENVIRONMENT.to_owned(),
        scope: Scope::Bundle {
            tenant: tenant.to_owned(),
            digest,
        },
        author: "ana".to_owned(),
        reason: "they have read the notes".to_owned(),
        at: scene.clock.now(),
        expires: None,
    };
    let hub = scene.clusters.hub().unwrap().writer();
    store::say(&hub, &word).await.unwrap();
}

#[test]
fn it_passes_check_and_a_template_that_breaks_a_promise_does_not() {
    let check = |project: &Project| project.escale(&["check", "-e", ENVIRONMENT]);
    let ran = check(&Project::production());
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            0,
            "agency: 10 tenants, 112 objects: no mistakes, no warnings\n"
        )
    );

    let project = Project::production();
    let parts = "templates/agency/_parts.j2";
    project.edit(parts, "DoNotSchedule", "ScheduleAnyway");
    let ran = check(&project);
    assert_eq!(ran.code, 1);
    let promise =
        "the pods of `Deployment/site` may share a zone, and class `sensitive` promises 2 zones";
    assert!(ran.stdout.contains(promise), "{}", ran.stdout);

    let project = Project::production();
    project.edit(
        SITE,
        "image: {{ versions.site }}",
        "image: docker.io/library/nginx:1.27",
    );
    let ran = check(&project);
    assert_eq!(ran.code, 1);
    let stranger =
        "`docker.io/library/nginx:1.27` of `Deployment/site` comes from no listed registry";
    assert!(ran.stdout.contains(stranger), "{}", ran.stdout);
}

#[test]
fn the_sensitive_site_may_be_nowhere_but_with_its_client() {
    let project = Project::production();
    let tenant = "environments/agency/tenants/prefecture.yaml";
    project.edit(tenant, "cluster: prefecture", "cluster: lyon");
    let ran = project.escale(&["check", "-e", ENVIRONMENT]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("owner"), "{}", ran.stdout);
}

#[test]
fn sites_are_updated_by_themselves_when_approved_or_when_asked_for() {
    in_virtual_time(async {
        let scene = begun();
        let first = release(&scene, "aaaa", "1");
        let carried = scene.roll_out(&first).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(at(&scene, "1"), names(AUTOMATIC));
        let left: Vec<String> = left_out(&carried)
            .iter()
            .map(|line| {
                line.split(" (")
                    .next()
                    .unwrap()
                    .split(": `")
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(
            left,
            [
                "banque: updates: onApproval",
                "mutuelle: updates: onApproval",
                "notaires: updates: onRequest"
            ]
        );

        approve(&scene, &first, "banque").await;
        scene.roll_out(&first).await;
        assert!(at(&scene, "1").contains("banque"));

        let mut deaf = |_: Heard<'_>| {};
        let asked = Order {
            selected: Some(names(["notaires"])),
            ..first.order("job 2")
        };
        engine::roll_out(&asked, scene.world(&mut deaf))
            .await
            .unwrap();
        assert!(at(&scene, "1").contains("notaires"));
        assert!(!running(&scene).contains_key("mutuelle"));
    });
}

#[test]
fn nobody_waits_for_the_client_whose_line_is_down_and_it_jumps_to_the_newest_release() {
    in_virtual_time(async {
        let scene = begun();
        scene.roll_out(&release(&scene, "aaaa", "1")).await;
        scene.pass(5).await;
        scene.sims["prefecture"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        for (id, version) in [("bbbb", "2"), ("cccc", "3")] {
            let carried = scene.roll_out(&release(&scene, id, version)).await;
            assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
            let mut others = names(AUTOMATIC);
            others.remove("prefecture");
            assert_eq!(at(&scene, version), others);
            scene.pass(5).await;
        }
        assert_eq!(running(&scene)["prefecture"], "1");

        scene.sims["prefecture"].tell(Fault::Nothing);
        let newest = release(&scene, "cccc", "3");
        let mut written = Vec::new();
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && let What::TenantWritten { tenant, .. } = &event.what
            {
                written.push(tenant.clone());
            }
        };
        let carried = engine::roll_out(&newest.order("job 2"), scene.world(&mut hear)).await;
        assert!(matches!(carried.unwrap(), Carried::Ended(_)));
        assert_eq!(written, ["prefecture"]);
        assert_eq!(at(&scene, "3"), names(AUTOMATIC));
    });
}
