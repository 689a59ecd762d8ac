//! A report in one line.

use std::collections::BTreeSet;
use std::fmt;

use crate::diff::{ChangeKind, Report};

/// Counts of objects, but for tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub tenants: usize,
    pub changed_tenants: usize,
    pub errors: usize,
    pub deletes: usize,
    pub recreates: usize,
    pub hooks_gone: usize,
    pub hooks: usize,
    pub updates: usize,
    pub creates: usize,
    pub restarts: usize,
}

impl Summary {
    pub(super) fn of(report: &Report) -> Self {
        let tenants: BTreeSet<&String> = report
            .groups
            .iter()
            .flat_map(|group| &group.tenants)
            .collect();
        let mut summary = Self {
            tenants: compared(report).max(tenants.len()),
            changed_tenants: tenants.len(),
            ..Self::default()
        };
        for group in &report.groups {
            *summary.count_of(group.change) += group.objects;
            summary.restarts += if group.restarts { group.objects } else { 0 };
        }
        summary
    }

    fn count_of(&mut self, change: ChangeKind) -> &mut usize {
        match change {
            ChangeKind::Error => &mut self.errors,
            ChangeKind::Delete => &mut self.deletes,
            ChangeKind::NeedsRecreate => &mut self.recreates,
            // Unchanged objects are in no group.
            ChangeKind::Update | ChangeKind::Unchanged => &mut self.updates,
            ChangeKind::HookGone => &mut self.hooks_gone,
            ChangeKind::HookRuns => &mut self.hooks,
            ChangeKind::Create => &mut self.creates,
        }
    }
}

/// Tenants of which nothing was compared say nothing about changes.
fn compared(report: &Report) -> usize {
    let left_out = report
        .incomplete
        .iter()
        .filter(|part| part.object.is_none());
    let left_out: BTreeSet<&String> = left_out.filter_map(|part| part.tenant.as_ref()).collect();
    report.tenants.saturating_sub(left_out.len())
}

/// `14 of 17 tenants change: 28 updates, 1 create; 14 workloads restart`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenants == 0 {
            return f.write_str("nothing was compared");
        }
        if self.changed_tenants == 0 {
            return write!(f, "no changes in {}", counted(self.tenants, "tenant"));
        }
        let counts = [
            (self.errors, "not compared", "not compared"),
            (self.deletes, "delete", "deletes"),
            (self.recreates, "recreation needed", "recreations needed"),
            (self.hooks_gone, "hook less", "hooks less"),
            (self.hooks, "hook runs", "hooks run"),
            (self.updates, "update", "updates"),
            (self.creates, "create", "creates"),
        ];
        let told = counts
            .iter()
            .filter(|(count, _, _)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
        let verb = if self.tenants == 1 {
            "changes"
        } else {
            "change"
        };
        write!(
            f,
            "{} of {} {verb}: {}",
            self.changed_tenants,
            counted(self.tenants, "tenant"),
            told.collect::<Vec<_>>().join(", ")
        )?;
        match self.restarts {
            0 => write!(f, "; nothing restarts"),
            1 => write!(f, "; 1 workload restarts"),
            many => write!(f, "; {many} workloads restart"),
        }
    }
}

/// `1 tenant`, `17 tenants`.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
