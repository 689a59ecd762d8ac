//! Who a rollout left out, and why: many of one cluster for one reason are told in one line.

use std::collections::BTreeMap;

use crate::rollout::{Excluded, few_of};

/// So many are told one by one.
const FEW: usize = 3;

/// A line for each tenant, or for those of a cluster that share a reason.
pub fn lines<'a>(left_out: impl Iterator<Item = &'a Excluded>) -> Vec<String> {
    let mut groups: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for excluded in left_out {
        let group = (excluded.cluster.as_str(), excluded.reason.words());
        groups.entry(group).or_default().push(&excluded.tenant);
    }
    groups.into_iter().flat_map(told).collect()
}

fn told(((cluster, why), tenants): ((&str, String), Vec<&str>)) -> Vec<String> {
    if tenants.len() <= FEW {
        let each = tenants.iter();
        return each
            .map(|tenant| format!("left out: {tenant} ({why})"))
            .collect();
    }
    let named = few_of(&tenants, FEW);
    let count = tenants.len();
    vec![format!(
        "left out: {count} tenants on {cluster} ({why}): {named}"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Exclusion;

    fn dark(tenant: &str, cluster: &str) -> Excluded {
        Excluded {
            tenant: tenant.to_owned(),
            cluster: cluster.to_owned(),
            reason: Exclusion::Unreachable("no answer".to_owned()),
        }
    }

    #[test]
    fn a_dark_cluster_is_one_line_and_a_few_tenants_are_told_one_by_one() {
        let many = ["a", "b", "c", "d", "e"].map(|tenant| dark(tenant, "north"));
        let few = ["x", "y"].map(|tenant| dark(tenant, "south"));
        assert_eq!(
            lines(many.iter().chain(&few)),
            [
                "left out: 5 tenants on north (cluster unreachable: no answer): a, b, c and 2 more",
                "left out: x (cluster unreachable: no answer)",
                "left out: y (cluster unreachable: no answer)",
            ]
        );
    }
}
