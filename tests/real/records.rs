//! What escale's records say, held against what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clusters::{CLUSTERS, kubectl};

/// An object, by kind, name and uid.
type Known = (String, String, String);

/// Tenants whose records have a claim.
pub fn open_claims() -> BTreeSet<String> {
    let all = CLUSTERS.iter().flat_map(|cluster| records(cluster));
    let open = all.filter(has_claim);
    open.map(|record| text(&record["metadata"]["name"]))
        .collect()
}

/// How many claims were left open by a process that vanished, and taken over by the next.
pub fn takeovers() -> usize {
    let all = CLUSTERS.iter().flat_map(|cluster| records(cluster));
    all.map(|record| {
        text(&record["data"]["history"])
            .matches("\"takeOver\"")
            .count()
    })
    .sum()
}

/// Fails the test unless the record of a tenant has no claim, and lists exactly the objects that are there and bear its
/// mark; none of them may have the stamp against a vanished process left.
#[track_caller]
pub fn is_as_recorded(cluster: &str, namespace: &str) {
    let there = objects(cluster, namespace);
    let found: BTreeSet<Known> = there.iter().map(known).collect();
    assert_eq!(
        recorded(cluster, namespace),
        found,
        "{namespace} on {cluster}"
    );
    let stamped = there
        .iter()
        .filter(|object| managers(object).contains("escale-fence"));
    let stamped: Vec<Known> = stamped.map(known).collect();
    assert_eq!(stamped, Vec::new(), "{namespace} on {cluster}");
}

/// The bundle that each tenant runs by its record, by namespace.
pub fn digests(cluster: &str) -> BTreeMap<String, String> {
    let digest = |record: &Value| {
        let metadata = &record["metadata"];
        let digest = text(&metadata["annotations"]["escale.dev/digest"]);
        (text(&metadata["name"]), digest)
    };
    records(cluster).iter().map(digest).collect()
}

fn has_claim(record: &Value) -> bool {
    let claim = record["data"]["claim"].as_str();
    claim.is_some_and(|claim| claim != "null")
}

fn recorded(cluster: &str, namespace: &str) -> BTreeSet<Known> {
    let records = records(cluster);
    let record = records
        .iter()
        .find(|record| record["metadata"]["name"] == namespace);
    let record = record.unwrap_or_else(|| panic!("{namespace} has no record on {cluster}"));
    assert!(!has_claim(record), "{namespace} on {cluster}: {record:#}");
    let inventory = record["data"]["inventory"]
        .as_str()
        .expect("a record has an inventory");
    let lines: Vec<Value> = serde_json::from_str(inventory).expect("an inventory is JSON");
    lines
        .iter()
        .map(|line| {
            let object = &line["object"];
            (
                text(&object["kind"]),
                text(&object["name"]),
                text(&line["written"]["uid"]),
            )
        })
        .collect()
}

fn records(cluster: &str) -> Vec<Value> {
    let tenants = [
        "-n",
        "escale-system",
        "get",
        "configmaps",
        "-l",
        "escale.dev/record=tenant",
    ];
    items(cluster, &tenants)
}

/// Everything in a namespace, and the namespace, that has an owner's mark.
fn objects(cluster: &str, namespace: &str) -> Vec<Value> {
    const KINDS: &str = "services,deployments,configmaps,jobs";
    let mut all = items(cluster, &["-n", namespace, "get", KINDS]);
    let itself = format!("metadata.name={namespace}");
    all.extend(items(
        cluster,
        &["get", "namespaces", "--field-selector", &itself],
    ));
    all.retain(|object| !object["metadata"]["annotations"]["escale.dev/owner"].is_null());
    all
}

fn items(cluster: &str, arguments: &[&str]) -> Vec<Value> {
    let output = ["-o", "json", "--show-managed-fields"];
    let list = kubectl(cluster, &[arguments, &output].concat());
    let list: Value = serde_json::from_str(&list).expect("kubectl prints JSON");
    list["items"].as_array().expect("a list").clone()
}

fn known(object: &Value) -> Known {
    let metadata = &object["metadata"];
    (
        text(&object["kind"]),
        text(&metadata["name"]),
        text(&metadata["uid"]),
    )
}

fn managers(object: &Value) -> BTreeSet<String> {
    let entries = object["metadata"]["managedFields"].as_array();
    let entries = entries.into_iter().flatten();
    entries.map(|entry| text(&entry["manager"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
