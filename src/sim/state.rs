//! Everything a cluster is at one moment, and how it comes to the next.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Options;
use super::behaviour::Rule;
use super::checks::count_generation;
use super::controllers;
use super::faults::{Fault, Faults};
use super::kinds::{Kind, KindId, Kinds};
use super::list::Snapshots;
use super::log::{RequestLog, Verb};
use super::managed::Managed;
use super::object::ObjectId;
use super::ownership;
use super::pods::Nodes;
use super::pool::Pool;
use super::random;
use super::refusal::Refusal;
use super::request::Request;
use super::routine::{Change, New, Routines};
use super::service::Answer;
use super::store::Store;
use super::stored::Stored;
use super::timers::{Task, Timers, What};
use super::view::View;

#[derive(Debug)]
pub struct State {
    pub name: String,
    pub seed: u64,
    pub kinds: Kinds,
    pub store: Store,
    /// What is known of changes of status.
    routines: Routines,
    /// What the scheduler knows of the nodes.
    pub nodes: Nodes,
    pub timers: Timers,
    pub faults: Faults,
    pub rules: Vec<Rule>,
    pub snapshots: Snapshots,
    pub log: RequestLog,
}

impl State {
    pub fn new(options: &Options, now: Timestamp) -> Self {
        let mut state = Self::empty(options);
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            state.found("namespaces", object, now);
        }
        for index in 0..options.nodes {
            let zone = ["a", "b", "c"][index % 3];
            state.found(
                "nodes",
                node(&format!("node-{index}"), zone, Map::new()),
                now,
            );
        }
        state
    }

    pub fn empty(options: &Options) -> Self {
        Self {
            name: options.name.clone(),
            seed: options.seed,
            kinds: Kinds::built_in(),
            store: Store::default(),
            routines: Routines::default(),
            nodes: Nodes::default(),
            timers: Timers::default(),
            faults: Faults::default(),
            rules: Vec::new(),
            snapshots: Snapshots::default(),
            log: RequestLog::default(),
        }
    }

    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        match request.verb {
            Verb::Get => self.get(request),
            Verb::List => self.list(request, now),
            Verb::Create => self.create(request, now),
            Verb::Update => self.update(request, now),
            Verb::Apply => self.apply(request, now),
            Verb::Patch => self.patch(request, now),
            Verb::Delete => self.delete(request, now),
            Verb::DeleteCollection => self.delete_collection(request, now),
            Verb::Discover => Err(Refusal::unknown_path()),
        }
    }

    /// Whether anything falls due by `now`.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        let mut due = self.timers.iter();
        due.next().is_some_and(|(time, _)| time <= now)
    }

    /// Lets everything happen that falls due by `now`, each thing at its own time.
    pub fn catch_up(&mut self, now: Timestamp) {
        while let Some((time, task)) = self.timers.next(now) {
            match self.faults.controllers_back(time) {
                Some(back) if task.what != What::Advance => self.timers.at(back, task),
                _ => controllers::run(self, &task, time),
            }
        }
    }

    pub fn tell(&mut self, fault: Fault, now: Timestamp) {
        match fault {
            Fault::Requests(faults) => self.faults.told(faults),
            Fault::Unreachable { from, until } => self.faults.unreachable(from, until),
            Fault::Unauthorized => self.faults.unauthorized(),
            Fault::NoController { until } => self.faults.no_controller(until),
            Fault::NoIngress { until } => self.faults.no_ingress(until),
            Fault::Behaviour(rule) => {
                self.rules.push(rule);
                self.wake_pods(now);
            }
            Fault::Nothing => {
                self.faults = Faults::default();
                self.rules.clear();
                self.wake_pods(now);
            }
        }
    }

    pub fn kind(&self, id: &ObjectId) -> Arc<Kind> {
        self.kinds.of(id.kind).clone()
    }

    /// The tree of a stored object.
    pub fn value(&self, id: &ObjectId) -> Option<Value> {
        let stored = self.store.find(id)?;
        Some(stored.value(self.kinds.of(id.kind)))
    }

    /// All of a stored object that a controller wants to read.
    pub fn view(&self, id: &ObjectId) -> Option<View> {
        let stored = self.store.find(id)?;
        Some(stored.view(self.kinds.of(id.kind)))
    }

    /// Metadata and status of a stored object.
    pub fn small(&self, id: &ObjectId) -> Option<Value> {
        let stored = self.store.find(id)?;
        Some(stored.small(self.kinds.of(id.kind)))
    }

    /// A kind that every cluster serves.
    pub fn built_in(&self, resource: &str) -> KindId {
        let found = self.kinds.find_resource(resource);
        found.expect("the table of built-in kinds has it")
    }

    /// Stores an object that is complete, and tells the controllers.
    pub fn commit(&mut self, id: &ObjectId, value: &mut Value, now: Timestamp) -> Arc<Stored> {
        let before = self.store.find(id).cloned();
        let created = before.as_ref().map_or(now, |stored| stored.head.created);
        let stored = self.store.put(id, value, created);
        controllers::changed(self, id, before.as_deref(), now);
        stored
    }

    /// Stores a new object, complete, that a controller made; tells the controllers.
    pub fn commit_new(&mut self, id: &ObjectId, mut object: Value, manager: &str, now: Timestamp) {
        let owners = self.owners_of_new(&object, manager, now);
        self.store.put_owned(id, (&mut object, owners), now);
        controllers::changed(self, id, None, now);
    }

    fn owners_of_new(&mut self, object: &Value, manager: &str, now: Timestamp) -> Managed {
        let new = New::of(object, manager);
        let time = written(now);
        let time = time.as_str().unwrap_or_default();
        let pool = self.store.pool();
        let from_scratch = |pool: &mut Pool| {
            let owned = ownership::updated(None, object, manager, None, now);
            #[cfg(debug_assertions)]
            assert_eq!(object["spec"], owned["spec"], "it is spelled as answered");
            Managed::of(&owned, pool)
        };
        if let Some(known) = self.routines.of_new(&new, time, pool) {
            debug_assert_eq!(known.values(), from_scratch(pool).values(), "{object}");
            return known;
        }
        let owners = from_scratch(pool);
        self.routines.keep_new(new, &owners, time, pool);
        owners
    }

    /// Stores what a controller or kubelet made of the metadata and the status of an object, and who owns it; tells
    /// the controllers.
    pub fn commit_status(
        &mut self,
        id: &ObjectId,
        live: &Value,
        object: Value,
        manager: &str,
        now: Timestamp,
    ) {
        let Some(before) = self.store.find(id).cloned() else {
            return;
        };
        let mut object = object;
        let by = (manager, Some("status"));
        let owners = self.owners_of_status(&before, live, &object, by, now);
        self.store.put_status(id, (&mut object, owners));
        controllers::changed(self, id, Some(&before), now);
    }

    fn owners_of_status(
        &mut self,
        before: &Stored,
        live: &Value,
        object: &Value,
        by: (&str, Option<&str>),
        now: Timestamp,
    ) -> Managed {
        let managed = before.managed();
        let change = Change::of(managed, live, object, by);
        let time = written(now);
        let time = time.as_str().unwrap_or_default();
        let pool = self.store.pool();
        let known = ownership::touched(managed, live, object, by, now)
            .or_else(|| self.routines.after(managed, change.as_ref()?, time, pool));
        let from_scratch = |pool: &mut Pool| {
            let entries = managed.values();
            let owned = ownership::updated_status(live, object, entries, by.0, now);
            Managed::of(&owned, pool).sorted()
        };
        #[cfg(debug_assertions)]
        if let Some(known) = &known {
            assert_eq!(
                known.values(),
                from_scratch(self.store.pool()).values(),
                "{live} became {object}"
            );
        }
        known.unwrap_or_else(|| {
            let owners = from_scratch(self.store.pool());
            if let Some(change) = change {
                self.routines.keep(change, managed, &owners, time);
            }
            owners
        })
    }

    /// Stores metadata and status of an object as somebody made them whose writes are nobody's: the garbage collector.
    pub fn commit_small(&mut self, id: &ObjectId, mut object: Value, now: Timestamp) {
        let Some(before) = self.store.find(id).cloned() else {
            return;
        };
        let owners = before.managed().clone();
        self.store.put_status(id, (&mut object, owners));
        controllers::changed(self, id, Some(&before), now);
    }

    /// Stores what a controller made of an object, read without `managedFields`; tells the controllers.
    pub fn commit_change(
        &mut self,
        id: &ObjectId,
        live: &Value,
        mut object: Value,
        by: (&str, Option<&str>),
        now: Timestamp,
    ) {
        let Some(before) = self.store.find(id).cloned() else {
            return;
        };
        let kind = self.kind(id);
        let touched = ownership::touched(before.managed(), live, &object, by, now);
        count_generation(&kind, live, &mut object);
        let from_scratch = || {
            let live = before.value(&kind);
            let mut object = object.clone();
            object["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
            ownership::updated(Some(&live), &object, by.0, by.1, now)
        };
        debug_assert!(touched.as_ref().is_none_or(|touched| {
            from_scratch()["metadata"]["managedFields"] == Value::from(touched.values())
        }));
        match touched {
            Some(owners) => self.commit_as_owned(id, object, owners, now),
            None => {
                self.commit(id, &mut from_scratch(), now);
            }
        }
    }

    /// Stores an object, read without `managedFields`, and who owns it; tells the controllers.
    pub fn commit_as_owned(
        &mut self,
        id: &ObjectId,
        mut object: Value,
        owners: Managed,
        now: Timestamp,
    ) {
        let Some(before) = self.store.find(id).cloned() else {
            return;
        };
        let created = before.head.created;
        self.store.put_owned(id, (&mut object, owners), created);
        controllers::changed(self, id, Some(&before), now);
    }

    /// Takes an object out of the store, and tells the controllers.
    pub fn remove(&mut self, id: &ObjectId, now: Timestamp) {
        let Some(gone) = self.store.find(id).cloned() else {
            return;
        };
        self.store.remove(id);
        controllers::removed(self, id, &gone.head, now);
    }

    pub fn at(&mut self, time: Timestamp, what: What, object: &ObjectId) {
        let object = object.clone();
        self.timers.at(time, Task { what, object });
    }

    pub fn new_uid(&self, id: &ObjectId) -> String {
        let revision = self.store.revision().to_string();
        random::uuid(
            self.seed,
            &["uid", &revision, &id.kind.0.to_string(), id.key()],
        )
    }

    fn get(&self, request: &Request) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind);
        let stored = self.store.find(&request.object());
        let stored = stored.ok_or_else(|| Refusal::not_found(kind, &request.name))?;
        if request.is_partial {
            let mut body = Vec::new();
            stored.write_metadata(&mut body);
            return Ok(Answer::ok(body));
        }
        Ok(Answer::ok(stored.to_json(kind)))
    }

    /// Stores what is there without anybody having asked for it.
    pub fn found(&mut self, resource: &str, object: Value, now: Timestamp) {
        let kind = self.built_in(resource);
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let id = ObjectId::new(kind, None, &name);
        let object = self.completed(&id, object, now);
        let mut object = object.expect("our own objects are valid");
        self.commit(&id, &mut object, now);
    }

    fn wake_pods(&mut self, now: Timestamp) {
        let pods = self.built_in("pods");
        let pods: Vec<ObjectId> = self
            .store
            .list(pods, None)
            .map(|(id, _)| id.clone())
            .collect();
        for pod in pods {
            self.at(now, What::Advance, &pod);
        }
    }
}

/// As the API writes times: RFC 3339, whole seconds.
pub fn written(time: Timestamp) -> Value {
    let seconds =
        Timestamp::from_second(time.as_second()).expect("within the range of another time");
    json!(seconds.to_string())
}

/// A time somewhat later.
pub fn later(time: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// A node that is ready.
pub fn node(name: &str, zone: &str, labels: Map<String, Value>) -> Value {
    let mut all = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone,
    });
    for (key, value) in labels {
        all[key] = value;
    }
    let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady"});
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": all}, "spec": {},
        "status": {"allocatable": resources, "capacity": resources, "conditions": [ready]},
    })
}
