//! TARGET arguments of commands that act on records: found with a fleet's files, or without any.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::anywhere::Anywhere;
use crate::cli::source::{SourceArgs, environment, sharing_notes, tree};
use crate::cli::stage::{Stage, StageArgs};
use crate::cli::ui::Ui;
use crate::cli::{Common, secrets};
use crate::cluster;
use crate::engine;
use crate::error::UserError;
use crate::fleet::config::{Announce, TenantStrategy};
use crate::fleet::{Fleet, Selection, Tenant, is_pattern, load};
use crate::record::{Keep, Stored, TenantRecord};
use crate::rollout::few_of;
use crate::secret::Secrets;

/// Which tenants, by their records.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub stage: StageArgs,
    /// Tenants, patterns (`'vault-*'`), platforms, domains or `client=NAME`
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Look on this context of the kubeconfig, without any fleet files; repeat it for several
    #[arg(long, value_name = "NAME")]
    pub context: Vec<String>,
}

/// So many are named.
const FEW: usize = 5;

/// Tenants that were found, and where they are.
pub struct Found {
    pub stage: Stage,
    pub tenants: Vec<Stored<TenantRecord>>,
    /// Those that only a pattern names: one of them that cannot be acted on is left out, and told.
    pub by_pattern: BTreeSet<String>,
    pub keep: Keep,
    /// Where values of Secrets come from.
    pub secrets: Secrets,
    /// Who is told of it; nobody without fleet files.
    pub announce: BTreeMap<String, Announce>,
    /// As the strategy says that a rollout takes without being told; the built-in one without fleet files.
    pub tenant: TenantStrategy,
}

impl TargetArgs {
    /// Finds the records of what was named. Without fleet files, every context of the kubeconfig
    /// is looked through, and only names of tenants are understood.
    pub async fn find(&self, common: &Common, ui: &Ui) -> anyhow::Result<Found> {
        match self.fleet(common)? {
            Some(fleet) => self.find_in_fleet(common, ui, &fleet).await,
            None => self.find_anywhere(common, ui).await,
        }
    }

    /// The fleet, if this folder has one. A mistake somewhere in it must not stop a rollback.
    pub fn fleet(&self, common: &Common) -> anyhow::Result<Option<Fleet>> {
        let Some(tree) = tree(common, self.source.revision.as_deref())
            .ok()
            .filter(|_| self.context.is_empty())
        else {
            return Ok(None);
        };
        let is_meant = self.source.environment.is_some() && !tree.files.is_empty();
        match environment(&tree, self.source.environment.as_deref()) {
            Ok(name) => Ok(load(&tree.files, &name).ok()),
            // Simulated clusters are those of an environment, too.
            Err(error) if is_meant || self.stage.sim => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn find_in_fleet(
        &self,
        common: &Common,
        ui: &Ui,
        fleet: &Fleet,
    ) -> anyhow::Result<Found> {
        let selection = Selection {
            targets: self.targets.clone(),
            ..Selection::default()
        };
        let named = fleet.select(&selection)?;
        for note in sharing_notes(fleet, &selection) {
            ui.say(note);
        }
        let by_pattern = self.by_pattern(fleet)?;
        let stage = self.stage.open(common, fleet).await?;
        let mut tenants = Vec::new();
        let mut missing = Vec::new();
        for tenant in named {
            let cluster = stage.clusters.get(&tenant.cluster)?;
            let record = engine::store::tenant(&cluster.reader(), &tenant.namespace).await;
            match record.map_err(|trouble| trouble.advise(cluster.name()))? {
                Some(record) => tenants.push(record),
                None if by_pattern.contains(&tenant.name) => missing.push(tenant.name.clone()),
                None => return Err(never_rolled_out(tenant).into()),
            }
        }
        if tenants.is_empty() {
            return Err(
                UserError::new(format!("never rolled out: {}", few_of(&missing, FEW))).into(),
            );
        }
        if !missing.is_empty() {
            ui.say(format!(
                "left out, never rolled out: {}",
                few_of(&missing, FEW)
            ));
        }
        Ok(Found {
            stage,
            tenants,
            by_pattern,
            keep: engine::keep(fleet),
            secrets: secrets::of(common, &self.stage, Some(fleet)),
            announce: fleet.environment.spec.announce.clone(),
            tenant: fleet.tenant_strategy(),
        })
    }

    async fn find_anywhere(&self, common: &Common, ui: &Ui) -> anyhow::Result<Found> {
        let contexts = match self.context.as_slice() {
            [] => cluster::contexts(&self.stage.connection())?,
            named => named.to_vec(),
        };
        let stage = self.stage.open_contexts(&contexts).await;
        let environment = self.source.environment.as_deref();
        let anywhere = Anywhere::read(&stage, environment, ui).await;
        let (tenants, clusters) = anywhere.named(&self.targets)?;
        Ok(Found {
            by_pattern: self.names_by_pattern(&tenants),
            stage: stage.with(clusters),
            tenants,
            keep: Keep::default(),
            secrets: secrets::of(common, &self.stage, None),
            announce: BTreeMap::new(),
            tenant: TenantStrategy::default(),
        })
    }

    /// Tenants that none of the targets names by itself.
    fn by_pattern(&self, fleet: &Fleet) -> Result<BTreeSet<String>, UserError> {
        let (patterns, names): (Vec<String>, Vec<String>) = self
            .targets
            .iter()
            .cloned()
            .partition(|target| is_pattern(target));
        let select = |targets: Vec<String>| {
            if targets.is_empty() {
                return Ok(BTreeSet::new());
            }
            let selection = Selection {
                targets,
                ..Selection::default()
            };
            let found = fleet.select(&selection)?;
            Ok(found.iter().map(|tenant| tenant.name.clone()).collect())
        };
        let (of_patterns, of_names): (BTreeSet<String>, BTreeSet<String>) =
            (select(patterns)?, select(names)?);
        Ok(of_patterns.difference(&of_names).cloned().collect())
    }

    /// The same without fleet files, where only names of tenants are understood.
    fn names_by_pattern(&self, found: &[Stored<TenantRecord>]) -> BTreeSet<String> {
        let names = found.iter().map(|stored| &stored.value.tenant);
        let others = names.filter(|name| !self.targets.contains(name));
        others.cloned().collect()
    }
}

fn never_rolled_out(tenant: &Tenant) -> UserError {
    UserError::new(format!(
        "namespace `{}` on `{}` was never rolled out: it has no record",
        tenant.namespace, tenant.cluster
    ))
}
