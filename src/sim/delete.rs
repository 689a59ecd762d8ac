//! DELETE: preconditions, finalizers, graceful ends, and what goes with an object.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::object::ObjectId;
use super::refusal::Refusal;
use super::request::Request;
use super::selector::Selector;
use super::service::Answer;
use super::state::{State, later, written};
use super::timers::What;
use super::view::View;

/// What becomes of an object's dependants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Propagation {
    Background,
    Foreground,
    Orphan,
}

const FOREGROUND: &str = "foregroundDeletion";

impl State {
    pub fn delete(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind).clone();
        let id = request.object();
        let options = if request.body.is_empty() {
            json!({})
        } else {
            request.json()?
        };
        let live = self
            .view(&id)
            .ok_or_else(|| Refusal::not_found(&kind, &request.name))?;
        check_preconditions(&kind, &live, &options["preconditions"])?;
        if request.is_dry_run() {
            return Ok(Answer::ok(success(&kind, &live).into_bytes()));
        }
        let policy = options["propagationPolicy"].as_str();
        let policy = policy.or(request.query.get("propagationPolicy"));
        let grace = options["gracePeriodSeconds"].as_i64();
        self.delete_object(&id, live.clone(), Propagation::parse(policy), grace, now);
        let body = match self.store.find(&id) {
            Some(stored) => stored.to_json(&kind),
            None => success(&kind, &live).into_bytes(),
        };
        Ok(Answer::ok(body))
    }

    pub fn delete_collection(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let query = &request.query;
        let selector = Selector::parse(query.get("labelSelector"), query.get("fieldSelector"))?;
        let stored = self.store.list(request.kind, request.namespace.as_deref());
        let chosen = stored.filter(|(id, stored)| selector.matches(id, &stored.head, String::new));
        let chosen: Vec<ObjectId> = chosen.map(|(id, _)| id.clone()).collect();
        let is_dry_run = request.is_dry_run();
        for id in chosen.iter().filter(|_| !is_dry_run) {
            self.delete_by_controller(id, now);
        }
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        Ok(Answer::ok(status.to_string().into_bytes()))
    }

    /// Deletes an object and, in the background, its dependants.
    pub fn delete_by_controller(&mut self, id: &ObjectId, now: Timestamp) {
        if let Some(live) = self.view(id) {
            self.delete_object(id, live, Propagation::Background, None, now);
        }
    }

    /// Takes away what held an object back; it goes if nothing is left.
    pub fn remove_finalizer(&mut self, id: &ObjectId, finalizer: &str, now: Timestamp) {
        let Some(mut value) = self.small(id) else {
            return;
        };
        let list = value["metadata"]["finalizers"].as_array_mut();
        let Some(list) = list.filter(|list| list.iter().any(|known| known == finalizer)) else {
            return;
        };
        list.retain(|known| known != finalizer);
        if list.is_empty()
            && let Some(metadata) = value["metadata"].as_object_mut()
        {
            metadata.remove("finalizers");
        }
        self.commit_small(id, value, now);
        self.finalize(id, now);
    }

    /// Removes an object that is being deleted once nothing holds it back.
    pub fn finalize(&mut self, id: &ObjectId, now: Timestamp) {
        let Some(value) = self.small(id) else { return };
        let kind = self.kind(id);
        let held = value["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        // A pod goes when its kubelet says so, a namespace when its content has gone.
        let waits = kind.is("", "pods") || kind.is("", "namespaces");
        if !value["metadata"]["deletionTimestamp"].is_null() && !held && !waits {
            self.remove(id, now);
        }
    }

    /// A dependant is looked at because an owner has gone.
    pub fn collect(&mut self, id: &ObjectId, now: Timestamp) {
        let Some(stored) = self.store.find(id).cloned() else {
            return;
        };
        let is_owned = stored
            .head
            .owners
            .iter()
            .any(|owner| self.store.by_uid(owner).is_some());
        if !is_owned && !stored.head.deleting {
            self.delete_by_controller(id, now);
        }
    }

    /// An owner that waits for its dependants goes after the last.
    pub fn release_owner(&mut self, owner: &str, now: Timestamp) {
        let Some(id) = self.store.by_uid(owner).cloned() else {
            return;
        };
        let is_deleting = self
            .store
            .find(&id)
            .is_some_and(|stored| stored.head.deleting);
        if is_deleting && self.store.dependants(owner).is_empty() {
            self.remove_finalizer(&id, FOREGROUND, now);
        }
    }

    fn delete_object(
        &mut self,
        id: &ObjectId,
        mut live: View,
        propagation: Propagation,
        grace: Option<i64>,
        now: Timestamp,
    ) {
        let kind = self.kind(id);
        let uid = live["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let dependants = self.store.dependants(&uid);
        match propagation {
            Propagation::Orphan => self.orphan(&dependants, &uid, now),
            Propagation::Foreground if !dependants.is_empty() => {
                add_finalizer(&mut live.tree, FOREGROUND);
                for dependant in &dependants {
                    self.delete_by_controller(dependant, now);
                }
            }
            Propagation::Foreground | Propagation::Background => {}
        }
        let grace = if kind.is("", "pods") {
            grace_of(&live, grace)
        } else {
            0
        };
        let held = live["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        if !held && grace == 0 && !kind.is("", "namespaces") {
            return self.remove(id, now);
        }
        if live["metadata"]["deletionTimestamp"].is_null() {
            self.mark(id, live.tree, grace, now);
        }
    }

    fn mark(&mut self, id: &ObjectId, mut live: Value, grace: i64, now: Timestamp) {
        let kind = self.kind(id);
        let seconds = u64::try_from(grace).unwrap_or_default();
        let end = later(now, std::time::Duration::from_secs(seconds));
        live["metadata"]["deletionTimestamp"] = written(end);
        if kind.is("", "namespaces") {
            live["status"]["phase"] = json!("Terminating");
        } else {
            live["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        }
        if kind.has_generation() {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or_default();
            live["metadata"]["generation"] = json!(generation + 1);
        }
        self.commit_small(id, live, now);
        if kind.is("", "pods") {
            self.at(now, What::Advance, id);
        }
    }

    fn orphan(&mut self, dependants: &[ObjectId], owner: &str, now: Timestamp) {
        for dependant in dependants {
            let Some(mut value) = self.small(dependant) else {
                continue;
            };
            if let Some(references) = value["metadata"]["ownerReferences"].as_array_mut() {
                references.retain(|reference| reference["uid"] != owner);
            }
            self.commit_small(dependant, value, now);
        }
    }
}

impl Propagation {
    /// What is not said is done in the background: so do all kinds that we serve.
    fn parse(policy: Option<&str>) -> Self {
        match policy {
            Some("Foreground") => Self::Foreground,
            Some("Orphan") => Self::Orphan,
            _ => Self::Background,
        }
    }
}

fn check_preconditions(kind: &Kind, live: &View, wanted: &Value) -> Result<(), Refusal> {
    let rules = [
        (
            "uid",
            "UID",
            "The object might have been deleted and then recreated",
        ),
        (
            "resourceVersion",
            "ResourceVersion",
            "The object might have been modified",
        ),
    ];
    for (key, said, guess) in rules {
        let found = live["metadata"][key].as_str().unwrap_or_default();
        let Some(wanted) = wanted[key].as_str().filter(|wanted| *wanted != found) else {
            continue;
        };
        let name = live["metadata"]["name"].as_str().unwrap_or_default();
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the {said} in the precondition ({wanted}) does not match \
             the {said} in record ({found}). {guess}",
            kind.qualified_kind()
        );
        return Err(Refusal::new(409, "Conflict", message).about(&kind.group, &kind.name, name));
    }
    Ok(())
}

fn success(kind: &Kind, live: &View) -> String {
    let mut details = json!({
        "name": live["metadata"]["name"], "kind": kind.plural, "uid": live["metadata"]["uid"],
    });
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}).to_string()
}

fn add_finalizer(value: &mut Value, finalizer: &str) {
    if value["metadata"]["finalizers"].is_null() {
        value["metadata"]["finalizers"] = json!([]);
    }
    if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
        list.push(json!(finalizer));
    }
}

/// How long a pod may take to end: none if no kubelet knows it.
fn grace_of(pod: &View, asked: Option<i64>) -> i64 {
    let is_bound = !pod["spec"]["nodeName"].is_null();
    let own = pod.of_pod("terminationGracePeriodSeconds");
    let own = own.as_i64().unwrap_or(30);
    if is_bound { asked.unwrap_or(own) } else { 0 }
}
