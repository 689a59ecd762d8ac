//! Rules, each with what breaks it.

use serde_json::{Value, json};

use crate::fleet::{Files, Finding, load};
use crate::manifest::{Bundle, Manifest, Origin};
use crate::policy::check;

fn told(object: Value, policies: &str) -> Vec<String> {
    let environment = format!("{{policies: {policies}}}");
    told_of(vec![object], &environment, "{cluster: one}")
}

/// What is said of a tenant with these objects.
fn told_of(objects: Vec<Value>, environment: &str, tenant: &str) -> Vec<String> {
    let document = |kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: escale.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        )
    };
    let files: Files = [
        (
            "environments/test/environment.yaml",
            document("Environment", "test", environment),
        ),
        (
            "environments/test/clusters/one.yaml",
            document("Cluster", "one", "{}"),
        ),
        (
            "environments/test/tenants/a.yaml",
            document("Tenant", "a", tenant),
        ),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into();
    let fleet = load(&files, "test").unwrap();
    let origin = Origin {
        file: "web.yaml.j2".to_owned(),
        line: 1,
    };
    let manifest = |object| {
        let manifest = Manifest::from_value(object).unwrap();
        manifest.with_origin(origin.clone())
    };
    let bundle = Bundle::new(objects.into_iter().map(manifest).collect()).unwrap();
    let findings = check(&fleet, fleet.tenant("a").unwrap(), &bundle);
    findings.iter().map(Finding::to_string).collect()
}

fn deployment(image: &str, resources: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "a"}, "spec": {
        "selector": {}, "template": {"spec": {"containers": [{"name": "web", "image": image, "resources": resources}]}}}})
}

fn limited() -> Value {
    json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}})
}

#[test]
fn a_tenant_stays_in_its_namespace() {
    let object = |api_version: &str, kind: &str, metadata: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    assert_eq!(
        told(
            object("v1", "ConfigMap", json!({"name": "x", "namespace": "b"})),
            "{}"
        ),
        [
            "error: web.yaml.j2:1:1: `ConfigMap/x` is in namespace `b`, outside the tenant's (in tenant `a`)\n  \
          hint: write `namespace: {{ tenant.namespace }}`, or leave it out"
        ]
    );
    assert_eq!(
        told(object("v1", "Namespace", json!({"name": "a"})), "{}"),
        Vec::<String>::new()
    );
    assert_eq!(
        told(
            object("v1", "Namespace", json!({"name": "kube-system"})),
            "{clusterScoped: [Namespace]}"
        ),
        [
            "error: web.yaml.j2:1:1: `Namespace/kube-system` belongs to the whole cluster, not to a tenant (in tenant `a`)\n  \
          hint: a tenant may have the Namespace `a` and the kinds in `policies.clusterScoped`"
        ]
    );
    let class = || {
        object(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            json!({"name": "x"}),
        )
    };
    assert_eq!(told(class(), "{}").len(), 1);
    assert_eq!(
        told(class(), "{clusterScoped: [PriorityClass]}"),
        Vec::<String>::new()
    );
}

#[test]
fn images_come_from_listed_registries_with_a_version() {
    let policies = "{registries: [registry.example.com/platform]}";
    let told = |image: &str, policies: &str| told(deployment(image, &limited()), policies);
    assert_eq!(
        told("registry.example.com/platform/web:1", policies),
        Vec::<String>::new()
    );
    assert_eq!(
        told("localhost:5000/web@sha256:abc", "{digests: true}"),
        Vec::<String>::new()
    );
    assert_eq!(
        told("registry.example.com/platform2/web", policies),
        [
            "error: web.yaml.j2:1:1: image `registry.example.com/platform2/web` of `Deployment/web` comes from no listed registry \
             (in tenant `a`)\n  hint: `policies.registries` lists `registry.example.com/platform`",
            "error: web.yaml.j2:1:1: image `registry.example.com/platform2/web` of `Deployment/web` has no version \
             (in tenant `a`)\n  hint: name a version: `latest` is another image tomorrow",
        ]
    );
    assert!(told("localhost:5000/web:latest", "{}")[0].contains("has no version"));
    assert!(told("web:1", "{digests: true}")[0].contains("is not named by digest"));
}

#[test]
fn containers_say_what_they_need() {
    let told = |policies: &str| {
        told(
            deployment("web:1", &json!({"requests": {"cpu": "1"}})),
            policies,
        )
    };
    assert_eq!(
        told("{}"),
        [
            "warning: web.yaml.j2:1:1: container `web` of `Deployment/web` lacks `resources.requests.memory`, `resources.limits.memory` \
          (in tenant `a`)"
        ]
    );
    assert!(told("{resources: error}")[0].starts_with("error: "));
    assert_eq!(told("{resources: ignore}"), Vec::<String>::new());
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_told_with_a_suggestion() {
    let mut object = deployment("web:1", &limited());
    object["spec"]["template"]["spec"]["containers"][0]["imagePullPolicyy"] = json!("Always");
    assert_eq!(
        told(object, "{}"),
        [
            "error: web.yaml.j2:1:1: `Deployment/web` has an unknown field `spec.template.spec.containers[0].imagePullPolicyy` \
          (in tenant `a`)\n  hint: did you mean `imagePullPolicy`?"
        ]
    );
}

/// What is said of a Deployment whose class promises two zones.
fn told_of_zones(change: impl Fn(&mut Value), others: Vec<Value>) -> Vec<String> {
    let mut object = deployment("web:1", &limited());
    object["spec"]["template"]["spec"]["topologySpreadConstraints"] =
        json!([{"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "minDomains": 2}]);
    object["spec"]["replicas"] = json!(2);
    change(&mut object);
    let objects = [vec![object], others].concat();
    let told = told_of(
        objects,
        "{classes: {safe: {require: {zones: 2}}}}",
        "{cluster: one, class: safe}",
    );
    told.iter()
        .map(|line| line.lines().next().unwrap().to_owned())
        .collect()
}

fn autoscaler(least: u64) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": "a"},
        "spec": {"minReplicas": least, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
}

#[test]
fn a_class_that_promises_zones_has_replicas_in_them() {
    let none = Vec::<String>::new();
    assert_eq!(told_of_zones(|_| {}, Vec::new()), none);
    assert_eq!(
        told_of_zones(|object| object["spec"]["replicas"] = json!(1), Vec::new()),
        [
            "error: web.yaml.j2:1:1: `Deployment/web` may have only 1 replica, and class `safe` promises 2 zones (in tenant `a`)"
        ]
    );
    assert_eq!(told_of_zones(|_| {}, vec![autoscaler(1)]).len(), 1);
    let scaled = |object: &mut Value| object["spec"]["replicas"] = Value::Null;
    assert_eq!(told_of_zones(scaled, vec![autoscaler(2)]), none);
}

#[test]
fn replicas_are_kept_apart_not_only_asked_to_be() {
    let with = |rules: Value| {
        move |object: &mut Value| {
            let pod = &mut object["spec"]["template"]["spec"];
            pod["topologySpreadConstraints"] = Value::Null;
            for (key, value) in rules.as_object().unwrap() {
                pod[key] = value.clone();
            }
        }
    };
    let zone = "topology.kubernetes.io/zone";
    let share = [
        "error: web.yaml.j2:1:1: the pods of `Deployment/web` may share a zone, and class `safe` promises 2 zones (in tenant `a`)",
    ];
    for loose in [
        json!({}),
        json!({"topologySpreadConstraints": [{"topologyKey": zone, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]}),
        json!({"topologySpreadConstraints": [{"topologyKey": zone}]}),
        json!({"topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname", "minDomains": 2}]}),
        json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"topologyKey": zone}}]}}}),
    ] {
        assert_eq!(told_of_zones(with(loose), Vec::new()), share);
    }
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": zone}]}}});
    assert_eq!(told_of_zones(with(apart), Vec::new()), Vec::<String>::new());
}

#[test]
fn only_a_job_is_a_hook_and_it_says_when_it_runs() {
    let object = |kind: &str, moment: &str| {
        json!({"apiVersion": "batch/v1", "kind": kind, "metadata": {
            "name": "migrate", "namespace": "a", "annotations": {"escale.dev/hook": moment}}})
    };
    assert_eq!(
        told(object("Job", "pre-deploy"), "{}"),
        [
            "error: web.yaml.j2:1:1: `Job/migrate`: `escale.dev/hook` is \"pre-deploy\", not one of `pre-rollout`, \
             `check`, `post-rollout` (in tenant `a`)"
        ]
    );
    assert_eq!(told(object("Job", "check"), "{}"), Vec::<String>::new());
}

#[test]
fn a_hook_names_a_platform_that_there_is() {
    let hook = |platform: &str| {
        let annotations = json!({"escale.dev/hook": "check", "escale.dev/platform": platform});
        let metadata = json!({"name": "warm-up", "namespace": "a", "annotations": annotations});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}})
    };
    let tenant =
        "{cluster: one, platforms: {kermadec: {client: kermadec, domain: kermadec.example}}}";
    let told = |platform: &str| {
        let told = told_of(
            vec![hook(platform)],
            "{policies: {resources: ignore}}",
            tenant,
        );
        told.into_iter()
            .filter(|text| text.contains("escale.dev/platform"))
            .collect::<Vec<_>>()
    };
    assert_eq!(told("kermadec"), Vec::<String>::new());
    let wrong = told("kermadek");
    assert!(
        wrong[0].contains("has no such platform") && wrong[0].contains("did you mean `kermadec`?"),
        "{wrong:?}"
    );
}
