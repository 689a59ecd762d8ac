//! The file of recorded cases: `tests/golden/fields-1.36.jsonl.zst`, one scenario a line.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened to one object from its creation on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Scenario {
    pub seed: u64,
    pub kind: String,
    pub steps: Vec<Step>,
}

/// One request and the answer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub verb: Verb,
    pub manager: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    pub body: Value,
    /// Of the HTTP answer.
    pub status: u16,
    /// Of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Seconds since the epoch.
    pub at: i64,
    /// The object after the request, if that is not what it was before; for a dry run, what it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    Apply,
    Post,
    Put,
    MergePatch,
    StrategicPatch,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fields-1.36.jsonl.zst")
}

static RECORDED: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let packed = std::fs::read(path()).expect("recorded cases are committed");
    let text = zstd::decode_all(&packed[..]).expect("zstd");
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("a scenario a line"))
        .collect()
});

pub fn read() -> &'static [Scenario] {
    &RECORDED
}

pub fn write(scenarios: &[Scenario]) {
    let mut text = Vec::new();
    for scenario in scenarios {
        serde_json::to_writer(&mut text, scenario).expect("JSON");
        text.push(b'\n');
    }
    let mut packer = zstd::Encoder::new(Vec::new(), 19).expect("zstd");
    packer.long_distance_matching(true).expect("zstd");
    packer.window_log(26).expect("zstd");
    std::io::Write::write_all(&mut packer, &text).expect("memory");
    std::fs::write(path(), packer.finish().expect("zstd")).expect("the file is written");
}
