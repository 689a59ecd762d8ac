//! `escale adopt` and `escale leave`: take over what others installed, and let it go.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};

use crate::cli::audience::Readers;
use crate::cli::compared::own_names;
use crate::cli::events::{EventsArgs, Origin};
use crate::cli::rollout::{OrderArgs, Ready, Uncommitted, What};
use crate::cli::stage::Stage;
use crate::cli::targets::TargetArgs;
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::cli::who::WhoArgs;
use crate::cli::{Common, ending, secrets};
use crate::diff::{NamesByTenant, Report, text};
use crate::engine::{self, Adoption, Doer, Found, Heard, Look};
use crate::error::{Exit, UserError};
use crate::fleet::config::{Lifecycle, Updates};
use crate::fleet::{Fleet, Tenant};
use crate::record::{Stored, TenantRecord};

/// Take over tenants that kubectl, kustomize or Helm installed: their objects get marks and an owner, and nothing restarts.
///
/// What stands there becomes the bundle that the tenant runs, and may go back to. What the templates say otherwise is
/// shown, and changed by the next rollout, by waves. If that restarts pods or takes something away, `--accept` must name it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 adopted, or adopted already, 1 error, 4 not finished: run again, 6 adopted with exceptions, \
                        7 stopped: a person is needed."
)]
pub struct Adopt {
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    who: WhoArgs,
    /// Take objects over from Helm: its records of the release are deleted in the end, and `helm` knows it no more
    #[arg(long)]
    from_helm: bool,
    /// Agree to what the next rollout restarts or takes away, by the token that names it
    #[arg(long, value_name = "TOKEN")]
    accept: Option<String>,
    /// Only show what would come of it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    events: EventsArgs,
}

/// Let tenants go: our marks come off their objects and their record is deleted; nothing else is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 let go, 1 error.")]
pub struct Leave {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    who: WhoArgs,
}

/// So many tenants are looked at side by side: what is there of each is held in memory whole.
const AT_A_TIME: usize = 32;

/// What came of looking at all that were named.
#[derive(Default)]
struct Looked {
    found: Vec<Found>,
    adopted: Vec<String>,
    /// Nothing of them is there.
    nothing: Vec<String>,
    refused: Vec<(String, String)>,
}

impl Adopt {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let what = What {
            // What a record names must be found again in git.
            revision: self
                .order
                .source
                .revision
                .clone()
                .or_else(|| Some("HEAD".to_owned())),
            uncommitted: Uncommitted::Refused,
            rebuild: None,
        };
        let ready = self.order.prepare(common, ui, what)?;
        if ready.selected.is_none() {
            return Err(UserError::new("no tenant is named")
                .hint("name them, or `'*'` for all that are not adopted yet")
                .into());
        }
        self.order.stage.run(self.carry_out(common, ui, &ready))
    }

    async fn carry_out(&self, common: &Common, ui: &Ui, ready: &Ready) -> anyhow::Result<Exit> {
        let stage = self.order.stage.open(common, &ready.source.fleet).await?;
        let environment = &ready.source.fleet.environment.name;
        let survey = engine::survey(&stage.clusters, environment, stage.clock.now()).await?;
        let looked = self.look(&stage, ready, &survey.records).await;
        self.tell(ui, &ready.source.fleet, &looked);
        if let Some((_, why)) = looked.refused.first() {
            let hint = match looked.refused.len() {
                1 => "nothing was written; mend it, or leave that tenant out".to_owned(),
                many => format!(
                    "nothing was written; mend the {many} above, or leave those tenants out"
                ),
            };
            return Err(UserError::new(why.clone()).hint(hint).into());
        }
        if looked.found.is_empty() {
            ui.say("nothing to adopt");
            return Ok(Exit::Done);
        }
        self.ensure_consent(&looked.found)?;
        if self.dry_run {
            ui.say("a dry run: nothing was written");
            return Ok(Exit::Done);
        }
        let exit = self
            .adopt(
                common,
                ui,
                (&stage, ready),
                (looked, survey.records.into_tenants()),
            )
            .await?;
        stage.close()?;
        Ok(exit)
    }

    async fn look(&self, stage: &Stage, ready: &Ready, records: &engine::Records) -> Looked {
        let fleet = &ready.source.fleet;
        let selected = ready.selected.as_ref();
        let is_named = |tenant: &&Tenant| {
            let is_selected = selected.is_some_and(|selected| selected.contains(&tenant.name));
            is_selected && tenant.lifecycle == Lifecycle::Active
        };
        let looks = fleet.tenants.iter().filter(is_named).map(|tenant| async {
            let sides = (&ready.bundles, records);
            (
                tenant.name.clone(),
                engine::look(&stage.clusters, tenant, sides, self.from_helm).await,
            )
        });
        let mut looks = stream::iter(looks).buffered(AT_A_TIME);
        let mut looked = Looked::default();
        while let Some((tenant, look)) = looks.next().await {
            match look {
                Look::Found(found) => looked.found.push(*found),
                Look::Adopted => looked.adopted.push(tenant),
                Look::Nothing => looked.nothing.push(tenant),
                Look::Refused(why) => looked
                    .refused
                    .push((tenant.clone(), format!("{tenant}: {why}"))),
            }
        }
        looked
    }

    fn tell(&self, ui: &Ui, fleet: &Fleet, looked: &Looked) {
        for (_, why) in looked.refused.iter().skip(1) {
            ui.say(why);
        }
        if !looked.adopted.is_empty() {
            ui.say(format!("adopted already: {}", few(&looked.adopted)));
        }
        if !looked.nothing.is_empty() {
            ui.say(format!(
                "nothing there to adopt, a rollout installs it: {}",
                few(&looked.nothing)
            ));
        }
        let as_wanted = looked.found.iter().filter(|found| found.is_as_wanted);
        let as_wanted: Vec<String> = as_wanted.map(|found| found.place.tenant.clone()).collect();
        if !as_wanted.is_empty() {
            ui.say(format!("just as the templates say: {}", few(&as_wanted)));
        }
        tell_changes(ui, fleet, &looked.found);
        for found in looked.found.iter().filter(|found| !found.stays.is_empty()) {
            let stays: Vec<String> = found.stays.iter().map(ToString::to_string).collect();
            ui.say(format!(
                "{}: no template has {}: it stays, and belongs to nobody",
                found.place.tenant,
                few(&stays)
            ));
        }
    }

    fn ensure_consent(&self, found: &[Found]) -> Result<(), UserError> {
        let asking: Vec<String> = found
            .iter()
            .filter(|found| found.needs_consent())
            .map(|found| found.place.tenant.clone())
            .collect();
        let token = engine::consent_token(found.iter());
        if asking.is_empty() || self.accept.as_ref() == Some(&token) {
            return Ok(());
        }
        let what = "the next rollout restarts pods or takes something away in";
        let error = match &self.accept {
            Some(accepted) => UserError::new(format!(
                "`--accept {accepted}` names another plan: {what} {}",
                few(&asking)
            )),
            None => UserError::new(format!("{what} {}", few(&asking))),
        };
        Err(error
            .hint(
                "write into the templates or values what stands there now, and it changes nothing",
            )
            .hint(format!(
                "or agree to it: `--accept {token}`; adopting itself restarts nothing"
            )))
    }

    async fn adopt(
        &self,
        common: &Common,
        ui: &Ui,
        (stage, ready): (&Stage, &Ready),
        (looked, records): (Looked, BTreeMap<String, Stored<TenantRecord>>),
    ) -> anyhow::Result<Exit> {
        let fleet = &ready.source.fleet;
        let adoption = Adoption {
            found: looked.found,
            environment: fleet.environment.name.clone(),
            release: ready.release.clone(),
            who: self.who.who("taken over"),
            strategy: ready.strategy.clone(),
            keep: engine::keep(fleet),
            records,
            ends_helm: self.from_helm,
        };
        let log = self.events.open(ui, Origin::of_adoption(&adoption))?;
        let mut readers = Readers::new(ui, stage, log);
        let mut hear = |heard: Heard<'_>| readers.hear(&heard);
        let secrets = secrets::of(common, &self.order.stage, Some(fleet));
        let world = stage.world(secrets, &mut hear);
        let ended = engine::adopt(adoption, world).await?;
        Ok(ending::ended(ui, &ended))
    }
}

impl Leave {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        self.targets.stage.run(async {
            let found = self.targets.find(common, ui).await?;
            if let Some(fleet) = self.targets.fleet(common)? {
                refuse_who_comes_back(&fleet, &found.tenants)?;
            }
            let who = self.who.who("let go by hand");
            for tenant in found.tenants {
                let record = &tenant.value;
                let cluster = found.stage.clusters.get(&record.cluster)?;
                let (name, environment) = (record.tenant.clone(), record.environment.clone());
                let doer = Doer {
                    who: &who,
                    environment: &environment,
                    keep: found.keep,
                    secrets: found.secrets.clone(),
                    clock: found.stage.clock,
                };
                let objects = engine::leave(cluster, &doer, tenant).await?;
                ui.say(format!(
                    "{name} is let go: {} without our marks, nothing else changed",
                    counted(objects, "object")
                ));
            }
            found.stage.close()?;
            Ok(Exit::Done)
        })
    }
}

/// What is kept as it stands, and what becomes of it.
fn tell_changes(ui: &Ui, fleet: &Fleet, found: &[Found]) {
    let changes: Vec<_> = found
        .iter()
        .flat_map(|found| found.changes.clone())
        .collect();
    if changes.is_empty() {
        return;
    }
    ui.say("kept as it stands now, and changed by the next rollout:");
    let tenants = found
        .iter()
        .filter_map(|found| fleet.tenant(&found.place.tenant));
    let names: NamesByTenant = tenants.map(own_names).collect();
    let mut report = Report::new(changes, &names);
    report.tenants = found.len();
    ui.data(&text(&report, ui.width()));
}

/// The next rollout would take over again whoever is still in the fleet.
fn refuse_who_comes_back(fleet: &Fleet, tenants: &[Stored<TenantRecord>]) -> Result<(), UserError> {
    let comes_back = |record: &&Stored<TenantRecord>| {
        let tenant = fleet.tenant(&record.value.tenant);
        tenant.is_some_and(|tenant| {
            tenant.lifecycle == Lifecycle::Active && tenant.updates == Updates::Automatic
        })
    };
    match tenants.iter().find(comes_back) {
        None => Ok(()),
        Some(stored) => Err(UserError::new(format!(
            "the next rollout would take `{}` over again",
            stored.value.tenant
        ))
        .hint("write `updates: onRequest` into its file, or delete the file and name the tenant with `--context`")),
    }
}

/// Names as long as they are few.
fn few(names: &[String]) -> String {
    const NAMED: usize = 5;
    crate::rollout::few_of(names, NAMED)
}
