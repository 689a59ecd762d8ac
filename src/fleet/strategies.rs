//! The strategies of an environment, and which of them stands for what changes.

use crate::error::{UserError, did_you_mean};
use crate::fleet::config::{StrategySpec, TenantStrategy, When};
use crate::fleet::glob::matches_path;
use crate::fleet::model::Fleet;

/// The strategy that is the default although others have no `when` either.
const NORMAL: &str = "normal";

/// Strategies by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strategies(Vec<(String, StrategySpec)>);

impl Strategies {
    pub fn new(in_order: Vec<(String, StrategySpec)>) -> Self {
        Self(in_order)
    }

    /// Whether what changes may pick one.
    pub fn depend_on_changes(&self) -> bool {
        self.0.iter().any(|(_, spec)| spec.when.is_some())
    }

    /// The first whose `when` agrees with these changed files.
    pub fn for_change(&self, changed: &[String]) -> Option<&(String, StrategySpec)> {
        let agrees = |when: &When| !changed.is_empty() && when.outsider(changed).is_none();
        self.0
            .iter()
            .find(|(_, spec)| spec.when.as_ref().is_some_and(agrees))
    }

    /// A changed file that keeps a `when` from agreeing: of the one that most of them match.
    pub fn in_the_way<'a>(&self, changed: &'a [String]) -> Option<&'a str> {
        let whens = self.0.iter().filter_map(|(_, spec)| spec.when.as_ref());
        let nearest = whens.max_by_key(|when| changed.iter().filter(|path| when.has(path)).count());
        nearest?.outsider(changed)
    }

    fn named(&self, name: &str) -> Option<&(String, StrategySpec)> {
        self.0.iter().find(|(known, _)| known == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    fn default(&self) -> Option<&(String, StrategySpec)> {
        let whens = self
            .0
            .iter()
            .map(|(name, spec)| (name.as_str(), spec.when.is_some()));
        let name = default_of(whens).ok()?;
        self.named(name)
    }
}

/// The strategy that is taken when no `when` agrees, of several by their names and whether they have one: `normal`, if
/// it has none, else the only one that has none. If that is none or several: who has none.
pub fn default_of<'a>(all: impl Iterator<Item = (&'a str, bool)>) -> Result<&'a str, Vec<&'a str>> {
    let without: Vec<&str> = all
        .filter_map(|(name, has_when)| (!has_when).then_some(name))
        .collect();
    match without[..] {
        [only] => Ok(only),
        _ if without.contains(&NORMAL) => Ok(NORMAL),
        _ => Err(without),
    }
}

impl When {
    fn has(&self, path: &str) -> bool {
        let mut patterns = self.only_paths.iter();
        patterns.any(|pattern| matches_path(pattern, path))
    }

    /// The first changed file that no pattern matches.
    fn outsider<'a>(&self, changed: &'a [String]) -> Option<&'a str> {
        let mut paths = changed.iter().map(String::as_str);
        paths.find(|path| !self.has(path))
    }
}

impl Fleet {
    /// A strategy by name; without one the default.
    pub fn strategy(&self, name: Option<&str>) -> Result<(String, StrategySpec), UserError> {
        let found = match name {
            Some(name) => self.strategies.named(name),
            None => self.strategies.default(),
        };
        match (found, name) {
            (Some(found), _) => Ok(found.clone()),
            (None, None) if self.strategies.0.is_empty() => {
                Ok(("default".to_owned(), StrategySpec::default()))
            }
            (None, None) => Err(UserError::new("no strategy is the default").hint(format!(
                "name one with `--strategy`: {}",
                self.strategy_names()
            ))),
            (None, Some(name)) => Err(self.unknown_strategy(name)),
        }
    }

    fn unknown_strategy(&self, name: &str) -> UserError {
        let error = UserError::new(format!(
            "no strategy named `{name}` in `{}`",
            self.environment.name
        ));
        match did_you_mean(name, self.strategies.names()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are {}", self.strategy_names())),
        }
    }

    /// When a tenant that a person moves counts as healthy: as the strategy says that a rollout takes without being told.
    pub fn tenant_strategy(&self) -> TenantStrategy {
        self.strategy(None)
            .map(|(_, spec)| spec.tenant)
            .unwrap_or_default()
    }

    fn strategy_names(&self) -> String {
        let names: Vec<String> = self
            .strategies
            .names()
            .map(|name| format!("`{name}`"))
            .collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategies(all: &[(&str, &[&str])]) -> Strategies {
        let each = all.iter().map(|(name, patterns)| {
            let only_paths = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            let when = (!patterns.is_empty()).then_some(When { only_paths });
            let spec = StrategySpec {
                when,
                ..StrategySpec::default()
            };
            ((*name).to_owned(), spec)
        });
        Strategies::new(each.collect())
    }

    fn chosen(strategies: &Strategies, changed: &[&str]) -> Option<String> {
        let changed: Vec<String> = changed.iter().map(|&path| path.to_owned()).collect();
        let found = strategies.for_change(&changed);
        found.map(|(name, _)| name.clone())
    }

    #[test]
    fn the_first_strategy_whose_patterns_match_every_changed_file_is_chosen() {
        let strategies = strategies(&[
            ("normal", &[]),
            ("images", &["environments/*/versions.yaml"]),
            (
                "clients",
                &["environments/*/tenants/**", "environments/*/versions.yaml"],
            ),
        ]);
        let images = "environments/production/versions.yaml";
        let client = "environments/production/tenants/shared/acme.yaml";
        assert_eq!(chosen(&strategies, &[images]).as_deref(), Some("images"));
        assert_eq!(chosen(&strategies, &[client]).as_deref(), Some("clients"));
        let both = chosen(&strategies, &[client, images]);
        assert_eq!(both.as_deref(), Some("clients"));
        assert_eq!(chosen(&strategies, &[images, "templates/a.yaml.j2"]), None);
        assert_eq!(chosen(&strategies, &[]), None, "nothing is no reason");
    }

    #[test]
    fn the_file_in_the_way_is_that_of_the_when_that_nearly_agrees() {
        let strategies = strategies(&[("a", &["secrets/**"]), ("b", &["environments/**"])]);
        let changed = ["environments/x/versions.yaml", "templates/site/web.yaml.j2"];
        let changed = changed.map(str::to_owned);
        assert_eq!(
            strategies.in_the_way(&changed),
            Some("templates/site/web.yaml.j2")
        );
    }

    #[test]
    fn the_default_is_normal_or_the_only_one_without_a_when() {
        let default = |all: &[(&'static str, bool)]| default_of(all.iter().copied());
        assert_eq!(default(&[("slow", false), ("images", true)]), Ok("slow"));
        let by_name = [("normal", false), ("hotfix", false), ("images", true)];
        assert_eq!(default(&by_name), Ok("normal"));
        assert_eq!(default(&[("normal", true), ("slow", false)]), Ok("slow"));
        assert_eq!(default(&[("a", false), ("b", false)]), Err(vec!["a", "b"]));
        assert_eq!(default(&[("normal", true)]), Err(vec![]));
    }
}
