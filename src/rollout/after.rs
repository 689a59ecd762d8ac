//! `after`: nobody starts before those that it comes after have succeeded in the same rollout, or run what is wanted.

use std::collections::BTreeMap;

use super::exclusion::{Excluded, Exclusion};
use super::plan::{Planned, Wave};

/// Takes out whoever comes after somebody who is left out, and whoever comes after those. Who runs what is wanted, or
/// leaves, is waited for by nobody.
pub(super) fn leave_out_followers(changing: &mut Vec<Planned>, excluded: &mut Vec<Excluded>) {
    loop {
        let reasons = reasons(excluded);
        let why = |planned: &Planned| {
            let mut before = planned.place.after.iter();
            before.find_map(|name| Some(format!("`{name}` ({})", reasons.get(name)?)))
        };
        let (followers, others): (Vec<_>, Vec<_>) = std::mem::take(changing)
            .into_iter()
            .map(|planned| (why(&planned), planned))
            .partition(|(why, _)| why.is_some());
        *changing = others.into_iter().map(|(_, planned)| planned).collect();
        if followers.is_empty() {
            return;
        }
        excluded.extend(followers.into_iter().map(|(why, planned)| Excluded {
            tenant: planned.place.tenant,
            cluster: planned.place.cluster,
            reason: Exclusion::ComesAfter(why.unwrap_or_default()),
        }));
    }
}

/// The same of waves that are made up already.
pub(super) fn leave_out_of_waves(waves: &mut [Wave], excluded: &mut Vec<Excluded>) {
    let mut all: Vec<Planned> = waves.iter().flat_map(|wave| wave.tenants.clone()).collect();
    let count = all.len();
    leave_out_followers(&mut all, excluded);
    if all.len() == count {
        return;
    }
    for wave in waves {
        wave.tenants.retain(|planned| all.contains(planned));
    }
}

/// Puts everybody into no earlier wave than those that it comes after.
pub(super) fn in_order(waves: &mut [Wave]) {
    while let Some((from, at, to)) = too_early(waves) {
        let planned = waves[from].tenants.remove(at);
        waves[to].tenants.push(planned);
        waves[to]
            .tenants
            .sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
    }
}

/// Somebody who is in an earlier wave than whom it comes after: in which, where, and where it belongs.
fn too_early(waves: &[Wave]) -> Option<(usize, usize, usize)> {
    let mut in_wave: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, wave) in waves.iter().enumerate() {
        let names = wave.tenants.iter().map(|one| one.place.tenant.as_str());
        in_wave.extend(names.map(|name| (name, number)));
    }
    waves.iter().enumerate().find_map(|(from, wave)| {
        wave.tenants.iter().enumerate().find_map(|(at, planned)| {
            let before = planned.place.after.iter();
            let to = before.filter_map(|name| in_wave.get(name.as_str())).max()?;
            (from < *to).then_some((from, at, *to))
        })
    })
}

fn reasons(excluded: &[Excluded]) -> BTreeMap<String, String> {
    let bars = |reason: &Exclusion| match reason {
        Exclusion::Unchanged
        | Exclusion::Leaving(_)
        | Exclusion::NotRemoved(_)
        | Exclusion::Removed(_) => false,
        Exclusion::Held(_)
        | Exclusion::NotRendered(_)
        | Exclusion::Unreachable(_)
        | Exclusion::NotAutomatic(_)
        | Exclusion::Orphaned
        | Exclusion::Claimed(_)
        | Exclusion::RecordUnreadable(_)
        | Exclusion::NoWave
        | Exclusion::Quarantined(_)
        | Exclusion::Moved(_)
        | Exclusion::Taken(_)
        | Exclusion::ComesAfter(_)
        | Exclusion::NotRebuilt(_)
        | Exclusion::AsRecorded(_) => true,
    };
    let bar = excluded.iter().filter(|one| bars(&one.reason));
    bar.map(|one| (one.tenant.clone(), one.reason.words()))
        .collect()
}
