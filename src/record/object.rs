//! What all records share: they are `ConfigMap`s with labels, a format version, JSON in `data`.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::UserError;
use crate::manifest::Digest;

/// The namespace of our records on every cluster.
pub const NAMESPACE: &str = "escale-system";
/// Label of every record; its value says of what: `tenant`, `bundle`, `rollout`, `plan`, `word`.
pub const RECORD_LABEL: &str = "escale.dev/record";
/// The version of the formats that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

const FORMAT_KEY: &str = "escale.dev/format";
/// JSON above this size is stored compressed, the rest stays readable with kubectl.
const READABLE: usize = 32 * 1024;
/// No record unpacks to more than this: 20 times what etcd accepts packed.
const UNPACKED: u64 = 32 * 1024 * 1024;
const ZSTD_LEVEL: i32 = 3;
/// Added to the key of a compressed entry.
const ZSTD_SUFFIX: &str = ".zst";

/// A record with what a compare-and-swap needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub value: T,
    pub uid: String,
    pub resource_version: String,
}

/// The label selector of all records of a sort.
pub fn selector(record: &str) -> String {
    format!("{RECORD_LABEL}={record}")
}

/// Builds the `ConfigMap` of a record.
pub(super) struct Writer {
    value: Value,
}

impl Writer {
    pub(super) fn new(record: &str, name: &str) -> Self {
        Self {
            value: json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "labels": {RECORD_LABEL: record},
                    "annotations": {FORMAT_KEY: FORMAT.to_string()},
                },
            }),
        }
    }

    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        self.value["metadata"]["labels"][key] = value.into();
        self
    }

    pub(super) fn annotation(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.value["metadata"]["annotations"][key] = value.into();
        }
        self
    }

    /// Stores JSON, readable if it is small.
    pub(super) fn data(mut self, key: &str, content: &impl Serialize) -> Self {
        let json = serde_json::to_vec(content).expect("our records are plain JSON");
        if json.len() <= READABLE {
            let text = String::from_utf8(json).expect("JSON is UTF-8");
            self.value["data"][key] = text.into();
            return self;
        }
        self.binary(&format!("{key}{ZSTD_SUFFIX}"), &pack(&json))
    }

    pub(super) fn binary(mut self, key: &str, bytes: &[u8]) -> Self {
        self.value["binaryData"][key] = STANDARD.encode(bytes).into();
        self
    }

    pub(super) fn immutable(mut self) -> Self {
        self.value["immutable"] = true.into();
        self
    }

    pub(super) fn finish(self) -> Value {
        self.value
    }
}

/// Reads the `ConfigMap` of a record; every complaint names the object.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    value: &'a Value,
}

impl<'a> Reader<'a> {
    /// Checks that this is a record of the sort asked for, in a format that we know.
    pub(super) fn new(record: &str, value: &'a Value) -> Result<Self, UserError> {
        let reader = Self { value };
        match reader.label(RECORD_LABEL) {
            Some(found) if found == record => {}
            Some(found) => {
                return Err(reader.corrupt(&format!("it is a `{found}` record, not a `{record}`")));
            }
            None => return Err(reader.corrupt(&format!("it has no label `{RECORD_LABEL}`"))),
        }
        let format = reader.annotation(FORMAT_KEY).unwrap_or_default();
        match format.parse::<u32>() {
            Ok(version) if version <= FORMAT => Ok(reader),
            Ok(version) => Err(reader.newer(version)),
            Err(_) => Err(reader.corrupt(&format!(
                "its annotation `{FORMAT_KEY}` is {format:?}, not a number"
            ))),
        }
    }

    pub(super) fn name(self) -> &'a str {
        self.text("/metadata/name").unwrap_or_default()
    }

    pub(super) fn uid(self) -> String {
        self.text("/metadata/uid").unwrap_or_default().to_owned()
    }

    pub(super) fn resource_version(self) -> String {
        let version = self.text("/metadata/resourceVersion");
        version.unwrap_or_default().to_owned()
    }

    pub(super) fn stored<T>(self, value: T) -> Stored<T> {
        Stored {
            value,
            uid: self.uid(),
            resource_version: self.resource_version(),
        }
    }

    pub(super) fn label(self, key: &str) -> Option<&'a str> {
        self.map("/metadata/labels")?.get(key)?.as_str()
    }

    pub(super) fn annotation(self, key: &str) -> Option<&'a str> {
        self.map("/metadata/annotations")?.get(key)?.as_str()
    }

    pub(super) fn required_label(self, key: &str) -> Result<String, UserError> {
        let found = self.label(key).map(str::to_owned);
        found.ok_or_else(|| self.corrupt(&format!("its label `{key}` is missing")))
    }

    pub(super) fn digest(self, key: &str) -> Result<Option<Digest>, UserError> {
        let Some(text) = self.annotation(key) else {
            return Ok(None);
        };
        let digest = Digest::parse(text);
        let wrong = || self.corrupt(&format!("its annotation `{key}` is {text:?}, not a digest"));
        digest.map(Some).ok_or_else(wrong)
    }

    pub(super) fn time(self, key: &str) -> Result<Option<Timestamp>, UserError> {
        let Some(text) = self.annotation(key) else {
            return Ok(None);
        };
        let wrong = |_| self.corrupt(&format!("its annotation `{key}` is {text:?}, not a time"));
        text.parse().map(Some).map_err(wrong)
    }

    pub(super) fn required_time(self, key: &str) -> Result<Timestamp, UserError> {
        let missing = || self.corrupt(&format!("its annotation `{key}` is missing"));
        self.time(key)?.ok_or_else(missing)
    }

    /// Reads what [`Writer::data`] stored; absent is `None`.
    pub(super) fn data<T: DeserializeOwned>(self, key: &str) -> Result<Option<T>, UserError> {
        let packed_key = format!("{key}{ZSTD_SUFFIX}");
        let json = match self.map("/data").and_then(|data| data.get(key)) {
            Some(text) => text.as_str().unwrap_or_default().as_bytes().to_vec(),
            None => match self.binary(&packed_key)? {
                Some(packed) => self.unpack(&packed_key, &packed)?,
                None => return Ok(None),
            },
        };
        let content = serde_json::from_slice(&json);
        content
            .map(Some)
            .map_err(|error| self.corrupt(&format!("its entry `{key}` does not read: {error}")))
    }

    pub(super) fn required_data<T: DeserializeOwned>(self, key: &str) -> Result<T, UserError> {
        let missing = || self.corrupt(&format!("its entry `{key}` is missing"));
        self.data(key)?.ok_or_else(missing)
    }

    pub(super) fn binary(self, key: &str) -> Result<Option<Vec<u8>>, UserError> {
        let Some(text) = self.map("/binaryData").and_then(|data| data.get(key)) else {
            return Ok(None);
        };
        let bytes = STANDARD.decode(text.as_str().unwrap_or_default());
        bytes
            .map(Some)
            .map_err(|error| self.corrupt(&format!("its entry `{key}` is not base64: {error}")))
    }

    pub(super) fn unpack(self, key: &str, packed: &[u8]) -> Result<Vec<u8>, UserError> {
        unpack(packed)
            .map_err(|error| self.corrupt(&format!("its entry `{key}` does not unpack: {error}")))
    }

    pub(super) fn corrupt(self, problem: &str) -> UserError {
        UserError::new(format!("{self} cannot be used: {problem}"))
            .hint("it is not taken for absent: nothing is written where a record cannot be read")
            .hint(format!(
                "look at it with `kubectl -n {NAMESPACE} get configmap {} -o yaml`",
                self.name()
            ))
    }

    fn newer(self, version: u32) -> UserError {
        UserError::new(format!(
            "{self} has format {version}, this program reads up to format {FORMAT}"
        ))
        .hint("a newer escale wrote it: use that version, or a newer one")
    }

    fn text(self, pointer: &str) -> Option<&'a str> {
        self.value.pointer(pointer)?.as_str()
    }

    fn map(self, pointer: &str) -> Option<&'a Map<String, Value>> {
        self.value.pointer(pointer)?.as_object()
    }
}

impl std::fmt::Display for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let namespace = self.text("/metadata/namespace").unwrap_or(NAMESPACE);
        write!(f, "record `{}` in namespace `{namespace}`", self.name())
    }
}

pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, ZSTD_LEVEL).expect("compressing memory cannot fail")
}

/// Unpacks, but never more than fits a sane record.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let decoder = zstd::Decoder::new(packed).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut limited = decoder.take(UNPACKED + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if UNPACKED < bytes.len() as u64 {
        return Err(format!("it unpacks to more than {UNPACKED} bytes"));
    }
    Ok(bytes)
}
