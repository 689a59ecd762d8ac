//! Reduces a real API server's `OpenAPI` v3 to `src/fields/k8s-1.36-structure.json.zst`, on demand:
//! `ESCALE_RECORD_STRUCTURE=KUBECONFIG cargo test --test it structure::`.
//!
//! The rules are those by which the API server makes its own merge schema (kube-openapi, `schemaconv`).

use std::collections::BTreeMap;

use http::Request;
use kube::Client;
use serde_json::{Map, Value, json};

/// What the API server fills in where a part is applied as a whole: it comes back although nobody sent it.
/// From the `SetDefaults_…` functions of Kubernetes; only what is filled in whatever else stands there.
const DEFAULTS: [(&str, &str); 6] = [
    (
        "io.k8s.api.core.v1.ObjectFieldSelector",
        r#"{"apiVersion": "v1"}"#,
    ),
    (
        "io.k8s.api.core.v1.ResourceFieldSelector",
        r#"{"divisor": "0"}"#,
    ),
    (
        "io.k8s.api.networking.v1.NetworkPolicyPort",
        r#"{"protocol": "TCP"}"#,
    ),
    (
        "io.k8s.api.core.v1.ServiceAccountTokenProjection",
        r#"{"expirationSeconds": 3600}"#,
    ),
    (
        "io.k8s.api.core.v1.PersistentVolumeClaimSpec",
        r#"{"volumeMode": "Filesystem"}"#,
    ),
    (
        "io.k8s.api.core.v1.PersistentVolumeClaim",
        r#"{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}"#,
    ),
];

/// Lists that Go writes as null although nobody requires them.
const NULLS: [(&str, &str); 3] = [
    ("io.k8s.api.rbac.v1.Role", "rules"),
    ("io.k8s.api.rbac.v1.ClusterRole", "rules"),
    (
        "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus",
        "currentMetrics",
    ),
];

/// The table begins with these three.
const CUSTOM: usize = 0;
const DEDUCED: usize = 1;
const UNTYPED: usize = 2;

#[tokio::test]
async fn reduces_the_structure_on_demand() {
    let Ok(kubeconfig) = std::env::var("ESCALE_RECORD_STRUCTURE") else {
        return;
    };
    let table = Table::of(schemas(&kubeconfig).await).to_json();
    let packed = zstd::encode_all(table.to_string().as_bytes(), 19).expect("zstd");
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/fields/k8s-1.36-structure.json.zst"
    );
    std::fs::write(path, packed).expect("the file is written");
}

/// All schemas that the server serves, by name. Custom resources are no part of the table.
async fn schemas(kubeconfig: &str) -> BTreeMap<String, Value> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config =
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default())
            .await;
    let client = Client::try_from(config.expect("a context")).expect("a client");
    let get = async |path: &str| -> Value {
        let request = Request::get(path)
            .header("Accept", "application/json")
            .body(Vec::new())
            .expect("a request");
        client.request(request).await.expect("an answer")
    };
    let mut schemas = BTreeMap::new();
    let index = get("/openapi/v3").await;
    for group in index["paths"].as_object().expect("paths").values() {
        let document = get(group["serverRelativeURL"].as_str().expect("a path")).await;
        let found = document["components"]["schemas"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        schemas.extend(
            found
                .into_iter()
                .filter(|(name, _)| name.starts_with("io.k8s.")),
        );
    }
    schemas
}

struct Table {
    schemas: BTreeMap<String, Value>,
    types: Vec<Value>,
    /// Where the schema of a name stands in the table.
    named: BTreeMap<String, usize>,
    /// Types without a name, each but once.
    inline: BTreeMap<String, usize>,
    kinds: BTreeMap<String, usize>,
}

impl Table {
    fn of(schemas: BTreeMap<String, Value>) -> Self {
        let anything = json!({"of": UNTYPED, "kind": "atomic"});
        let types = vec![
            Value::Null,
            json!({"scalar": "untyped", "list": anything, "map": {"rest": DEDUCED}}),
            json!({"scalar": "untyped", "list": anything, "map": {"rest": UNTYPED, "atomic": true}}),
        ];
        let mut table = Self {
            schemas,
            types,
            named: BTreeMap::new(),
            inline: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for (name, schema) in table.schemas.clone() {
            for kind in kinds_of(&schema) {
                let at = table.of_name(&name);
                table.kinds.insert(kind, at);
            }
        }
        let metadata = table.of_name("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
        let text = table.of_inline(json!({"scalar": "text"}));
        table.types[CUSTOM] = json!({"map": {
            "fields": {"apiVersion": text, "kind": text, "metadata": metadata}, "rest": DEDUCED
        }});
        table
    }

    fn to_json(&self) -> Value {
        json!({"kinds": self.kinds, "types": self.types})
    }

    fn of_inline(&mut self, reduced: Value) -> usize {
        let next = self.types.len();
        let at = *self.inline.entry(reduced.to_string()).or_insert(next);
        if at == next {
            self.types.push(reduced);
        }
        at
    }

    fn of_name(&mut self, name: &str) -> usize {
        if let Some(at) = self.named.get(name) {
            return *at;
        }
        let schema = self.schemas[name].clone();
        let is_scalar = matches!(
            schema["type"].as_str(),
            Some("string" | "integer" | "number" | "boolean")
        );
        let at = match name {
            _ if name.ends_with(".api.resource.Quantity") => {
                self.of_inline(json!({"scalar": "quantity"}))
            }
            _ if name.ends_with(".runtime.RawExtension") => UNTYPED,
            _ if is_scalar => {
                let reduced = self.reduced(&schema);
                self.of_inline(reduced)
            }
            // The place is taken first: a schema may refer to itself.
            _ => {
                self.types.push(Value::Null);
                self.types.len() - 1
            }
        };
        self.named.insert(name.to_owned(), at);
        if self.types[at].is_null() {
            let mut reduced = self.reduced(&schema);
            amend(name, &mut reduced);
            self.types[at] = reduced;
        }
        at
    }

    fn of_reference(&mut self, schema: &Value) -> usize {
        let Some(name) = reference(schema) else {
            let reduced = self.reduced(schema);
            return self.of_inline(reduced);
        };
        let at = self.of_name(&name);
        if schema["x-kubernetes-map-type"] != "atomic" || self.types[at]["map"]["atomic"] == true {
            return at;
        }
        let mut atomic = self.types[at].clone();
        atomic["map"]["atomic"] = json!(true);
        self.of_inline(atomic)
    }

    fn reduced(&mut self, schema: &Value) -> Value {
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (None, format) => {
                let scalar = if format == Some("int-or-string") {
                    "intOrString"
                } else {
                    "untyped"
                };
                json!({"scalar": scalar, "list": self.list(schema), "map": self.map(schema)})
            }
            (Some("object"), _) => json!({"map": self.map(schema)}),
            (Some("array"), _) => json!({"list": self.list(schema)}),
            (Some("boolean"), _) => json!({"scalar": "boolean"}),
            (Some("integer" | "number"), _) => json!({"scalar": "number"}),
            (Some(_), Some("byte")) => json!({"scalar": "bytes"}),
            (Some(_), Some("date-time")) => json!({"scalar": "time"}),
            (Some(_), Some("int-or-string")) => json!({"scalar": "intOrString"}),
            (Some(_), _) => json!({"scalar": "text"}),
        }
    }

    fn list(&mut self, schema: &Value) -> Value {
        let of = schema
            .get("items")
            .map_or(UNTYPED, |items| self.of_reference(items));
        let keys = match schema["x-kubernetes-list-type"].as_str() {
            Some("map") => schema["x-kubernetes-list-map-keys"]
                .as_array()
                .cloned()
                .expect("keys"),
            Some("set") => return json!({"of": of, "kind": "set"}),
            Some(_) => return json!({"of": of, "kind": "atomic"}),
            None => match (
                schema["x-kubernetes-patch-strategy"].as_str(),
                schema.get("x-kubernetes-patch-merge-key"),
            ) {
                (Some("merge" | "merge,retainKeys"), Some(key)) => vec![key.clone()],
                (Some("merge" | "merge,retainKeys"), None) => {
                    return json!({"of": of, "kind": "set"});
                }
                _ => return json!({"of": of, "kind": "atomic"}),
            },
        };
        let element = reference(&schema["items"])
            .map_or(&Value::Null, |name| &self.schemas[&name]["properties"]);
        let keys = keys.iter().map(|key| {
            let mut reduced = json!({"name": key});
            if let Some(default) = element[key.as_str().expect("a name")].get("default") {
                reduced["default"] = default.clone();
            }
            reduced
        });
        json!({"of": of, "kind": "map", "keys": keys.collect::<Vec<_>>()})
    }

    fn map(&mut self, schema: &Value) -> Value {
        let mut map = Map::new();
        let properties = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let fields: Map<_, _> = properties
            .iter()
            .map(|(name, field)| (name.clone(), json!(self.of_reference(field))))
            .collect();
        if !fields.is_empty() {
            map.insert("fields".to_owned(), Value::Object(fields));
        }
        let zero: Map<_, _> = properties
            .iter()
            .filter_map(|(name, field)| Some((name.clone(), zero(schema, name, field)?)))
            .collect();
        if !zero.is_empty() {
            map.insert("zero".to_owned(), Value::Object(zero));
        }
        let rest = match schema.get("additionalProperties") {
            None if properties.is_empty() => Some(DEDUCED),
            None => None,
            Some(Value::Bool(allowed)) => allowed.then_some(DEDUCED),
            Some(others) => Some(self.of_reference(others)),
        };
        if let Some(rest) = rest {
            map.insert("rest".to_owned(), json!(rest));
        }
        if schema["x-kubernetes-map-type"] == "atomic" {
            map.insert("atomic".to_owned(), json!(true));
        }
        Value::Object(map)
    }
}

/// What Go writes for a field that nobody set, if it writes anything.
fn zero(schema: &Value, name: &str, field: &Value) -> Option<Value> {
    let default = field.get("default");
    if let Some(default) =
        default.filter(|default| [json!(""), json!(0), json!(false), json!({})].contains(default))
    {
        return Some(default.clone());
    }
    let is_required = schema["required"]
        .as_array()
        .is_some_and(|required| required.contains(&json!(name)));
    (is_required && field["type"] == "array").then_some(Value::Null)
}

fn amend(name: &str, reduced: &mut Value) {
    for (_, field) in NULLS.iter().filter(|(of, _)| *of == name) {
        reduced["map"]["zero"][*field] = Value::Null;
    }
    for (_, defaults) in DEFAULTS.iter().filter(|(of, _)| *of == name) {
        reduced["map"]["defaults"] = serde_json::from_str(defaults).expect("JSON");
    }
}

fn reference(schema: &Value) -> Option<String> {
    let only = schema["allOf"]
        .as_array()
        .filter(|all| all.len() == 1)
        .map(|all| &all[0]);
    let reference = schema["$ref"].as_str().or_else(|| only?["$ref"].as_str())?;
    reference.rsplit('/').next().map(str::to_owned)
}

/// `apps/v1/Deployment`; lists and what is sent to every group are left out.
fn kinds_of(schema: &Value) -> Vec<String> {
    let kinds = schema["x-kubernetes-group-version-kind"].as_array();
    let named = kinds.into_iter().flatten().filter_map(|kind| {
        let text = |field: &str| kind[field].as_str().unwrap_or_default();
        let name = text("kind");
        let is_common = name.ends_with("List") || name == "DeleteOptions" || name == "WatchEvent";
        let group = text("group");
        let group = if group.is_empty() {
            String::new()
        } else {
            format!("{group}/")
        };
        (!is_common).then(|| format!("{group}{}/{name}", text("version")))
    });
    named.collect()
}
