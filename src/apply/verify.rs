//! Whether what is skipped is rightly skipped: of a sample, the server is asked (`design.md` 6).

use serde_json::Value;

use super::plan::{Planning, Wanted};
use super::step::Step;
use crate::manifest::{Live, Manifest, ObjectRef, secret_refs};
use crate::record::TenantRecord;

/// Which of the skipped objects are asked about: the same ones, however often a rollout is gone on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The rollout: another one asks about others.
    pub seed: String,
    /// Of a hundred objects, so many.
    pub percent: u8,
}

/// What would be sent if the object were not skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub manifest: Value,
    pub force: bool,
}

impl Sample {
    pub fn none() -> Self {
        Self {
            seed: String::new(),
            percent: 0,
        }
    }

    pub fn has(&self, cluster: &str, object: &ObjectRef) -> bool {
        if self.percent == 0 {
            return false;
        }
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let named = format!("{} {cluster} {namespace} {object}", self.seed);
        let named = blake3::hash(named.as_bytes());
        u16::from_le_bytes([named.as_bytes()[0], named.as_bytes()[1]]) % 100
            < u16::from(self.percent)
    }
}

/// What to ask the server about an object; `None` if it is not skipped as it is now.
pub fn probe(
    wanted: &Wanted,
    manifest: &Manifest,
    record: Option<&TenantRecord>,
    live: &Live,
) -> Option<Probe> {
    // Values of a Secret are read only for what changed.
    if !secret_refs(manifest.value()).is_empty() {
        return None;
    }
    let planning = Planning::of(wanted, manifest, record);
    matches!(planning.change(live), Step::Skip { .. }).then(|| {
        let settled = planning.settled(live);
        Probe {
            manifest: settled.manifest,
            force: settled.force,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ObjectRef;

    fn sampled(seed: &str, percent: u8) -> Vec<usize> {
        let sample = Sample {
            seed: seed.to_owned(),
            percent,
        };
        let object = |number: usize| ObjectRef {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(format!("t{number}")),
            name: "web".to_owned(),
        };
        (0..10_000)
            .filter(|number| sample.has("east", &object(*number)))
            .collect()
    }

    #[test]
    fn a_sample_has_its_share_the_same_one_again_and_others_in_another_rollout() {
        assert_eq!(sampled("one", 0).len(), 0);
        assert_eq!(sampled("one", 100).len(), 10_000);
        let one = sampled("one", 1);
        assert!((60..140).contains(&one.len()), "{}", one.len());
        assert_eq!(one, sampled("one", 1));
        assert_ne!(one, sampled("two", 1));
    }
}
