//! The fleet of this repository keeps what its pages promise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use escale::fleet;
use escale::manifest::ObjectRef;
use escale::render::Renderer;
use serde_json::{Value, json};

use crate::project::{Project, tree};

/// All objects of the fleet.
fn rendered(project: &Project) -> BTreeMap<ObjectRef, Value> {
    let files = project.files();
    let fleet = fleet::load(&files, "production").expect("a fleet without mistakes");
    assert_eq!(fleet.warnings, []);
    let renderer = Renderer::new(&files, BTreeMap::new()).expect("templates without mistakes");
    let bundles = renderer.render_all(&fleet).into_values();
    let manifests = bundles.flat_map(|bundle| bundle.expect("rendered").manifests().to_vec());
    manifests
        .map(|manifest| (manifest.object().clone(), manifest.into_value()))
        .collect()
}

fn by_namespace(
    objects: &BTreeMap<ObjectRef, Value>,
) -> BTreeMap<String, Vec<(&ObjectRef, &Value)>> {
    let mut namespaces: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (object, value) in objects {
        let namespace = object.namespace.as_ref().unwrap_or(&object.name);
        namespaces
            .entry(namespace.clone())
            .or_default()
            .push((object, value));
    }
    namespaces
}

/// The objects that differ, each as `KIND/NAME in NAMESPACE`.
fn changed(
    before: &BTreeMap<ObjectRef, Value>,
    after: &BTreeMap<ObjectRef, Value>,
) -> BTreeSet<String> {
    let all: BTreeSet<&ObjectRef> = before.keys().chain(after.keys()).collect();
    all.into_iter()
        .filter(|object| before.get(object) != after.get(object))
        .map(|object| {
            let namespace = object.namespace.as_deref().unwrap_or("the cluster");
            format!("{}/{} in {namespace}", object.kind, object.name)
        })
        .collect()
}

fn is_of_an_app(object: &ObjectRef) -> bool {
    object.name.starts_with("app-")
}

#[test]
fn a_namespace_has_twenty_objects_or_one_more_besides_ingresses_and_apps() {
    let objects = rendered(&Project::production());
    let namespaces = by_namespace(&objects);
    assert_eq!(namespaces.len(), 17);
    for (namespace, objects) in namespaces {
        let own = objects
            .iter()
            .filter(|(object, _)| object.kind != "Ingress" && !is_of_an_app(object));
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        own.for_each(|(object, _)| *kinds.entry(&object.kind).or_default() += 1);
        let budgets = kinds.remove("PodDisruptionBudget");
        assert!(matches!(budgets, Some(1 | 2)), "{namespace}: {budgets:?}");
        let expected = BTreeMap::from([
            ("ConfigMap", 1),
            ("CronJob", 1),
            ("Deployment", 4),
            ("HorizontalPodAutoscaler", 1),
            ("Namespace", 1),
            ("NetworkPolicy", 1),
            ("ResourceQuota", 1),
            ("Service", 6),
            ("ServiceAccount", 1),
            ("StatefulSet", 2),
        ]);
        assert_eq!(kinds, expected, "{namespace}");
    }
}

#[test]
fn shared_tenants_have_two_to_six_platforms_and_vaults_one() {
    let objects = rendered(&Project::production());
    let mut classes = BTreeSet::new();
    for (namespace, objects) in by_namespace(&objects) {
        let class = objects
            .iter()
            .find(|(object, _)| object.kind == "Namespace")
            .map(|(_, value)| &value["metadata"]["labels"]["platform.example.com/class"])
            .and_then(Value::as_str)
            .expect("a class");
        classes.insert(class.to_owned());
        let ingresses = objects
            .iter()
            .filter(|(object, _)| object.kind == "Ingress");
        let platforms = ingresses.count();
        let is_as_promised = match class {
            "vault" | "vault-health" => platforms == 1,
            _ => (2..=6).contains(&platforms),
        };
        assert!(
            is_as_promised,
            "{namespace}, {class}: {platforms} platforms"
        );
    }
    let expected = ["shared", "shared-health", "vault", "vault-health"].map(str::to_owned);
    assert_eq!(classes, BTreeSet::from(expected));
}

#[test]
fn vaults_and_health_data_are_on_encrypted_volumes_and_vaults_on_nodes_of_their_own() {
    let objects = rendered(&Project::production());
    let databases = objects
        .iter()
        .filter(|(object, _)| object.kind == "StatefulSet");
    for (object, value) in databases {
        let namespace = object.namespace.as_deref().expect("a namespace");
        let class = &value["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"];
        let class = class.as_str().expect("a storage class");
        let is_encrypted = class.ends_with("-encrypted") || class.ends_with("-cmk");
        let is_vault = namespace.starts_with("jp-vault-");
        let is_health = namespace == "jp-shared-rbx-1";
        assert_eq!(is_encrypted, is_vault || is_health, "{namespace}: {class}");
        let nodes = &value["spec"]["template"]["spec"]["nodeSelector"];
        assert_eq!(nodes.is_object(), is_vault, "{namespace}: {nodes}");
    }
}

#[test]
fn a_new_platform_changes_the_list_and_adds_an_ingress_and_restarts_nothing() {
    let project = Project::production();
    let before = rendered(&project);
    project.write(
        "environments/production/tenants/shared-par-1/hautbois.yaml",
        "apiVersion: escale.dev/v1alpha1\n\
         kind: Platform\n\
         metadata: {name: hautbois}\n\
         spec: {client: hautbois, domain: hautbois.sites.example.com, apps: {wiki: {}}}\n",
    );
    let after = rendered(&project);
    let expected = [
        "ConfigMap/platforms in jp-shared-par-1",
        "Ingress/hautbois in jp-shared-par-1",
    ];
    assert_eq!(
        changed(&before, &after),
        BTreeSet::from(expected.map(str::to_owned))
    );
}

#[test]
fn the_first_platform_with_an_app_adds_its_deployment_and_service() {
    let project = Project::production();
    let before = rendered(&project);
    let file = "environments/production/tenants/shared-ams-1/ussel.yaml";
    project.edit(
        file,
        "domain: ussel.sites.example.com",
        "domain: ussel.sites.example.com, apps: {office: {}}",
    );
    let after = rendered(&project);
    let expected = [
        "ConfigMap/platforms in jp-shared-ams-1",
        "Deployment/app-office in jp-shared-ams-1",
        "Ingress/ussel in jp-shared-ams-1",
        "Service/app-office in jp-shared-ams-1",
    ];
    assert_eq!(
        changed(&before, &after),
        BTreeSet::from(expected.map(str::to_owned))
    );
}

#[test]
fn a_new_version_of_one_image_changes_its_workload_in_every_tenant_and_no_other() {
    let project = Project::production();
    let before = rendered(&project);
    let versions = "environments/production/versions.yaml";
    project.edit(versions, "/web:2026.11.20-1", "/web:2026.11.21-3");
    let after = rendered(&project);
    let expected = by_namespace(&before)
        .keys()
        .map(|namespace| format!("Deployment/web in {namespace}"))
        .collect();
    assert_eq!(changed(&before, &after), expected);
}

#[test]
fn rendering_twice_writes_the_same_bytes_one_file_per_object() {
    let project = Project::production();
    for folder in ["first", "second"] {
        let ran = project.escale(&["render", "-e", "production", "--output-dir", folder]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let first = tree(&project.path("first"));
    assert_eq!(first, tree(&project.path("second")));
    let objects = rendered(&project).len();
    let lists = 1; // What makes the folder ours to write again.
    assert_eq!(first.len(), objects + lists);
}

#[test]
fn a_new_object_renames_no_rendered_file() {
    let project = Project::production();
    let render = || {
        let ran = project.escale(&["render", "-e", "production", "--output-dir", "out"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let files = tree(&project.path("out")).into_keys();
        files.collect::<BTreeSet<_>>()
    };
    let before = render();
    project.edit(
        "environments/production/tenants/shared-ams-1/ussel.yaml",
        "domain: ussel.sites.example.com",
        "domain: ussel.sites.example.com, apps: {office: {}}",
    );
    let after = render();
    assert_eq!(before.difference(&after).count(), 0);
    let folder = "managed-ams/shared-ams-1";
    let expected = ["5-service-app-office.yaml", "6-deployment-app-office.yaml"];
    let expected = expected.map(|name| PathBuf::from(folder).join(name));
    let new: Vec<_> = after.difference(&before).cloned().collect();
    assert_eq!(new, expected);
}

#[test]
fn the_autoscaler_owns_the_replicas_of_web() {
    let objects = rendered(&Project::production());
    for (object, value) in &objects {
        let is_web = object.kind == "Deployment" && object.name == "web";
        let has_none = value["spec"]["replicas"] == Value::Null;
        assert_eq!(has_none && object.kind == "Deployment", is_web, "{object}");
    }
}

#[test]
fn a_platform_with_a_certificate_of_its_own_uses_it_for_all_its_domains() {
    let objects = rendered(&Project::production());
    let tls_of = |name: &str| {
        let ingress = objects
            .iter()
            .find(|(object, _)| object.kind == "Ingress" && object.name == name);
        ingress.expect("an Ingress").1["spec"]["tls"].clone()
    };
    let wildcard = json!([{"secretName": "wildcard-sites", "hosts": ["estran.sites.example.com"]}]);
    assert_eq!(tls_of("estran"), wildcard);
    let hosts = ["cordier.sites.example.com", "intranet.cordier.example"];
    let own = json!([{"secretName": "cordier-tls", "hosts": hosts}]);
    assert_eq!(tls_of("cordier"), own);
}
