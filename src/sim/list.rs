//! LIST: selectors, pages over a stable snapshot, whole objects or metadata only.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kinds::{Kind, KindId};
use super::object::ObjectId;
use super::refusal::Refusal;
use super::request::Request;
use super::selector::Selector;
use super::service::Answer;
use super::state::State;
use super::stored::Stored;

/// Objects as they stood when the first page of a list was sent.
type Snapshot = Arc<Vec<(ObjectId, Arc<Stored>)>>;

/// What later pages are cut from, by kind, namespace and version.
#[derive(Debug, Default)]
pub struct Snapshots(BTreeMap<SnapshotId, Kept>);

type SnapshotId = (KindId, Option<String>, u64);

#[derive(Debug)]
struct Kept {
    taken: Timestamp,
    snapshot: Snapshot,
    /// How many lists have not come to their last page. The real server cannot know, and keeps all; what we forget
    /// earlier nobody asks for.
    readers: usize,
}

/// etcd forgets old versions after this long, and so do we.
const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// More than clients page through at once; it bounds memory.
const MOST: usize = 64;

/// Where a list goes on.
struct Token {
    revision: u64,
    after: String,
}

impl State {
    pub fn list(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let query = &request.query;
        let selector = Selector::parse(query.get("labelSelector"), query.get("fieldSelector"))?;
        let limit = query
            .get("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(0_usize);
        let kind = self.kinds.of(request.kind).clone();
        let token = query.get("continue").map(Token::read).transpose()?;
        if token.is_none() && limit == 0 {
            return Ok(self.list_all(request, &kind, &selector));
        }
        self.snapshots.forget_old(now);
        let (snapshot, start) = self.page_of(request, token.as_ref(), now)?;
        let revision = token
            .as_ref()
            .map_or(self.store.revision(), |token| token.revision);
        let key = (request.kind, request.namespace.clone(), revision);
        let mut page = Page::new(&kind, request.is_partial);
        let mut rest = snapshot[start..].iter();
        let mut last = None;
        while limit == 0 || page.items.len() < limit {
            let Some((id, stored)) = rest.next() else {
                break;
            };
            if matches(&selector, id, stored, &kind) {
                page.items.push(stored);
                last = Some(id);
            }
        }
        let remaining = rest.len();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let Some(last) = last
            && rest.any(|(id, stored)| matches(&selector, id, stored, &kind))
        {
            if token.is_none() {
                self.snapshots.keep(key, &snapshot, now);
            }
            metadata["continue"] = json!(
                Token {
                    revision,
                    after: last.key().to_owned()
                }
                .write()
            );
            if selector.is_empty() {
                metadata["remainingItemCount"] = json!(remaining);
            }
        } else if token.is_some() {
            self.snapshots.release(&key);
        }
        Ok(page.finish(&metadata))
    }

    fn list_all(&self, request: &Request, kind: &Kind, selector: &Selector) -> Answer {
        let mut page = Page::new(kind, request.is_partial);
        for (id, stored) in self.store.list(request.kind, request.namespace.as_deref()) {
            if matches(selector, id, stored, kind) {
                page.items.push(stored);
            }
        }
        page.finish(&json!({"resourceVersion": self.store.revision().to_string()}))
    }

    /// The snapshot that a page is cut from, and where the page starts in it.
    fn page_of(
        &self,
        request: &Request,
        token: Option<&Token>,
        now: Timestamp,
    ) -> Result<(Snapshot, usize), Refusal> {
        let namespace = request.namespace.as_deref();
        let Some(token) = token else {
            let key = (
                request.kind,
                request.namespace.clone(),
                self.store.revision(),
            );
            if let Some(kept) = self.snapshots.0.get(&key) {
                return Ok((kept.snapshot.clone(), 0));
            }
            let stored = self.store.list(request.kind, namespace);
            let snapshot = stored
                .map(|(id, stored)| (id.clone(), stored.clone()))
                .collect();
            return Ok((Arc::new(snapshot), 0));
        };
        let key = (request.kind, request.namespace.clone(), token.revision);
        let kept = self.snapshots.0.get(&key);
        let fresh = kept.filter(|kept| now.duration_since(kept.taken) < KEPT);
        let snapshot = fresh.ok_or_else(expired)?.snapshot.clone();
        let start = snapshot.partition_point(|(id, _)| id.key() <= token.after.as_str());
        Ok((snapshot, start))
    }
}

impl Snapshots {
    fn forget_old(&mut self, now: Timestamp) {
        self.0
            .retain(|_, kept| now.duration_since(kept.taken) < KEPT);
        while MOST < self.0.len() {
            self.0.pop_first();
        }
    }

    fn keep(&mut self, id: SnapshotId, snapshot: &Snapshot, now: Timestamp) {
        let kept = self.0.entry(id).or_insert_with(|| Kept {
            taken: now,
            snapshot: snapshot.clone(),
            readers: 0,
        });
        kept.readers += 1;
    }

    fn release(&mut self, id: &SnapshotId) {
        let kept = self.0.get_mut(id);
        let is_last = kept.is_some_and(|kept| {
            kept.readers -= 1;
            kept.readers == 0
        });
        if is_last {
            self.0.remove(id);
        }
    }
}

/// One page before it is written.
struct Page<'a> {
    kind: &'a Kind,
    is_partial: bool,
    items: Vec<&'a Stored>,
}

impl<'a> Page<'a> {
    fn new(kind: &'a Kind, is_partial: bool) -> Self {
        Self {
            kind,
            is_partial,
            items: Vec::new(),
        }
    }

    fn finish(self, metadata: &Value) -> Answer {
        let (kind, version) = if self.is_partial {
            ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned())
        } else {
            (self.kind.name.as_str(), self.kind.api_version())
        };
        let head = format!(
            r#"{{"kind":"{kind}List","apiVersion":"{version}","metadata":{metadata},"items":["#
        );
        let mut body = head.into_bytes();
        body.reserve(self.items.iter().map(|stored| stored.size() + 1).sum());
        for (index, stored) in self.items.into_iter().enumerate() {
            if 0 < index {
                body.push(b',');
            }
            if self.is_partial {
                stored.write_metadata(&mut body);
            } else {
                stored.write_item(self.kind, &mut body);
            }
        }
        body.extend_from_slice(b"]}");
        Answer::ok(body)
    }
}

impl Token {
    fn read(text: &str) -> Result<Self, Refusal> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let token: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let read = token.as_ref().and_then(|token| {
            let after = token["start"].as_str()?;
            Some(Self {
                revision: token["rv"].as_u64()?,
                after: after
                    .trim_start_matches('/')
                    .trim_end_matches('\0')
                    .to_owned(),
            })
        });
        read.ok_or_else(|| {
            Refusal::bad_request("invalid continue token: continue key is not valid")
        })
    }

    fn write(&self) -> String {
        let start = format!("/{}\0", self.after);
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }
}

fn matches(selector: &Selector, id: &ObjectId, stored: &Stored, kind: &Kind) -> bool {
    selector.is_empty()
        || selector.matches(id, &stored.head, || {
            let pod = stored.view(kind);
            pod["spec"]["nodeName"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
}

fn expired() -> Refusal {
    Refusal::new(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter.",
    )
}
