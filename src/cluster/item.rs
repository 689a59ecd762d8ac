//! One object of a list. Only what names and dates it is read at once: most objects of most lists
//! are known by their version already, and reading them whole is what long rollouts would cost.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

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

/// One page of a list.
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// Where the next page begins; empty if this is the last one.
    pub(super) token: String,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    resource_version: Option<Cow<'a, str>>,
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

    /// The object, read whole.
    pub fn read(&self) -> Result<Live, CallError> {
        live(self.value()?)
    }

    /// The object as bare JSON. Items of a list do not say their kind: the list does.
    pub fn value(&self) -> Result<Value, CallError> {
        let mut value: Value =
            serde_json::from_slice(&self.json).map_err(|error| garbled(&error))?;
        value["apiVersion"] = self.kind.api_version.as_str().into();
        value["kind"] = self.kind.kind.as_str().into();
        Ok(value)
    }
}

impl Page {
    pub(super) fn read(body: &Bytes, kind: &Arc<Kind>) -> Result<Self, CallError> {
        let page: RawPage = serde_json::from_slice(body).map_err(|error| garbled(&error))?;
        let items = page.items.ok_or_else(|| {
            CallError::Unreachable("its answer to a list has no items".to_owned())
        })?;
        let items = items.into_iter().map(|raw| item(body, raw, kind));
        Ok(Self {
            items: items.collect::<Result<_, _>>()?,
            token: page.metadata.token.unwrap_or_default(),
        })
    }
}

fn item(body: &Bytes, raw: &RawValue, kind: &Arc<Kind>) -> Result<Item, CallError> {
    let Named { metadata } = serde_json::from_str(raw.get()).map_err(|error| garbled(&error))?;
    Ok(Item {
        kind: Arc::clone(kind),
        namespace: metadata.namespace.map(Cow::into_owned),
        name: metadata.name.into_owned(),
        resource_version: metadata.resource_version.unwrap_or_default().into_owned(),
        json: body.slice_ref(raw.get().as_bytes()),
    })
}

fn garbled(error: &serde_json::Error) -> CallError {
    CallError::Unreachable(format!("its answer is no list of objects: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Result<Page, CallError> {
        Page::read(
            &Bytes::copy_from_slice(body.as_bytes()),
            &Arc::new(Kind::config_map()),
        )
    }

    #[test]
    fn an_item_is_named_and_dated_before_it_is_read() {
        let body = r#"{"kind":"ConfigMapList","metadata":{"resourceVersion":"9","continue":"go on"},"items":[
            {"data":{"metadata":"no"},"metadata":{"labels":{"name":"no"},"name":"a\u002db","namespace":"t","resourceVersion":"7"}}]}"#;
        let page = page(body).expect("a page");
        assert_eq!(page.token, "go on");
        let item = &page.items[0];
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
        ] {
            assert!(page(body).is_err(), "{body}");
        }
        assert!(
            page(r#"{"metadata":{"continue":""},"items":[]}"#)
                .expect("empty")
                .items
                .is_empty()
        );
    }
}
