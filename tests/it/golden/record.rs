//! Makes the cases: seeded scenarios of requests against a real API server.

use std::time::Duration;

use futures::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::alter;
use super::dice::Dice;
use super::kinds::{self, Kind};
use super::store::{self, Scenario, Step, Verb};

const US: &str = "escale";
const SCENARIOS: u64 = 420;
const STEPS: usize = 12;

/// Records anew where `ESCALE_RECORD_GOLDEN` names a kubeconfig; else there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn records_on_demand() {
    let Ok(kubeconfig) = std::env::var("ESCALE_RECORD_GOLDEN") else {
        return;
    };
    let client = client(&kubeconfig).await;
    prepare(&client).await;
    let kinds = kinds::all();
    let scenarios = futures::stream::iter(0..SCENARIOS)
        .map(|seed| Recorder::new(&client, &kinds, seed).run())
        .buffer_unordered(12);
    let mut scenarios: Vec<_> = scenarios.collect().await;
    scenarios.sort_by_key(|scenario| scenario.seed);
    println!(
        "{} requests",
        scenarios
            .iter()
            .map(|scenario| scenario.steps.len())
            .sum::<usize>()
    );
    store::write(&scenarios);
}

async fn client(kubeconfig: &str) -> Client {
    let config = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config =
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default())
            .await;
    Client::try_from(config.expect("a context")).expect("a client")
}

async fn prepare(client: &Client) {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden"}});
    send(
        client,
        "POST",
        "/api/v1/namespaces",
        "application/json",
        &namespace,
    )
    .await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    send(
        client,
        "POST",
        definitions,
        "application/json",
        &kinds::widget_definition(),
    )
    .await;
    for kind in kinds::all() {
        while send(
            client,
            "DELETE",
            &kind.resource,
            "application/json",
            &json!({}),
        )
        .await
        .0 == 404
        {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    content_type: &str,
    body: &Value,
) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", content_type)
        .body(Body::from(body.to_string().into_bytes()))
        .expect("a request");
    let response = client.send(request).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

/// Plays one scenario: we and others at one object.
struct Recorder<'a> {
    client: &'a Client,
    kind: &'a Kind,
    seed: u64,
    name: String,
    dice: Dice,
    /// What we last sent.
    ours: Value,
    live: Option<Value>,
    steps: Vec<Step>,
}

impl<'a> Recorder<'a> {
    fn new(client: &'a Client, kinds: &'a [Kind], seed: u64) -> Self {
        let at = usize::try_from(seed).expect("few") % (kinds.len() + 4);
        // Deployments have the most ways to go wrong: they get some turns more.
        let kind = kinds.get(at).unwrap_or(&kinds[0]);
        let name = format!("case-{seed}");
        let mut ours = kind.body.clone();
        ours["metadata"]["name"] = json!(name);
        Self {
            client,
            kind,
            seed,
            name,
            dice: Dice::new(seed),
            ours,
            live: None,
            steps: Vec::new(),
        }
    }

    async fn run(mut self) -> Scenario {
        self.create().await;
        for _ in 0..STEPS {
            if self.live.is_none() {
                break;
            }
            if self.dice.chance(6) {
                // Times in managedFields are whole seconds: only a pause shows whether one moves.
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            if self.dice.chance(45) {
                self.ours_again().await;
            } else {
                self.theirs().await;
            }
            self.probe().await;
        }
        self.steps
            .retain(|step| step.status != 422 && step.status != 404);
        let kind = self.kind.body["kind"].as_str().expect("a kind").to_owned();
        Scenario {
            seed: self.seed,
            kind,
            steps: self.steps,
        }
    }

    async fn create(&mut self) {
        let ours = self.ours.clone();
        let before_us = match self.dice.below(10) {
            0 => Some((Verb::Post, "kubectl-create")),
            1 => Some((Verb::Post, US)),
            2 => Some((Verb::Apply, "helm")),
            _ => None,
        };
        if let Some((verb, manager)) = before_us {
            self.request(verb, manager, ours, Options::default()).await;
        }
        let (ours, force) = (self.ours.clone(), Options::forced(self.dice.chance(60)));
        self.request(Verb::Apply, US, ours, force).await;
    }

    /// We apply again: as before, spelt otherwise, or changed.
    async fn ours_again(&mut self) {
        let mut next = self.ours.clone();
        for _ in 0..=self.dice.below(2) {
            self.alter_ours(&mut next);
        }
        let dry_run = self.dice.chance(25);
        let force = self.dice.chance(50);
        let before = self.steps.len();
        self.request(
            Verb::Apply,
            US,
            next.clone(),
            Options {
                force,
                dry_run,
                subresource: None,
            },
        )
        .await;
        let is_accepted = self.steps[before..].iter().all(|step| step.status < 300);
        if is_accepted && !dry_run {
            self.ours = next;
        }
    }

    fn alter_ours(&mut self, next: &mut Value) {
        match self.dice.below(20) {
            0..7 => alter::turn_a_knob(self.kind, &mut self.dice, next),
            7..11 => alter::respell(self.kind, &mut self.dice, next),
            11..13 => alter::reverse_a_list(self.kind, &mut self.dice, next),
            13..15 => alter::drop_an_element(self.kind, &mut self.dice, next),
            15..17 => alter::empty_something(self.kind, &mut self.dice, next),
            17 => {
                *next = self.kind.body.clone();
                next["metadata"]["name"] = json!(self.name);
            }
            _ => {}
        }
    }

    /// Somebody else does something.
    async fn theirs(&mut self) {
        let manager = ["kubectl-edit", "operator", "hpa", "helm"][self.dice.below(4)];
        match self.dice.below(20) {
            0..6 => self.they_apply(manager).await,
            6..11 => self.they_put(manager).await,
            11..14 => self.they_patch(manager).await,
            14 => self.they_patch(US).await,
            15 => self.write_status().await,
            16 => self.scale().await,
            17 => self.strip_managed_fields().await,
            18 => self.strip_annotations().await,
            _ => self.they_respell().await,
        }
    }

    async fn they_apply(&mut self, manager: &str) {
        let body = if self.dice.chance(15) {
            self.ours.clone()
        } else {
            alter::fragment(self.kind, &mut self.dice, &self.name)
        };
        let options = Options {
            force: self.dice.chance(60),
            dry_run: self.dice.chance(10),
            subresource: None,
        };
        self.request(Verb::Apply, manager, body, options).await;
    }

    async fn they_put(&mut self, manager: &str) {
        let mut body = self.live.clone().expect("there");
        for _ in 0..=self.dice.below(2) {
            match self.dice.below(10) {
                0..5 => alter::turn_a_knob(self.kind, &mut self.dice, &mut body),
                5..7 => alter::reverse_a_list(self.kind, &mut self.dice, &mut body),
                7..9 => alter::drop_an_element(self.kind, &mut self.dice, &mut body),
                _ => alter::empty_something(self.kind, &mut self.dice, &mut body),
            }
        }
        let dry_run = self.dice.chance(10);
        self.request(
            Verb::Put,
            manager,
            body,
            Options {
                dry_run,
                ..Options::default()
            },
        )
        .await;
    }

    async fn they_patch(&mut self, manager: &str) {
        let mut body = alter::fragment(self.kind, &mut self.dice, &self.name);
        let is_custom = self.kind.body["kind"] == "Widget";
        let verb = if is_custom || self.dice.chance(30) {
            Verb::MergePatch
        } else {
            Verb::StrategicPatch
        };
        if let Some(entries) = body.as_object_mut() {
            entries.remove("kind");
            entries.remove("apiVersion");
        }
        self.request(verb, manager, body, Options::default()).await;
    }

    async fn they_respell(&mut self) {
        let mut body = self.live.clone().expect("there");
        alter::respell(self.kind, &mut self.dice, &mut body);
        self.request(Verb::Put, "kubectl-replace", body, Options::default())
            .await;
    }

    async fn write_status(&mut self) {
        let status = match self.kind.body["kind"].as_str() {
            Some("Deployment" | "StatefulSet") => {
                json!({"replicas": self.dice.below(4), "observedGeneration": 1})
            }
            Some("Widget") => json!({"ready": self.dice.chance(50), "note": "seen"}),
            _ => return,
        };
        let body = json!({"status": status, "metadata": {"labels": {"sneaky": "1"}}});
        let options = Options {
            subresource: Some("status"),
            ..Options::default()
        };
        self.request(Verb::MergePatch, "controller", body, options)
            .await;
    }

    async fn scale(&mut self) {
        if self.kind.resource.contains("/apps/") {
            let body = json!({"spec": {"replicas": self.dice.below(6)}});
            let options = Options {
                subresource: Some("scale"),
                ..Options::default()
            };
            self.request(Verb::MergePatch, "autoscaler", body, options)
                .await;
        }
    }

    async fn strip_managed_fields(&mut self) {
        let mut body = self.live.clone().expect("there");
        body["metadata"]["managedFields"] = if self.dice.chance(50) {
            json!([])
        } else {
            json!([{}])
        };
        self.request(Verb::Put, "stripper", body, Options::default())
            .await;
    }

    async fn strip_annotations(&mut self) {
        let mut body = self.live.clone().expect("there");
        alter::set(&mut body, "/metadata/annotations", None);
        if self.dice.chance(50) {
            alter::set(&mut body, "/metadata/labels", None);
        }
        self.request(Verb::Put, "stripper", body, Options::default())
            .await;
    }

    /// What would our apply do now?
    async fn probe(&mut self) {
        let ours = self.ours.clone();
        self.request(
            Verb::Apply,
            US,
            ours,
            Options {
                dry_run: true,
                ..Options::default()
            },
        )
        .await;
    }

    async fn request(&mut self, verb: Verb, manager: &str, body: Value, options: Options) {
        let (method, content_type) = match verb {
            Verb::Apply => ("PATCH", "application/apply-patch+yaml"),
            Verb::MergePatch => ("PATCH", "application/merge-patch+json"),
            Verb::StrategicPatch => ("PATCH", "application/strategic-merge-patch+json"),
            Verb::Post => ("POST", "application/json"),
            Verb::Put => ("PUT", "application/json"),
        };
        let path = self.path(verb, manager, options);
        let at = std::time::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs()
            .cast_signed();
        let (status, answer) = send(self.client, method, &path, content_type, &body).await;
        let is_accepted = status < 300;
        let answer = if is_accepted && options.subresource == Some("scale") {
            self.read().await
        } else {
            answer
        };
        let after =
            (is_accepted && self.is_news(&answer, options.dry_run)).then(|| essence(&answer));
        let message =
            (!is_accepted).then(|| answer["message"].as_str().unwrap_or_default().to_owned());
        self.steps.push(Step {
            verb,
            manager: manager.to_owned(),
            force: options.force,
            dry_run: options.dry_run,
            subresource: options.subresource.map(str::to_owned),
            body: essence(&body),
            status,
            message,
            at,
            after,
        });
        if is_accepted && !options.dry_run {
            self.live = Some(answer);
        }
    }

    fn path(&self, verb: Verb, manager: &str, options: Options) -> String {
        let mut path = vec![self.kind.resource.as_str()];
        if verb != Verb::Post {
            path.extend(["/", &self.name]);
        }
        if let Some(subresource) = options.subresource {
            path.extend(["/", subresource]);
        }
        path.extend(["?fieldManager=", manager]);
        if options.force {
            path.push("&force=true");
        }
        if options.dry_run {
            path.push("&dryRun=All");
        }
        path.concat()
    }

    async fn read(&self) -> Value {
        let path = format!("{}/{}", self.kind.resource, self.name);
        send(self.client, "GET", &path, "application/json", &Value::Null)
            .await
            .1
    }

    /// Whether the request changed the object, times of its owners apart in a dry run.
    fn is_news(&self, answer: &Value, dry_run: bool) -> bool {
        let Some(live) = &self.live else {
            return true;
        };
        if dry_run {
            return timeless(live) != timeless(answer);
        }
        live["metadata"]["resourceVersion"] != answer["metadata"]["resourceVersion"]
    }
}

#[derive(Clone, Copy, Default)]
struct Options {
    force: bool,
    dry_run: bool,
    subresource: Option<&'static str>,
}

impl Options {
    fn forced(force: bool) -> Self {
        Self {
            force,
            ..Self::default()
        }
    }
}

/// The object without what no two runs have in common.
fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(field);
        }
    }
    object
}

fn timeless(object: &Value) -> Value {
    let mut object = essence(object);
    let entries = object
        .pointer_mut("/metadata/managedFields")
        .and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        entry["time"] = Value::Null;
    }
    object
}
