//! Hooks: Jobs of a bundle that run once for their content, and are not kept in place like other objects.

use std::fmt;

use serde_json::Value;

use super::marks::{HOOK, HOOK_KEY, HOOK_ORDER, IRREVERSIBLE, PLATFORM};
use super::object::{Manifest, ObjectRef};

/// Names of Jobs are names of pods' labels, 63 characters, and each run appends a dash and this many digits.
const RUN_DIGITS: usize = 8;
const LONGEST: usize = 63 - RUN_DIGITS - 1;

/// A hook, as its manifest says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its manifest in the bundle. No object on a cluster has this name: each run has one of its own.
    pub object: ObjectRef,
    pub moment: HookMoment,
    /// Of one moment, those with a lower number come first.
    pub order: i32,
    /// The platform that it is for; `None` if it is for the tenant.
    pub platform: Option<String>,
    /// The hook runs where this differs from the key of the run that succeeded last.
    pub key: String,
    /// Once it succeeded, nobody goes back behind it by himself.
    pub is_irreversible: bool,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookMoment {
    /// Before any other object of the tenant but its Namespace is written.
    PreRollout,
    /// Once the tenant is healthy: proves that it is.
    Check,
    /// Once the tenant is healthy and the checks have passed.
    PostRollout,
}

impl Hook {
    /// Reads what a manifest says of hooks; `None` if it is an ordinary object.
    pub fn of(manifest: &Manifest) -> Option<Result<Self, String>> {
        let Some(moment) = manifest.annotation(HOOK) else {
            return stray(manifest).map(Err);
        };
        Some(read(manifest, moment))
    }

    pub fn name(&self) -> &str {
        &self.object.name
    }

    /// When its turn is: hooks with the same turn do not wait for one another, but for those of their own platform. What
    /// the tenant has comes before what its platforms have.
    pub fn turn(&self) -> (HookMoment, i32, bool) {
        (self.moment, self.order, self.platform.is_some())
    }

    /// The name of the Job of a run. Runs are counted, so that no Job of another run is ever taken for this one.
    pub fn job_name(&self, run: u32) -> String {
        let hash = blake3::hash(format!("{run}/{}", self.key).as_bytes()).to_hex();
        format!("{}-{}", self.name(), &hash[..RUN_DIGITS])
    }
}

impl HookMoment {
    pub const ALL: [Self; 3] = [Self::PreRollout, Self::Check, Self::PostRollout];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreRollout => "pre-rollout",
            Self::Check => "check",
            Self::PostRollout => "post-rollout",
        }
    }
}

fn read(manifest: &Manifest, moment: &str) -> Result<Hook, String> {
    let object = manifest.object();
    if object.group() != "batch" || object.kind != "Job" {
        return Err(format!(
            "only a Job can be a hook; `{HOOK}` is on a {}",
            object.kind
        ));
    }
    let moments = HookMoment::ALL;
    let moment = moments
        .into_iter()
        .find(|one| one.as_str() == moment)
        .ok_or_else(|| {
            let known = moments.map(|one| format!("`{}`", one.as_str()));
            format!("`{HOOK}` is {moment:?}, not one of {}", known.join(", "))
        })?;
    if LONGEST < object.name.len() {
        return Err(format!(
            "the name of a hook has {LONGEST} characters at most: each run appends its own"
        ));
    }
    Ok(Hook {
        object: object.clone(),
        moment,
        order: order(manifest)?,
        platform: manifest.annotation(PLATFORM).map(str::to_owned),
        key: manifest
            .annotation(HOOK_KEY)
            .map_or_else(|| manifest.digest().to_string(), str::to_owned),
        is_irreversible: is_irreversible(manifest)?,
    })
}

fn order(manifest: &Manifest) -> Result<i32, String> {
    let Some(text) = manifest.annotation(HOOK_ORDER) else {
        return Ok(0);
    };
    text.parse()
        .map_err(|_| format!("`{HOOK_ORDER}` is {text:?}, not a whole number"))
}

fn is_irreversible(manifest: &Manifest) -> Result<bool, String> {
    match manifest.annotation(IRREVERSIBLE) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(format!(
            "`{IRREVERSIBLE}` is {other:?}, not \"true\" or \"false\""
        )),
    }
}

/// What says something about hooks without being one was meant to be one.
fn stray(manifest: &Manifest) -> Option<String> {
    let has = |key: &&str| {
        let annotations = manifest.value().pointer("/metadata/annotations");
        annotations
            .and_then(Value::as_object)
            .is_some_and(|all| all.contains_key(*key))
    };
    let marks = [HOOK, HOOK_KEY, HOOK_ORDER, IRREVERSIBLE, PLATFORM];
    let stray = marks.into_iter().find(has)?;
    Some(format!("`{stray}` means something only beside `{HOOK}`"))
}

impl fmt::Display for HookMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(annotations: &Value) -> Manifest {
        let value = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "namespace": "t1", "annotations": annotations},
        });
        Manifest::from_value(value).unwrap()
    }

    fn hook(annotations: &Value) -> Hook {
        Hook::of(&job(annotations)).unwrap().unwrap()
    }

    #[test]
    fn a_key_that_is_given_decides_alone_else_the_content_does() {
        let given = |image: &str| {
            hook(&json!({HOOK: "pre-rollout", HOOK_KEY: "schema-4", "image": image})).key
        };
        assert_eq!(given("1"), given("2"));
        let content = |image: &str| hook(&json!({HOOK: "pre-rollout", "image": image})).key;
        assert_ne!(content("1"), content("2"));
    }

    #[test]
    fn no_two_runs_have_the_same_job_not_even_of_one_key() {
        let hook = hook(&json!({HOOK: "pre-rollout", HOOK_KEY: "schema-4"}));
        assert_ne!(hook.job_name(1), hook.job_name(2));
        assert!(hook.job_name(1).starts_with("migrate-"));
    }

    #[test]
    fn an_order_is_a_whole_number_and_the_tenant_comes_before_its_platforms() {
        let with = |order: &str, platform: &Value| {
            hook(&json!({HOOK: "check", HOOK_ORDER: order, PLATFORM: platform}))
        };
        let (own, of_platform) = (with("5", &Value::Null), with("5", &json!("a")));
        assert!(own.turn() < of_platform.turn());
        assert!(of_platform.turn() < with("10", &Value::Null).turn());
        assert!(with("-1", &json!("a")).turn() < hook(&json!({HOOK: "check"})).turn());
        let wrong = Hook::of(&job(&json!({HOOK: "check", HOOK_ORDER: "first"})));
        let wrong = wrong.unwrap().unwrap_err();
        assert!(wrong.contains("\"first\", not a whole number"), "{wrong}");
    }

    #[test]
    fn what_cannot_be_a_hook_says_why() {
        let mistake = |manifest: &Manifest| Hook::of(manifest).unwrap().unwrap_err();
        let typo = mistake(&job(&json!({HOOK: "pre-deploy"})));
        assert!(
            typo.contains("\"pre-deploy\", not one of `pre-rollout`"),
            "{typo}"
        );
        let stray = mistake(&job(&json!({IRREVERSIBLE: "true"})));
        assert!(stray.contains("only beside"), "{stray}");
        let mut value = job(&json!({HOOK: "check"})).into_value();
        value["kind"] = "CronJob".into();
        let other = mistake(&Manifest::from_value(value).unwrap());
        assert!(other.contains("only a Job"), "{other}");
        assert_eq!(Hook::of(&job(&json!({}))), None);
    }
}
