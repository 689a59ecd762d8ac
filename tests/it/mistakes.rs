//! What people get wrong, and what they read then: every message verbatim.

use std::collections::BTreeMap;

use escale::fleet::{self, Finding, grouped};
use escale::render::Renderer;

use crate::project::Project;

const TENANTS: &str = "environments/production/tenants";
const OPALE: &str = "environments/production/tenants/vault-opale.yaml";
const ESTRAN: &str = "environments/production/tenants/shared-par-1/estran.yaml";
const ENVIRONMENT: &str = "environments/production/environment.yaml";
const STRATEGY: &str = "environments/production/strategy.yaml";
const WEB: &str = "templates/platform/web.yaml.j2";

/// Everything that loading and rendering the fleet complains about.
fn mistakes(project: &Project) -> String {
    let told = |findings: Vec<Finding>| {
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        lines.join("\n")
    };
    let files = project.files();
    let fleet = match fleet::load(&files, "production") {
        Ok(fleet) => fleet,
        Err(findings) => return told(findings),
    };
    let renderer = match Renderer::new(&files, BTreeMap::new()) {
        Ok(renderer) => renderer,
        Err(findings) => return told(findings),
    };
    let bundles = renderer.render_all(&fleet).into_values();
    told(grouped(bundles.filter_map(Result::err).flatten()))
}

/// What an edit of one file leads to.
fn edited(file: &str, from: &str, to: &str) -> String {
    let project = Project::production();
    project.edit(file, from, to);
    mistakes(&project)
}

/// What one more file leads to.
fn written(file: &str, text: &str) -> String {
    let project = Project::production();
    project.write(file, text);
    mistakes(&project)
}

#[test]
fn a_field_that_is_not_known() {
    assert_eq!(
        edited(OPALE, "namespace:", "namesapce:"),
        "error: environments/production/tenants/vault-opale.yaml:6:3: unknown field `namesapce` in `spec`\n\
             \x20 hint: did you mean `namespace`?"
    );
}

#[test]
fn a_last_day_that_is_none() {
    let spoilt = |day: &str| {
        let spec = format!("spec:\n  lifecycle: leaving\n  deleteAfter: \"{day}\"\n");
        edited(OPALE, "spec:\n", &spec)
    };
    assert_eq!(
        spoilt("2027-02-29"),
        "error: environments/production/tenants/vault-opale.yaml:6:16: `2027-02-29` is not a day of the calendar\n\
             \x20 hint: write it like `2027-06-30`"
    );
    assert_eq!(
        spoilt("soon"),
        "error: environments/production/tenants/vault-opale.yaml:6:16: `spec.deleteAfter`: `soon` is not what is meant here: \
         The last day on which a leaving tenant stays: `2027-06-30`. A rollout of a later day may remove it; without one, none does."
    );
}

#[test]
fn a_last_day_without_leaving_and_leaving_without_a_last_day() {
    let project = Project::production();
    project.edit(OPALE, "spec:\n", "spec:\n  lifecycle: leaving\n");
    let other = "environments/production/tenants/vault-arcadie.yaml";
    project.edit(other, "spec:\n", "spec:\n  deleteAfter: \"2027-06-30\"\n");
    let fleet = fleet::load(&project.files(), "production").expect("no mistake");
    let told: Vec<String> = fleet.warnings.iter().map(Finding::to_string).collect();
    let about: Vec<&String> = told.iter().filter(|one| one.contains("vault-")).collect();
    assert_eq!(
        about,
        [
            "warning: environments/production/tenants/vault-arcadie.yaml:5:16: `deleteAfter` does nothing: `vault-arcadie` stays\n\
             \x20 hint: with `lifecycle: leaving` it is removed after that day",
            "warning: environments/production/tenants/vault-opale.yaml:5:14: `vault-opale` leaves, and nothing says when\n\
             \x20 hint: rollouts do not change it, and nothing of it is deleted until there is a day: `deleteAfter: \"2027-06-30\"`"
        ]
    );
}

#[test]
fn two_tenants_in_one_namespace() {
    assert_eq!(
        edited(OPALE, "jp-vault-opale", "jp-vault-arcadie"),
        "error: environments/production/tenants/vault-opale.yaml:6:14: namespace `jp-vault-arcadie` of cluster `medic-rbx` is taken by tenant `vault-arcadie` (environments/production/tenants/vault-arcadie.yaml:6:14)\n\
             \x20 hint: one namespace holds one tenant: choose another `spec.namespace`"
    );
}

#[test]
fn a_tenant_on_a_cluster_that_its_class_forbids() {
    assert_eq!(
        edited(OPALE, "cluster: medic-rbx", "cluster: metal-par"),
        "error: environments/production/tenants/vault-opale.yaml:5:12: class `vault-health` demands a cluster labelled `hds=true`, and `metal-par` is not\n\
             \x20 hint: these do: `medic-rbx`"
    );
}

#[test]
fn a_cluster_or_class_that_does_not_exist() {
    assert_eq!(
        edited(OPALE, "cluster: medic-rbx", "cluster: medic-rbxx"),
        "error: environments/production/tenants/vault-opale.yaml:5:12: no cluster named `medic-rbxx`\n\
             \x20 hint: did you mean `medic-rbx`?"
    );
    assert_eq!(
        edited(OPALE, "class: vault-health", "class: vault-healt"),
        "error: environments/production/tenants/vault-opale.yaml:7:10: no class named `vault-healt`\n\
             \x20 hint: did you mean `vault-health`?"
    );
}

#[test]
fn one_domain_twice() {
    assert_eq!(
        edited(ESTRAN, "estran.sites", "iroise.sites"),
        "error: environments/production/tenants/shared-par-2/iroise.yaml:4:32: domain `iroise.sites.example.com` leads to platform `estran` of tenant `shared-par-1` already (environments/production/tenants/shared-par-1/estran.yaml:4:32)\n\
             \x20 hint: a domain belongs to one platform; only tenants of one `group` on different clusters share one"
    );
}

#[test]
fn an_app_outside_the_catalogue() {
    assert_eq!(
        edited(ESTRAN, "forms:", "form:"),
        "error: environments/production/tenants/shared-par-1/estran.yaml:4:71: app `form` is not in the catalogue\n\
             \x20 hint: did you mean `forms`?"
    );
}

#[test]
fn a_name_that_is_not_that_of_the_file() {
    assert_eq!(
        edited(ESTRAN, "name: estran", "name: estrang"),
        "error: environments/production/tenants/shared-par-1/estran.yaml:3:18: the name `estrang` is not that of the path, `estran`\n\
             \x20 hint: write `metadata: {name: estran}`, or rename the file"
    );
}

#[test]
fn a_key_given_twice() {
    assert_eq!(
        edited(ESTRAN, "client: estran, ", "client: estran, client: x, "),
        "error: environments/production/tenants/shared-par-1/estran.yaml:4:24: the key `client` is given twice, first on line 4\n\
             \x20 hint: kubectl would silently take the last one; remove one of them"
    );
}

#[test]
fn text_that_is_not_yaml() {
    assert_eq!(
        edited(ESTRAN, "spec: {", "spec: "),
        "error: environments/production/tenants/shared-par-1/estran.yaml:4:13: a `:` stands where no key is possible\n\
             \x20 hint: put text that contains `: ` in quotes, and check the indentation"
    );
}

#[test]
fn a_hub_that_does_not_exist() {
    assert_eq!(
        edited(ENVIRONMENT, "hub: tools-par", "hub: tool-par"),
        "error: environments/production/environment.yaml:6:18: no cluster named `tool-par`\n\
             \x20 hint: did you mean `tools-par`?"
    );
}

#[test]
fn several_mistakes_in_one_file_at_once() {
    assert_eq!(
        edited(
            STRATEGY,
            "{all: 1%, cluster: 1%, mode: strict}",
            "{all: 1 %, cluster: -1, mode: strickt}"
        ),
        "error: environments/production/strategy.yaml:48:24: `spec.limits.maxFailures.all`: `1 %` is not what is meant here: A number of tenants (`40`), or a share of the tenants that a plan changes on reachable clusters (`5%`; rounded up, at least 1).\n\
             error: environments/production/strategy.yaml:48:38: `spec.limits.maxFailures.cluster`: -1 is less than the minimum of 0\n\
             error: environments/production/strategy.yaml:48:48: `spec.limits.maxFailures.mode`: `strickt` is none of `soft`, `strict`\n\
             \x20 hint: did you mean `strict`?"
    );
}

#[test]
fn a_value_that_a_template_misses() {
    assert_eq!(
        edited(WEB, "values.web.children", "values.web.childs"),
        "error: templates/platform/web.yaml.j2:72:74: `values.web.childs` is not defined (in 17 tenants: `shared-ams-0`, `shared-ams-1`, `shared-ams-2`, …)\n\
             \x20 hint: did you mean `values.web.children`?"
    );
    assert_eq!(
        edited(WEB, "{{ versions.nginx }}", "{{ versions.ngnix }}"),
        "error: templates/platform/web.yaml.j2:38:21: `versions.ngnix` is not defined (in 17 tenants: `shared-ams-0`, `shared-ams-1`, `shared-ams-2`, …)\n\
             \x20 hint: did you mean `versions.nginx`?"
    );
}

#[test]
fn a_filter_that_does_not_exist() {
    assert_eq!(
        edited(
            WEB,
            "values.web.children | quote",
            "values.web.children | qoute"
        ),
        "error: templates/platform/web.yaml.j2:72:76: there is no filter `qoute` (in 17 tenants: `shared-ams-0`, `shared-ams-1`, `shared-ams-2`, …)\n\
             \x20 hint: did you mean `quote`?"
    );
}

#[test]
fn a_map_printed_as_it_is() {
    assert_eq!(
        edited(WEB, "values.web.children | quote", "values.web"),
        "error: templates/platform/web.yaml.j2:72:54: a map is printed without `| tojson` or `| toyaml` (in 17 tenants: `shared-ams-0`, `shared-ams-1`, `shared-ams-2`, …)"
    );
}

/// What a template leads to in the only tenant that has it.
fn templated(text: &str) -> String {
    let project = Project::production();
    project.edit(OPALE, "class:", "bundle: odd\n  class:");
    project.write("templates/odd/odd.yaml.j2", text);
    mistakes(&project)
}

#[test]
fn a_template_that_does_not_end() {
    assert_eq!(
        templated("{% for x in range(9999) %}{% for y in range(9999) %}{% endfor %}{% endfor %}"),
        "error: templates/odd/odd.yaml.j2:1:1: the template takes too many steps (in tenant `vault-opale`)\n\
             \x20 hint: is there a loop over a loop over everything?"
    );
}

#[test]
fn a_template_that_calls_itself() {
    assert_eq!(
        templated("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
        "error: templates/odd/odd.yaml.j2:1:19: recursion limit exceeded (in tenant `vault-opale`)"
    );
}

#[test]
fn a_template_that_renders_nothing() {
    assert_eq!(
        templated("# nothing\n"),
        "error: environments/production/tenants/vault-opale.yaml:3:18: bundle `odd` renders no object (in tenant `vault-opale`)"
    );
}

#[test]
fn an_alias_bomb() {
    let level = |level: usize| {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("a{level}: &a{level} [{below}]\n")
    };
    let bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    let bomb = (1..9).map(level).fold(bomb, |bomb, line| bomb + &line);
    assert_eq!(
        written(&format!("{TENANTS}/bomb.yaml"), &bomb),
        "error: environments/production/tenants/bomb.yaml:5:5: aliases copy too much"
    );
}

#[test]
fn a_platform_in_a_folder_without_a_tenant() {
    let platform = "apiVersion: escale.dev/v1alpha1\n\
                    kind: Platform\n\
                    metadata: {name: p}\n\
                    spec: {client: p, domain: p.example.com}\n";
    assert_eq!(
        written(&format!("{TENANTS}/lost/p.yaml"), platform),
        "error: environments/production/tenants/lost/p.yaml:4:7: platform `p` belongs to no tenant\n\
             \x20 hint: write `tenants/lost/tenant.yaml` beside it"
    );
}

#[test]
fn a_file_where_none_is_expected() {
    assert_eq!(
        written(&format!("{TENANTS}/shared-par-1/sub/x.yaml"), "a: 1\n"),
        "error: environments/production/tenants/shared-par-1/sub/x.yaml:1:1: no config file is expected here\n\
             \x20 hint: `environment.yaml`, `versions.yaml`, `strategy.yaml`, `clusters/NAME.yaml`, `tenants/NAME.yaml` or `tenants/TENANT/PLATFORM.yaml`; encrypted files belong into `secrets/`"
    );
}
