//! Strategies that pick themselves by what changes: those that never could, and those that would be in each other's way.

use std::collections::BTreeSet;

use crate::fleet::config::StrategySpec;
use crate::fleet::finding::Finding;
use crate::fleet::read::Read;
use crate::fleet::strategies::default_of;

/// Every mistake in the `when`s of an environment's strategies. Where some could not be read, one of them may be the default.
pub fn all(strategies: &[Read<StrategySpec>], are_all: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if are_all {
        findings.extend(no_default(strategies));
    }
    findings.extend(strategies.iter().flat_map(patterns));
    findings.extend(hidden(strategies));
    findings
}

/// Without exactly one default, what to do with a change that no `when` names would be a guess.
fn no_default(strategies: &[Read<StrategySpec>]) -> Option<Finding> {
    let last = strategies.last()?;
    let whens = strategies
        .iter()
        .map(|strategy| (strategy.name(), strategy.spec().when.is_some()));
    let without = default_of(whens).err()?;
    if without.is_empty() {
        let message = "every strategy has a `when`: none is left for other changes";
        let finding = Finding::error(last.place("/spec/when"), message);
        return Some(finding.hint("leave `when` out of one: it is the default".to_owned()));
    }
    let message = format!(
        "several strategies are the default: `{}`",
        without.join("`, `")
    );
    let finding = Finding::error(last.place("/metadata/name"), message);
    Some(finding.hint("name one of them `normal`, or write a `when` for the others".to_owned()))
}

/// Patterns that no path could ever have.
fn patterns(strategy: &Read<StrategySpec>) -> Vec<Finding> {
    let Some(when) = &strategy.spec().when else {
        return Vec::new();
    };
    if when.only_paths.is_empty() {
        let message = "a `when` without patterns never agrees";
        let finding = Finding::error(strategy.place("/spec/when"), message);
        return vec![finding.hint("write `onlyPaths`, or leave `when` out".to_owned())];
    }
    let places = when.only_paths.iter().enumerate();
    let wrong = places.filter(|(_, pattern)| !is_of_a_repository(pattern));
    wrong
        .map(|(index, pattern)| {
            let place = strategy.place(&format!("/spec/when/onlyPaths/{index}"));
            let message = format!("no path of a repository matches `{pattern}`");
            Finding::error(place, message).hint(
                "write it from the repository's root, with names, `*` and `**` between slashes: `templates/**`"
                    .to_owned(),
            )
        })
        .collect()
}

fn is_of_a_repository(pattern: &str) -> bool {
    pattern
        .split('/')
        .all(|step| !matches!(step, "" | "." | ".."))
}

/// Of two that ask for the same, the second is never picked.
fn hidden(strategies: &[Read<StrategySpec>]) -> Vec<Finding> {
    let mut seen: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    let mut findings = Vec::new();
    for strategy in strategies {
        let when = strategy.spec().when.as_ref();
        let Some(when) = when.filter(|when| !when.only_paths.is_empty()) else {
            continue;
        };
        let patterns: BTreeSet<&str> = when.only_paths.iter().map(String::as_str).collect();
        if let Some((first, _)) = seen.iter().find(|(_, known)| patterns.is_subset(known)) {
            let message = format!(
                "`{}` is never picked: `{first}`, which comes before it, agrees to all that it does",
                strategy.name()
            );
            let finding = Finding::error(strategy.place("/spec/when"), message);
            findings
                .push(finding.hint(format!("write it above `{first}`, or change its patterns")));
        }
        seen.push((strategy.name(), patterns));
    }
    findings
}
