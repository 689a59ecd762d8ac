//! Where a field is: through maps by name, through list-maps by key, through sets by value.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::value;

/// One step from a value down to a part of it.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// An entry of a map or struct.
    Field(String),
    /// The element of a list-map that has these keys.
    Key(BTreeMap<String, Value>),
    /// The element of a set.
    Value(Value),
    /// An element of an atomic list; nobody owns it alone.
    Index(usize),
}

/// The way from an object's root to a field. Ordered as the API server orders `fieldsV1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<PathElement>);

impl PathElement {
    pub fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// Reads one key of `fieldsV1`; `None` for spellings that we do not know, which the API server drops as well.
    pub(super) fn from_fields_v1(text: &str) -> Option<Self> {
        let (sort, rest) = text.split_once(':')?;
        match sort {
            "f" => Some(Self::field(rest)),
            "k" => serde_json::from_str(rest).ok().map(Self::Key),
            "v" => serde_json::from_str(rest).ok().map(Self::Value),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    pub(super) fn to_fields_v1(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{}", value::go_json(value)))
                    .collect();
                format!("k:{{{}}}", keys.join(","))
            }
            Self::Value(value) => format!("v:{}", value::go_json(value)),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }

    /// Writes the element; a name that holds a dot or a slash would read as several, so people get it in brackets.
    fn write(&self, f: &mut impl fmt::Write, for_people: bool) -> fmt::Result {
        match self {
            Self::Field(name) if for_people && !is_plain(name) => write!(f, "[{}]", quoted(name)),
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(name, value)| format!("{name}={}", scalar(value)))
                    .collect();
                write!(f, "[{}]", keys.join(","))
            }
            Self::Value(value) => write!(f, "[={}]", scalar(value)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '$');
    !name.is_empty() && name.chars().all(plain)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn scalar(value: &Value) -> String {
    value.to_string()
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.cmp(right),
            (Self::Key(left), Self::Key(right)) => order_keys(left, right),
            (Self::Value(left), Self::Value(right)) => value::order(left, right),
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn order_keys(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(left, right)| {
            left.0
                .cmp(right.0)
                .then_with(|| value::order(left.1, right.1))
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| left.len().cmp(&right.len()))
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

impl Path {
    pub fn root() -> Self {
        Self::default()
    }

    /// A path through maps only.
    pub fn of_fields(names: &[&str]) -> Self {
        names.iter().copied().map(PathElement::field).collect()
    }

    #[must_use]
    pub fn join(&self, element: PathElement) -> Self {
        let mut longer = self.clone();
        longer.0.push(element);
        longer
    }

    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path, or one further down.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// As the API server spells the path in conflicts: no brackets round names with dots, so two paths may read alike.
    pub fn as_server_spells(&self) -> String {
        let mut text = String::new();
        for element in &self.0 {
            element
                .write(&mut text, false)
                .expect("text takes any text");
        }
        text
    }

    /// The value that stands at this path. List-map elements may leave out a key that has a default (`protocol`).
    pub fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0
            .iter()
            .try_fold(root, |value, element| step(value, element))
    }

    pub(super) fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}

fn step<'a>(value: &'a Value, element: &PathElement) -> Option<&'a Value> {
    match element {
        PathElement::Field(name) => value.as_object()?.get(name),
        PathElement::Key(keys) => value.as_array()?.iter().find(|item| has_keys(item, keys)),
        PathElement::Value(wanted) => value
            .as_array()?
            .iter()
            .find(|item| value::same(item, wanted)),
        PathElement::Index(index) => value.as_array()?.get(*index),
    }
}

fn has_keys(item: &Value, keys: &BTreeMap<String, Value>) -> bool {
    let is_default = |name: &str, wanted: &Value| name == "protocol" && wanted == "TCP";
    let mut present = 0;
    let all_equal = keys.iter().all(|(name, wanted)| match item.get(name) {
        Some(found) => {
            present += 1;
            value::same(found, wanted)
        }
        None => is_default(name, wanted),
    });
    all_equal && present > 0
}

impl FromIterator<PathElement> for Path {
    fn from_iter<I: IntoIterator<Item = PathElement>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

/// For people: `.metadata.annotations["escale.dev/x"]`, `.spec.template.spec.containers[name="web"].image`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.write(f, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(name: &str) -> PathElement {
        PathElement::Key(BTreeMap::from([("name".to_owned(), json!(name))]))
    }

    #[test]
    fn a_path_reads_like_the_field_it_names() {
        let containers = Path::of_fields(&["spec", "template", "spec", "containers"]);
        let image = containers
            .join(container("web"))
            .join(PathElement::field("image"));
        assert_eq!(
            image.to_string(),
            r#".spec.template.spec.containers[name="web"].image"#
        );
        let finalizer =
            Path::of_fields(&["metadata", "finalizers"]).join(PathElement::Value(json!("a/b")));
        assert_eq!(finalizer.to_string(), r#".metadata.finalizers[="a/b"]"#);
    }

    #[test]
    fn a_name_with_dots_stands_in_brackets_for_people_and_bare_for_the_server() {
        let annotation = Path::of_fields(&["metadata", "annotations", "escale.dev/x"]);
        assert_eq!(
            annotation.to_string(),
            r#".metadata.annotations["escale.dev/x"]"#
        );
        assert_eq!(
            annotation.as_server_spells(),
            ".metadata.annotations.escale.dev/x"
        );
    }

    #[test]
    fn the_spelling_in_fields_v1_comes_back_as_it_was() {
        for text in [
            "f:spec",
            r#"k:{"containerPort":80,"protocol":"TCP"}"#,
            r#"v:"a\u003cb""#,
            "v:1",
            "i:3",
        ] {
            let element = PathElement::from_fields_v1(text).expect("known");
            assert_eq!(element.to_fields_v1(), text);
        }
        assert_eq!(PathElement::from_fields_v1("x:1"), None);
    }

    #[test]
    fn names_come_before_keys_and_keys_before_values() {
        let mut elements = [
            PathElement::Index(0),
            PathElement::Value(json!("a")),
            container("web"),
            container("sidecar"),
            PathElement::field("z"),
            PathElement::field("a"),
        ];
        elements.sort();
        let spelt: Vec<_> = elements.iter().map(PathElement::to_fields_v1).collect();
        assert_eq!(
            spelt,
            [
                "f:a",
                "f:z",
                r#"k:{"name":"sidecar"}"#,
                r#"k:{"name":"web"}"#,
                r#"v:"a""#,
                "i:0"
            ]
        );
    }

    #[test]
    fn a_value_is_found_by_key_even_if_a_default_was_left_out() {
        let object =
            json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "name": "tcp"}]});
        let keys = BTreeMap::from([
            ("port".to_owned(), json!(53)),
            ("protocol".to_owned(), json!("TCP")),
        ]);
        let name = Path::of_fields(&["ports"])
            .join(PathElement::Key(keys))
            .join(PathElement::field("name"));
        assert_eq!(name.find(&object), Some(&json!("tcp")));
    }
}
