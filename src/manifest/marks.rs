//! The marks that we put on objects, and those that templates put there for us.

use std::borrow::Cow;

use serde_json::Value;

/// Everything of ours begins so.
pub const PREFIX: &str = "escale.dev/";
/// Our field manager: one stable name for CI, laptop and chat.
pub const MANAGER: &str = "escale";

/// Annotation that we add on applying: `ENVIRONMENT/TENANT/GROUP/KIND/NAMESPACE/NAME` of the object
/// itself. On a copy it names another object, so a copy is never taken for ours.
pub const OWNER: &str = "escale.dev/owner";
/// Annotation that we add on applying: the epoch of the claim that wrote the object.
pub const EPOCH: &str = "escale.dev/epoch";
/// Label that we add on applying: the `ApplySet` of the tenant (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// Annotation of a template's author: `pre-rollout`, `post-rollout` or `check`.
pub const HOOK: &str = "escale.dev/hook";
/// Annotation of a template's author: what a hook runs for, instead of its content; on the Job of a run, what it ran for.
pub const HOOK_KEY: &str = "escale.dev/hook-key";
/// Annotation of a template's author: a number; hooks of one moment run in its order, 0 if nothing is said.
pub const HOOK_ORDER: &str = "escale.dev/hook-order";
/// Annotation of a template's author: the platform that a hook is for.
pub const PLATFORM: &str = "escale.dev/platform";
/// Annotation of a template's author: this object reaches held tenants too.
pub const ALWAYS: &str = "escale.dev/always";
/// Annotation of a template's author: once this hook succeeded, there is no way back.
pub const IRREVERSIBLE: &str = "escale.dev/irreversible";
/// Annotation of a template's author: may be deleted and made again on an immutable change.
pub const RECREATE: &str = "escale.dev/recreate";

/// In which maps of the metadata our marks stand.
const MARKS: [(&str, &[&str]); 2] = [("annotations", &[OWNER, EPOCH]), ("labels", &[PART_OF])];

/// The object without what we add on applying. Digests and diffs are made of this.
pub fn without_marks(value: &Value) -> Cow<'_, Value> {
    let has_any = |(map, keys): &(&str, &[&str])| {
        let entries = value["metadata"][*map].as_object();
        entries.is_some_and(|entries| keys.iter().any(|key| entries.contains_key(*key)))
    };
    if !MARKS.iter().any(has_any) {
        return Cow::Borrowed(value);
    }
    let mut bare = value.clone();
    for (map, keys) in MARKS.iter().filter(|marks| has_any(marks)) {
        let metadata = bare["metadata"].as_object_mut();
        let metadata = metadata.expect("there are marks in it");
        let entries = metadata[*map].as_object_mut();
        let entries = entries.expect("there are marks in it");
        entries.retain(|key, _| !keys.contains(&key.as_str()));
        if entries.is_empty() {
            metadata.remove(*map);
        }
    }
    Cow::Owned(bare)
}
