//! A set of fields: what a manager owns, what two objects differ in.
//!
//! The operations are those of structured-merge-diff: a field and the fields below it are members each for
//! itself, so that taking away `spec` does not take away `spec.replicas`, unless recursion is asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::{Path, PathElement};
use super::schema::TypeRef;

/// Fields of an object, as a tree. Branches without members do not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    entries: BTreeMap<PathElement, Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    is_member: bool,
    below: FieldSet,
}

impl Entry {
    fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }
}

impl FieldSet {
    /// Reads `fieldsV1`. Spellings that we do not know are dropped, as the API server drops them.
    pub fn from_fields_v1(fields: &Value) -> Self {
        let Some(fields) = fields.as_object() else {
            return Self::default();
        };
        let mut set = Self::default();
        for (text, below) in fields {
            let Some(element) = PathElement::from_fields_v1(text) else {
                continue;
            };
            let below_set = Self::from_fields_v1(below);
            let is_member = below_set.is_empty() || below.get(".").is_some();
            set.entries.insert(
                element,
                Entry {
                    is_member,
                    below: below_set,
                },
            );
        }
        set
    }

    /// Prints `fieldsV1` as the API server does.
    pub fn to_fields_v1(&self) -> Value {
        let fields = self.entries.iter().map(|(element, entry)| {
            let mut below = entry.below.to_fields_v1();
            if let (true, Some(fields)) = (
                entry.is_member,
                below.as_object_mut().filter(|fields| !fields.is_empty()),
            ) {
                fields.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (element.to_fields_v1(), below)
        });
        Value::Object(fields.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn contains(&self, path: &Path) -> bool {
        let Some((last, above)) = path.elements().split_last() else {
            return false;
        };
        let set = above.iter().try_fold(self, |set, element| {
            set.entries.get(element).map(|entry| &entry.below)
        });
        set.is_some_and(|set| set.has(last))
    }

    pub fn insert(&mut self, path: &Path) {
        self.insert_elements(path.elements());
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (element, theirs) in &other.entries {
            let ours = all.entries.entry(element.clone()).or_default();
            ours.is_member |= theirs.is_member;
            ours.below = ours.below.union(&theirs.below);
        }
        all
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(|element, ours| {
            let theirs = other.entries.get(element)?;
            Some(Entry {
                is_member: ours.is_member && theirs.is_member,
                below: ours.below.intersection(&theirs.below),
            })
        })
    }

    /// What is in this set and not in the other, each field for itself.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }

    /// The difference that takes away what lies below a field with the field.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.subtract_recursively(other);
        rest
    }

    /// Whether any field is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.entries.iter().any(|(element, ours)| {
            other.entries.get(element).is_some_and(|theirs| {
                (ours.is_member && theirs.is_member) || ours.below.overlaps(&theirs.below)
            })
        })
    }

    /// Whether the other set has every field of this one.
    pub fn is_within(&self, other: &Self) -> bool {
        self.entries.iter().all(|(element, ours)| {
            other.entries.get(element).is_some_and(|theirs| {
                (theirs.is_member || !ours.is_member) && ours.below.is_within(&theirs.below)
            })
        })
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (element, theirs) in &other.entries {
            if let Some(ours) = self.entries.get_mut(element) {
                ours.is_member &= !theirs.is_member;
                ours.below.subtract(&theirs.below);
                self.drop_if_empty(element);
            }
        }
    }

    pub(super) fn subtract_recursively(&mut self, other: &Self) {
        for (element, theirs) in &other.entries {
            if theirs.is_member {
                self.entries.remove(element);
            } else if let Some(ours) = self.entries.get_mut(element) {
                ours.below.subtract_recursively(&theirs.below);
                self.drop_if_empty(element);
            }
        }
    }

    fn drop_if_empty(&mut self, element: &PathElement) {
        if self.entries.get(element).is_some_and(Entry::is_empty) {
            self.entries.remove(element);
        }
    }

    /// Only the fields that have none of the set below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        self.combine(|_, entry| {
            Some(Entry {
                is_member: entry.is_member && entry.below.is_empty(),
                below: entry.below.leaves(),
            })
        })
    }

    /// Every member, a field before those below it.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Path::root(), &mut paths);
        paths
    }

    /// The members that the API server spells so in a conflict; more than one where map keys hold dots.
    pub fn spelt(&self, server_spelling: &str) -> Vec<Path> {
        let mut paths = self.paths();
        paths.retain(|path| path.as_server_spells() == server_spelling);
        paths
    }

    /// The set with the named fields above its members added: `spec` for `spec.replicas`, but no key of a free map.
    pub(super) fn with_named_fields(&self, type_ref: TypeRef) -> Self {
        self.combine(|element, entry| {
            let is_named =
                matches!(element, PathElement::Field(name) if type_ref.names_field(name));
            Some(Entry {
                is_member: entry.is_member || (is_named && !entry.below.is_empty()),
                below: entry.below.with_named_fields(type_ref.below(element)),
            })
        })
    }

    /// Adds one step, whether it is a member itself, and what is below it.
    pub(super) fn put(&mut self, element: PathElement, is_member: bool, below: Self) {
        if is_member || !below.is_empty() {
            self.entries.insert(element, Entry { is_member, below });
        }
    }

    pub(super) fn has(&self, element: &PathElement) -> bool {
        self.entries
            .get(element)
            .is_some_and(|entry| entry.is_member)
    }

    pub(super) fn below(&self, element: &PathElement) -> Option<&Self> {
        self.entries
            .get(element)
            .map(|entry| &entry.below)
            .filter(|below| !below.is_empty())
    }

    fn insert_elements(&mut self, elements: &[PathElement]) {
        match elements {
            [] => {}
            [last] => self.entries.entry(last.clone()).or_default().is_member = true,
            [first, rest @ ..] => self
                .entries
                .entry(first.clone())
                .or_default()
                .below
                .insert_elements(rest),
        }
    }

    fn combine(&self, mut keep: impl FnMut(&PathElement, &Entry) -> Option<Entry>) -> Self {
        let kept = self.entries.iter().filter_map(|(element, entry)| {
            let entry = keep(element, entry).filter(|entry| !entry.is_empty())?;
            Some((element.clone(), entry))
        });
        Self {
            entries: kept.collect(),
        }
    }

    fn collect(&self, above: &mut Path, paths: &mut Vec<Path>) {
        for (element, entry) in &self.entries {
            above.push(element.clone());
            if entry.is_member {
                paths.push(above.clone());
            }
            entry.below.collect(above, paths);
            above.pop();
        }
    }
}

impl<'a> FromIterator<&'a Path> for FieldSet {
    fn from_iter<I: IntoIterator<Item = &'a Path>>(paths: I) -> Self {
        let mut set = Self::default();
        paths.into_iter().for_each(|path| set.insert(path));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owned() -> Value {
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:ports": {
                        "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}
                    }}
                }}}
            }
        })
    }

    fn set(fields: &Value) -> FieldSet {
        FieldSet::from_fields_v1(fields)
    }

    #[test]
    fn fields_v1_comes_back_as_it_was() {
        assert_eq!(set(&owned()).to_fields_v1(), owned());
        assert_eq!(FieldSet::default().to_fields_v1(), json!({}));
    }

    #[test]
    fn a_field_and_those_below_it_are_members_each_for_itself() {
        let labels = Path::of_fields(&["metadata", "labels"]);
        let label = labels.join(PathElement::field("app.kubernetes.io/name"));
        let all = set(&owned());
        assert!(
            all.contains(&labels)
                && all.contains(&label)
                && !all.contains(&Path::of_fields(&["spec"]))
        );
        let without_labels = all.difference(&[&labels].into_iter().collect());
        assert!(!without_labels.contains(&labels) && without_labels.contains(&label));
        let without_anything_below = all.recursive_difference(&[&labels].into_iter().collect());
        assert!(!without_anything_below.contains(&label));
    }

    #[test]
    fn union_intersection_and_difference_add_up() {
        let left = set(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let right = set(&json!({"f:a": {"f:b": {}, "f:d": {}}}));
        assert_eq!(
            left.union(&right).to_fields_v1(),
            json!({"f:a": {".": {}, "f:b": {}, "f:d": {}}, "f:c": {}})
        );
        assert_eq!(
            left.intersection(&right).to_fields_v1(),
            json!({"f:a": {"f:b": {}}})
        );
        assert_eq!(
            left.difference(&right).to_fields_v1(),
            json!({"f:a": {}, "f:c": {}})
        );
        assert!(left.difference(&left).is_empty());
        assert!(left.overlaps(&right) && !left.is_within(&right));
        assert!(left.intersection(&right).is_within(&right));
    }

    #[test]
    fn leaves_have_nothing_below_them() {
        let leaves = set(&owned()).leaves();
        let spelt: Vec<_> = leaves.paths().iter().map(Path::to_string).collect();
        assert_eq!(
            spelt,
            [
                r#".metadata.labels["app.kubernetes.io/name"]"#,
                ".spec.replicas",
                r#".spec.template.spec.containers[name="web"].image"#,
                r#".spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort"#,
            ]
        );
    }

    #[test]
    fn a_path_is_found_again_by_the_servers_ambiguous_spelling() {
        let fields = set(&json!({"f:a": {"f:b.c": {}, "f:b": {"f:c": {}}}}));
        let found: Vec<_> = fields.spelt(".a.b.c").iter().map(Path::to_string).collect();
        assert_eq!(found, [".a.b.c", r#".a["b.c"]"#]);
    }
}
