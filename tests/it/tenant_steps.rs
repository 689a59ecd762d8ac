//! One tenant of the production fleet: planned, applied and looked at again on a simulated cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escale::apply::{
    ApplyStep, Done, LiveObjects, OnSecrets, Owner, SkipReason, Step, TenantSteps, Wanted, Why,
    final_inventory, plan_tenant, written,
};
use escale::cluster::{Apply, Cluster, HAND_OVER_MANAGER, Limits};
use escale::engine::Clock;
use escale::fleet;
use escale::manifest::Bundle;
use escale::record::{Inventory, Outcome, TenantRecord};
use escale::render::Renderer;
use escale::sim::{Options, SimCluster};

use crate::project::Project;

/// The bundle of one tenant, `versions.yaml` edited first.
fn bundle(tenant: &str, edit: Option<(&str, &str)>) -> Bundle {
    let project = Project::production();
    if let Some((from, to)) = edit {
        project.edit("environments/production/versions.yaml", from, to);
    }
    let files = project.files();
    let fleet = fleet::load(&files, "production").expect("a fleet without mistakes");
    let renderer = Renderer::new(&files, BTreeMap::new()).expect("templates without mistakes");
    let wanted = fleet.tenants.iter().find(|found| found.name == tenant);
    let bundle = renderer.render_tenant(&fleet, wanted.expect("the tenant"));
    bundle.expect("rendered")
}

struct Bench {
    cluster: Cluster,
    owner: Owner,
    record: TenantRecord,
}

impl Bench {
    fn new(tenant: &str, namespace: &str) -> Self {
        let clock = Clock::starting_at("2026-11-22T01:00:00Z".parse().unwrap());
        let sim = SimCluster::new(Options {
            name: "c".to_owned(),
            seed: 1,
            clock: Arc::new(move || clock.now()),
            nodes: 3,
        });
        let cluster = Cluster::from_client("c", sim.client(), Limits::default());
        let owner = Owner {
            environment: "production".to_owned(),
            tenant: tenant.to_owned(),
            namespace: namespace.to_owned(),
        };
        let record = TenantRecord {
            environment: "production".to_owned(),
            tenant: tenant.to_owned(),
            cluster: "c".to_owned(),
            namespace: namespace.to_owned(),
            class: "vault".to_owned(),
            state: Outcome::NotAttempted,
            digest: None,
            release: None,
            rollout: None,
            since: clock.now(),
            good_from: None,
            hold: None,
            goods: Vec::new(),
            epoch: 0,
            claim: None,
            inventory: Inventory::default(),
            hooks: BTreeMap::new(),
            history: Vec::new(),
        };
        Self {
            cluster,
            owner,
            record,
        }
    }

    async fn plan(&self, bundle: &Bundle) -> TenantSteps {
        let mut live = LiveObjects::new();
        for manifest in bundle.manifests() {
            let found = self.cluster.reader().get(manifest.object()).await.unwrap();
            live.extend(found.map(|found| (manifest.object().clone(), found)));
        }
        let wanted = Wanted {
            bundle,
            owner: &self.owner,
            epoch: self.record.epoch + 1,
            secrets: OnSecrets::Apply,
        };
        plan_tenant(&wanted, Some(&self.record), &live).unwrap()
    }

    async fn carry_out(&mut self, steps: &TenantSteps) {
        let mut done = Vec::new();
        for step in &steps.steps {
            let outcome = match step {
                Step::Apply(step) => self.apply(step).await,
                Step::Skip { .. } => Done::Skipped,
                other => panic!("{other:?}"),
            };
            done.push((step.object().clone(), outcome));
        }
        self.record.inventory = final_inventory(&self.record.inventory, &done);
        self.record.epoch += 1;
    }

    async fn apply(&self, step: &ApplyStep) -> Done {
        let writer = self.cluster.writer();
        let mut apply = Apply {
            force: step.force,
            uid: step.uid.clone(),
            resource_version: step.resource_version.clone(),
            ..Apply::default()
        };
        if let Some(hand_over) = &step.hand_over {
            let giver = Apply {
                manager: HAND_OVER_MANAGER,
                force: true,
                ..apply.clone()
            };
            let live = writer.apply(hand_over, &giver).await.unwrap();
            apply.resource_version = Some(live.resource_version().to_owned());
        }
        let live = writer.apply(&step.manifest, &apply).await.unwrap();
        Done::Applied(written(&live, &step.digest))
    }
}

fn on_a_paused_clock(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

fn changed(steps: &TenantSteps) -> Vec<(String, Why, bool)> {
    let applied = steps.steps.iter().filter_map(|step| match step {
        Step::Apply(step) => Some((step.object.to_string(), step.why, step.restarts)),
        Step::Skip { .. } => None,
        other => panic!("{other:?}"),
    });
    applied.collect()
}

fn skipped(steps: &TenantSteps, because: SkipReason) -> BTreeSet<String> {
    let objects = steps.steps.iter().filter_map(|step| match step {
        Step::Skip { object, why, .. } => (*why == because).then(|| object.to_string()),
        _ => None,
    });
    objects.collect()
}

#[test]
fn what_was_applied_is_as_recorded_even_after_the_controllers_did_their_work() {
    on_a_paused_clock(async {
        let bundle = bundle("vault-ferrand", None);
        let mut bench = Bench::new("vault-ferrand", "jp-vault-ferrand");
        let first = bench.plan(&bundle).await;
        assert!(changed(&first).iter().all(|(_, why, _)| *why == Why::New));
        bench.carry_out(&first).await;
        tokio::time::sleep(std::time::Duration::from_mins(5)).await;
        let second = bench.plan(&bundle).await;
        // Status moves the resourceVersion of what counts no generations; the autoscaler scales.
        let looked_at = [
            "Deployment/web",
            "HorizontalPodAutoscaler/web",
            "ResourceQuota/tenant",
        ];
        let looked_at = BTreeSet::from(looked_at.map(str::to_owned));
        assert_eq!(skipped(&second, SkipReason::NothingToChange), looked_at);
        assert_eq!(changed(&second), []);
        assert!(second.is_unchanged());
    });
}

#[test]
fn without_a_record_the_local_test_finds_nothing_to_change() {
    on_a_paused_clock(async {
        let bundle = bundle("vault-ferrand", None);
        let mut bench = Bench::new("vault-ferrand", "jp-vault-ferrand");
        let first = bench.plan(&bundle).await;
        bench.carry_out(&first).await;
        tokio::time::sleep(std::time::Duration::from_mins(5)).await;
        bench.record.inventory = Inventory::default();
        let again = bench.plan(&bundle).await;
        // Also of claim templates, one list as a whole into which the server fills defaults.
        assert_eq!(changed(&again), []);
    });
}

#[test]
fn a_new_image_changes_one_workload_and_restarts_it() {
    on_a_paused_clock(async {
        let mut bench = Bench::new("vault-ferrand", "jp-vault-ferrand");
        let first = bench.plan(&bundle("vault-ferrand", None)).await;
        bench.carry_out(&first).await;
        tokio::time::sleep(std::time::Duration::from_mins(5)).await;
        let newer = bundle("vault-ferrand", Some(("redis:8.2.3", "redis:8.2.4")));
        let second = bench.plan(&newer).await;
        let expected = [("Deployment/redis".to_owned(), Why::Changed, true)];
        assert_eq!(changed(&second), expected);
        bench.carry_out(&second).await;
        assert!(bench.plan(&newer).await.is_unchanged());
    });
}
