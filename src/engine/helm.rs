//! Helm's own record of a release: what it says of objects, and its end.
//!
//! Source: `helm.sh/helm/v3/pkg/storage/driver` (`secrets.go`, `util.go`): a Secret of type `helm.sh/release.v1` for each
//! revision, labelled `owner=helm,name=RELEASE`, with a release in JSON, zipped, in base64 once more.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cluster::{CallError, Reader, Within};
use crate::manifest::{Live, Manifest, ObjectRef, is_cluster_scoped};
use crate::yaml;

/// No release is larger: a Secret holds 1 MiB, zipped.
const LARGEST: u64 = 64 << 20;

/// One revision of a release, as Helm keeps it. What it says of values of Secrets is never shown.
pub struct Release {
    pub name: String,
    pub object: ObjectRef,
    pub uid: String,
    revision: u64,
    is_deployed: bool,
    content: Option<String>,
}

/// All revisions of a release, oldest first.
pub async fn releases(
    reader: &Reader,
    namespace: &str,
    name: &str,
) -> Result<Vec<Release>, CallError> {
    let secret = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: String::new(),
    };
    let kind = reader.kind_of(&secret).await?;
    let selector = format!("owner=helm,name={name}");
    let found = reader
        .list(&kind, Within::Namespace(namespace), Some(&selector))
        .await?;
    let mut releases: Vec<Release> = found.iter().map(|live| release(name, live)).collect();
    releases.sort_by_key(|release| release.revision);
    Ok(releases)
}

fn release(name: &str, live: &Live) -> Release {
    let content = live
        .value()
        .pointer("/data/release")
        .and_then(Value::as_str);
    Release {
        name: name.to_owned(),
        object: live.object().clone(),
        uid: live.uid().to_owned(),
        revision: live
            .label("version")
            .and_then(|version| version.parse().ok())
            .unwrap_or(0),
        is_deployed: live.label("status") == Some("deployed"),
        content: content.map(str::to_owned),
    }
}

impl Release {
    /// What it says of each object, if it is the revision that is deployed.
    pub fn objects(&self, namespace: &str) -> Result<BTreeMap<ObjectRef, Value>, String> {
        if !self.is_deployed {
            return Ok(BTreeMap::new());
        }
        let manifest = self.manifest();
        let manifest = manifest.ok_or_else(|| self.unreadable("it is not as Helm 3 writes it"))?;
        let nodes = yaml::read_as_found(&manifest);
        let nodes = nodes.map_err(|_| self.unreadable("its manifest is no YAML"))?;
        let mut objects = BTreeMap::new();
        for node in nodes {
            let value = node.to_value();
            if let Ok(manifest) = Manifest::from_value(value) {
                let mut object = manifest.object().clone();
                if object.namespace.is_none() && !is_cluster_scoped(&object) {
                    object.namespace = Some(namespace.to_owned());
                }
                objects.insert(object, manifest.into_value());
            }
        }
        Ok(objects)
    }

    fn manifest(&self) -> Option<String> {
        let outer = STANDARD.decode(self.content.as_ref()?).ok()?;
        let zipped = STANDARD.decode(outer).ok()?;
        let mut plain = Vec::new();
        let unzipping = flate2::read::GzDecoder::new(zipped.as_slice());
        unzipping.take(LARGEST).read_to_end(&mut plain).ok()?;
        let release: Value = serde_json::from_slice(&plain).ok()?;
        release["manifest"].as_str().map(str::to_owned)
    }

    fn unreadable(&self, why: &str) -> String {
        format!(
            "the Helm release `{}` (revision {}) cannot be read: {why}",
            self.name, self.revision
        )
    }
}
