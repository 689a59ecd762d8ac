//! Asking a cluster. Nothing here can change anything.

use std::sync::Arc;

use serde_json::Value;

use crate::manifest::{Live, ObjectRef};

use super::call::{Call, Caller, JSON};
use super::discovery;
use super::item::{Item, Page};
use super::kind::{Kind, Kinds};
use super::trouble::CallError;
use super::writer::{Apply, apply_call};

/// Objects in one page of a list, as kubectl asks for them.
const PAGE: usize = 500;
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// A list whose pages expire is begun again so often.
const RESTARTS: usize = 3;

/// Reads one cluster; dry-runs count as reading.
#[derive(Clone)]
pub struct Reader {
    caller: Arc<Caller>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within<'a> {
    Cluster,
    Namespace(&'a str),
    /// One object of a namespace. The API server reads nothing else for it; none is an answer too.
    Object {
        namespace: &'a str,
        name: &'a str,
    },
}

/// How much of each object of a list comes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Whole,
    Metadata,
}

/// Which lines of which container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
    /// Of the container's run before the present one.
    pub previous: bool,
    pub lines: usize,
}

impl Reader {
    pub(super) fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The kinds that the cluster serves; asked for once.
    pub async fn kinds(&self) -> Result<Arc<Kinds>, CallError> {
        let cell = self.caller.kinds();
        let kinds = cell
            .get_or_try_init(|| async {
                let kinds = discovery::discover(&self.caller).await?;
                Ok::<_, CallError>(Arc::new(kinds))
            })
            .await?;
        Ok(Arc::clone(kinds))
    }

    /// Asks for the kinds anew the next time: a definition was just installed.
    pub fn forget_kinds(&self) {
        self.caller.forget_kinds();
    }

    /// The kind of an object. One that is not served is asked for once more: its definition may
    /// have been installed since.
    pub async fn kind_of(&self, object: &ObjectRef) -> Result<Kind, CallError> {
        if let Some(kind) = self.kinds().await?.of(object) {
            return Ok(kind.clone());
        }
        self.forget_kinds();
        let kinds = self.kinds().await?;
        kinds
            .of(object)
            .cloned()
            .ok_or_else(|| CallError::NotServed(format!("{} {}", object.api_version, object.kind)))
    }

    /// Reads one object; `None` if there is none.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Live>, CallError> {
        let kind = self.kind_of(object).await?;
        let call = Call::get(kind.object_path(object));
        match self.caller.json(&call).await {
            Ok(value) => live(value).map(Some),
            Err(CallError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one `ConfigMap`; needs no discovery, so a rollback is quick.
    pub async fn config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, CallError> {
        self.own(&Kind::config_map(), namespace, name).await
    }

    /// Reads one Lease.
    pub async fn lease(&self, namespace: &str, name: &str) -> Result<Option<Value>, CallError> {
        self.own(&Kind::lease(), namespace, name).await
    }

    /// Lists all objects of a kind, page by page. A list is whole, or it is an error.
    pub async fn list(
        &self,
        kind: &Kind,
        within: Within<'_>,
        selector: Option<&str>,
    ) -> Result<Vec<Live>, CallError> {
        let items = self.list_items(kind, within, selector).await?;
        items.iter().map(Item::read).collect()
    }

    /// As [`list`](Self::list), but each object is read only when it is asked for.
    pub async fn list_items(
        &self,
        kind: &Kind,
        within: Within<'_>,
        selector: Option<&str>,
    ) -> Result<Vec<Item>, CallError> {
        let pages = self.list_pages(kind, within, selector, Depth::Whole);
        items(&pages.await?)
    }

    /// As [`list`](Self::list), but only the metadata of each object comes over the wire.
    pub async fn list_metadata(
        &self,
        kind: &Kind,
        within: Within<'_>,
        selector: Option<&str>,
    ) -> Result<Vec<Live>, CallError> {
        let pages = self.list_pages(kind, within, selector, Depth::Metadata);
        items(&pages.await?)?.iter().map(Item::read).collect()
    }

    /// Asks the server what an apply would lead to.
    pub async fn dry_run(&self, manifest: &Value, apply: &Apply) -> Result<Live, CallError> {
        let object = identity_of(manifest)?;
        let kind = self.kind_of(&object).await?;
        let path = kind.object_path(&object);
        let call = apply_call(path, manifest, apply).query("dryRun", "All");
        live(self.caller.json(&call).await?)
    }

    /// The last lines of a container's log.
    pub async fn log(&self, query: &LogQuery<'_>) -> Result<String, CallError> {
        let pods = Kind::pod().path(Some(query.namespace));
        let call = Call::get(format!("{pods}/{}/log", query.pod))
            .query("container", query.container)
            .query("tailLines", query.lines.to_string())
            .query("previous", query.previous.to_string());
        let text = self.caller.call(&call).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The uid of namespace `kube-system`.
    pub async fn identity(&self) -> Result<String, CallError> {
        let path = format!("{}/kube-system", Kind::namespace().path(None));
        let namespace = self.caller.json(&Call::get(path)).await?;
        let uid = namespace.pointer("/metadata/uid").and_then(Value::as_str);
        Ok(uid.unwrap_or_default().to_owned())
    }

    async fn own(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, CallError> {
        let call = Call::get(format!("{}/{name}", kind.path(Some(namespace))));
        match self.caller.json(&call).await {
            Ok(value) => Ok(Some(value)),
            Err(CallError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every page of a list, still to be read. One whose later pages have expired on the server begins again.
    pub async fn list_pages(
        &self,
        kind: &Kind,
        within: Within<'_>,
        selector: Option<&str>,
        depth: Depth,
    ) -> Result<Vec<Page>, CallError> {
        let accept = match depth {
            Depth::Whole => JSON,
            Depth::Metadata => METADATA,
        };
        let kind = Arc::new(kind.clone());
        let mut restarts = 0;
        loop {
            match self.pages(&kind, within, selector, accept).await {
                Err(CallError::Expired(_)) if restarts < RESTARTS => restarts += 1,
                outcome => return outcome,
            }
        }
    }

    async fn pages(
        &self,
        kind: &Arc<Kind>,
        within: Within<'_>,
        selector: Option<&str>,
        accept: &'static str,
    ) -> Result<Vec<Page>, CallError> {
        let mut pages = Vec::new();
        let mut token = String::new();
        loop {
            let call = Call {
                accept,
                ..page_call(kind, within, selector, &token)
            };
            let page = Page::new(Arc::clone(kind), self.caller.call(&call).await?);
            token = page.token()?;
            pages.push(page);
            if token.is_empty() {
                return Ok(pages);
            }
        }
    }
}

fn items(pages: &[Page]) -> Result<Vec<Item>, CallError> {
    let mut items = Vec::new();
    for page in pages {
        items.extend(page.read()?);
    }
    Ok(items)
}

fn page_call(kind: &Kind, within: Within<'_>, selector: Option<&str>, token: &str) -> Call {
    let (namespace, name) = match within {
        Within::Cluster => (None, None),
        Within::Namespace(namespace) => (Some(namespace), None),
        Within::Object { namespace, name } => (Some(namespace), Some(name)),
    };
    let mut call = Call::get(kind.path(namespace)).query("limit", PAGE.to_string());
    if let Some(name) = name {
        call = call.query("fieldSelector", format!("metadata.name={name}"));
    }
    if let Some(selector) = selector {
        call = call.query("labelSelector", selector);
    }
    if !token.is_empty() {
        call = call.query("continue", token);
    }
    call
}

pub(super) fn live(value: Value) -> Result<Live, CallError> {
    Live::from_value(value)
        .map_err(|error| CallError::Unreachable(format!("its answer is no object: {error}")))
}

pub(super) fn identity_of(manifest: &Value) -> Result<ObjectRef, CallError> {
    let text = |pointer: &str| {
        let found = manifest.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let missing = || CallError::Invalid("apiVersion, kind or name is missing".to_owned());
    Ok(ObjectRef {
        api_version: text("/apiVersion").ok_or_else(missing)?,
        kind: text("/kind").ok_or_else(missing)?,
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").ok_or_else(missing)?,
    })
}
