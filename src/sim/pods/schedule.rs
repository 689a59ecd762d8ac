//! The scheduler: which node a pod goes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::sim::behaviour::{Behaviour, Conduct};
use crate::sim::controllers::are_bound;
use crate::sim::object::ObjectId;
use crate::sim::random;
use crate::sim::state::{self, State};
use crate::sim::view::View;

/// Binds a pod to a node, or says why there is none for it.
pub fn bind(
    state: &mut State,
    id: &ObjectId,
    pod: &View,
    conduct: &Conduct,
    now: Timestamp,
) -> Result<(), &'static str> {
    if conduct.behaviour == Behaviour::Unschedulable {
        return Err("0 nodes are available: Insufficient memory.");
    }
    if !are_bound(state, id, pod) {
        return Err("0 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    }
    let wanted = pod
        .of_pod("nodeSelector")
        .as_object()
        .cloned()
        .unwrap_or_default();
    let nodes = known_nodes(state, &wanted);
    if nodes.is_empty() {
        grow(state, wanted, now);
        return Err("0 nodes are available: no node matches Pod's node affinity/selector.");
    }
    let number = random::number(state.seed, &["node", id.key()]);
    let count = u64::try_from(nodes.len()).unwrap_or(1);
    let index = usize::try_from(number % count).unwrap_or_default();
    let node = &nodes[index];
    if let Some(stored) = state.store.find(id).cloned() {
        let mut bound = pod.clone().into_tree();
        bound["spec"]["nodeName"] = json!(node);
        // Nobody owns the node: the scheduler writes a subresource that is not tracked.
        state.commit_as_owned(id, bound, stored.managed().clone(), now);
    }
    Ok(())
}

/// Nodes by selector, as far as they were looked for since any node changed.
pub type Nodes = BTreeMap<String, Arc<[String]>>;

fn known_nodes(state: &mut State, wanted: &Map<String, Value>) -> Arc<[String]> {
    let selector = serde_json::to_string(wanted).expect("a JSON tree is written to memory");
    if let Some(known) = state.nodes.get(&selector) {
        return known.clone();
    }
    let found: Arc<[String]> = nodes(state, wanted).into();
    state.nodes.insert(selector, found.clone());
    found
}

/// The names of the nodes that have these labels. Nodes that are somebody's own take nobody else.
pub fn nodes(state: &State, wanted: &Map<String, Value>) -> Vec<String> {
    let kind = state.built_in("nodes");
    let nodes = state.store.list(kind, None).filter(|(_, stored)| {
        let has = |(key, value): (&String, &Value)| value.as_str() == stored.head.label(key);
        let is_own = stored.head.label(GROWN).is_some() && wanted.is_empty();
        !is_own && wanted.iter().all(has)
    });
    nodes.map(|(id, _)| id.name().to_owned()).collect()
}

/// Marks nodes that were added for a selector.
const GROWN: &str = "sim.escale.dev/grown";

/// Clients with nodes of their own find them: a node appears for every selector that none fits.
fn grow(state: &mut State, wanted: Map<String, Value>, now: Timestamp) {
    let number = random::number(0, &[&Value::from(wanted.clone()).to_string()]);
    let name = format!("node-{}", random::letters(number, 6));
    let mut labels = wanted;
    labels.insert(GROWN.to_owned(), json!("true"));
    state.found("nodes", state::node(&name, "a", labels), now);
}
