//! What the API server refuses: the mistakes and changes that deployment tools meet.

use serde_json::{Map, Value};

use super::kinds::Kind;
use super::refusal::{Cause, Refusal};

/// Checks an object as it would be stored.
pub fn check(kind: &Kind, object: &Value) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    check_name(kind, object, &mut causes);
    if let Some(selector) = selected_template(&kind.name) {
        check_selector(selector, object, &mut causes);
    }
    if let Some(spec) = template_path(&kind.name).and_then(|path| object.pointer(path)) {
        let path = dotted(template_path(&kind.name).unwrap_or_default());
        check_pod(&path, spec, &mut causes);
        // A server does not check the mounts of a StatefulSet: the volumes of its claims are not in the template.
        if kind.name != "StatefulSet" {
            check_mounts(&path, spec, &mut causes);
        }
    }
    if kind.name == "Service" && object["spec"]["type"] != "ExternalName" {
        check_ports(&object["spec"], &mut causes);
    }
    if kind.name == "HorizontalPodAutoscaler" {
        check_autoscaler(&object["spec"], &mut causes);
    }
    answer(kind, object, &causes)
}

/// Checks a change against what may not change.
pub fn check_update(kind: &Kind, live: &Value, object: &Value) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    for path in immutable(&kind.name) {
        let (before, after) = (live.pointer(path), object.pointer(path));
        if before != after {
            let null = Value::Null;
            causes.push(Cause::invalid(
                &dotted(path),
                after.unwrap_or(&null),
                "field is immutable",
            ));
        }
    }
    match kind.name.as_str() {
        "StatefulSet" => check_statefulset(live, object, &mut causes),
        "Service" => check_address(live, object, &mut causes),
        "PersistentVolumeClaim" => check_claim(live, object, &mut causes),
        "ConfigMap" | "Secret" if live["immutable"] == true => {
            check_frozen(live, object, &mut causes);
        }
        "RoleBinding" | "ClusterRoleBinding" if live["roleRef"] != object["roleRef"] => {
            causes.push(Cause::invalid(
                "roleRef",
                &object["roleRef"],
                "cannot change roleRef",
            ));
        }
        _ => {}
    }
    answer(kind, object, &causes)
}

fn answer(kind: &Kind, object: &Value, causes: &[Cause]) -> Result<(), Refusal> {
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Refusal::invalid(kind, name, causes))
}

/// Fields that stay as they are once they are set.
fn immutable(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => &["/spec/selector"],
        "Job" => &["/spec/selector", "/spec/template", "/spec/completionMode"],
        "Secret" => &["/type"],
        _ => &[],
    }
}

fn check_name(kind: &Kind, object: &Value, causes: &mut Vec<Cause>) {
    // Names of RBAC objects are paths: nearly everything goes.
    if kind.group == "rbac.authorization.k8s.io" {
        return;
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let is_label = ["Service", "Namespace"].contains(&kind.name.as_str());
    let parts: Vec<&str> = if is_label {
        vec![name]
    } else {
        name.split('.').collect()
    };
    let longest = if is_label { 63 } else { 253 };
    if name.len() <= longest && parts.into_iter().all(is_dns_label) {
        return;
    }
    let why = if is_label { DNS_LABEL } else { DNS_NAME };
    causes.push(Cause::invalid(
        "metadata.name",
        &object["metadata"]["name"],
        why,
    ));
}

fn is_dns_label(label: &str) -> bool {
    let is_end = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    label.starts_with(is_end)
        && label.ends_with(is_end)
        && label.chars().all(|letter| is_end(letter) || letter == '-')
}

const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
     end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_NAME: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
     start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Kinds whose selector must match the labels of their template.
fn selected_template(kind: &str) -> Option<&'static str> {
    let selects = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&kind);
    selects.then_some("/spec/template/metadata/labels")
}

fn check_selector(labels: &str, object: &Value, causes: &mut Vec<Cause>) {
    let selector = &object["spec"]["selector"];
    let none = Value::Null;
    let labels = object.pointer(labels).unwrap_or(&none);
    if selector.is_null() {
        causes.push(Cause::required("spec.selector"));
    }
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let mismatch = wanted.into_iter().any(|(key, value)| labels[key] != *value);
    if selector.is_null() || mismatch {
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, why));
    }
}

fn template_path(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            Some("/spec/template/spec")
        }
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

fn check_pod(path: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let none = Vec::new();
    let containers = spec["containers"].as_array().unwrap_or(&none);
    if containers.is_empty() {
        causes.push(Cause::required(&format!("{path}.containers")));
    }
    for (index, container) in containers.iter().enumerate() {
        let at = |field: &str| format!("{path}.containers[{index}].{field}");
        for field in ["name", "image"] {
            if container[field].as_str().is_none_or(str::is_empty) {
                causes.push(Cause::required(&at(field)));
            }
        }
    }
}

fn check_mounts(path: &str, spec: &Value, causes: &mut Vec<Cause>) {
    for (index, container) in members(&spec["containers"]).enumerate() {
        for (number, mount) in members(&container["volumeMounts"]).enumerate() {
            if !members(&spec["volumes"]).any(|volume| volume["name"] == mount["name"]) {
                causes.push(Cause {
                    reason: "FieldValueNotFound",
                    field: format!("{path}.containers[{index}].volumeMounts[{number}].name"),
                    message: format!("Not found: {}", mount["name"]),
                });
            }
        }
    }
}

fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn check_ports(spec: &Value, causes: &mut Vec<Cause>) {
    let ports = spec["ports"].as_array().map_or(0, Vec::len);
    if ports == 0 && spec["clusterIP"] != "None" {
        causes.push(Cause::required("spec.ports"));
    }
    for (index, port) in spec["ports"].as_array().into_iter().flatten().enumerate() {
        if 1 < ports && port["name"].is_null() {
            causes.push(Cause::required(&format!("spec.ports[{index}].name")));
        }
    }
}

fn check_autoscaler(spec: &Value, causes: &mut Vec<Cause>) {
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64());
    if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid(
            "spec.maxReplicas",
            &spec["maxReplicas"],
            why,
        ));
    }
}

fn check_statefulset(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    const MUTABLE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |value: &Value| -> Map<String, Value> {
        let members = value["spec"].as_object().into_iter().flatten();
        let members = members.filter(|(key, _)| !MUTABLE.contains(&key.as_str()));
        members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    if fixed(live) != fixed(object) {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

fn check_address(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let address = |value: &Value| value["spec"]["clusterIP"].clone();
    if !address(live).is_null()
        && address(live) != address(object)
        && object["spec"]["type"] != "ExternalName"
    {
        let sent = Value::from(vec![address(object)]);
        causes.push(Cause::invalid(
            "spec.clusterIPs[0]",
            &sent,
            "may not change once set",
        ));
    }
}

fn check_claim(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let fixed = |value: &Value| -> Map<String, Value> {
        let members = value["spec"].as_object().into_iter().flatten();
        let fixed = members.filter(|(key, _)| !["resources", "volumeName"].contains(&key.as_str()));
        fixed
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    if fixed(live) != fixed(object) {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        causes.push(Cause::forbidden("spec", why));
    }
}

fn check_frozen(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    if object["immutable"] != true {
        causes.push(Cause::forbidden(
            "immutable",
            "field is immutable when `immutable` is set",
        ));
    }
    for field in ["data", "binaryData"] {
        if live[field] != object[field] {
            causes.push(Cause::forbidden(
                field,
                "field is immutable when `immutable` is set",
            ));
        }
    }
}

/// `/spec/template` as messages spell it.
fn dotted(path: &str) -> String {
    path.trim_start_matches('/').replace('/', ".")
}
