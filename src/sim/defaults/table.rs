//! The defaults of each kind: paths and values.

use serde_json::{Value, json};

/// Path below the object and JSON of the value, in the order in which they are filled in.
pub type DefaultRow = (&'static str, &'static str);

/// The defaults of a kind.
pub fn rows(kind: &str) -> &'static [DefaultRow] {
    match kind {
        "Deployment" => &[
            ("spec.replicas", "1"),
            ("spec.revisionHistoryLimit", "10"),
            ("spec.progressDeadlineSeconds", "600"),
            ("spec.strategy", "{}"),
            ("spec.strategy.type", r#""RollingUpdate""#),
        ],
        "StatefulSet" => &[
            ("spec.replicas", "1"),
            ("spec.revisionHistoryLimit", "10"),
            ("spec.podManagementPolicy", r#""OrderedReady""#),
            ("spec.persistentVolumeClaimRetentionPolicy", "{}"),
            (
                "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
                r#""Retain""#,
            ),
            (
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
                r#""Retain""#,
            ),
            ("spec.volumeClaimTemplates.*.apiVersion", r#""v1""#),
            (
                "spec.volumeClaimTemplates.*.kind",
                r#""PersistentVolumeClaim""#,
            ),
            (
                "spec.volumeClaimTemplates.*.spec.volumeMode",
                r#""Filesystem""#,
            ),
            (
                "spec.volumeClaimTemplates.*.status",
                r#"{"phase": "Pending"}"#,
            ),
        ],
        "DaemonSet" => &[
            ("spec.revisionHistoryLimit", "10"),
            ("spec.updateStrategy", "{}"),
            ("spec.updateStrategy.type", r#""RollingUpdate""#),
        ],
        "Job" => &[
            ("spec.parallelism", "1"),
            ("spec.completions", "1"),
            ("spec.backoffLimit", "6"),
            ("spec.completionMode", r#""NonIndexed""#),
            ("spec.manualSelector", "false"),
            ("spec.podReplacementPolicy", r#""TerminatingOrFailed""#),
            ("spec.suspend", "false"),
            ("spec.template.metadata", "{}"),
        ],
        "CronJob" => &[
            ("spec.concurrencyPolicy", r#""Allow""#),
            ("spec.failedJobsHistoryLimit", "1"),
            ("spec.successfulJobsHistoryLimit", "3"),
            ("spec.suspend", "false"),
            ("spec.jobTemplate.metadata", "{}"),
            ("spec.jobTemplate.spec.template.metadata", "{}"),
        ],
        "Service" => &[
            ("spec.sessionAffinity", r#""None""#),
            ("spec.type", r#""ClusterIP""#),
            ("spec.ports.*.protocol", r#""TCP""#),
        ],
        "NetworkPolicy" => &[
            ("spec.ingress.*.ports.*.protocol", r#""TCP""#),
            ("spec.egress.*.ports.*.protocol", r#""TCP""#),
        ],
        "PersistentVolumeClaim" => &[("spec.volumeMode", r#""Filesystem""#)],
        "HorizontalPodAutoscaler" => &[
            ("spec.minReplicas", "1"),
            (
                "spec.metrics",
                r#"[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]"#,
            ),
        ],
        "Secret" => &[("type", r#""Opaque""#)],
        "RoleBinding" | "ClusterRoleBinding" => {
            &[("roleRef.apiGroup", r#""rbac.authorization.k8s.io""#)]
        }
        "CustomResourceDefinition" => &[("spec.conversion", r#"{"strategy": "None"}"#)],
        _ => &[],
    }
}

/// Where a kind keeps specs of pods.
pub fn templates(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pod" => &["/spec"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            &["/spec/template/spec"]
        }
        "CronJob" => &["/spec/jobTemplate/spec/template/spec"],
        _ => &[],
    }
}

/// The status of an object that no controller has seen.
pub fn first_status(kind: &str) -> Option<Value> {
    Some(match kind {
        "Deployment" | "ResourceQuota" | "CronJob" | "Job" => json!({}),
        "StatefulSet" => json!({"availableReplicas": 0, "replicas": 0}),
        "ReplicaSet" => json!({"replicas": 0}),
        "DaemonSet" => json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
        }),
        "Service" | "Ingress" => json!({"loadBalancer": {}}),
        "PersistentVolumeClaim" | "Pod" => json!({"phase": "Pending"}),
        "Namespace" => json!({"phase": "Active"}),
        "PodDisruptionBudget" => json!({
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        }),
        "HorizontalPodAutoscaler" => json!({"currentMetrics": null, "desiredReplicas": 0}),
        "CustomResourceDefinition" => {
            json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null})
        }
        _ => return None,
    })
}

/// The behaviour of an autoscaler, below `spec.behavior`.
pub const BEHAVIOR: [DefaultRow; 7] = [
    ("scaleUp", "{}"),
    ("scaleUp.stabilizationWindowSeconds", "0"),
    ("scaleUp.selectPolicy", r#""Max""#),
    (
        "scaleUp.policies",
        r#"[{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]"#,
    ),
    ("scaleDown", "{}"),
    ("scaleDown.selectPolicy", r#""Max""#),
    (
        "scaleDown.policies",
        r#"[{"type": "Percent", "value": 100, "periodSeconds": 15}]"#,
    ),
];
