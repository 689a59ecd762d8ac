//! HTTP probes: what the domains of tenants answer is part of their health.

use std::collections::BTreeSet;
use std::time::Duration;

use escale::engine::{self, Carried, Heard};
use escale::probe::Door;
use escale::rollout::{Outcome, What};
use escale::sim::Fault;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::project::Project;
use crate::scene::{Release, STRATEGY, Scene, files, in_virtual_time, outcome};

const PAGES: &str = r"
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
{%- for platform in platforms %}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: {{ platform.name }}}
spec:
  rules:
    - host: {{ platform.domain }}
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
{%- endfor %}
";

const PROBES: &str = "  health: {probes: {front: {path: /, contains: Welcome, failAfter: 30s}}}\n";

/// The usual scene, whose tenants have pages that are asked for.
fn scene() -> Scene {
    let mut files = files(STRATEGY);
    let template = files.get_mut("templates/site/all.yaml.j2").expect("there");
    template.push_str(PAGES);
    let environment = files
        .get_mut("environments/test/environment.yaml")
        .expect("there");
    *environment = environment.replace(
        "spec: {records: {hub: hub}, defaults: {bundle: site}}",
        "spec:\n  records: {hub: hub}\n  defaults: {bundle: site}",
    );
    environment.push_str(PROBES);
    for (path, text) in &mut files {
        if path.contains("/clusters/") {
            *text = text.replace("spec: {}", "spec: {ingress: {address: 203.0.113.10}}");
        }
    }
    let mut scene = Scene::of(0, ["east", "hub", "west"], "hub", files);
    let fleet = scene.release("aaaa", "1").fleet;
    let door = |cluster: &escale::fleet::Cluster| {
        Some(Door::simulated(scene.sims.get(&cluster.name)?.ingress()))
    };
    scene.clusters = scene.clusters.clone().with_sites(&fleet, door);
    scene
}

/// The same, where everybody runs the first release.
async fn begun() -> Scene {
    let scene = scene();
    let told = roll_out(&scene, &scene.release("aaaa", "1"), nothing).await;
    assert_eq!(told.outcome(), Some(Outcome::Succeeded));
    scene
}

/// What a rollout came to, what happened, and of what it warned.
struct Told {
    carried: Carried,
    events: Vec<What>,
    warnings: Vec<String>,
}

async fn roll_out(scene: &Scene, release: &Release, act: impl Fn(&What) + Send + Sync) -> Told {
    let (mut events, mut warnings) = (Vec::new(), Vec::new());
    let mut hear = |heard: Heard<'_>| match heard {
        Heard::Event { event, .. } => {
            act(&event.what);
            events.push(event.what.clone());
        }
        Heard::Begins(beginning) => warnings.extend_from_slice(beginning.warnings),
        Heard::Waits { .. } => {}
    };
    let carried = engine::roll_out(&release.order("job 1"), scene.world(&mut hear)).await;
    Told {
        carried: carried.expect("the hub is well"),
        events,
        warnings,
    }
}

fn nothing(_: &What) {}

impl Told {
    /// Who failed, and why.
    fn failed(&self) -> Vec<(&str, &str)> {
        let failed = self.events.iter().filter_map(|what| match what {
            What::TenantFailed { tenant, why, .. } => Some((tenant.as_str(), why.as_str())),
            _ => None,
        });
        failed.collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        outcome(&self.carried)
    }
}

fn versions(scene: &Scene) -> BTreeSet<String> {
    scene.images().into_values().collect()
}

fn no_ingress(scene: &Scene, cluster: &str, seconds: i64) {
    let until = scene.clock.now() + SignedDuration::from_secs(seconds);
    scene.sims[cluster].tell(Fault::NoIngress { until });
}

#[test]
fn a_page_of_errors_goes_back_at_the_canary_though_its_pods_are_ready() {
    in_virtual_time(async {
        let scene = begun().await;
        let told = roll_out(&scene, &scene.release("bbbb", "2-error-page"), nothing).await;
        assert_eq!(told.outcome(), Some(Outcome::RolledBack));
        assert_eq!(
            told.failed(),
            [(
                "t0",
                "platform `p0`: https://c0.example/ answers 500 instead of 200"
            )]
        );
        assert_eq!(versions(&scene), BTreeSet::from(["1".to_owned()]));
    });
}

#[test]
fn a_blank_page_is_no_good_answer_where_a_text_is_asked_for() {
    in_virtual_time(async {
        let scene = begun().await;
        let told = roll_out(&scene, &scene.release("bbbb", "2-blank-page"), nothing).await;
        assert_eq!(
            told.failed(),
            [(
                "t0",
                "platform `p0`: https://c0.example/ answers 200 without `Welcome`"
            )]
        );
        assert_eq!(versions(&scene), BTreeSet::from(["1".to_owned()]));
    });
}

#[test]
fn a_page_that_breaks_during_the_soak_sends_its_tenant_back() {
    in_virtual_time(async {
        let scene = begun().await;
        // The page is renamed by hand while the canary soaks.
        let rename = |what: &What| {
            if matches!(what, What::SoakStarted { wave } if wave == "canary") {
                let at = (Some("t0"), "p0");
                let renamed =
                    scene.sims["east"].edit("ingresses.networking.k8s.io", at, |ingress| {
                        ingress["spec"]["rules"][0]["host"] = "elsewhere.example".into();
                    });
                renamed.expect("it is there");
            }
        };
        let told = roll_out(&scene, &scene.release("bbbb", "2"), rename).await;
        assert_eq!(told.outcome(), Some(Outcome::RolledBack));
        assert_eq!(
            told.failed(),
            [(
                "t0",
                "platform `p0`: https://c0.example/ answers 404 instead of 200"
            )]
        );
    });
}

#[test]
fn a_page_that_stumbles_for_a_moment_sends_nobody_back() {
    in_virtual_time(async {
        let scene = begun().await;
        let stumble = |what: &What| {
            if matches!(what, What::SoakStarted { .. }) {
                no_ingress(&scene, "east", 20);
            }
        };
        let told = roll_out(&scene, &scene.release("bbbb", "2"), stumble).await;
        assert_eq!(told.outcome(), Some(Outcome::Succeeded));
        assert!(told.failed().is_empty());
    });
}

#[test]
fn what_did_not_answer_before_is_told_and_not_held_against_the_release() {
    in_virtual_time(async {
        let scene = scene();
        let asked = scene.clusters.clone();
        let mut scene = scene;
        scene.clusters = asked.clone().without_sites();
        roll_out(&scene, &scene.release("aaaa", "1-error-page"), nothing).await;
        scene.clusters = asked;
        let told = roll_out(&scene, &scene.release("bbbb", "2-error-page"), nothing).await;
        assert_eq!(told.outcome(), Some(Outcome::Succeeded));
        let warning = "not well before this rollout, and not held against it: https://c0.example/ answers 500 instead of 200";
        assert!(told.warnings[0].starts_with(warning), "{:?}", told.warnings);
    });
}

/// Whoever goes on with a rollout knows by its plan what was not well when it began.
#[test]
fn what_did_not_answer_before_is_known_to_whoever_goes_on() {
    in_virtual_time(async {
        let mut scene = scene();
        let asked = scene.clusters.clone();
        scene.clusters = asked.clone().without_sites();
        roll_out(&scene, &scene.release("aaaa", "1-error-page"), nothing).await;
        scene.clusters = asked;
        let second = scene.release("bbbb", "2-error-page");
        let mut runs = 0;
        loop {
            let mut deaf = |_: Heard<'_>| {};
            let world = engine::World {
                wait_limit: Some(Duration::ZERO),
                ..scene.world(&mut deaf)
            };
            let carried = engine::roll_out(&second.order("job 2"), world).await;
            let carried = carried.expect("the hub is well");
            runs += 1;
            if let Some(outcome) = outcome(&carried) {
                assert_eq!(outcome, Outcome::Succeeded);
                break;
            }
            assert!(runs < 50, "it comes to an end");
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        assert!(runs > 1);
    });
}

#[test]
fn where_no_page_can_be_reached_the_rollout_goes_on_by_workloads_and_says_so() {
    in_virtual_time(async {
        let scene = begun().await;
        no_ingress(&scene, "east", 3600);
        let told = roll_out(&scene, &scene.release("bbbb", "2"), nothing).await;
        assert_eq!(told.outcome(), Some(Outcome::Succeeded));
        assert_eq!(
            told.warnings,
            [
                "no page of cluster `east` can be reached from here (connection refused): this rollout does not judge them"
            ]
        );
    });
}

/// The pages of tenants that nobody touched are away too: that is no fault of the release.
#[test]
fn an_ingress_that_dies_under_a_rollout_makes_its_cluster_unwell() {
    in_virtual_time(async {
        let scene = begun().await;
        let die = |what: &What| {
            if matches!(what, What::TenantWritten { tenant, .. } if tenant == "t0") {
                no_ingress(&scene, "east", 180);
            }
        };
        let told = roll_out(&scene, &scene.release("bbbb", "2"), die).await;
        assert_eq!(told.outcome(), Some(Outcome::Succeeded));
        assert!(told.failed().is_empty(), "{:?}", told.failed());
        let is_unwell =
            |what: &What| matches!(what, What::ClusterUnwell { cluster, .. } if cluster == "east");
        assert!(told.events.iter().any(is_unwell));
    });
}

/// Whoever types it knows that pages are not well, and goes by workloads.
#[test]
fn a_typed_rollback_waits_for_no_page() {
    in_virtual_time(async {
        let scene = begun().await;
        roll_out(&scene, &scene.release("bbbb", "2"), nothing).await;
        scene.pass(10).await;
        no_ingress(&scene, "east", 3600);
        let ended = scene.roll_back("t0").await.expect("it has a good bundle");
        assert_eq!(
            outcome(&Carried::Ended(Box::new(ended))),
            Some(Outcome::Succeeded)
        );
        assert_eq!(scene.images()["t0"], "1");
    });
}

/// `escale health TARGET`: what the person on call reads.
#[test]
fn health_of_a_domain_is_that_of_its_tenant_with_what_its_pages_answer() {
    let project = Project::production();
    project.commit();
    let rolled_out = project.escale(&["rollout", "--sim", "-e", "agency", "bistrot"]);
    assert_eq!(rolled_out.code, 0, "{}", rolled_out.stderr);
    let ask = ["health", "--sim", "-e", "agency", "www.bistrot.example"];
    let well = project.escale(&ask);
    assert_eq!(well.code, 0, "{}", well.stderr);
    assert!(
        well.stdout.starts_with("healthy      bistrot  "),
        "{}",
        well.stdout
    );
    assert!(
        well.stdout
            .contains("https://www.bistrot.example/ answers 200 in "),
        "{}",
        well.stdout
    );

    project.edit(
        "environments/agency/environment.yaml",
        "front: {path: /, within: 3s}",
        "front: {path: /nothing, status: [204]}",
    );
    let unwell = project.escale(&[&ask[..], &["-o", "json"]].concat());
    assert_eq!(unwell.code, 2, "{}", unwell.stderr);
    let report: Value = serde_json::from_str(&unwell.stdout).expect("JSON");
    let item = &report["items"][0];
    assert_eq!(
        (&report["kind"], &item["verdict"]),
        (&json!("TenantHealthReport"), &json!("failed"))
    );
    let page = &item["pages"][0];
    assert_eq!(
        (&page["status"], &page["platform"]),
        (&json!(200), &json!("bistrot"))
    );
    assert_eq!(
        page["fault"],
        format!(
            "{} answers 200 instead of 204",
            page["url"].as_str().expect("a text")
        )
    );
}
