//! What the API server fills in: a table of paths and values, as clients of a 1.36 server see them.

mod pod;
mod table;

use serde_json::{Map, Value, json};

use super::kinds::Kind;

use table::{BEHAVIOR, first_status, rows, templates};

/// Fills in what was left out. Idempotent; for new objects and for changed ones.
pub fn fill(kind: &Kind, object: &mut Value) {
    if kind.is_custom {
        return;
    }
    for (path, value) in rows(&kind.name) {
        fill_path(object, path, value);
    }
    for template in templates(&kind.name) {
        if let Some(spec) = object.pointer_mut(template) {
            pod::fill(spec);
        }
    }
    match kind.name.as_str() {
        "Deployment" => rolling(
            object,
            "strategy",
            &json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
        ),
        "DaemonSet" => rolling(
            object,
            "updateStrategy",
            &json!({"maxSurge": 0, "maxUnavailable": 1}),
        ),
        "StatefulSet" => fill_partition(object),
        "HorizontalPodAutoscaler" => fill_behavior(object),
        "Job" => label_job(object),
        "Service" => fill_service(object),
        "NetworkPolicy" => fill_policy_types(object),
        "LimitRange" => fill_limits(object),
        "RoleBinding" | "ClusterRoleBinding" => fill_subjects(object),
        "CustomResourceDefinition" => fill_names(object),
        _ => {}
    }
}

/// What the server adds to a new object once, beyond its defaults.
pub fn complete(kind: &Kind, object: &mut Value) {
    if kind.is_custom {
        return;
    }
    if let Some(status) = first_status(&kind.name)
        && object["status"].is_null()
    {
        object["status"] = status;
    }
    match kind.name.as_str() {
        "Namespace" => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] =
                object["metadata"]["name"].clone();
            object["spec"]["finalizers"] = json!(["kubernetes"]);
        }
        "PersistentVolumeClaim" => {
            object["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
        }
        "DaemonSet" => count_template(object, 1),
        "Job" => {
            select_by_uid(object);
            label_job(object);
        }
        "CustomResourceDefinition" => {
            let versions = object["spec"]["versions"].as_array();
            let stored = versions
                .into_iter()
                .flatten()
                .find(|version| version["storage"] == true);
            object["status"]["storedVersions"] = json!([stored.map(|version| &version["name"])]);
        }
        _ => {}
    }
}

/// What a change may leave out because the server once chose it.
pub fn keep_allocated(kind: &Kind, live: &Value, object: &mut Value) {
    let paths: &[&str] = match kind.name.as_str() {
        "Service" => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        "PersistentVolumeClaim" => &["volumeName", "storageClassName", "volumeMode"],
        "Job" => &["selector", "template", "completionMode", "completions"],
        "Namespace" => &["finalizers"],
        _ => &[],
    };
    for key in paths {
        if object["spec"][*key].is_null() && !live["spec"][*key].is_null() {
            object["spec"][*key] = live["spec"][*key].clone();
        }
    }
    if kind.name == "DaemonSet" {
        let before = live["metadata"]["annotations"][TEMPLATE_GENERATION].as_str();
        let before = before.and_then(|count| count.parse().ok()).unwrap_or(1);
        let changed = live["spec"]["template"] != object["spec"]["template"];
        count_template(object, before + i64::from(changed));
    }
}

/// Sets the value at a path of names, with `*` for every element of a list, where nothing stands and the
/// member above it does.
fn fill_path(object: &mut Value, path: &str, value: &str) {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (object, rest) {
        (Value::Array(items), Some(rest)) if first == "*" => {
            for item in items {
                fill_path(item, rest, value);
            }
        }
        (Value::Object(members), Some(rest)) => {
            if let Some(member) = members.get_mut(first) {
                fill_path(member, rest, value);
            }
        }
        (Value::Object(members), None) => {
            let member = members.entry(first).or_insert(Value::Null);
            if member.is_null() {
                *member = serde_json::from_str(value).expect("the table holds JSON");
            }
        }
        _ => {}
    }
}

fn rolling(object: &mut Value, strategy: &str, defaults: &Value) {
    let strategy = &mut object["spec"][strategy];
    if strategy["type"] != "RollingUpdate" {
        return;
    }
    if strategy["rollingUpdate"].is_null() {
        strategy["rollingUpdate"] = json!({});
    }
    for (key, value) in defaults.as_object().into_iter().flatten() {
        if strategy["rollingUpdate"][key].is_null() {
            strategy["rollingUpdate"][key] = value.clone();
        }
    }
}

/// A strategy that names its type gets no settings by default, other than one that says nothing.
fn fill_partition(object: &mut Value) {
    let strategy = &mut object["spec"]["updateStrategy"];
    if strategy["type"].is_null() {
        *strategy = json!({"type": "RollingUpdate", "rollingUpdate": {}});
    }
    fill_path(strategy, "rollingUpdate.partition", "0");
}

/// Only an autoscaler that says something of its behaviour is told the rest.
fn fill_behavior(object: &mut Value) {
    let Some(behavior) = object
        .pointer_mut("/spec/behavior")
        .filter(|behavior| behavior.is_object())
    else {
        return;
    };
    for (path, value) in BEHAVIOR {
        fill_path(behavior, path, value);
    }
}

/// A Job without labels of its own has those of its pods.
fn label_job(object: &mut Value) {
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if labels.is_object() && object["metadata"]["labels"].is_null() {
        object["metadata"]["labels"] = labels;
    }
}

fn select_by_uid(object: &mut Value) {
    let (uid, name) = (
        object["metadata"]["uid"].clone(),
        object["metadata"]["name"].clone(),
    );
    object["spec"]["selector"] =
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = &mut object["spec"]["template"]["metadata"]["labels"];
    for prefix in ["", "batch.kubernetes.io/"] {
        labels[format!("{prefix}controller-uid")] = uid.clone();
        labels[format!("{prefix}job-name")] = name.clone();
    }
}

fn fill_service(object: &mut Value) {
    let spec = &mut object["spec"];
    for port in items(spec, "ports") {
        if port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
    }
    if spec["type"] == "ExternalName" {
        return;
    }
    let mut set = |key: &str, value: Value| {
        if spec[key].is_null() {
            spec[key] = value;
        }
    };
    set("internalTrafficPolicy", json!("Cluster"));
    set("ipFamilies", json!(["IPv4"]));
    set("ipFamilyPolicy", json!("SingleStack"));
    if spec["clusterIP"] == "None" {
        spec["clusterIPs"] = json!(["None"]);
    }
    if spec["type"] == "LoadBalancer" || spec["type"] == "NodePort" {
        let mut set = |key: &str, value: Value| {
            if spec[key].is_null() {
                spec[key] = value;
            }
        };
        set("externalTrafficPolicy", json!("Cluster"));
        let is_balanced = spec["type"] == "LoadBalancer";
        if is_balanced && spec["allocateLoadBalancerNodePorts"].is_null() {
            spec["allocateLoadBalancerNodePorts"] = json!(true);
        }
    }
}

fn fill_policy_types(object: &mut Value) {
    let spec = &mut object["spec"];
    if spec["podSelector"].is_null() {
        spec["podSelector"] = json!({});
    }
    if spec["policyTypes"].is_null() {
        let has_egress = spec["egress"]
            .as_array()
            .is_some_and(|rules| !rules.is_empty());
        spec["policyTypes"] = if has_egress {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
    }
}

/// What a container gets by default is also what it requests by default.
fn fill_limits(object: &mut Value) {
    for limit in items(&mut object["spec"], "limits") {
        if limit["type"] != "Container" {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest")] {
            let given: Map<_, _> = limit[from].as_object().cloned().unwrap_or_default();
            for (resource, amount) in given {
                if limit[to][&resource].is_null() {
                    limit[to][&resource] = amount;
                }
            }
        }
    }
}

fn fill_subjects(object: &mut Value) {
    for subject in items(object, "subjects") {
        if subject["apiGroup"].is_null() && subject["kind"] != "ServiceAccount" {
            subject["apiGroup"] = json!("rbac.authorization.k8s.io");
        }
    }
}

/// The elements of a member that is a list; none if it is absent, which it stays.
fn items<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = value.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn fill_names(object: &mut Value) {
    let names = &mut object["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    for (key, value) in [
        ("listKind", format!("{kind}List")),
        ("singular", kind.to_lowercase()),
    ] {
        if names[key].is_null() {
            names[key] = json!(value);
        }
    }
}

/// The annotation by which a DaemonSet counts its templates.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn count_template(object: &mut Value, count: i64) {
    object["metadata"]["annotations"][TEMPLATE_GENERATION] = json!(count.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::kinds::Kinds;

    fn filled(api_version: &str, kind: &str, spec: &Value) -> Value {
        let kinds = Kinds::built_in();
        let id = kinds.find_kind(api_version, kind).expect("built in");
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        fill(kinds.of(id), &mut object);
        let once = object.clone();
        fill(kinds.of(id), &mut object);
        assert_eq!(object, once, "defaults are filled in once");
        object["spec"].take()
    }

    #[test]
    fn a_stateful_set_that_names_its_strategy_gets_no_partition() {
        let spec = json!({"updateStrategy": {"type": "RollingUpdate"}});
        let filled_in = filled("apps/v1", "StatefulSet", &spec);
        assert_eq!(
            filled_in["updateStrategy"],
            json!({"type": "RollingUpdate"})
        );
        let filled_in = filled("apps/v1", "StatefulSet", &json!({}));
        assert_eq!(
            filled_in["updateStrategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
        );
    }

    #[test]
    fn a_container_is_filled_in_as_clients_see_it() {
        let spec = json!({"template": {"spec": {
            "containers": [{"name": "web", "image": "web", "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}}}],
            "volumes": [{"name": "a", "secret": {"secretName": "s"}}, {"name": "b"}],
        }}});
        let filled_in = filled("apps/v1", "Deployment", &spec);
        assert_eq!(
            filled_in["template"]["spec"],
            json!({
                "containers": [{
                    "name": "web", "image": "web", "imagePullPolicy": "Always", "resources": {},
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "readinessProbe": {
                        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
                        "successThreshold": 1, "failureThreshold": 3,
                    },
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": 420}}, {"name": "b", "emptyDir": {}}],
                "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            })
        );
    }

    #[test]
    fn a_service_aims_at_its_own_port_and_talks_tcp() {
        let filled_in = filled("v1", "Service", &json!({"ports": [{"port": 80}]}));
        assert_eq!(
            filled_in["ports"],
            json!([{"port": 80, "protocol": "TCP", "targetPort": 80}])
        );
        assert_eq!(filled_in["type"], "ClusterIP");
    }
}
