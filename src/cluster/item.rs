//! One object of a list. Only what names and dates it is read at once: most objects of most lists
//! are known by their version already, and reading them whole is what long rollouts would cost.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::bare::read_bare;
use super::kind::Kind;
use super::reader::live;
use super::trouble::CallError;
use crate::manifest::Live;

/// An object as a list has it, its bytes shared with the answer that it came in.
#[derive(Clone, Debug)]
pub struct Item {
    kind: Arc<Kind>,
    namespace: Option<String>,
    name: String,
    resource_version: String,
    json: Bytes,
}

/// One page of a list, as it came. Apart from [`Page::read`], so that many pages can be read side by side.
#[derive(Clone, Debug)]
pub struct Page {
    kind: Arc<Kind>,
    body: Bytes,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

/// What names and dates an object. It stands at its beginning, so reading ends where all is known.
#[derive(Default)]
struct Identity {
    name: String,
    namespace: Option<String>,
    resource_version: String,
}

impl Item {
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Two items of one kind and name with the same version are the same to the last byte.
    pub fn resource_version(&self) -> &str {
        &self.resource_version
    }

    /// Whether it is the object that was read before.
    pub fn is(&self, live: &Live) -> bool {
        let object = live.object();
        let is_same_kind =
            object.kind == self.kind.kind && object.api_version == self.kind.api_version;
        is_same_kind
            && object.name == self.name
            && object.namespace == self.namespace
            && live.resource_version() == self.resource_version
    }

    /// The object, read whole.
    pub fn read(&self) -> Result<Live, CallError> {
        live(self.value()?)
    }

    /// The object without its `managedFields` and without templates: what is enough to judge its health.
    pub fn read_bare(&self) -> Result<Live, CallError> {
        live(self.said(read_bare(&self.json))?)
    }

    /// The object as bare JSON.
    pub fn value(&self) -> Result<Value, CallError> {
        self.said(serde_json::from_slice(&self.json))
    }

    /// Items of a list do not say their kind: the list does.
    fn said(&self, read: serde_json::Result<Value>) -> Result<Value, CallError> {
        let mut value = read.map_err(|error| garbled(&error))?;
        value["apiVersion"] = self.kind.api_version.as_str().into();
        value["kind"] = self.kind.kind.as_str().into();
        Ok(value)
    }
}

impl Page {
    pub(super) fn new(kind: Arc<Kind>, body: Bytes) -> Self {
        Self { kind, body }
    }

    /// The objects. A page that was cut short, or is no list, is an error, and never an empty list.
    pub fn read(&self) -> Result<Vec<Item>, CallError> {
        let page: RawPage = serde_json::from_slice(&self.body).map_err(|error| garbled(&error))?;
        let items = page.items.ok_or_else(|| {
            CallError::Unreachable("its answer to a list has no items".to_owned())
        })?;
        let items = items
            .into_iter()
            .map(|raw| item(&self.body, raw, &self.kind));
        items.collect()
    }

    /// Where the next page begins; empty if this is the last one. It stands before the items, so reading ends there.
    pub(super) fn token(&self) -> Result<String, CallError> {
        let mut found = None;
        let read =
            serde_json::Deserializer::from_slice(&self.body).deserialize_map(Head(&mut found));
        match (found, read) {
            (Some(metadata), _) => Ok(metadata.token.unwrap_or_default()),
            (None, Ok(())) => Ok(String::new()),
            (None, Err(error)) => Err(garbled(&error)),
        }
    }
}

/// Reads the metadata of a page, and then ends with an error that nobody hears.
struct Head<'a>(&'a mut Option<PageMetadata>);

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "metadata" {
                *self.0 = Some(map.next_value()?);
                return Err(de::Error::custom("enough"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

fn item(body: &Bytes, raw: &RawValue, kind: &Arc<Kind>) -> Result<Item, CallError> {
    let found = Identity::of(raw.get(), kind.namespaced)?;
    Ok(Item {
        kind: Arc::clone(kind),
        namespace: found.namespace,
        name: found.name,
        resource_version: found.resource_version,
        json: body.slice_ref(raw.get().as_bytes()),
    })
}

impl Identity {
    fn of(json: &str, namespaced: bool) -> Result<Self, CallError> {
        let mut reading = Reading {
            found: Self::default(),
            namespaced,
        };
        let read = serde_json::Deserializer::from_str(json).deserialize_map(&mut reading);
        match read {
            Err(error) if reading.found.name.is_empty() => Err(garbled(&error)),
            // Reading ended early, as it is meant to.
            _ => Ok(reading.found),
        }
    }
}

/// Reads until everything is known, and then ends with an error that nobody hears.
struct Reading {
    found: Identity,
    namespaced: bool,
}

impl Reading {
    fn is_done(&self) -> bool {
        let found = &self.found;
        let is_placed = found.namespace.is_some() || !self.namespaced;
        is_placed && !found.name.is_empty() && !found.resource_version.is_empty()
    }
}

impl<'de> Visitor<'de> for &mut Reading {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "metadata" {
                map.next_value_seed(InMetadata(self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if self.found.name.is_empty() {
            return Err(de::Error::custom("an object has no name"));
        }
        Ok(())
    }
}

struct InMetadata<'a>(&'a mut Reading);

impl<'de> DeserializeSeed<'de> for InMetadata<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InMetadata<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let found = &mut self.0.found;
            match &*key {
                "name" => found.name = map.next_value()?,
                "namespace" => found.namespace = map.next_value()?,
                "resourceVersion" => found.resource_version = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if self.0.is_done() {
                return Err(de::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

fn garbled(error: &serde_json::Error) -> CallError {
    CallError::Unreachable(format!("its answer is no list of objects: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Page {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Page::new(Arc::new(Kind::config_map()), body)
    }

    #[test]
    fn an_item_is_named_and_dated_before_it_is_read() {
        let body = r#"{"kind":"ConfigMapList","metadata":{"resourceVersion":"9","continue":"go on"},"items":[
            {"data":{"metadata":"no"},"metadata":{"labels":{"name":"no"},"name":"a\u002db","namespace":"t","resourceVersion":"7"}}]}"#;
        let page = page(body);
        assert_eq!(page.token().expect("a list"), "go on");
        let item = &page.read().expect("a list")[0];
        assert_eq!(
            (item.name(), item.namespace(), item.resource_version()),
            ("a-b", Some("t"), "7")
        );
        let live = item.read().expect("an object");
        assert_eq!(live.object().kind, "ConfigMap");
        assert_eq!(live.value()["data"]["metadata"], "no");
    }

    #[test]
    fn a_list_without_items_or_cut_short_is_an_error_and_not_an_empty_list() {
        for body in [
            r#"{"kind":"ConfigMapList","metadata":{}}"#,
            r#"{"metadata":{},"items":null}"#,
            r#"{"metadata":{},"items":[{"metadata":{"name":"a"}}"#,
            r#"{"metadata":{},"items":[{"metadata":{}}]}"#,
            r#"{"metadata":{},"items":[7]}"#,
            r#"{"metadata":{},"items":[{"metadata":7,"name":"a"}]}"#,
        ] {
            assert!(page(body).read().is_err(), "{body}");
        }
        for body in ["", "[]", r#"{"metadata":{"continue""#, r#"{"items":[{}"#] {
            assert!(page(body).token().is_err(), "{body}");
        }
        let empty = page(r#"{"items":[],"metadata":{"continue":""}}"#);
        assert_eq!(empty.token().expect("a list"), "");
        assert!(empty.read().expect("a list").is_empty());
    }
}
