//! Would applying this change anything? Answered from the live object alone, without asking the server.
//!
//! The answer "no" must never be wrong, so everything that is not understood gives a suspicion. Nothing changes if
//! every leaf that we send is there as the server would spell it, list elements stand in the same relative order, we
//! own exactly what we send, and no other manager owns a field that we spell otherwise (the server would take it for
//! a change of theirs). `tests/golden/` measures this against a real server.

mod elements;
mod owners;

use serde_json::{Map, Value};

use self::elements::{deduced_keys, element_key, only_position};
use self::owners::{Owners, is_member};
use super::likeness::{Likeness, likeness, vanishes};
use super::path::{Path, PathElement};
use super::schema::{self, List, ListKind, Shape, TypeRef, schema};

/// The answer to "would applying `sent` change anything on `live`?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoOp {
    /// Certainly not: the server would leave object and owners as they are.
    Unchanged,
    /// It would, or it might: only the server knows. Says what gave rise to the suspicion, never a value.
    Suspect(String),
}

/// Stamped by claims and counted by no comparison: `manifest::EPOCH`.
const EPOCH: &str = "escale.dev/epoch";

/// Metadata that nobody owns.
const IDENTITY: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
];

/// Kinds whose generation counts an empty list sent instead of nothing: their strategies compare with
/// `reflect.DeepEqual`.
const COUNTS_EMPTINESS: [&str; 3] = [
    "NetworkPolicy",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

type Entries = Map<String, Value>;

/// Would applying `sent` as `manager` change anything on `live`, its field owners included?
pub fn would_change(sent: &Value, live: &Value, manager: &str) -> NoOp {
    match check(sent, live, manager) {
        Ok(()) => NoOp::Unchanged,
        Err(suspicion) => NoOp::Suspect(suspicion),
    }
}

fn check(sent: &Value, live: &Value, manager: &str) -> Result<(), String> {
    let (Some(sent_root), Some(live_root)) = (sent.as_object(), live.as_object()) else {
        return Err("it is no object".to_owned());
    };
    for field in ["apiVersion", "kind"] {
        if sent.get(field) != live.get(field) {
            return Err(format!("`{field}` is another"));
        }
    }
    if sent_root.contains_key("status") {
        return Err("a status is sent".to_owned());
    }
    let owners = Owners::of(live, manager)?;
    let kind = sent["kind"].as_str().unwrap_or_default();
    let type_ref = schema().type_of_object(sent);
    let Some(root) = &type_ref.resolve().map else {
        return Err("its kind is no map".to_owned());
    };
    let mut walk = Walk {
        steps: Vec::new(),
        key: String::new(),
        spelt: Vec::new(),
        counts_emptiness: COUNTS_EMPTINESS.contains(&kind),
    };
    walk.entries(root, sent_root, live_root, Some(owners.own))?;
    owners.mind(&walk.spelt)
}

/// Walks what we send beside what is live and what we own.
struct Walk<'a> {
    steps: Vec<Step<'a>>,
    /// Room for a key of `fieldsV1`.
    key: String,
    /// Where the server spells otherwise than we do, in keys of `fieldsV1`.
    spelt: Vec<Vec<String>>,
    counts_emptiness: bool,
}

#[derive(Clone)]
enum Step<'a> {
    Field(&'a str),
    /// A key of `fieldsV1` for a list element.
    Item(String),
}

impl<'a> Walk<'a> {
    /// The entries of a map or struct that is merged entry by entry.
    fn entries(
        &mut self,
        map: &schema::Map,
        sent: &'a Entries,
        live: &'a Entries,
        own: Option<&'a Entries>,
    ) -> Result<(), String> {
        let mut owned = 0;
        for (name, value) in sent {
            if self.is_identity(name) {
                self.compare_identity(name, value, live)?;
                continue;
            }
            if self.is_epoch(name) {
                continue;
            }
            let own = self.own_field(own, name);
            self.steps.push(Step::Field(name));
            let Some(type_ref) = map.type_of(name) else {
                return self.suspect("is not declared");
            };
            let field = Field {
                type_ref,
                is_named: map.fields.contains_key(name),
                sent: value,
                live: live.get(name),
                own,
            };
            owned += usize::from(self.field(field)?);
            self.steps.pop();
        }
        let own = own.into_iter().flatten();
        let counted =
            own.filter(|(key, below)| key.as_str() != "." && !self.is_epoch_key(sent, key, below));
        if counted.count() == owned {
            Ok(())
        } else {
            self.suspect("holds fields that we own and no longer send")
        }
    }

    /// One field; says whether `fieldsV1` has a node for it.
    fn field(&mut self, field: Field<'a>) -> Result<bool, String> {
        let deduced = field.type_ref.is_deduced();
        match (field.type_ref.resolve().shape_of(field.sent), field.sent) {
            (Shape::Map(map), Value::Object(sent)) if !map.atomic && !sent.is_empty() => {
                if deduced && field.own.is_some_and(Entries::is_empty) {
                    return self.whole(field);
                }
                self.granular_map(map, sent, field)
            }
            (Shape::Map(map), Value::Object(_)) if !map.atomic => self.empty_map(field),
            (Shape::List(list), Value::Array(sent)) if list.kind != ListKind::Atomic => {
                if sent.is_empty() {
                    self.empty_list(field)
                } else {
                    self.granular_list(list, sent, field)
                }
            }
            (_, Value::Array(sent)) if deduced && field.own.is_some_and(|own| !own.is_empty()) => {
                self.deduced_list(sent, field)
            }
            (Shape::Map(map), Value::Null) if !map.atomic && !deduced => self.null(field),
            (Shape::List(list), Value::Null) if list.kind != ListKind::Atomic => self.null(field),
            _ => self.whole(field),
        }
    }

    /// Null for what is merged owns itself and leaves what is there.
    fn null(&mut self, field: Field<'a>) -> Result<bool, String> {
        self.must_own_leaf(field.own)?;
        match field.live {
            Some(Value::Object(live)) if !live.is_empty() => Ok(true),
            Some(Value::Array(live)) if !live.is_empty() => Ok(true),
            None => self.spell_otherwise(Likeness::Emptied).map(|()| true),
            _ => self.suspect("differs"),
        }
    }

    fn granular_map(
        &mut self,
        map: &schema::Map,
        sent: &'a Entries,
        field: Field<'a>,
    ) -> Result<bool, String> {
        let Some(live) = field.live.and_then(Value::as_object) else {
            return self.suspect("is missing");
        };
        let is_noted_itself = field.own.map(|own| own.contains_key("."));
        if is_noted_itself == Some(field.is_named) && !field.type_ref.is_deduced() {
            return self.suspect("is owned otherwise");
        }
        self.entries(map, sent, live, field.own)?;
        Ok(field.own.is_some())
    }

    /// `{}` owns itself and leaves what is there; a struct must be there, a free map need not.
    fn empty_map(&mut self, field: Field<'a>) -> Result<bool, String> {
        self.must_own_leaf(field.own)?;
        match field.live {
            Some(Value::Object(_)) => {}
            None if vanishes(field.type_ref, field.sent) => {
                self.spell_otherwise(Likeness::Emptied)?;
            }
            _ => return self.suspect("is missing"),
        }
        Ok(true)
    }

    /// `[]` of a merged list owns nothing and leaves what is there.
    fn empty_list(&mut self, field: Field<'a>) -> Result<bool, String> {
        if field.own.is_some() || !field.is_named {
            return self.suspect("is owned otherwise");
        }
        if field.live.is_none() {
            self.spell_otherwise(Likeness::Emptied)?;
        }
        Ok(false)
    }

    fn granular_list(
        &mut self,
        list: &List,
        sent: &'a [Value],
        field: Field<'a>,
    ) -> Result<bool, String> {
        let (Some(live), Some(own)) = (field.live.and_then(Value::as_array), field.own) else {
            return self.suspect("is missing or not ours");
        };
        if own.contains_key(".") || own.len() != sent.len() {
            return self.suspect("holds elements that we own and no longer send");
        }
        let mut from = 0;
        for item in sent {
            let key = element_key(list, item);
            let own = key
                .as_ref()
                .and_then(|key| own.get(key)?.as_object())
                .filter(|own| is_member(own));
            let (Some(key), Some(own)) = (key, own) else {
                return self.suspect("holds an element that is not ours");
            };
            self.steps.push(Step::Item(key));
            let Some(at) = only_position(list, item, live).filter(|at| *at >= from) else {
                return self.suspect("is missing or stands elsewhere");
            };
            from = at + 1;
            self.item(list, item, &live[at], own)?;
            self.steps.pop();
        }
        Ok(true)
    }

    fn item(
        &mut self,
        list: &List,
        sent: &'a Value,
        live: &'a Value,
        own: &'a Entries,
    ) -> Result<(), String> {
        match (&list.of.resolve().map, sent, live) {
            (Some(map), Value::Object(sent), Value::Object(live)) if !map.atomic => {
                self.entries(map, sent, live, Some(own))
            }
            _ => {
                let field = Field {
                    type_ref: list.of,
                    is_named: false,
                    sent,
                    live: Some(live),
                    own: Some(own),
                };
                self.whole(field).map(|_| ())
            }
        }
    }

    /// A merged list of a custom resource: what its keys are shows only in what we own.
    fn deduced_list(&mut self, sent: &'a [Value], field: Field<'a>) -> Result<bool, String> {
        let Some(list) = field.own.and_then(deduced_keys) else {
            return self.suspect("is a list of which the keys are not known");
        };
        self.granular_list(&list, sent, field)
    }

    /// A scalar or an atomic: owned as one, compared whole.
    fn whole(&mut self, field: Field<'a>) -> Result<bool, String> {
        self.must_own_leaf(field.own)?;
        let Some(live) = field.live else {
            if field.is_named && vanishes(field.type_ref, field.sent) {
                self.spell_otherwise(Likeness::Emptied)?;
                return Ok(true);
            }
            return self.suspect("is missing");
        };
        match likeness(field.type_ref, field.sent, live) {
            Likeness::Same => Ok(true),
            likeness @ (Likeness::SpeltOtherwise | Likeness::Emptied) => {
                self.spell_otherwise(likeness).map(|()| true)
            }
            Likeness::Different => self.suspect("differs"),
        }
    }

    fn must_own_leaf(&self, own: Option<&Entries>) -> Result<(), String> {
        if own.is_some_and(Entries::is_empty) {
            Ok(())
        } else {
            self.suspect("is not ours")
        }
    }

    fn spell_otherwise(&mut self, likeness: Likeness) -> Result<(), String> {
        let is_metadata = matches!(self.steps.first(), Some(Step::Field("metadata")));
        if self.counts_emptiness && likeness == Likeness::Emptied && !is_metadata {
            return self.suspect("is spelt otherwise");
        }
        let keys = self.steps.iter().map(|step| match step {
            Step::Field(name) => format!("f:{name}"),
            Step::Item(key) => key.clone(),
        });
        self.spelt.push(keys.collect());
        Ok(())
    }

    fn suspect<T>(&self, what: &str) -> Result<T, String> {
        let path: Path = self
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(PathElement::field(name)),
                Step::Item(key) => PathElement::from_fields_v1(key),
            })
            .collect();
        Err(if path.is_root() {
            format!("it {what}")
        } else {
            format!("{path} {what}")
        })
    }

    fn own_field(&mut self, own: Option<&'a Entries>, name: &str) -> Option<&'a Entries> {
        self.key.clear();
        self.key.extend(["f:", name]);
        own?.get(&self.key)?.as_object()
    }

    fn is_identity(&self, name: &str) -> bool {
        match self.steps.as_slice() {
            [] => name == "apiVersion" || name == "kind",
            [Step::Field("metadata")] => IDENTITY.contains(&name),
            _ => false,
        }
    }

    fn compare_identity(&self, name: &str, sent: &Value, live: &Entries) -> Result<(), String> {
        if sent.is_null() || live.get(name) == Some(sent) {
            return Ok(());
        }
        self.suspect(&format!("has another {name}"))
    }

    fn is_epoch(&self, name: &str) -> bool {
        name == EPOCH
            && matches!(
                self.steps.as_slice(),
                [Step::Field("metadata"), Step::Field("annotations")]
            )
    }

    /// Whether a node of `fieldsV1` is about nothing but the epoch.
    fn is_epoch_key(&self, sent: &Entries, key: &str, below: &Value) -> bool {
        let is_epoch = |key: &str| key.strip_prefix("f:") == Some(EPOCH);
        match self.steps.as_slice() {
            [Step::Field("metadata"), Step::Field("annotations")] => is_epoch(key),
            [Step::Field("metadata")]
                if key == "f:annotations" && !sent.contains_key("annotations") =>
            {
                below
                    .as_object()
                    .is_some_and(|below| below.len() == 1 && below.keys().all(|key| is_epoch(key)))
            }
            _ => false,
        }
    }
}

/// A field that we send, beside its live value and what we own of it.
#[derive(Clone, Copy)]
struct Field<'a> {
    type_ref: TypeRef,
    /// By the type itself, as opposed to a key of a free map.
    is_named: bool,
    sent: &'a Value,
    live: Option<&'a Value>,
    own: Option<&'a Entries>,
}

#[cfg(test)]
mod tests;
