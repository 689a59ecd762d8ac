//! Which strategy an order gets that names none: picked by what changes between what runs and what is ordered.

use std::collections::BTreeSet;

use super::few::{few_of, short_commit};
use crate::fleet::Strategies;

/// So many releases are named.
const FEW: usize = 3;

/// Which release an order would move tenants away from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    Release(String),
    /// It is not one release that is known, and why.
    Unknown(String),
}

/// The strategy that what changes picks, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `None` for the default.
    pub strategy: Option<String>,
    pub why: String,
}

impl Running {
    /// By the releases that the tenants which would be moved run.
    pub fn of<'a>(releases: impl Iterator<Item = &'a str>) -> Self {
        let releases: BTreeSet<&str> = releases.collect();
        let mut each = releases.iter();
        match (each.next(), each.next()) {
            (None, _) => Self::Unknown("nothing that it would change runs yet".to_owned()),
            (Some(only), None) => Self::Release((*only).to_owned()),
            (Some(_), Some(_)) => {
                let short: Vec<&str> = releases
                    .iter()
                    .map(|release| short_commit(release))
                    .collect();
                let named = few_of(&short, FEW);
                Self::Unknown(format!("several releases run: {named}"))
            }
        }
    }
}

impl Choice {
    /// By the files that differ between the release that runs and the one that is ordered; why they are not known, if
    /// they are not.
    pub fn of(strategies: &Strategies, changed: Result<(&str, &[String]), String>) -> Self {
        let default = |why: String| Self {
            strategy: None,
            why: format!("the default: {why}"),
        };
        let (since, changed) = match changed {
            Ok((since, changed)) => (short_commit(since), changed),
            Err(why) => return default(why),
        };
        if let Some((name, spec)) = strategies.for_change(changed) {
            let patterns = spec.when.iter().flat_map(|when| &when.only_paths);
            let patterns: Vec<String> = patterns.map(|pattern| format!("`{pattern}`")).collect();
            return Self {
                strategy: Some(name.clone()),
                why: format!("since {since} only {} changed", few_of(&patterns, FEW)),
            };
        }
        match strategies.in_the_way(changed) {
            Some(path) => default(format!("since {since} `{path}` changed, too")),
            None => default(format!("no file of the fleet changed since {since}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::config::StrategySpec;

    fn strategies() -> Strategies {
        let images = serde_json::json!({"when": {"onlyPaths": ["environments/*/versions.yaml"]}});
        let images: StrategySpec = serde_json::from_value(images).expect("a strategy");
        Strategies::new(vec![
            ("normal".to_owned(), StrategySpec::default()),
            ("images".to_owned(), images),
        ])
    }

    fn chosen(changed: &[&str]) -> (Option<String>, String) {
        let changed: Vec<String> = changed.iter().map(|&path| path.to_owned()).collect();
        let since = "4f2a91c03d9e8b7a6c5d4e3f2a1b0c9d8e7f6a5b";
        let choice = Choice::of(&strategies(), Ok((since, &changed)));
        (choice.strategy, choice.why)
    }

    #[test]
    fn what_changed_picks_a_strategy_and_says_why() {
        assert_eq!(
            chosen(&["environments/production/versions.yaml"]),
            (
                Some("images".to_owned()),
                "since 4f2a91c0 only `environments/*/versions.yaml` changed".to_owned()
            )
        );
        assert_eq!(
            chosen(&[
                "environments/production/versions.yaml",
                "templates/site/web.yaml.j2"
            ]),
            (
                None,
                "the default: since 4f2a91c0 `templates/site/web.yaml.j2` changed, too".to_owned()
            )
        );
        let (strategy, why) = chosen(&[]);
        assert_eq!(strategy, None);
        assert_eq!(
            why,
            "the default: no file of the fleet changed since 4f2a91c0"
        );
    }

    #[test]
    fn what_is_not_known_picks_the_default() {
        let why = "this clone does not have commit 4f2a91c0".to_owned();
        let choice = Choice::of(&strategies(), Err(why));
        assert_eq!(choice.strategy, None);
        assert_eq!(
            choice.why,
            "the default: this clone does not have commit 4f2a91c0"
        );
    }

    #[test]
    fn what_runs_is_known_if_it_is_one_release() {
        let running = |releases: &[&'static str]| Running::of(releases.iter().copied());
        assert_eq!(running(&["a", "a"]), Running::Release("a".to_owned()));
        let several = Running::Unknown("several releases run: a, b, c and 1 more".to_owned());
        assert_eq!(running(&["b", "a", "d", "c"]), several);
        let nothing = Running::Unknown("nothing that it would change runs yet".to_owned());
        assert_eq!(running(&[]), nothing);
    }
}
