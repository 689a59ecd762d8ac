//! What the API server fills into the spec of a pod.

use serde_json::{Value, json};

use super::{fill_path, items};

/// Fills in the spec of a pod or of a template of pods.
pub fn fill(spec: &mut Value) {
    for (path, value) in POD {
        fill_path(spec, path, value);
    }
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            fill_container(container);
        }
    }
    for volume in items(spec, "volumes") {
        if volume.as_object().is_some_and(|members| members.len() == 1) {
            volume["emptyDir"] = json!({});
        }
    }
    mirror_account(spec);
}

fn fill_container(container: &mut Value) {
    for (path, value) in CONTAINER {
        fill_path(container, path, value);
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            for (path, value) in PROBE {
                fill_path(probe, path, value);
            }
        }
    }
    if container["imagePullPolicy"].is_null() {
        let image = container["image"].as_str().unwrap_or_default();
        container["imagePullPolicy"] = json!(if is_latest(image) {
            "Always"
        } else {
            "IfNotPresent"
        });
    }
}

/// An image without a tag or digest is the latest.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// The old and the new name of one field.
fn mirror_account(spec: &mut Value) {
    let account = [&spec["serviceAccountName"], &spec["serviceAccount"]];
    let account = account
        .into_iter()
        .find(|account| !account.is_null())
        .cloned();
    if let Some(account) = account {
        spec["serviceAccountName"] = account.clone();
        spec["serviceAccount"] = account;
    }
}

const POD: [(&str, &str); 15] = [
    ("restartPolicy", r#""Always""#),
    ("dnsPolicy", r#""ClusterFirst""#),
    ("schedulerName", r#""default-scheduler""#),
    ("securityContext", "{}"),
    ("terminationGracePeriodSeconds", "30"),
    ("volumes.*.configMap.defaultMode", "420"),
    ("volumes.*.secret.defaultMode", "420"),
    ("volumes.*.downwardAPI.defaultMode", "420"),
    ("volumes.*.projected.defaultMode", "420"),
    (
        "volumes.*.projected.sources.*.serviceAccountToken.expirationSeconds",
        "3600",
    ),
    (
        "volumes.*.downwardAPI.items.*.fieldRef.apiVersion",
        r#""v1""#,
    ),
    (
        "volumes.*.projected.sources.*.downwardAPI.items.*.fieldRef.apiVersion",
        r#""v1""#,
    ),
    ("volumes.*.hostPath.type", r#""""#),
    (
        "volumes.*.ephemeral.volumeClaimTemplate.spec.volumeMode",
        r#""Filesystem""#,
    ),
    ("volumes.*.ephemeral.volumeClaimTemplate.metadata", "{}"),
];

const CONTAINER: [(&str, &str); 7] = [
    ("terminationMessagePath", r#""/dev/termination-log""#),
    ("terminationMessagePolicy", r#""File""#),
    ("resources", "{}"),
    ("ports.*.protocol", r#""TCP""#),
    ("env.*.valueFrom.fieldRef.apiVersion", r#""v1""#),
    ("lifecycle.postStart.httpGet.scheme", r#""HTTP""#),
    ("lifecycle.preStop.httpGet.scheme", r#""HTTP""#),
];

const PROBE: [(&str, &str); 7] = [
    ("timeoutSeconds", "1"),
    ("periodSeconds", "10"),
    ("successThreshold", "1"),
    ("failureThreshold", "3"),
    ("httpGet.path", r#""/""#),
    ("httpGet.scheme", r#""HTTP""#),
    ("grpc.service", r#""""#),
];
