//! One HTTP request, understood: what it wants of which object.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, header};
use serde_json::Value;

use super::kinds::{KindId, Kinds};
use super::log::Verb;
use super::object::ObjectId;
use super::refusal::Refusal;

/// A request about objects of one kind.
#[derive(Clone, Debug)]
pub struct Request {
    pub verb: Verb,
    pub kind: KindId,
    pub namespace: Option<String>,
    /// Empty for requests about a collection.
    pub name: String,
    pub is_status: bool,
    pub query: Query,
    pub patch: Option<PatchType>,
    /// The client wants only metadata.
    pub is_partial: bool,
    pub body: Bytes,
}

/// The query string, decoded.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    Apply,
    Merge,
    Json,
    Strategic,
}

impl Request {
    pub fn parse(parts: &Parts, body: Bytes, kinds: &Kinds) -> Result<Self, Refusal> {
        let path = Path::parse(parts.uri.path(), kinds).ok_or_else(Refusal::unknown_path)?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let patch_type = PatchType::parse(text(header::CONTENT_TYPE));
        let verb = verb(&parts.method, path.name.is_empty(), patch_type).ok_or_else(|| {
            Refusal::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            )
        })?;
        if verb == Verb::Patch && patch_type.is_none() {
            return Err(unsupported_media_type());
        }
        if query
            .get("watch")
            .is_some_and(|value| value == "1" || value == "true")
        {
            return Err(Refusal::new(
                405,
                "MethodNotAllowed",
                "watching is not simulated: list instead",
            ));
        }
        Ok(Self {
            verb,
            kind: path.kind,
            namespace: path.namespace,
            name: path.name,
            is_status: path.is_status,
            patch: patch_type,
            is_partial: text(header::ACCEPT).contains("as=PartialObjectMetadata"),
            query,
            body,
        })
    }

    pub fn object(&self) -> ObjectId {
        ObjectId::new(self.kind, self.namespace.as_deref(), &self.name)
    }

    /// Whether nothing may be stored. Deletes can also say it in their body.
    pub fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == Some("All")
            || (self.verb == Verb::Delete
                && self
                    .json()
                    .is_ok_and(|options| options["dryRun"][0] == "All"))
    }

    pub fn is_strict(&self) -> bool {
        self.query.get("fieldValidation") == Some("Strict")
    }

    /// Who writes. Clients that say nothing are named by their program.
    pub fn manager(&self) -> &str {
        self.query.get("fieldManager").unwrap_or("unknown")
    }

    pub fn subresource(&self) -> Option<&'static str> {
        self.is_status.then_some("status")
    }

    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("error decoding the body: {error}")))
    }
}

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Self(decoded.collect())
    }

    /// The value of a key; empty ones count as absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

impl PatchType {
    fn parse(content_type: &str) -> Option<Self> {
        match content_type.split(';').next()?.trim() {
            "application/apply-patch+yaml" | "application/apply-patch+json" => Some(Self::Apply),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/json-patch+json" => Some(Self::Json),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            _ => None,
        }
    }
}

/// What a path of the API names.
struct Path {
    kind: KindId,
    namespace: Option<String>,
    name: String,
    is_status: bool,
}

impl Path {
    fn parse(path: &str, kinds: &Kinds) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", version, rest),
            ["apis", group, version, rest @ ..] => (*group, version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && rest[0] != "status" => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        let (plural, name, is_status) = match rest {
            [plural] => (plural, "", false),
            [plural, name] => (plural, *name, false),
            [plural, name, "status"] => (plural, *name, true),
            _ => return None,
        };
        let kind = kinds.find(group, version, plural)?;
        let served = kinds.of(kind);
        let fits =
            served.namespaced == namespace.is_some() || (served.namespaced && name.is_empty());
        (fits && (!is_status || served.has_status)).then(|| Self {
            kind,
            namespace,
            name: decode(name),
            is_status,
        })
    }
}

fn verb(method: &Method, is_collection: bool, patch: Option<PatchType>) -> Option<Verb> {
    Some(match (method, is_collection) {
        (&Method::GET, true) => Verb::List,
        (&Method::GET, false) => Verb::Get,
        (&Method::POST, true) => Verb::Create,
        (&Method::PUT, false) => Verb::Update,
        (&Method::PATCH, false) if patch == Some(PatchType::Apply) => Verb::Apply,
        (&Method::PATCH, false) => Verb::Patch,
        (&Method::DELETE, true) => Verb::DeleteCollection,
        (&Method::DELETE, false) => Verb::Delete,
        _ => return None,
    })
}

fn unsupported_media_type() -> Refusal {
    Refusal::new(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: \
         application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
}

/// Takes percent signs and plus signs out of a query or path.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: Method, uri: &str) -> Result<Request, Refusal> {
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .expect("a request");
        Request::parse(&request.into_parts().0, Bytes::new(), &Kinds::built_in())
    }

    #[test]
    fn a_path_names_an_object_or_a_collection() {
        let named = parse(
            Method::GET,
            "/apis/apps/v1/namespaces/t1/deployments/web/status",
        )
        .expect("known");
        assert_eq!(named.object().key(), "t1/web");
        assert!(named.is_status);
        let all = parse(Method::GET, "/api/v1/pods?labelSelector=a%3Db,c+in+(d)").expect("known");
        assert_eq!((all.verb, all.namespace), (Verb::List, None));
        assert_eq!(all.query.get("labelSelector"), Some("a=b,c in (d)"));
        let namespace = parse(Method::DELETE, "/api/v1/namespaces/t1").expect("known");
        assert_eq!(
            (namespace.verb, namespace.object().key()),
            (Verb::Delete, "t1")
        );
    }

    #[test]
    fn what_is_not_served_is_not_found() {
        for uri in [
            "/apis/nope.io/v1/foos",
            "/api/v1/namespaces/t1/deployments",
            "/api/v1/nodes/a/b/c",
            "/x",
        ] {
            assert!(
                parse(Method::GET, uri).expect_err("unknown").is_bare_text(),
                "{uri}"
            );
        }
    }
}
