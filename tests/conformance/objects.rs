//! The objects that scenarios are about: small, and spelt out so that a server's defaults show.

use serde_json::{Value, json};

pub fn settings(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data})
}

pub fn web(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container("web", image)]},
            },
        },
    })
}

pub fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "image": image,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    })
}

/// A CronJob that never starts anything.
pub fn nightly(image: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly", "labels": {"app": "nightly"}},
        "spec": {
            "schedule": "0 3 * * *",
            "suspend": true,
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [container("web", image)],
            }}}},
        },
    })
}

pub fn service(ports: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": ports},
    })
}

pub fn database() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "database"},
        "spec": {
            "replicas": 2,
            "serviceName": "database",
            "selector": {"matchLabels": {"app": "database"}},
            "template": {
                "metadata": {"labels": {"app": "database"}},
                "spec": {"containers": [{
                    "name": "database",
                    "image": "registry.example.com/database:1",
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }]},
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "standard",
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    })
}

pub fn job(name: &str, behaviour: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": {"sim.escale.dev/behaviour": behaviour}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "job", "image": "registry.example.com/job:1"}],
                },
            },
        },
    })
}

pub fn lease(holder: &str, transitions: u64) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "rollouts"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "leaseTransitions": transitions,
            "renewTime": "2026-11-22T10:00:00.000000Z",
        },
    })
}

/// The kind `Boat`, of which the server knows nothing before.
pub fn boats() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.test.escale.dev"},
        "spec": {
            "group": "test.escale.dev",
            "scope": "Namespaced",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {
                        "type": "object",
                        "properties": {
                            "masts": {"type": "integer"},
                            "crew": {"type": "array", "items": {"type": "string"}},
                        },
                    }},
                }},
            }],
        },
    })
}

pub fn boat() -> Value {
    json!({
        "apiVersion": "test.escale.dev/v1",
        "kind": "Boat",
        "metadata": {"name": "hermione"},
        "spec": {"masts": 3, "crew": ["bosun", "cook"]},
    })
}

/// An object with something changed: `changed(web, "/spec/replicas", 3)`. The place must exist, or be a new
/// member of one that does.
pub fn changed(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
    let parent = object.pointer_mut(parent).expect("a place in the object");
    match member.parse::<usize>() {
        Ok(index) if parent.is_array() => parent[index] = value,
        _ => parent[member] = value,
    }
    object
}

pub fn without(mut object: Value, pointer: &str) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
    match object.pointer_mut(parent).expect("a place in the object") {
        Value::Object(map) => drop(map.remove(member)),
        Value::Array(list) => drop(list.remove(member.parse().expect("an index"))),
        other => panic!("{other} has no members"),
    }
    object
}
