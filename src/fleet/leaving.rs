//! Tenants that leave: whether their last day is one, and what `lifecycle` and `deleteAfter` say together.

use crate::fleet::config::Lifecycle;
use crate::fleet::finding::Finding;
use crate::fleet::parts::Parts;

/// An error for a day that is none, a warning where one of the two has no effect without the other.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for tenant in &parts.tenants {
        let spec = tenant.spec();
        if let (Some(text), None) = (&spec.delete_after, spec.last_day()) {
            let place = tenant.place("/spec/deleteAfter");
            let message = format!("`{text}` is not a day of the calendar");
            let hint = "write it like `2027-06-30`".to_owned();
            findings.push(Finding::error(place, message).hint(hint));
        }
        match (spec.lifecycle, &spec.delete_after) {
            (Lifecycle::Leaving, None) => {
                let place = tenant.place("/spec/lifecycle");
                let message = format!("`{}` leaves, and nothing says when", tenant.name());
                findings.push(Finding::warning(place, message).hint(
                    "rollouts do not change it, and nothing of it is deleted until there is a day: \
                     `deleteAfter: \"2027-06-30\"`"
                        .to_owned(),
                ));
            }
            (Lifecycle::Active, Some(_)) => {
                let place = tenant.place("/spec/deleteAfter");
                let message = format!("`deleteAfter` does nothing: `{}` stays", tenant.name());
                let hint = "with `lifecycle: leaving` it is removed after that day".to_owned();
                findings.push(Finding::warning(place, message).hint(hint));
            }
            (Lifecycle::Leaving, Some(_)) | (Lifecycle::Active, None) => {}
        }
    }
    findings
}
