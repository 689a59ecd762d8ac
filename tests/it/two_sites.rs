//! The environment `two-sites` keeps what its page promises, over simulated clusters.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use escale::engine::{Carried, Records};
use escale::record::{Outcome, TenantRecord};
use escale::rollout::{self, Phase};
use escale::sim::{Behaviour, Fault, Rule};

use crate::project::Project;
use crate::scene::{Release, Scene, in_virtual_time, left_out, outcome};

const ENVIRONMENT: &str = "two-sites";
const SERVICES: [&str; 4] = ["accounts", "catalogue", "front", "search"];

/// The two sites, and releases of single services.
struct Sites {
    scene: Scene,
    tags: BTreeMap<String, String>,
    releases: usize,
}

impl Sites {
    fn new() -> Self {
        let files = Project::production().files();
        Self {
            scene: Scene::of(0, ["nord", "sud", "tools"], "tools", files),
            tags: SERVICES
                .map(|name| (name.to_owned(), "1".to_owned()))
                .into(),
            releases: 0,
        }
    }

    /// The next release: these services have a new tag.
    fn release(&mut self, changed: &[(&str, &str)]) -> Release {
        let changed = changed.iter();
        self.tags
            .extend(changed.map(|(name, tag)| ((*name).to_owned(), (*tag).to_owned())));
        let lines = self
            .tags
            .iter()
            .map(|(name, tag)| format!("  {name}: registry.example.com/product/{name}:{tag}\n"));
        let text = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: two-sites}}\nspec:\n{}",
            lines.collect::<String>()
        );
        let path = "environments/two-sites/versions.yaml".to_owned();
        self.scene.files.insert(path, text);
        self.releases += 1;
        Release::of(
            &format!("{:04}", self.releases),
            &self.scene.files,
            ENVIRONMENT,
        )
    }

    async fn roll_out(&mut self, changed: &[(&str, &str)]) -> Carried {
        let release = self.release(changed);
        let carried = self.scene.roll_out(&release).await;
        self.scene.pass(5).await;
        carried
    }

    /// The tags that run, as `SERVICE-SITE: TAG`, of the services that are asked for.
    fn running(&self, services: &[&str]) -> Vec<String> {
        let mut running = Vec::new();
        for service in services {
            for site in ["nord", "sud"] {
                let all = self.scene.sims[site].objects("deployments.apps");
                let mut own = all
                    .iter()
                    .filter(|one| one["metadata"]["name"] == **service);
                let image = own.next().map_or("", |deployment| {
                    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
                    container["image"]
                        .as_str()
                        .unwrap()
                        .rsplit(':')
                        .next()
                        .unwrap()
                });
                running.push(format!("{service}-{site}: {image}"));
            }
        }
        running
    }

    /// Namespaces in which something of ours was written.
    fn touched(&self) -> BTreeSet<String> {
        let sites = ["nord", "sud"].map(|site| (site, self.scene.sims[site].requests()));
        let all = sites.iter().flat_map(|(site, log)| {
            let own = log
                .mutating()
                .filter(|request| request.manager.as_deref() == Some("escale"));
            let named = own.filter_map(|request| request.namespace.clone());
            named.map(move |namespace| format!("{namespace}-{site}"))
        });
        all.filter(|name| !name.starts_with("escale-system"))
            .collect()
    }

    async fn record(&self, tenant: &str) -> TenantRecord {
        let records = Records::read(&self.scene.clusters, ENVIRONMENT).await;
        let found = records.iter().find(|stored| stored.value.tenant == tenant);
        found.unwrap().value.clone()
    }

    /// How often the schema of a service was changed, and on which sites.
    async fn migrations(&self, service: &str) -> (u32, usize) {
        let record = self.record(&format!("{service}-nord")).await;
        let on_the_other_site = self.scene.sims["sud"].objects("jobs.batch").len();
        (record.hooks["migrate"].count, on_the_other_site)
    }
}

fn on_two_sites<F: Future<Output = ()>>(test: impl FnOnce(Sites) -> F) {
    in_virtual_time(async { test(Sites::new()).await });
}

fn phase(carried: &Carried, tenant: &str) -> Phase {
    let Carried::Ended(ended) = carried else {
        panic!("nothing was done")
    };
    ended.progress.tenants[tenant].phase.clone()
}

#[test]
fn the_environment_has_no_mistakes() {
    let ran = Project::production().escale(&["check", "-e", ENVIRONMENT]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            0,
            "two-sites: 8 tenants, 34 objects: no mistakes, no warnings\n"
        )
    );
}

#[test]
fn a_plan_says_which_hooks_run_and_a_diff_which_run_again() {
    let project = Project::production();
    project.commit();
    let escale = |arguments: &[&str]| project.escale(arguments).stdout;
    let plan = escale(&["plan", "-e", ENVIRONMENT, "--sim"]);
    let hooks: Vec<&str> = plan.lines().filter(|line| line.contains("runs")).collect();
    assert_eq!(hooks.len(), 2, "{plan}");
    assert!(hooks[0].trim().starts_with("accounts-nord"), "{plan}");
    assert!(hooks[0].ends_with("runs pre-rollout migrate"), "{plan}");

    project.edit(
        "environments/two-sites/versions.yaml",
        "accounts:4.12.0",
        "accounts:4.13.0",
    );
    let diff = escale(&["diff", "-e", ENVIRONMENT, "--against", "HEAD"]);
    assert!(
        diff.contains("in accounts-nord: run hook Job/migrate\n"),
        "{diff}"
    );
    project.edit(
        "templates/two-sites/migrate.yaml.j2",
        "values.site == values.master",
        "false",
    );
    let diff = escale(&["diff", "-e", ENVIRONMENT, "--against", "HEAD"]);
    assert!(
        diff.contains("in 2 tenants: NO MORE HOOK Job/migrate\n"),
        "{diff}"
    );
    assert!(
        diff.contains("a hook is no more: where it has not run yet"),
        "{diff}"
    );
}

#[test]
fn one_domain_on_two_sites_is_a_mistake_unless_both_serve_it_together() {
    let project = Project::production();
    project.edit(
        "environments/two-sites/tenants/front-sud.yaml",
        "  group: front\n",
        "",
    );
    let ran = project.escale(&["check", "-e", ENVIRONMENT]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("1 mistake"), "{}", ran.stderr);
}

#[test]
fn a_release_of_one_service_touches_its_two_tenants_and_nobody_else() {
    on_two_sites(|mut sites| async move {
        let carried = sites.roll_out(&[]).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        sites.scene.forget_requests();
        let carried = sites.roll_out(&[("search", "2")]).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(
            sites.touched(),
            ["search-nord", "search-sud"].map(str::to_owned).into()
        );
        assert_eq!(
            sites.running(&["search"]),
            ["search-nord: 2", "search-sud: 2"]
        );
        assert_eq!(sites.migrations("accounts").await, (1, 0));
    });
}

#[test]
fn a_migration_runs_once_on_the_master_before_either_site_gets_the_release() {
    on_two_sites(|mut sites| async move {
        sites.roll_out(&[]).await;
        let began = sites.scene.clock.now();
        sites.roll_out(&[("accounts", "2")]).await;
        assert_eq!(sites.migrations("accounts").await, (2, 0));
        assert_eq!(
            sites.running(&["accounts"]),
            ["accounts-nord: 2", "accounts-sud: 2"]
        );
        let migrated = sites.record("accounts-nord").await.hooks["migrate"].clone();
        let migrated = migrated.succeeded.unwrap().at;
        let (nord, sud) = (
            sites.record("accounts-nord").await,
            sites.record("accounts-sud").await,
        );
        assert!(began < migrated && migrated < nord.since && nord.since < sud.since);
        assert_eq!(sud.hooks, BTreeMap::new());
    });
}

#[test]
fn a_migration_that_fails_changes_neither_site() {
    on_two_sites(|mut sites| async move {
        sites.roll_out(&[]).await;
        sites.scene.sims["nord"].tell(Fault::Behaviour(Rule {
            image: Some("accounts:2".to_owned()),
            namespace: None,
            behaviour: Behaviour::Exit {
                code: 1,
                after: Duration::from_secs(2),
            },
        }));
        sites.scene.forget_requests();
        let carried = sites.roll_out(&[("accounts", "2")]).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(
            sites.running(&["accounts"]),
            ["accounts-nord: 1", "accounts-sud: 1"]
        );
        assert_eq!(
            sites.touched(),
            ["accounts-nord".to_owned()].into(),
            "its Job alone"
        );
        assert_eq!(
            sites.record("accounts-nord").await.state,
            Outcome::RolledBack
        );
    });
}

#[test]
fn if_the_other_site_is_down_the_master_goes_on_and_it_catches_up_by_one_jump() {
    on_two_sites(|mut sites| async move {
        sites.roll_out(&[]).await;
        sites.scene.lose("sud");
        for tag in ["2", "3"] {
            let carried = sites.roll_out(&[("accounts", tag), ("front", tag)]).await;
            assert_eq!(
                outcome(&carried),
                Some(rollout::Outcome::SucceededWithExceptions)
            );
            assert!(left_out(&carried)[0].starts_with("accounts-sud: cluster unreachable"));
        }
        assert_eq!(
            sites.running(&["accounts", "front"]),
            [
                "accounts-nord: 3",
                "accounts-sud: 1",
                "front-nord: 3",
                "front-sud: 1"
            ]
        );
        sites.scene.find("sud");
        let carried = sites.roll_out(&[]).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(
            sites.running(&["accounts", "front"]),
            [
                "accounts-nord: 3",
                "accounts-sud: 3",
                "front-nord: 3",
                "front-sud: 3"
            ]
        );
        assert_eq!(sites.migrations("accounts").await, (3, 0));
    });
}

#[test]
fn if_the_master_is_down_only_what_it_owns_waits_and_its_migration_runs_when_it_is_back() {
    on_two_sites(|mut sites| async move {
        sites.roll_out(&[]).await;
        sites.scene.lose("nord");
        for tag in ["2", "3"] {
            let all = SERVICES.map(|service| (service, tag));
            let carried = sites.roll_out(&all).await;
            assert_eq!(
                outcome(&carried),
                Some(rollout::Outcome::SucceededWithExceptions)
            );
            let waits = left_out(&carried);
            let accounts = waits.iter().find(|line| line.starts_with("accounts-sud"));
            let accounts = accounts.unwrap();
            assert!(
                accounts
                    .starts_with("accounts-sud: comes after `accounts-nord` (cluster unreachable"),
                "{accounts}"
            );
        }
        let newest = sites.release(&[]);
        let behind = sites.scene.behind(&newest).await;
        assert_eq!(
            behind.tenants,
            BTreeSet::new(),
            "no clock turns the order round"
        );
        let waiting: Vec<&String> = behind.waiting.keys().collect();
        assert_eq!(waiting, ["accounts-sud", "catalogue-sud"]);
        let sud = |sites: &Sites| -> Vec<String> {
            let running = sites.running(&SERVICES).into_iter();
            running.filter(|line| line.contains("-sud")).collect()
        };
        assert_eq!(
            sud(&sites),
            [
                "accounts-sud: 1",
                "catalogue-sud: 1",
                "front-sud: 3",
                "search-sud: 3"
            ]
        );
        sites.scene.find("nord");
        let carried = sites.roll_out(&[]).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert!(
            sites
                .running(&SERVICES)
                .iter()
                .all(|line| line.ends_with(": 3"))
        );
        assert_eq!(
            sites.migrations("accounts").await,
            (2, 0),
            "one jump, one migration"
        );
    });
}

#[test]
fn a_master_that_goes_away_in_the_middle_keeps_what_comes_after_it_from_starting() {
    on_two_sites(|mut sites| async move {
        sites.roll_out(&[]).await;
        let release = sites.release(&[("accounts", "2"), ("front", "2"), ("search", "2")]);
        let (carried, ()) = tokio::join!(sites.scene.roll_out(&release), async {
            // The migration of accounts is under way, or just over.
            let is_begun = || !sites.scene.sims["nord"].objects("jobs.batch").is_empty();
            let count = || sites.scene.sims["nord"].objects("jobs.batch").len();
            let before = count();
            while is_begun() && count() == before {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            sites.scene.lose("nord");
        });
        assert_eq!(sites.running(&["accounts"])[1], "accounts-sud: 1");
        let sud = phase(&carried, "accounts-sud");
        assert!(!matches!(sud, Phase::Succeeded { .. }), "{sud:?}");
        sites.scene.find("nord");
        sites.scene.pass(5).await;
        let carried = sites.roll_out(&[("front", "3")]).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::Succeeded),
            "{:?}",
            left_out(&carried)
        );
        assert_eq!(
            sites.running(&["accounts"]),
            ["accounts-nord: 2", "accounts-sud: 2"]
        );
        assert_eq!(
            sites.migrations("accounts").await,
            (2, 0),
            "it never ran twice"
        );
    });
}
