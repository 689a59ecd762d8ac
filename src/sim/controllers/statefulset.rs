//! StatefulSets: pods with ordinals and claims, changed one after another from the last.
//!
//! As in the real one, a pod that never gets ready stops everything, also the way back (kubernetes#67250).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::owned::{self, NewPod, Pod};
use crate::sim::object::{ObjectId, Phase};
use crate::sim::state::State;
use crate::sim::view::View;

/// The label that says which template a pod is made from.
pub const HASH: &str = "controller-revision-hash";

/// What one look at a StatefulSet goes by.
struct Look {
    id: ObjectId,
    set: View,
    pods: BTreeMap<i64, Pod>,
    current: String,
    update: String,
    wanted: i64,
    partition: i64,
    in_order: bool,
}

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(set) = state.view(id) else { return };
    if !set["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let update = format!("{}-{}", owned::name(&set), owned::template_hash(&set));
    owned::keep_revision(state, id, &set, &update, now);
    let current = set["status"]["currentRevision"]
        .as_str()
        .unwrap_or(&update)
        .to_owned();
    let spec = &set["spec"];
    let look = Look {
        id: id.clone(),
        pods: by_ordinal(state, &set),
        wanted: spec["replicas"].as_i64().unwrap_or(1),
        partition: spec["updateStrategy"]["rollingUpdate"]["partition"]
            .as_i64()
            .unwrap_or_default(),
        in_order: spec["podManagementPolicy"] != "Parallel",
        current,
        update,
        set,
    };
    look.act(state, now);
    look.write_status(state, now);
}

fn by_ordinal(state: &State, set: &View) -> BTreeMap<i64, Pod> {
    let pods = owned::pods_of(state, owned::uid(set)).into_iter();
    let numbered = pods.filter_map(|pod| {
        let ordinal = pod.id.name().rsplit_once('-')?.1.parse().ok()?;
        Some((ordinal, pod))
    });
    numbered.collect()
}

impl Look {
    /// One pass over the pods: make what is missing, then take away what is too much, then change what is old.
    fn act(&self, state: &mut State, now: Timestamp) {
        for ordinal in 0..self.wanted {
            match self.pods.get(&ordinal) {
                None => self.create(state, ordinal, now),
                Some(pod) if pod.head().deleting => {}
                Some(pod) if matches!(pod.phase(), Phase::Failed | Phase::Succeeded) => {
                    state.delete_by_controller(&pod.id, now);
                }
                Some(pod) if pod.is_ready() => continue,
                Some(_) => {}
            }
            if self.in_order {
                return;
            }
        }
        if let Some((_, surplus)) = self.pods.range(self.wanted..).next_back() {
            if !surplus.head().deleting {
                state.delete_by_controller(&surplus.id, now);
            }
            return;
        }
        if self.set["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
            self.replace_old(state, now);
        }
    }

    fn replace_old(&self, state: &mut State, now: Timestamp) {
        for (_, pod) in self.pods.range(self.partition..self.wanted).rev() {
            if pod.head().label(HASH) != Some(&self.update) {
                if !pod.head().deleting {
                    state.delete_by_controller(&pod.id, now);
                }
                return;
            }
            if !pod.is_ready() {
                return;
            }
        }
    }

    fn create(&self, state: &mut State, ordinal: i64, now: Timestamp) {
        let unchanged = self.set["status"]["currentReplicas"]
            .as_i64()
            .unwrap_or_default();
        let is_old = ordinal < self.partition || (self.partition == 0 && ordinal < unchanged);
        let revision = if is_old { &self.current } else { &self.update };
        let name = format!("{}-{ordinal}", owned::name(&self.set));
        let mut template = self.template_of(state, revision);
        template["spec"]["hostname"] = json!(name);
        if let service @ Value::String(_) = &self.set["spec"]["serviceName"] {
            template["spec"]["subdomain"] = service.clone();
        }
        self.claim_volumes(state, &name, &mut template, now);
        let labels = vec![
            (HASH, revision.clone()),
            ("statefulset.kubernetes.io/pod-name", name.clone()),
            ("apps.kubernetes.io/pod-index", ordinal.to_string()),
        ];
        let new = NewPod {
            owner: &self.set,
            template: &template,
            name,
            labels,
        };
        owned::create_pod(state, &self.id, new, now);
    }

    /// The template as it was at a revision.
    fn template_of(&self, state: &State, revision: &str) -> Value {
        let kind = state.built_in("controllerrevisions.apps");
        let kept = state.view(&self.id.beside(kind, revision));
        let kept = kept.map(|kept| kept.into_tree()["data"]["spec"]["template"].take());
        let mut template = kept.unwrap_or_else(|| self.set.template());
        if let Some(members) = template.as_object_mut() {
            members.remove("$patch");
        }
        template
    }

    /// A claim for each template of one, kept when the pod goes.
    fn claim_volumes(&self, state: &mut State, pod: &str, template: &mut Value, now: Timestamp) {
        let claims = state.built_in("persistentvolumeclaims");
        for wanted in self.set["spec"]["volumeClaimTemplates"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let volume = wanted["metadata"]["name"].as_str().unwrap_or_default();
            let name = format!("{volume}-{pod}");
            let id = self.id.beside(claims, &name);
            if state.store.find(&id).is_none() {
                let mut metadata = wanted["metadata"].clone();
                metadata["name"] = json!(name);
                metadata["namespace"] = json!(self.id.namespace());
                for (key, value) in self.set["spec"]["selector"]["matchLabels"]
                    .as_object()
                    .into_iter()
                    .flatten()
                {
                    metadata["labels"][key] = value.clone();
                }
                let claim = json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted["spec"],
                });
                owned::create(state, &id, claim, now);
            }
            let source = json!({"name": volume, "persistentVolumeClaim": {"claimName": name}});
            let volumes = &mut template["spec"]["volumes"];
            match volumes.as_array_mut() {
                Some(volumes) => volumes.push(source),
                None => *volumes = json!([source]),
            }
        }
    }

    fn write_status(&self, state: &mut State, now: Timestamp) {
        let pods: Vec<Pod> = by_ordinal(state, &self.set).into_values().collect();
        let least = owned::min_ready(&self.set);
        let here = |pod: &&Pod| !pod.head().deleting;
        let of = |revision: &str| {
            owned::count(
                pods.iter()
                    .filter(here)
                    .filter(|pod| pod.head().label(HASH) == Some(revision)),
            )
        };
        let (ready, updated) = (
            owned::count(pods.iter().filter(|pod| pod.is_ready())),
            of(&self.update),
        );
        let available = owned::count(pods.iter().filter(|pod| pod.is_available(least, now)));
        let replicas = owned::count(pods.iter().filter(here));
        let is_done = [updated, replicas, ready] == [self.wanted; 3];
        let current = if is_done { &self.update } else { &self.current };
        let counts = [
            ("replicas", replicas),
            ("readyReplicas", ready),
            ("availableReplicas", available),
            (
                "currentReplicas",
                if is_done { updated } else { of(&self.current) },
            ),
            ("updatedReplicas", updated),
        ];
        owned::look_when_available(state, &self.id, &pods, least, now);
        let change = |object: &mut Value| {
            let generation = object["metadata"]["generation"].clone();
            let status = &mut object["status"];
            owned::set_counts(status, &counts, &["replicas", "availableReplicas"]);
            status["collisionCount"] = json!(0);
            status["currentRevision"] = json!(current);
            status["updateRevision"] = json!(self.update);
            status["observedGeneration"] = generation;
        };
        owned::update_status(state, &self.id, change, now);
    }
}
