//! The counts of a diff as GitLab reads them of Terraform: any tool's may be shown beside a merge request.
//!
//! Source: GitLab `lib/gitlab/ci/parsers/terraform/tfplan.rb`: an object with `create`, `update` and `delete`, numbers of
//! six digits at most.

use serde_json::{Value, json};

use crate::diff::Summary;

/// GitLab refuses a larger number.
const LARGEST: usize = 999_999;

/// What a diff would create, update and delete. What is made again is deleted and created.
pub fn terraform(summary: &Summary) -> Value {
    let count = |number: usize| number.min(LARGEST);
    json!({
        "create": count(summary.creates + summary.hooks + summary.recreates),
        "update": count(summary.updates),
        "delete": count(summary.deletes + summary.recreates),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_diff_and_never_too_large() {
        let summary = Summary {
            creates: 2,
            hooks: 1,
            updates: 2_000_000,
            deletes: 3,
            recreates: 4,
            ..Summary::default()
        };
        assert_eq!(
            terraform(&summary),
            json!({"create": 7, "update": 999_999, "delete": 7})
        );
    }
}
