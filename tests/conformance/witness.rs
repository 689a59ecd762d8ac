//! Asks an API server and writes down what it answers.

use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mask::Mask;

/// Lets time pass on a cluster: really, or by moving its clock.
pub type Pause = Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A question and its answer, random things renamed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Exchange {
    pub ask: String,
    pub code: u16,
    pub body: Value,
}

pub struct Witness {
    client: Client,
    pause: Pause,
    namespace: String,
    mask: Mask,
    pub exchanges: Vec<Exchange>,
}

/// One question. Its path is short: `deployments/web` is of the scenario's namespace.
pub struct Ask {
    method: Method,
    path: String,
    query: Vec<String>,
    content: &'static str,
    accept: &'static str,
    body: Option<Value>,
}

impl Ask {
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// Server-side apply, as escale does it.
    pub fn apply(path: &str, body: &Value) -> Self {
        let ask = Self::new(Method::PATCH, path, Some(body.clone())).with("fieldManager=escale");
        Self {
            content: "application/apply-patch+yaml",
            ..ask.with("fieldValidation=Strict")
        }
    }

    /// Server-side apply by somebody else.
    pub fn apply_by(manager: &str, path: &str, body: &Value) -> Self {
        let ask = Self::new(Method::PATCH, path, Some(body.clone()));
        Self {
            content: "application/apply-patch+yaml",
            ..ask.with(&format!("fieldManager={manager}"))
        }
    }

    pub fn merge(path: &str, body: &Value) -> Self {
        let ask = Self::new(Method::PATCH, path, Some(body.clone())).with("fieldManager=somebody");
        Self {
            content: "application/merge-patch+json",
            ..ask
        }
    }

    pub fn create(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path, Some(body.clone())).with("fieldManager=escale")
    }

    pub fn replace(path: &str, body: &Value) -> Self {
        Self::new(Method::PUT, path, Some(body.clone())).with("fieldManager=escale")
    }

    pub fn delete(path: &str, options: &Value) -> Self {
        Self::new(Method::DELETE, path, Some(options.clone()))
    }

    pub fn with(mut self, parameter: &str) -> Self {
        self.query.push(parameter.to_owned());
        self
    }

    pub fn force(self) -> Self {
        self.with("force=true")
    }

    pub fn dry_run(self) -> Self {
        self.with("dryRun=All")
    }

    pub fn metadata_only(self) -> Self {
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        Self { accept, ..self }
    }

    fn new(method: Method, path: &str, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            content: "application/json",
            accept: "application/json",
            body,
        }
    }

    fn short(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!(
            "{} {}{mark}{}",
            self.method,
            self.path,
            self.query.join("&")
        )
    }
}

impl Witness {
    pub fn new(client: Client, pause: Pause, namespace: &str) -> Self {
        Self {
            client,
            pause,
            namespace: namespace.to_owned(),
            mask: Mask::new(namespace),
            exchanges: Vec::new(),
        }
    }

    /// Asks, writes both down, and returns the answer as it came.
    pub async fn ask(&mut self, ask: Ask) -> Value {
        let (code, body) = self.answer(&ask).await;
        self.write_down(&ask, code, &body);
        body
    }

    /// Asks again and again until the answer is as wanted, and writes down only that one.
    pub async fn ask_until(&mut self, path: &str, wanted: fn(&Value) -> bool) -> Value {
        for _ in 0..300 {
            let (code, body) = self.answer(&Ask::get(path)).await;
            if wanted(&body) {
                self.write_down(&Ask::get(path), code, &body);
                return body;
            }
            self.wait(Duration::from_millis(200)).await;
        }
        let (_, body) = self.answer(&Ask::get(path)).await;
        panic!("{path} does not become what this scenario waits for: {body:#}");
    }

    pub async fn ask_and_forget(&mut self, ask: Ask) {
        self.answer(&ask).await;
    }

    /// Looks without writing down what is seen.
    pub async fn look(&mut self, path: &str) -> Value {
        self.answer(&Ask::get(path)).await.1
    }

    pub async fn wait(&self, time: Duration) {
        (self.pause)(time).await;
    }

    /// Makes the namespace of this scenario.
    pub async fn settle_in(&mut self) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let (code, body) = self.answer(&Ask::create("namespaces", &namespace)).await;
        assert!(code == 201, "a namespace could not be made: {body}");
    }

    pub async fn leave(&mut self) {
        let path = format!("namespaces/{}", self.namespace);
        self.answer(&Ask::delete(&path, &json!({}))).await;
    }

    fn write_down(&mut self, ask: &Ask, code: u16, body: &Value) {
        let exchange = Exchange {
            ask: self.mask.text(&ask.short()),
            code,
            body: self.mask.value(body),
        };
        self.exchanges.push(exchange);
    }

    async fn answer(&self, ask: &Ask) -> (u16, Value) {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(self.address(ask))
            .header("Accept", ask.accept);
        if ask.body.is_some() {
            request = request.header("Content-Type", ask.content);
        }
        let body = ask
            .body
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let request = request
            .body(Body::from(body.into_bytes()))
            .expect("a request");
        let response = self.client.send(request).await.expect("an answer");
        let code = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect_bytes()
            .await
            .expect("a whole answer");
        let text = String::from_utf8_lossy(&bytes);
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(text));
        (code, body)
    }

    fn address(&self, ask: &Ask) -> String {
        let resource = ask.path.split(['/', '?']).next().unwrap_or_default();
        let (group, namespaced) = place(resource);
        let namespace = if namespaced {
            format!("/namespaces/{}", self.namespace)
        } else {
            String::new()
        };
        let mark = if ask.path.contains('?') { "&" } else { "?" };
        format!(
            "/{group}{namespace}/{}{mark}{}",
            ask.path,
            ask.query.join("&")
        )
    }
}

/// Where a resource is served, and whether it lives in namespaces.
fn place(resource: &str) -> (&'static str, bool) {
    match resource {
        "configmaps" | "services" | "pods" | "serviceaccounts" | "persistentvolumeclaims" => {
            ("api/v1", true)
        }
        "namespaces" => ("api/v1", false),
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" => ("apis/apps/v1", true),
        "jobs" | "cronjobs" => ("apis/batch/v1", true),
        "leases" => ("apis/coordination.k8s.io/v1", true),
        "horizontalpodautoscalers" => ("apis/autoscaling/v2", true),
        "customresourcedefinitions" => ("apis/apiextensions.k8s.io/v1", false),
        "boats" => ("apis/test.escale.dev/v1", true),
        other => panic!("`{other}` is not in the table of resources"),
    }
}
