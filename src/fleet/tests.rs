//! The room as a whole: from files to a fleet or to every mistake in them.

mod channels;
mod order;
mod probes;
mod when;

use serde_json::{Value, json};

use crate::fleet::config::{Duration, FailureMode, Limit, OnNewer, Updates, WaveRole};
use crate::fleet::{Files, Finding, Fleet, Selection, explain, load};

const ENVIRONMENT: &str = r#"
apiVersion: escale.dev/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  source: {branch: main}
  records: {hub: tools-par, keep: {releases: 20, days: 7}}
  defaults: {bundle: platform, updates: automatic, values: {replicas: 2, database: {size: 1Gi}}}
  apps: {wiki: {}, visio: {paid: true}}
  classes:
    shared: {}
    vault:
      values: {encryption: true, dedicatedNodes: true}
      require: {clusterLabels: {hds: "true"}, zones: 2}
      disclose: {logs: false}
"#;

const STRATEGY: &str = r#"
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 30s, progressDeadline: 10m, onFailure: rollback}
  limits:
    maxConcurrency: {all: 200, cluster: 40}
    maxUnavailable: {all: 5%, cluster: 10%}
    maxFailures:    {all: 1%, cluster: 5%, mode: soft}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 5m, onBreach: rollback}
    - {name: early,  size: 10%, spread: [cluster, class], soak: 5m, onBreach: rollback}
    - {name: rest,   soak: 5m, onBreach: pause}
  small: 3
  rollback: {maxConcurrency: {all: 33%, cluster: 80}, scope: wave}
  onUnreachable: {deadline: 15m, then: defer}
  onNewer: queueLatest
  windows: [{allow: "Mon-Fri 08:00-19:00", zone: Europe/Paris}]
  brake: {deletes: 50, ofTenant: 30%, ofTenants: 2%}
"#;

const VAULT: &str = "
apiVersion: escale.dev/v1alpha1
kind: Tenant
metadata: {name: vault-carbone, labels: {ring: canary}}
spec:
  cluster: outscale-hds
  namespace: jp-vault-carbone
  class: vault
  group: carbone
  after: [vault-carbone-qualif]
  updates: onApproval
  values: {database: {size: 5Gi}}
  platforms:
    carbone: {client: carbone, domain: intranet.carbone.fr, aliases: [carbone.example.pro], apps: {wiki: {}}, tls: {secretRef: secrets/carbone-tls.sops.yaml}}
";

fn production() -> Files {
    let cluster = |name: &str, labels: &str| {
        (
            format!("environments/production/clusters/{name}.yaml"),
            format!(
                "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: {name}, labels: {labels}}}\nspec: {{values: {{storageClass: {name}}}}}\n"
            ),
        )
    };
    let file =
        |name: &str, text: &str| (format!("environments/production/{name}"), text.to_owned());
    Files::from([
        file("environment.yaml", ENVIRONMENT),
        file("strategy.yaml", STRATEGY),
        file(
            "versions.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {name: production}\nspec: {web: registry.example.com/platform/web:2026.11.21-3}\n",
        ),
        cluster("tools-par", "{provider: scw}"),
        cluster("outscale-hds", "{provider: outscale, hds: \"true\"}"),
        cluster("ovh-gra", "{provider: ovh}"),
        file("tenants/vault-carbone.yaml", VAULT),
        file(
            "tenants/vault-carbone-qualif.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: vault-carbone-qualif}\nspec: {cluster: outscale-hds, class: vault, group: carbone}\n",
        ),
        file(
            "tenants/shared-gra-1/tenant.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: shared-gra-1}\nspec: {cluster: ovh-gra, class: shared}\n",
        ),
        file(
            "tenants/shared-gra-1/acme.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Platform\nmetadata: {name: acme}\nspec: {client: acme, domain: acme.example.net, apps: {visio: {rooms: 3}}, values: {replicas: 4}}\n",
        ),
        file(
            "tenants/shared-gra-1/bolt.yaml",
            "apiVersion: escale.dev/v1alpha1\nkind: Platform\nmetadata: {name: bolt}\nspec: {client: bolt, domain: bolt.example.net}\n",
        ),
    ])
}

fn loaded() -> Fleet {
    load(&production(), "production").unwrap_or_else(|findings| panic!("{}", told(&findings)))
}

fn told(findings: &[Finding]) -> String {
    let texts: Vec<String> = findings.iter().map(Finding::to_string).collect();
    texts.join("\n").replace("environments/production/", "")
}

/// What is said of production when one file is replaced or added.
fn mistakes_with(path: &str, text: &str) -> String {
    let mut files = production();
    files.insert(format!("environments/production/{path}"), text.to_owned());
    match load(&files, "production") {
        Ok(_) => "no mistakes".to_owned(),
        Err(mut findings) => {
            findings.retain(Finding::is_error);
            told(&findings)
        }
    }
}

fn tenant_with(spec: &str) -> String {
    let text = format!(
        "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: new}}\nspec:\n  {}\n",
        spec.replace('\n', "\n  ")
    );
    mistakes_with("tenants/new.yaml", &text)
}

#[test]
fn the_example_of_the_design_is_a_fleet() {
    let fleet = loaded();
    let tenant = fleet.tenant("vault-carbone").unwrap();
    assert_eq!(tenant.namespace, "jp-vault-carbone");
    assert_eq!(tenant.updates, Updates::OnApproval);
    assert_eq!(tenant.label("provider"), Some("outscale"));
    assert_eq!(tenant.apps(), ["wiki"]);
    assert_eq!(
        fleet
            .tenants
            .iter()
            .map(|tenant| tenant.name.as_str())
            .collect::<Vec<_>>(),
        ["shared-gra-1", "vault-carbone", "vault-carbone-qualif"]
    );
    assert_eq!(fleet.hub().unwrap().name, "tools-par");
    assert_eq!(
        fleet.versions["web"],
        "registry.example.com/platform/web:2026.11.21-3"
    );
}

#[test]
fn the_strategy_of_the_design_reads_as_written() {
    let (name, strategy) = loaded().strategy(None).unwrap();
    assert_eq!(name, "normal");
    assert_eq!(strategy.limits.max_unavailable.all, Some(Limit::percent(5)));
    assert_eq!(strategy.limits.max_failures.mode, FailureMode::Soft);
    assert_eq!(strategy.waves[0].role, Some(WaveRole::Canary));
    assert_eq!(strategy.waves[1].spread, ["cluster", "class"]);
    assert_eq!(strategy.waves[2].soak, Duration::from_minutes(5));
    assert_eq!(strategy.on_newer, OnNewer::QueueLatest);
    assert_eq!(strategy.brake.of_tenants, Limit::percent(2));
}

#[test]
fn layers_lie_over_one_another_and_say_so() {
    let fleet = loaded();
    let tenant = fleet.tenant("vault-carbone").unwrap();
    assert_eq!(
        Value::Object(fleet.values_of(tenant)),
        json!({"replicas": 2, "database": {"size": "5Gi"}, "encryption": true, "dedicatedNodes": true,
               "storageClass": "outscale-hds"})
    );
    let files = production();
    let explained = explain((&fleet, &files), tenant, None, "database.size");
    assert_eq!(explained.value, Some(json!("5Gi")));
    let places: Vec<String> = explained
        .layers
        .iter()
        .map(|said| {
            format!("{} {} {}", said.layer, said.place, said.value)
                .replace("environments/production/", "")
        })
        .collect();
    assert_eq!(
        places,
        [
            "environment environment.yaml:8:91 \"1Gi\"",
            "tenant `vault-carbone` tenants/vault-carbone.yaml:12:29 \"5Gi\""
        ]
    );
}

#[test]
fn an_unknown_field_comes_with_its_place_and_a_suggestion() {
    assert_eq!(
        tenant_with(
            "cluster: ovh-gra\nnamspace: x\nplatforms:\n  a: {client: a, domain: a.example.org, aliasses: []}"
        ),
        "error: tenants/new.yaml:6:3: unknown field `namspace` in `spec`\n  hint: did you mean `namespace`?\n\
         error: tenants/new.yaml:8:43: unknown field `aliasses` in `spec.platforms.a`\n  hint: did you mean `aliases`?"
    );
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let mut files = production();
    files.insert(
        "environments/production/tenants/a.yaml".to_owned(),
        "kind: Tenant\nmetadata: {name: a}\nspec: {cluster: 5, updates: sometimes}\n".to_owned(),
    );
    files.insert(
        "environments/production/tenants/b.yaml".to_owned(),
        "kind: Tenant\nmetadata:\n\tname: b\n".to_owned(),
    );
    files.insert(
        "environments/production/tenant/c.yaml".to_owned(),
        "kind: Tenant\n".to_owned(),
    );
    let mut findings = load(&files, "production").unwrap_err();
    findings.retain(Finding::is_error);
    let lines: Vec<String> = told(&findings)
        .lines()
        .filter(|line| line.starts_with("error"))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        lines,
        [
            "error: tenant/c.yaml:1:1: no config file is expected here",
            "error: tenants/a.yaml:1:1: the file: `apiVersion` is missing",
            "error: tenants/a.yaml:3:17: `spec.cluster`: text is wanted, `5` was found",
            "error: tenants/a.yaml:3:29: `spec.updates`: `sometimes` is none of `automatic`, `onApproval`, `onRequest`",
            "error: tenants/b.yaml:3:2: a tab is used for indentation",
        ]
    );
}

#[test]
fn two_tenants_in_one_namespace_are_a_mistake() {
    assert_eq!(
        tenant_with("cluster: ovh-gra\nnamespace: shared-gra-1"),
        "error: tenants/shared-gra-1/tenant.yaml:3:18: namespace `shared-gra-1` of cluster `ovh-gra` is taken by tenant `new` \
         (tenants/new.yaml:6:14)\n  hint: one namespace holds one tenant: choose another `spec.namespace`"
            .replace("environments/production/", "")
    );
    assert_eq!(
        tenant_with("cluster: outscale-hds\nnamespace: shared-gra-1"),
        "no mistakes"
    );
}

#[test]
fn one_domain_twice_is_a_mistake_unless_a_group_shares_it_over_clusters() {
    let platform =
        "platforms:\n  c: {client: c, domain: c.example.org, aliases: [intranet.carbone.fr]}";
    assert_eq!(
        tenant_with(&format!("cluster: ovh-gra\n{platform}")),
        "error: tenants/vault-carbone.yaml:14:40: domain `intranet.carbone.fr` leads to platform `c` of tenant `new` \
         already (tenants/new.yaml:7:53)\n  hint: a domain belongs to one platform; only tenants of one `group` on \
         different clusters share one"
    );
    assert_eq!(
        tenant_with(&format!("cluster: ovh-gra\ngroup: carbone\n{platform}")),
        "no mistakes"
    );
    assert!(
        tenant_with(&format!(
            "cluster: outscale-hds\ngroup: carbone\n{platform}"
        ))
        .contains("leads to platform")
    );
}

#[test]
fn a_class_keeps_its_tenants_off_clusters_that_lack_a_label() {
    assert_eq!(
        tenant_with("cluster: ovh-gra\nclass: vault"),
        "error: tenants/new.yaml:5:12: class `vault` demands a cluster labelled `hds=true`, and `ovh-gra` is not\n  \
         hint: these do: `outscale-hds`"
    );
}

#[test]
fn unknown_names_come_with_suggestions() {
    for (spec, told) in [
        (
            "cluster: ovh-grra",
            "error: tenants/new.yaml:5:12: no cluster named `ovh-grra`\n  hint: did you mean `ovh-gra`?",
        ),
        (
            "cluster: ovh-gra\nclass: vualt",
            "error: tenants/new.yaml:6:10: no class named `vualt`\n  hint: did you mean `vault`?",
        ),
        (
            "cluster: ovh-gra\ngroup: carbone\nafter: [vault-carbonne]",
            "error: tenants/new.yaml:7:11: no tenant named `vault-carbonne`\n  hint: did you mean `vault-carbone`?",
        ),
        (
            "cluster: ovh-gra\nplatforms: {c: {client: c, domain: c.example.org, apps: {wikki: {}}}}",
            "error: tenants/new.yaml:6:67: app `wikki` is not in the catalogue\n  hint: did you mean `wiki`?",
        ),
    ] {
        assert_eq!(tenant_with(spec), told);
    }
}

#[test]
fn a_name_is_that_of_its_file() {
    let text = "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: other}\nspec: {cluster: ovh-gra}\n";
    assert_eq!(
        mistakes_with("tenants/new.yaml", text),
        "error: tenants/new.yaml:3:18: the name `other` is not that of the path, `new`\n  \
         hint: write `metadata: {name: new}`, or rename the file"
    );
}

#[test]
fn a_strategy_that_cannot_work_is_a_mistake() {
    let text = STRATEGY
        .replace("all: 200", "all: 0")
        .replace("Europe/Paris", "Europe/Pariss")
        .replace("name: early", "name: canary")
        .replace("30s", "half a minute");
    assert!(mistakes_with("strategy.yaml", &text).starts_with(
        "error: strategy.yaml:6:28: `spec.tenant.minHealthyTime`: `half a minute` is not what is meant here: A length of time"
    ), "{}", mistakes_with("strategy.yaml", &text));
    let text = text.replace("half a minute", "30s");
    assert_eq!(
        mistakes_with("strategy.yaml", &text),
        "error: strategy.yaml:8:27: a limit of 0 never lets a tenant start\n  hint: write 1 or more\n\
         error: strategy.yaml:13:14: wave `canary` is there twice\n\
         error: strategy.yaml:19:50: no time zone named `Europe/Pariss`\n  hint: write a name of the IANA database: `Europe/Paris`, `UTC`"
    );
}

#[test]
fn an_unknown_environment_comes_with_a_suggestion() {
    let findings = load(&production(), "prodcution").unwrap_err();
    assert_eq!(
        told(&findings),
        "error: no environment named `prodcution`\n  hint: did you mean `production`?"
    );
}

fn selected(selection: &Selection) -> Vec<String> {
    match loaded().select(selection) {
        Ok(tenants) => tenants.iter().map(|tenant| tenant.name.clone()).collect(),
        Err(error) => vec![error.to_string(), error.hints().join("; ")],
    }
}

fn by_target(target: &str) -> Vec<String> {
    selected(&Selection {
        targets: vec![target.to_owned()],
        ..Selection::default()
    })
}

fn by_selector(selector: &str) -> Vec<String> {
    selected(&Selection {
        selectors: vec![selector.parse().unwrap()],
        ..Selection::default()
    })
}

#[test]
fn a_target_is_a_tenant_a_pattern_a_platform_a_domain_or_a_client() {
    assert_eq!(by_target("vault-carbone"), ["vault-carbone"]);
    assert_eq!(
        by_target("vault-*"),
        ["vault-carbone", "vault-carbone-qualif"]
    );
    assert_eq!(by_target("acme"), ["shared-gra-1"]);
    assert_eq!(by_target("shared-gra-1/bolt"), ["shared-gra-1"]);
    assert_eq!(by_target("carbone.example.pro"), ["vault-carbone"]);
    assert_eq!(by_target("client=bolt"), ["shared-gra-1"]);
}

#[test]
fn selectors_ask_for_labels_of_tenants_and_their_clusters() {
    assert_eq!(by_selector("ring=canary"), ["vault-carbone"]);
    assert_eq!(by_selector("class=vault,!ring"), ["vault-carbone-qualif"]);
    assert_eq!(by_selector("provider in (ovh, scw)"), ["shared-gra-1"]);
    assert_eq!(
        by_selector("cluster!=ovh-gra,group"),
        ["vault-carbone", "vault-carbone-qualif"]
    );
    assert_eq!(
        by_selector("provider notin (ovh),ring!=canary"),
        ["vault-carbone-qualif"]
    );
}

#[test]
fn a_selection_of_nothing_is_an_error_with_a_suggestion() {
    assert_eq!(
        by_target("vault-carbonne"),
        [
            "no tenant, platform or domain named `vault-carbonne` in `production`",
            "did you mean `vault-carbone`?"
        ]
    );
    assert_eq!(
        by_selector("ring=rest"),
        [
            "the selection matches no tenant of `production`",
            "values of `ring` are `canary`"
        ]
    );
    assert_eq!(
        by_selector("rign=canary"),
        [
            "the selection matches no tenant of `production`",
            "no tenant has a label `rign`; did you mean `ring`?"
        ]
    );
    let clusters = Selection {
        clusters: vec!["ovh-grra".to_owned()],
        ..Selection::default()
    };
    assert_eq!(
        selected(&clusters),
        [
            "no cluster named `ovh-grra` in `production`",
            "did you mean `ovh-gra`?"
        ]
    );
}

#[test]
fn who_shares_a_tenant_with_a_platform_is_named() {
    let selection = Selection {
        targets: vec!["client=acme".to_owned()],
        ..Selection::default()
    };
    let sharing = loaded().sharing(&selection);
    assert_eq!(sharing.len(), 1);
    assert_eq!(
        (&sharing[0].named, &sharing[0].others),
        (&vec!["acme".to_owned()], &vec!["bolt".to_owned()])
    );
}

#[test]
fn files_of_other_environments_are_not_read() {
    let mut files = production();
    files.insert(
        "environments/production-2/environment.yaml".to_owned(),
        "broken: [".to_owned(),
    );
    assert_eq!(load(&files, "production"), Ok(loaded()));
}
