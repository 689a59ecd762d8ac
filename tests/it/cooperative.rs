//! The environment `cooperative` keeps what its page promises, over simulated clusters.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escale::engine::{self, Carried, Heard, World};
use escale::manifest::{Manifest, SecretRef, secret_refs};
use escale::rollout::{Outcome, What};
use escale::secret::Secrets;
use escale::sim::{Behaviour, Fault, Rule};
use jiff::Timestamp;
use serde_json::Value;

use crate::project::{Project, Ran};
use crate::scene::{Release, Scene, in_virtual_time, left_out, outcome};

const ENVIRONMENT: &str = "cooperative";
const HOMES: [&str; 3] = ["home-alder", "home-birch", "home-cedar"];
const SERVICES: [&str; 6] = ["chat", "database", "directory", "mail", "pages", "store"];
/// Who is in the home whose line is down more often than not.
const IN_CEDAR: [&str; 3] = ["database-cedar", "pages-cedar", "store-cedar"];
/// Where a program stands that is named like that of the key-value store.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cooperative");
/// How every value begins that it prints.
const PLANTED: &str = "planted under";

/// The three homes, and releases of services.
struct Homes {
    scene: Scene,
    tags: BTreeMap<&'static str, &'static str>,
    releases: usize,
}

/// A rollout: how it ended, and what was told of it, each as `WORD TENANT` and as a whole.
struct Told {
    carried: Carried,
    events: Vec<String>,
    everything: String,
}

impl Homes {
    fn new() -> Self {
        let mut files = Project::production().files();
        let environment = files
            .get_mut("environments/cooperative/environment.yaml")
            .unwrap();
        *environment = environment.replace("[consul,", &format!("[\"{PROGRAMS}/consul\","));
        Self {
            scene: Scene::of(0, HOMES, "home-alder", files),
            tags: SERVICES.map(|service| (service, "1")).into(),
            releases: 0,
        }
    }

    /// The next release: these services have a new tag.
    fn release(&mut self, changed: &[(&'static str, &'static str)]) -> Release {
        self.tags.extend(changed.iter().copied());
        let images = self.tags.iter().map(|(service, tag)| {
            format!("  {service}: registry.example.com/cooperative/{service}:{tag}\n")
        });
        let text = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: cooperative}}\nspec:\n{}",
            images.collect::<String>()
        );
        let path = "environments/cooperative/versions.yaml".to_owned();
        self.scene.files.insert(path, text);
        self.releases += 1;
        let id = format!("{:04}", self.releases);
        Release::of(&id, &self.scene.files, ENVIRONMENT)
    }

    fn release_of_all(&mut self, tag: &'static str) -> Release {
        self.release(&SERVICES.map(|service| (service, tag)))
    }

    async fn roll_out(&self, release: &Release) -> Told {
        let (mut events, mut everything) = (Vec::new(), Vec::new());
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event {
                event, progress, ..
            } = heard
            {
                events.extend(in_words(&event.what));
                everything.push(format!("{event:?} {progress:?}"));
            }
        };
        let world = World {
            secrets: read_ahead(release),
            ..self.scene.world(&mut hear)
        };
        let carried = engine::roll_out(&release.order("job 1"), world)
            .await
            .unwrap();
        self.scene.pass(5).await;
        Told {
            carried,
            events,
            everything: everything.concat(),
        }
    }

    /// The tags that the workloads of each tenant have, by tenant.
    fn running(&self, release: &Release) -> BTreeMap<String, BTreeSet<String>> {
        let tenants = release.fleet.tenants.iter();
        tenants
            .map(|tenant| {
                let sim = &self.scene.sims[&tenant.cluster];
                let workloads = ["deployments.apps", "statefulsets.apps"];
                let all = workloads.into_iter().flat_map(|kind| sim.objects(kind));
                let own = all.filter(|one| one["metadata"]["namespace"] == *tenant.namespace);
                (tenant.name.clone(), own.map(|one| tag_of(&one)).collect())
            })
            .collect()
    }

    /// Who runs a tag, in all of its workloads.
    fn at(&self, release: &Release, tag: &str) -> BTreeSet<String> {
        let mut running = self.running(release);
        running.retain(|_, tags| tags.len() == 1 && tags.contains(tag));
        running.into_keys().collect()
    }

    /// When the first and the last write to a namespace was asked for.
    fn written(&self, (home, namespace): (&str, &str)) -> (Timestamp, Timestamp) {
        let requests = self.scene.sims[home].requests();
        let own = requests
            .mutating()
            .filter(|request| request.manager.as_deref() == Some("escale"))
            .filter(|request| request.namespace.as_deref() == Some(namespace));
        let mut times = own.map(|request| request.at);
        let first = times.next().unwrap();
        (first, times.last().unwrap_or(first))
    }

    fn break_image(&self, home: &str, image: &str) {
        self.scene.sims[home].tell(Fault::Behaviour(Rule {
            image: Some(image.to_owned()),
            namespace: None,
            behaviour: Behaviour::from_word("crash").unwrap(),
        }));
    }

    /// Everything that the homes hold, as text: Secrets, and all the rest.
    fn everything(&self) -> (String, String) {
        let saved = self.scene.sims.values().map(escale::sim::SimCluster::save);
        let objects = saved.flat_map(|saved| saved["objects"].as_array().unwrap().clone());
        let (secrets, others): (Vec<Value>, Vec<Value>) =
            objects.partition(|saved| saved["object"]["kind"] == "Secret");
        let text = |all: Vec<Value>| all.iter().map(Value::to_string).collect();
        (text(secrets), text(others))
    }
}

impl Told {
    /// Fails the test unless both were told, in this order.
    #[track_caller]
    fn has_in_order(&self, first: &str, second: &str) {
        let at = |wanted: &str| self.events.iter().position(|event| event == wanted);
        let places = (at(first), at(second));
        let (Some(one), Some(other)) = places else {
            panic!("{first}, {second}: {places:?} in {:#?}", self.events)
        };
        assert!(one < other, "{first}, {second}: {:#?}", self.events);
    }

    /// Those of which a word was told.
    fn all_that(&self, word: &str) -> BTreeSet<String> {
        let own = self.events.iter().filter_map(|event| {
            let (told, tenant) = event.split_once(' ')?;
            (told == word).then(|| tenant.to_owned())
        });
        own.collect()
    }
}

fn in_words(what: &What) -> Option<String> {
    match what {
        What::TenantStarted { tenant } => Some(format!("started {tenant}")),
        What::TenantSucceeded { tenant } => Some(format!("succeeded {tenant}")),
        What::TenantFailed { tenant, .. } => Some(format!("failed {tenant}")),
        What::TenantRolledBack { tenant } => Some(format!("back {tenant}")),
        What::TenantDeferred { tenant, why } => Some(format!("deferred {tenant}: {why}")),
        _ => None,
    }
}

fn tag_of(workload: &Value) -> String {
    let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
    let (_, tag) = image.as_str().unwrap().rsplit_once(':').unwrap();
    tag.to_owned()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn all_tenants(release: &Release) -> BTreeSet<String> {
    let tenants = release.fleet.tenants.iter();
    tenants.map(|tenant| tenant.name.clone()).collect()
}

fn all_but(release: &Release, left: &BTreeSet<String>) -> BTreeSet<String> {
    &all_tenants(release) - left
}

/// The Secrets of a release, as they are rendered.
fn secrets_of(release: &Release) -> Vec<(String, Manifest)> {
    let bundles = release.bundles.iter();
    let all = bundles.flat_map(|(tenant, bundle)| {
        let manifests = bundle.as_ref().unwrap().unpack().manifests().to_vec();
        manifests
            .into_iter()
            .map(|manifest| (tenant.clone(), manifest))
    });
    all.filter(|(_, manifest)| manifest.kind() == "Secret")
        .collect()
}

/// Values are read by a program, whose end no virtual clock waits for: all of them beforehand, in a time of their own.
fn read_ahead(release: &Release) -> Secrets {
    let allowed = release.fleet.environment.spec.secrets.clone();
    let secrets = Secrets::of(allowed, Box::new(|_| anyhow::bail!("nothing is in git")));
    let all = secrets_of(release);
    let refs: BTreeSet<SecretRef> = all
        .iter()
        .flat_map(|(_, manifest)| secret_refs(manifest.value()))
        .collect();
    let read = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(secrets.read(&refs)).unwrap();
    };
    thread::scope(|scope| scope.spawn(read).join().unwrap());
    secrets
}

fn in_the_homes<F: Future<Output = ()>>(test: impl FnOnce(Homes) -> F) {
    in_virtual_time(async { test(Homes::new()).await });
}

/// What `check` says where programs are found in one folder only.
fn check(programs: &str, more: &[&str]) -> Ran {
    let project = Project::production();
    let output = Command::new(env!("CARGO_BIN_EXE_escale"))
        .args(["check", "-e", ENVIRONMENT])
        .args(more)
        .current_dir(project.path(""))
        .env("PATH", programs)
        .env_remove("KUBECONFIG")
        .output();
    Ran::from(output.unwrap())
}

#[test]
fn it_passes_check_without_the_program_that_has_the_secrets() {
    let ran = check("/nowhere", &[]);
    assert_eq!(
        (ran.code, ran.stderr.as_str(), ran.stdout.as_str()),
        (
            0,
            "cooperative: 12 tenants, 146 objects: no mistakes, no warnings\n",
            ""
        )
    );
}

#[test]
fn check_asks_the_program_for_every_secret_if_it_is_told_to_and_repeats_none() {
    let ran = check(PROGRAMS, &["--secrets"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!(ran.stdout + &ran.stderr).contains(PLANTED));

    let ran = check("/nowhere", &["--secrets"]);
    assert_eq!(ran.code, 1);
    let missing =
        "secret `kv:chat/database` cannot be read: there is no program `consul` on this machine";
    assert!(ran.stdout.contains(missing), "{}", ran.stdout);
}

#[test]
fn what_depends_on_a_service_is_not_touched_before_that_has_succeeded() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        let told = homes.roll_out(&first).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        homes.scene.forget_requests();

        let second = homes.release_of_all("2");
        let told = homes.roll_out(&second).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        assert_eq!(homes.at(&second, "2"), all_tenants(&second));
        for tenant in &second.fleet.tenants {
            for before in &tenant.after {
                let started = format!("started {}", tenant.name);
                told.has_in_order(&format!("succeeded {before}"), &started);
            }
        }
        // The same as the API servers saw it.
        let (chat, _) = homes.written(("home-birch", "chat"));
        for service in ["database", "store", "directory"] {
            for home in ["home-alder", "home-birch"] {
                let (_, last) = homes.written((home, service));
                assert!(last < chat, "{service} in {home}: {last}, chat: {chat}");
            }
        }
    });
}

#[test]
fn a_release_of_one_service_touches_its_tenants_and_waits_for_nobody() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        homes.roll_out(&first).await;
        let second = homes.release(&[("chat", "2")]);
        let told = homes.roll_out(&second).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        assert_eq!(told.all_that("started"), names(["chat"]));
        assert_eq!(homes.at(&second, "2"), names(["chat"]));
    });
}

#[test]
fn a_bad_release_of_one_service_goes_back_alone_and_what_comes_after_it_is_told_why_it_waits() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        homes.roll_out(&first).await;
        homes.break_image("home-alder", "database:2");
        let second = homes.release_of_all("2");
        let told = homes.roll_out(&second).await;
        assert_eq!(
            outcome(&told.carried),
            Some(Outcome::SucceededWithExceptions)
        );
        assert_eq!(told.all_that("failed"), names(["database-alder"]));
        assert_eq!(told.all_that("back"), names(["database-alder"]));
        let birch = "comes after `database-alder`, which did not succeed";
        assert_eq!(
            told.all_that("deferred"),
            [
                format!("database-birch: {birch}"),
                format!("database-cedar: comes after `database-birch`, which is deferred: {birch}"),
                format!("chat: comes after `database-birch`, which is deferred: {birch}"),
            ]
            .into()
        );
        let left = names(["chat", "database-alder", "database-birch", "database-cedar"]);
        assert_eq!(homes.at(&second, "1"), left);
        assert_eq!(homes.at(&second, "2"), all_but(&second, &left));
        assert!(
            told.all_that("started")
                .is_disjoint(&names(["chat", "database-birch"]))
        );
        // No clock brings it to those who wait.
        let behind = homes.scene.behind(&second).await;
        assert_eq!(behind.tenants, names([]));
        let waiting: BTreeSet<String> = behind.waiting.into_keys().collect();
        assert_eq!(waiting, names(["chat", "database-birch", "database-cedar"]));

        homes.scene.find("home-alder");
        let third = homes.release(&[("database", "3")]);
        let told = homes.roll_out(&third).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        assert_eq!(told.all_that("started"), left);
        told.has_in_order("succeeded database-birch", "started chat");
        let databases = names(["database-alder", "database-birch", "database-cedar"]);
        assert_eq!(homes.at(&third, "3"), databases);
        assert_eq!(homes.at(&third, "2"), all_but(&third, &databases));
    });
}

#[test]
fn a_bad_release_of_the_database_alone_never_gets_beyond_the_first_home() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        homes.roll_out(&first).await;
        homes.break_image("home-alder", "database:2");
        let second = homes.release(&[("database", "2")]);
        let told = homes.roll_out(&second).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::RolledBack));
        assert_eq!(told.all_that("started"), names(["database-alder"]));
        assert_eq!(homes.at(&second, "1"), all_tenants(&second));
    });
}

#[test]
fn nobody_waits_for_the_home_that_is_away_and_it_catches_up_by_the_next_rollout() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        homes.roll_out(&first).await;
        homes.scene.lose("home-cedar");
        let second = homes.release_of_all("2");
        let told = homes.roll_out(&second).await;
        assert_eq!(
            outcome(&told.carried),
            Some(Outcome::SucceededWithExceptions)
        );
        let left = left_out(&told.carried);
        let away = |line: &String| line.contains("cluster unreachable");
        assert!(left.iter().all(away), "{left:#?}");
        assert_eq!(left.len(), IN_CEDAR.len(), "{left:#?}");
        let others = all_but(&second, &names(IN_CEDAR));
        assert_eq!(homes.at(&second, "2"), others);

        homes.scene.find("home-cedar");
        assert_eq!(homes.at(&second, "1"), names(IN_CEDAR));
        assert_eq!(homes.scene.behind(&second).await.tenants, names(IN_CEDAR));
        let told = homes.roll_out(&second).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        assert_eq!(told.all_that("started"), names(IN_CEDAR));
        assert_eq!(homes.at(&second, "2"), all_tenants(&second));
    });
}

#[test]
fn a_home_that_goes_away_in_the_middle_is_deferred_after_ten_minutes() {
    in_the_homes(|mut homes| async move {
        let first = homes.release_of_all("1");
        homes.roll_out(&first).await;
        let second = homes.release_of_all("2");
        let began = homes.scene.clock.now();
        let (told, ()) = tokio::join!(homes.roll_out(&second), async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            homes.scene.lose("home-cedar");
        });
        assert_eq!(
            outcome(&told.carried),
            Some(Outcome::SucceededWithExceptions)
        );
        let deferred = told.all_that("deferred");
        let of_cedar = |line: &String| IN_CEDAR.iter().any(|name| line.starts_with(name));
        assert!(deferred.iter().all(of_cedar), "{deferred:#?}");
        assert_eq!(deferred.len(), IN_CEDAR.len(), "{deferred:#?}");
        assert_eq!(homes.at(&second, "2"), all_but(&second, &names(IN_CEDAR)));
        let took = homes.scene.clock.now().duration_since(began).as_secs() / 60;
        assert!((10..30).contains(&took), "{took} minutes");

        homes.scene.find("home-cedar");
        let told = homes.roll_out(&second).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        assert_eq!(told.all_that("started"), names(IN_CEDAR));
        assert_eq!(homes.at(&second, "2"), all_tenants(&second));
    });
}

#[test]
fn values_of_the_key_value_store_are_in_the_secrets_of_all_homes_and_nowhere_else() {
    in_the_homes(|mut homes| async move {
        let release = homes.release_of_all("1");
        let told = homes.roll_out(&release).await;
        assert_eq!(outcome(&told.carried), Some(Outcome::Succeeded));
        let rendered = secrets_of(&release);
        assert_eq!(rendered.len(), 10);
        for (tenant, manifest) in &rendered {
            let tenant = release.fleet.tenant(tenant).unwrap();
            let sim = &homes.scene.sims[&tenant.cluster];
            let name = &manifest.object().name;
            let live = sim.object("secrets", Some(&tenant.namespace), name);
            let live = live.unwrap();
            for (entry, token) in manifest.value()["data"].as_object().unwrap() {
                let reference = SecretRef::parse(token.as_str().unwrap()).unwrap();
                let key = reference.source.replace("kv:", "cooperative/");
                let held = STANDARD.decode(live["data"][entry].as_str().unwrap());
                let held = String::from_utf8(held.unwrap()).unwrap();
                assert_eq!(held, format!("{PLANTED} {key}"));
            }
        }

        let encoded = STANDARD.encode(PLANTED);
        // Groups of three bytes are encoded by themselves.
        let encoded = &encoded[..16];
        let (secrets, others) = homes.everything();
        assert!(secrets.contains(encoded));
        assert!(others.contains("escale.dev"), "records are looked through");
        let bundles = release.bundles.values().flatten();
        let bundles: String = bundles
            .flat_map(|bundle| bundle.unpack().canonical())
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect();
        assert!(bundles.contains("kv:chat/session"));
        for text in [&told.everything, &others, &bundles] {
            assert!(!text.contains(PLANTED) && !text.contains(encoded));
        }
    });
}
