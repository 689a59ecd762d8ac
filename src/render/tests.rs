//! The room as a whole: templates and a fleet in, bundles or mistakes out.

use serde_json::{Value, json};

use crate::fleet::{Files, Finding, Fleet, grouped, load};
use crate::manifest::Manifest;
use crate::render::Renderer;

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n";

fn files(template: &str) -> Files {
    let document = |kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: escale.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        )
    };
    let files = [
        ("environments/test/environment.yaml", document("Environment", "test", "{defaults: {values: {replicas: 2, truth: true, none: null, list: [1]}}, apps: {wiki: {}}}")),
        ("environments/test/versions.yaml", document("Versions", "test", "{web: registry.example.com/web:1}")),
        ("environments/test/clusters/one.yaml", document("Cluster", "one", "{ingress: {address: 192.0.2.1}}")),
        ("environments/test/tenants/a.yaml", document("Tenant", "a", "{cluster: one, platforms: {p: {client: c, domain: p.example.org, apps: {wiki: {}}, values: {replicas: 9}}}}")),
        ("environments/test/tenants/b.yaml", document("Tenant", "b", "{cluster: one, values: {special: x}}")),
        ("templates/platform/web.yaml.j2", template.to_owned()),
        ("templates/platform/_parts.j2", "{% macro name(x) %}{{ x.nme }}{% endmacro %}{% macro deep() %}{{ deep() }}{% endmacro %}".to_owned()),
        ("templates/platform/README.md", "{{ not a template".to_owned()),
    ];
    files.map(|(path, text)| (path.to_owned(), text)).into()
}

fn fleet(files: &Files) -> Fleet {
    load(files, "test").unwrap_or_else(|findings| panic!("{findings:?}"))
}

/// The objects of tenant `a`.
fn objects(template: &str) -> Vec<Value> {
    let files = files(template);
    let renderer =
        Renderer::new(&files, [("s.yaml".to_owned(), "4f2a".to_owned())].into()).unwrap();
    let fleet = fleet(&files);
    let bundle = renderer
        .render_tenant(&fleet, fleet.tenant("a").unwrap())
        .unwrap();
    bundle
        .manifests()
        .iter()
        .map(|manifest: &Manifest| manifest.value().clone())
        .collect()
}

/// What is told of both tenants.
fn told(template: &str) -> String {
    let files = files(template);
    let findings = match Renderer::new(&files, [("s.yaml".to_owned(), "4f2a".to_owned())].into()) {
        Ok(renderer) => {
            let bundles = renderer.render_all(&fleet(&files));
            bundles
                .into_values()
                .filter_map(Result::err)
                .flatten()
                .collect()
        }
        Err(findings) => findings,
    };
    let texts: Vec<String> = grouped(findings).iter().map(Finding::to_string).collect();
    texts.join("\n").replace("templates/platform/", "")
}

fn data(text: &str) -> String {
    format!("{CONFIG}  {text}\n")
}

#[test]
fn a_template_sees_the_tenant_and_prints_as_yaml_reads() {
    let template = data(concat!(
        "all: {{ [environment.name, cluster.ingress.address, tenant.name, tenant.namespace, tenant.apps, versions.web] | tojson | quote }}\n",
        "  values: \"{{ values.replicas }} {{ values.truth }} {{ values.none }} {{ platforms[0].values.replicas }}\"\n",
        "  block: |\n    one\n    two",
    ));
    assert_eq!(
        objects(&template),
        [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "a"}, "data": {
                "all": r#"["test","192.0.2.1","a","a",["wiki"],"registry.example.com/web:1"]"#,
                "values": "2 true null 9",
                "block": "one\ntwo\n",
            }})
        ]
    );
}

#[test]
fn an_undefined_variable_is_told_once_with_its_place_and_a_suggestion() {
    assert_eq!(
        told(&data("x: {{ values.replcas }}")),
        "error: web.yaml.j2:5:9: `values.replcas` is not defined (in 2 tenants: `a`, `b`)\n  hint: did you mean `values.replicas`?"
    );
    assert_eq!(
        told(&data("x: {{ values.special }}")),
        "error: web.yaml.j2:5:9: `values.special` is not defined (in tenant `a`)\n  \
         hint: set it, or write `values.special | default(…)` where it may be missing"
    );
    assert_eq!(
        told(&data("x: {{ tennant.name }}")),
        "error: web.yaml.j2:5:9: `tennant.name` is not defined (in 2 tenants: `a`, `b`)\n  hint: did you mean `tenant.name`?"
    );
}

#[test]
fn a_mistake_in_a_macro_is_told_at_its_place() {
    assert_eq!(
        told(&format!(
            "{{% import '_parts.j2' as parts %}}{}",
            data("x: {{ parts.name(tenant) }}")
        )),
        "error: _parts.j2:1:23: `x.nme` is not defined (in 2 tenants: `a`, `b`)\n  \
         hint: set it, or write `x.nme | default(…)` where it may be missing"
    );
}

#[test]
fn a_syntax_error_is_told_before_anything_is_rendered() {
    assert_eq!(
        told("a: {{ values.x"),
        "error: web.yaml.j2:1:14: the template is not well formed: unexpected end of input, expected end of variable block"
    );
}

#[test]
fn a_list_needs_a_spelling() {
    assert_eq!(
        told(&data("x: {{ values.list }}")),
        "error: web.yaml.j2:5:9: a sequence is printed without `| tojson` or `| toyaml` (in 2 tenants: `a`, `b`)"
    );
}

#[test]
fn templates_that_never_end_are_stopped() {
    let steps = told(&data(
        "x: {% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
    ));
    assert!(steps.starts_with("error: web.yaml.j2:5:"), "{steps}");
    assert!(
        steps.contains("too many steps") || steps.contains("more than 8 MiB"),
        "{steps}"
    );
    assert!(told(&data("x: {{ 'x' * 99999999 }}")).contains("writes more than 8 MiB"));
    assert!(
        told(&data(
            "x: {% for a in range(99999) %}{{ 'x' * 999999 }}{% endfor %}"
        ))
        .contains("writes more than 8 MiB")
    );
    let deep = format!(
        "{{% import '_parts.j2' as parts %}}{}",
        data("x: {{ parts.deep() }}")
    );
    assert!(told(&deep).contains("recursion limit"), "{}", told(&deep));
}

#[test]
fn text_that_is_no_yaml_is_shown() {
    assert_eq!(
        told(&data("x: a: b")),
        "error: web.yaml.j2:1:1: what it renders is not YAML at line 5, column 7, `x: a: b`: a `:` stands where no key is possible \
         (in 2 tenants: `a`, `b`)\n  hint: put text that contains `: ` in quotes, and check the indentation"
    );
    assert_eq!(
        told("a: 1\n"),
        "error: web.yaml.j2:1:1: a document is no Kubernetes object: `apiVersion` is missing (line 1 of what it renders) (in 2 tenants: `a`, `b`)"
    );
}

#[test]
fn one_object_twice_is_a_mistake() {
    let twice = format!("{}---\n{}", data("a: x"), data("b: y"));
    assert_eq!(
        told(&twice),
        "error: web.yaml.j2:1:1: `ConfigMap/web` is rendered twice: by web.yaml.j2 and web.yaml.j2 (in 2 tenants: `a`, `b`)\n  \
         hint: give one of them another name"
    );
}

#[test]
fn secrets_are_tokens_and_only_in_secrets() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: '{{ secret(\"s.yaml#p\") }}', user: web}\n";
    assert_eq!(
        objects(secret)[0]["data"],
        json!({"password": "escale-secret:v1:4f2a:s.yaml#p", "user": "d2Vi"})
    );
    assert_eq!(
        told(&data("x: {{ secret('s.yaml#p') }}")),
        "error: web.yaml.j2:1:1: `ConfigMap/web` holds a secret reference at `/data/x` (line 5 of what it renders) (in 2 tenants: `a`, `b`)\n  \
         hint: only `data` and `stringData` of a Secret may"
    );
    assert!(
        told(&data("x: {{ secret('other.yaml#p') }}"))
            .contains("secret file `other.yaml` does not exist")
    );
}

#[test]
fn rendering_twice_gives_the_same_digests() {
    let files = files(&data("x: {{ values | tojson | quote }}"));
    let renderer = Renderer::new(&files, [].into()).unwrap();
    let fleet = fleet(&files);
    assert_eq!(renderer.render_all(&fleet), renderer.render_all(&fleet));
}
