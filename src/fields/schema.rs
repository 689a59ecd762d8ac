//! The shape of every kind of Kubernetes 1.36: what is a list-map, a set, an atomic, a quantity.
//!
//! The table beside this file is reduced from a real API server's `OpenAPI` v3 by `tests/it/structure.rs`, following
//! the rules by which the API server makes its own merge schema of it (kube-openapi, `schemaconv`). Kinds that are
//! not in it (custom resources) have typed metadata; the rest is deduced: maps are granular, lists are atomic.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::path::PathElement;

/// Types of Kubernetes 1.36, by apiVersion and kind.
#[derive(Debug, Deserialize)]
pub struct Schema {
    /// Keys look like `apps/v1/Deployment`.
    kinds: BTreeMap<String, TypeRef>,
    types: Vec<Type>,
}

/// A type of the embedded table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct TypeRef(u16);

/// What a value may be; several at once where the API takes anything.
#[derive(Debug, Deserialize)]
pub(super) struct Type {
    pub(super) scalar: Option<Scalar>,
    pub(super) list: Option<List>,
    pub(super) map: Option<Map>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Scalar {
    Untyped,
    Number,
    Text,
    Boolean,
    Bytes,
    Time,
    IntOrString,
    Quantity,
}

#[derive(Debug, Deserialize)]
pub(super) struct List {
    pub(super) of: TypeRef,
    pub(super) kind: ListKind,
    /// The fields that name an element, if the list is a map.
    #[serde(default)]
    pub(super) keys: Vec<ListKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ListKind {
    Atomic,
    Set,
    Map,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListKey {
    pub(super) name: String,
    pub(super) default: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Map {
    /// Fields that the type names.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, TypeRef>,
    /// The type of all other entries; `None` where there may be no others.
    pub(super) rest: Option<TypeRef>,
    #[serde(default)]
    pub(super) atomic: bool,
    /// The fields that Go writes even if nobody set them, as it writes them.
    #[serde(default)]
    pub(super) zero: serde_json::Map<String, Value>,
    /// What the server fills in where this is part of an atomic: it comes back although nobody sent it.
    #[serde(default)]
    pub(super) defaults: serde_json::Map<String, Value>,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let packed = include_bytes!("k8s-1.36-structure.json.zst");
    let text =
        zstd::decode_all(&packed[..]).expect("the embedded table was packed by our own test");
    serde_json::from_slice(&text).expect("the embedded table was written by our own test")
});

/// The embedded table, decoded on first use.
pub fn schema() -> &'static Schema {
    &SCHEMA
}

impl Schema {
    /// The type of a kind; for kinds that the table does not know, the deduced type with typed metadata.
    pub fn type_of(&self, api_version: &str, kind: &str) -> TypeRef {
        let known = self.kinds.get(&format!("{api_version}/{kind}"));
        known.copied().unwrap_or(TypeRef::CUSTOM)
    }

    /// The type of an object by its own `apiVersion` and `kind`.
    pub fn type_of_object(&self, object: &Value) -> TypeRef {
        let text = |field: &str| {
            object
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        self.type_of(text("apiVersion"), text("kind"))
    }
}

impl TypeRef {
    const CUSTOM: Self = Self(0);
    pub(super) const DEDUCED: Self = Self(1);
    pub(super) const UNTYPED: Self = Self(2);

    /// Whether the table knows nothing of the kind itself.
    pub fn is_custom(self) -> bool {
        self == Self::CUSTOM
    }

    pub(super) fn is_deduced(self) -> bool {
        self == Self::DEDUCED || self == Self::UNTYPED
    }

    /// The object of this type that nobody has set anything in: what a create is compared with.
    pub(super) fn zero(self) -> Value {
        let Some(map) = &self.resolve().map else {
            return Value::Null;
        };
        let fields = map.zero.iter().map(|(name, zero)| {
            let is_struct = zero.is_object();
            let value = if is_struct {
                map.fields[name].zero()
            } else {
                zero.clone()
            };
            (name.clone(), value)
        });
        Value::Object(fields.collect())
    }

    pub(super) fn resolve(self) -> &'static Type {
        &schema().types[usize::from(self.0)]
    }

    /// The type one step down; the deduced type where the way leaves the schema.
    pub(super) fn below(self, element: &PathElement) -> Self {
        let found = match element {
            PathElement::Field(name) => self
                .resolve()
                .map
                .as_ref()
                .and_then(|map| map.type_of(name)),
            _ => self.resolve().list.as_ref().map(|list| list.of),
        };
        found.unwrap_or(Self::DEDUCED)
    }

    /// Whether the type itself names the field, as opposed to a key of a free map.
    pub(super) fn names_field(self, name: &str) -> bool {
        self.resolve()
            .map
            .as_ref()
            .is_some_and(|map| map.fields.contains_key(name))
    }
}

impl List {
    /// A list-map with these keys, or a set without any, of whatever elements.
    pub(super) fn deduced(keys: Vec<String>) -> Self {
        let kind = if keys.is_empty() {
            ListKind::Set
        } else {
            ListKind::Map
        };
        let keys = keys
            .into_iter()
            .map(|name| ListKey {
                name,
                default: None,
            })
            .collect();
        Self {
            of: TypeRef::DEDUCED,
            kind,
            keys,
        }
    }
}

impl Map {
    /// Whether the server answers this although nobody sent it.
    pub(super) fn fills_in(&self, name: &str, value: &Value) -> bool {
        let is_hollow_struct = || value.as_object().is_some_and(serde_json::Map::is_empty);
        self.defaults.get(name) == Some(value)
            || (self.zero.contains_key(name) && is_hollow_struct())
    }

    /// A map with keys of the author's own, as opposed to a struct.
    pub(super) fn is_free(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn type_of(&self, name: &str) -> Option<TypeRef> {
        self.fields.get(name).copied().or(self.rest)
    }
}

/// The one shape of a type that a value takes. `Scalar` for values of the wrong sort as well.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Scalar(Option<Scalar>),
    List(&'static List),
    Map(&'static Map),
}

impl Shape {
    pub(super) fn is_same_sort(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Scalar(_), Self::Scalar(_))
                | (Self::List(_), Self::List(_))
                | (Self::Map(_), Self::Map(_))
        )
    }
}

impl Type {
    /// Where a type allows several shapes the value decides; null takes the first of map, scalar, list.
    pub(super) fn shape_of(&'static self, value: &Value) -> Shape {
        match (value, &self.map, &self.list, self.scalar) {
            (Value::Array(_), _, Some(list), _) => Shape::List(list),
            (Value::Object(_) | Value::Null, Some(map), _, _) | (_, Some(map), _, None) => {
                Shape::Map(map)
            }
            (_, _, _, Some(scalar)) => Shape::Scalar(Some(scalar)),
            (_, _, Some(list), None) => Shape::List(list),
            (_, None, None, None) => Shape::Scalar(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(kind: (&str, &str), names: &[&str]) -> &'static Type {
        let root = schema().type_of(kind.0, kind.1);
        let found = names.iter().fold(root, |type_ref, name| {
            let step = match type_ref.resolve() {
                Type {
                    map: None,
                    list: Some(list),
                    ..
                } => list.of,
                _ => type_ref,
            };
            step.below(&PathElement::field(name))
        });
        found.resolve()
    }

    #[test]
    fn container_ports_are_a_list_map_whose_protocol_has_a_default() {
        let ports = at(("v1", "Pod"), &["spec", "containers", "ports"]);
        let ports = ports.list.as_ref().expect("a list");
        let keys: Vec<_> = ports.keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(
            (ports.kind, keys),
            (ListKind::Map, vec!["containerPort", "protocol"])
        );
        assert_eq!(ports.keys[1].default, Some("TCP".into()));
    }

    #[test]
    fn selectors_are_atomic_and_labels_are_not() {
        let selector = at(("apps/v1", "Deployment"), &["spec", "selector"]);
        assert!(selector.map.as_ref().expect("a map").atomic);
        let labels = at(("apps/v1", "Deployment"), &["metadata", "labels"]);
        assert!(!labels.map.as_ref().expect("a map").atomic);
    }

    #[test]
    fn resources_are_quantities_and_finalizers_a_set() {
        let limits = at(
            ("v1", "Pod"),
            &["spec", "containers", "resources", "limits", "cpu"],
        );
        assert_eq!(limits.scalar, Some(Scalar::Quantity));
        let finalizers = at(("v1", "Pod"), &["metadata", "finalizers"]);
        assert_eq!(
            finalizers.list.as_ref().expect("a list").kind,
            ListKind::Set
        );
    }

    #[test]
    fn a_custom_resource_has_typed_metadata_and_granular_maps() {
        let kind = ("example.com/v1", "Widget");
        assert!(schema().type_of(kind.0, kind.1).is_custom());
        assert_eq!(
            at(kind, &["metadata", "finalizers"])
                .list
                .as_ref()
                .expect("a list")
                .kind,
            ListKind::Set
        );
        assert_eq!(
            at(kind, &["spec", "items"])
                .list
                .as_ref()
                .expect("a list")
                .kind,
            ListKind::Atomic
        );
        assert!(
            !at(kind, &["spec", "any"])
                .map
                .as_ref()
                .expect("a map")
                .atomic
        );
    }
}
