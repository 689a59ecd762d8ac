//! `after`: nobody starts before those that it comes after have succeeded in the same rollout, or run what is wanted.

use std::collections::{BTreeMap, BTreeSet};

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
    let belongs = numbers(waves);
    let mut joined = BTreeSet::new();
    for from in 0..waves.len() {
        let number = |planned: &Planned| belongs[&planned.place.tenant];
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(&mut waves[from].tenants)
            .into_iter()
            .partition(|planned| number(planned) == from);
        waves[from].tenants = own;
        for planned in others {
            let to = number(&planned);
            joined.insert(to);
            waves[to].tenants.push(planned);
        }
    }
    for number in joined {
        let tenants = &mut waves[number].tenants;
        tenants.sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
    }
}

/// The number of the wave that each tenant belongs into, as early as `after` allows.
fn numbers(waves: &[Wave]) -> BTreeMap<String, usize> {
    let all = || waves.iter().enumerate();
    let each = |(number, wave): (usize, &Wave)| {
        let names = wave.tenants.iter().map(|one| one.place.tenant.clone());
        names.map(|name| (name, number)).collect::<Vec<_>>()
    };
    let mut numbers: BTreeMap<String, usize> = all().flat_map(each).collect();
    // At most as often as the longest chain has links.
    loop {
        let later = too_early(waves, &numbers);
        if later.is_empty() {
            return numbers;
        }
        numbers.extend(later);
    }
}

/// Those who are in an earlier wave than whom they come after, and where they belong by that.
fn too_early(waves: &[Wave], numbers: &BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let all = waves.iter().flat_map(|wave| &wave.tenants);
    all.filter_map(|planned| {
        let before = planned.place.after.iter();
        let to = *before.filter_map(|name| numbers.get(name)).max()?;
        let name = &planned.place.tenant;
        (numbers[name] < to).then(|| (name.clone(), to))
    })
    .collect()
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
