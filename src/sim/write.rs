//! Creating, updating and applying: from what was sent to what is stored.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::fields::{ApplyRequest, server_apply};

use super::checks::{
    check_apply_version, check_name, check_preconditions, check_type, count_generation, drop_nulls,
    forget_server_fields, is_same, keep, keep_server_fields, manager_required, refused,
};
use super::defaults;
use super::kinds::Kind;
use super::object::ObjectId;
use super::ownership;
use super::random;
use super::refusal::{Cause, Refusal};
use super::request::Request;
use super::service::Answer;
use super::state::{State, written};
use super::validation;

/// A write, ready to be stored.
pub struct Write<'a> {
    pub id: ObjectId,
    pub request: &'a Request,
    pub now: Timestamp,
}

impl State {
    pub fn create(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind).clone();
        let mut sent = self.decode(request)?;
        let name = self.name_for(&sent);
        if name.is_empty() {
            let cause = Cause {
                message: "Required value: name or generateName is required".to_owned(),
                ..Cause::required("metadata.name")
            };
            return Err(Refusal::invalid(&kind, "", &[cause]));
        }
        sent["metadata"]["name"] = json!(name);
        let id = ObjectId::new(request.kind, request.namespace.as_deref(), &name);
        if self.store.find(&id).is_some() {
            return Err(Refusal::already_exists(&kind, &name));
        }
        defaults::fill(&kind, &mut sent);
        let owned = ownership::updated(None, &sent, request.manager(), request.subresource(), now);
        let object = self.completed(&id, owned, now)?;
        Ok(self.finish(&Write { id, request, now }, object, 201))
    }

    pub fn update(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind).clone();
        let id = request.object();
        let sent = self.decode(request)?;
        let live = self
            .value(&id)
            .ok_or_else(|| Refusal::not_found(&kind, &request.name))?;
        check_preconditions(&kind, &live, &sent)?;
        self.replace(&Write { id, request, now }, &live, sent)
    }

    pub fn apply(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind).clone();
        let manager = request
            .query
            .get("fieldManager")
            .ok_or_else(manager_required)?;
        let mut sent = request.json()?;
        check_type(&kind, &sent)?;
        let id = request.object();
        let live = self.value(&id);
        check_apply_version(&kind, &request.name, live.as_ref(), &sent)?;
        forget_server_fields(&mut sent);
        let applied = server_apply(ApplyRequest {
            live: live.as_ref(),
            sent: &sent,
            manager,
            force: request.query.get("force") == Some("true"),
            now,
            subresource: request.subresource(),
        });
        let applied = applied.map_err(refused)?;
        check_name(request, &applied.object)?;
        let write = Write { id, request, now };
        match live {
            None => {
                let object = self.completed(&write.id, applied.object, now)?;
                Ok(self.finish(&write, object, 201))
            }
            Some(live) => {
                let object = self.merged(&write, &live, applied.object)?;
                Ok(self.finish_update(&write, &live, object))
            }
        }
    }

    /// A PUT, or what a patch made of the live object.
    pub fn replace(&mut self, write: &Write, live: &Value, sent: Value) -> Result<Answer, Refusal> {
        let request = write.request;
        let object = self.merged(write, live, sent)?;
        let (manager, subresource) = (request.manager(), request.subresource());
        let object = ownership::updated(Some(live), &object, manager, subresource, write.now);
        Ok(self.finish_update(write, live, object))
    }

    /// What `kubectl edit` does.
    pub fn edit(
        &mut self,
        id: &ObjectId,
        change: impl FnOnce(&mut Value),
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let kind = self.kind(id);
        let live = self
            .value(id)
            .ok_or_else(|| Refusal::not_found(&kind, id.name()))?;
        let mut object = live.clone();
        change(&mut object);
        defaults::fill(&kind, &mut object);
        validation::check_update(&kind, &live, &object)?;
        let mut object = ownership::updated(Some(&live), &object, "kubectl-edit", None, now);
        count_generation(&kind, &live, &mut object);
        self.commit(id, &mut object, now);
        Ok(object)
    }

    /// A new object with everything that the server adds, checked.
    pub fn completed(
        &mut self,
        id: &ObjectId,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let kind = self.kind(id);
        self.check_namespace(&kind, id)?;
        let uid = self.new_uid(id);
        let metadata = object["metadata"].as_object_mut();
        let metadata = metadata.ok_or_else(|| Refusal::bad_request("metadata is missing"))?;
        for key in [
            "resourceVersion",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.remove(key);
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("name".to_owned(), json!(id.name()));
        metadata.insert("creationTimestamp".to_owned(), written(now));
        if let Some(namespace) = id.namespace() {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        if kind.has_generation() {
            metadata.insert("generation".to_owned(), json!(1));
        }
        if kind.has_status
            && kind.name != "Node"
            && let Some(members) = object.as_object_mut()
        {
            members.remove("status");
        }
        defaults::fill(&kind, &mut object);
        self.complete_kind(&kind, id, &mut object);
        validation::check(&kind, &object)?;
        Ok(object)
    }

    /// What the server adds to a new object of this kind alone.
    fn complete_kind(&mut self, kind: &Kind, id: &ObjectId, object: &mut Value) {
        defaults::complete(kind, object);
        if kind.is("", "services") && object["spec"]["clusterIP"].is_null() {
            let revision = self.store.revision().to_string();
            let number = random::number(self.seed, &["clusterIP", id.key(), &revision]);
            let address = format!(
                "10.{}.{}.{}",
                96 + number % 16,
                (number >> 8) % 256,
                1 + (number >> 16) % 254
            );
            object["spec"]["clusterIP"] = json!(address);
            object["spec"]["clusterIPs"] = json!([address]);
        }
    }

    /// The new state of a live object: what only the server may change stays.
    fn merged(&mut self, write: &Write, live: &Value, mut object: Value) -> Result<Value, Refusal> {
        let kind = self.kind(&write.id);
        check_name(write.request, &object)?;
        keep_server_fields(live, &mut object);
        if write.request.is_status {
            let mut only_status = live.clone();
            keep(&object, &mut only_status, "status");
            keep(
                &object["metadata"],
                &mut only_status["metadata"],
                "managedFields",
            );
            object = only_status;
        } else if kind.has_status {
            keep(live, &mut object, "status");
        }
        defaults::keep_allocated(&kind, live, &mut object);
        defaults::fill(&kind, &mut object);
        validation::check(&kind, &object)?;
        validation::check_update(&kind, live, &object)?;
        count_generation(&kind, live, &mut object);
        Ok(object)
    }

    fn finish_update(&mut self, write: &Write, live: &Value, object: Value) -> Answer {
        if is_same(live, &object) {
            return Answer::ok(live.to_string().into_bytes());
        }
        self.finish(write, object, 200)
    }

    fn finish(&mut self, write: &Write, mut object: Value, code: u16) -> Answer {
        if write.request.is_dry_run() {
            return Answer::with(code, object.to_string().into_bytes());
        }
        let kind = self.kind(&write.id);
        let stored = self.commit(&write.id, &mut object, write.now);
        if stored.head.deleting {
            self.finalize(&write.id, write.now);
        }
        Answer::with(code, stored.to_json(&kind))
    }

    fn decode(&self, request: &Request) -> Result<Value, Refusal> {
        let kind = self.kinds.of(request.kind);
        let mut sent = request.json()?;
        if sent.is_object() {
            // Clients may leave both out where the path says them.
            for (key, value) in [
                ("apiVersion", kind.api_version()),
                ("kind", kind.name.clone()),
            ] {
                if sent[key].is_null() {
                    sent[key] = json!(value);
                }
            }
        }
        check_type(kind, &sent)?;
        if !sent["metadata"].is_object() {
            sent["metadata"] = Value::Object(Map::new());
        }
        ownership::drop_unknown_fields(kind, &mut sent, request.is_strict())?;
        if !kind.is_custom {
            drop_nulls(&mut sent);
        }
        Ok(sent)
    }

    fn name_for(&self, sent: &Value) -> String {
        let text = |key: &str| sent["metadata"][key].as_str().unwrap_or_default();
        match (text("name"), text("generateName")) {
            ("", "") => String::new(),
            ("", prefix) => {
                let revision = self.store.revision().to_string();
                let number = random::number(self.seed, &["name", prefix, &revision]);
                format!("{prefix}{}", random::letters(number, 5))
            }
            (name, _) => name.to_owned(),
        }
    }

    /// A new object needs a namespace that is not going away.
    fn check_namespace(&self, kind: &Kind, id: &ObjectId) -> Result<(), Refusal> {
        let Some(namespace) = id.namespace() else {
            return Ok(());
        };
        let namespaces = self.built_in("namespaces");
        let stored = self.store.find(&ObjectId::new(namespaces, None, namespace));
        let stored =
            stored.ok_or_else(|| Refusal::not_found(self.kinds.of(namespaces), namespace))?;
        if !stored.head.deleting {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let message = format!("{} \"{}\" is forbidden: {why}", kind.resource(), id.name());
        let mut refusal =
            Refusal::new(403, "Forbidden", message).about(&kind.group, &kind.plural, id.name());
        refusal.details["causes"] = json!([{
            "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        Err(refusal)
    }
}
