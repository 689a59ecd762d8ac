//! Every right that `docs/rbac/deployer.yaml` gives is asked for: with one less, something of this would be refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::audit::Audit;
use crate::binary::rollout;
use crate::clusters::{HUB, forget, kubectl};
use crate::fleet::Fleet;
use crate::life_cycle::{rollout_with, token};
use crate::sites::{SITES, Sites};
use crate::turns::alone;

const HERE: &str = "metal-par";
const NEEDY: Sites<'_> = Sites {
    environment: "needy",
    on: &[HERE],
    pages: 0,
    strategy: "small: 1",
    ..SITES
};

/// One object at least of everything that a tenant may be made of. What a release changes of each is a label.
const TEMPLATE: &str = r#"
{%- macro metadata(name) -%}
{name: {{ name }}, namespace: {{ tenant.namespace }}, labels: {release: {{ versions.site | split(":") | last | tojson }}}}
{%- endmacro %}
{%- macro pods(image) -%}
{metadata: {labels: {app: {{ image }}}}, spec: {containers: [{name: it, image: "registry.example.com/platform/{{ image }}:{{ versions.site | split(":") | last }}"}]}}
{%- endmacro %}
apiVersion: v1
kind: Namespace
metadata: {name: {{ tenant.namespace }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ metadata("web") }}
spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {{ pods("web") }}}
{%- if "gone" not in versions.site %}
---
apiVersion: v1
kind: ConfigMap
metadata: {{ metadata("it") }}
---
apiVersion: v1
kind: Secret
metadata: {{ metadata("it") }}
stringData: {kind: "plain"}
---
apiVersion: v1
kind: Service
metadata: {{ metadata("it") }}
spec: {selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{ metadata("it") }}
---
apiVersion: v1
kind: ResourceQuota
metadata: {{ metadata("it") }}
spec: {hard: {pods: "20"}}
---
apiVersion: v1
kind: LimitRange
metadata: {{ metadata("it") }}
spec: {limits: [{type: Container, max: {memory: 8Gi}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{ metadata("it") }}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{ metadata("base") }}
spec: {replicas: 2, serviceName: it, selector: {matchLabels: {app: base}}, template: {{ pods("base") }}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{ metadata("agent") }}
spec: {selector: {matchLabels: {app: agent}}, template: {{ pods("agent") }}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{ metadata("night") }}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: it, image: registry.example.com/platform/web:1}]}}}}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  namespace: {{ tenant.namespace }}
  annotations: {escale.dev/hook: pre-rollout, escale.dev/hook-key: {{ versions.site | tojson }}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: it, image: registry.example.com/platform/web:1}]}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ metadata("it") }}
spec: {rules: [{host: needy.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: it, port: {name: http}}}}]}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ metadata("it") }}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{ metadata("it") }}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: base}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{ metadata("it") }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
{%- endif %}
"#;

/// All that a deployer does for a tenant in its life.
fn live() {
    let fleet = NEEDY.fleet_with(&[]);
    fleet.write("templates/site/site.yaml.j2", TEMPLATE);
    fleet.commit("Everything that there is");
    rollout(&fleet).ends_with(0);
    fleet.release("site", "2.0.0");
    rollout(&fleet).ends_with(0);
    // The StatefulSet's broken pod is in the way of what it goes back to.
    fleet.release("site", "3.0.0-pull-error");
    rollout(&fleet).ends_with(3);
    fleet.release("site", "4.0.0-gone");
    rollout_past_the_brake(&fleet);
    let file = "environments/needy/tenants/needy-0.yaml";
    let leaves = "spec: {lifecycle: leaving, deleteAfter: \"2026-01-01\", ";
    fleet.write(file, &fleet.read(file).replace("spec: {", leaves));
    fleet.commit("It leaves");
    rollout_past_the_brake(&fleet);
}

fn rollout_past_the_brake(fleet: &Fleet) {
    let braked = rollout(fleet);
    let token = token(&braked.talk);
    rollout_with(fleet, &["--allow-deletes", &token]).ends_with(0);
}

/// Rules of a role: the verbs, and the resources that share them.
fn granted(cluster: &str, role: &[&str]) -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let json = kubectl(cluster, &[&["get", "-o", "json"], role].concat());
    let role: Value = serde_json::from_str(&json).expect("kubectl prints JSON");
    let all = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|word| Some(word.as_str()?.to_owned()))
            .collect()
    };
    let rules = role["rules"].as_array().expect("a role has rules").iter();
    rules
        .map(|rule| (all(&rule["verbs"]), all(&rule["resources"])))
        .collect()
}

/// Rights of these rules that nobody used: of resources that share verbs, one is enough.
fn unused(
    rules: &[(BTreeSet<String>, BTreeSet<String>)],
    used: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut unused = Vec::new();
    for (verbs, resources) in rules {
        let of_rule: BTreeSet<&String> = resources
            .iter()
            .filter_map(|resource| used.get(resource))
            .flatten()
            .collect();
        let never = verbs.iter().filter(|verb| !of_rule.contains(verb));
        let names: Vec<&str> = resources.iter().map(String::as_str).collect();
        unused.extend(never.map(|verb| format!("{verb} {}", names.join(","))));
        let strangers = resources
            .iter()
            .filter(|resource| !used.contains_key(*resource));
        unused.extend(strangers.map(|resource| format!("anything of {resource}")));
    }
    unused
}

#[test]
fn with_one_right_less_something_would_be_refused() {
    let _turn = alone();
    forget();
    let (hub, here) = (Audit::from_now(HUB), Audit::from_now(HERE));
    live();
    let mut used = here.used();
    for (resource, verbs) in hub.used() {
        used.entry(resource).or_default().extend(verbs);
    }
    let tenants = granted(HERE, &["clusterrole", "escale-tenants"]);
    let records = granted(HUB, &["-n", "escale-system", "role", "escale-records"]);
    assert_eq!(unused(&tenants, &used), Vec::<String>::new(), "{used:?}");
    assert_eq!(unused(&records, &used), Vec::<String>::new(), "{used:?}");
}
