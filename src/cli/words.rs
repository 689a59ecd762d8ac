//! What people say to a rollout: `pause`, `resume`, `abort`; and `clear` for a quarantined release.

use jiff::Timestamp;

use crate::cli::Common;
use crate::cli::source::{Source, SourceArgs};
use crate::cli::stage::{Stage, StageArgs};
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::engine::{self, Who, store};
use crate::error::{Exit, UserError};
use crate::record::{RolloutRecord, Scope, Verb, Word};
use crate::rollout::Conducted;

/// Something to say to the rollout that is open.
#[derive(Debug, clap::Args)]
pub struct Say {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stage: StageArgs,
    #[command(flatten)]
    who: WhoArgs,
}

/// Let a release that was quarantined go forward again.
#[derive(Debug, clap::Args)]
pub struct Clear {
    /// The commit, or the beginning of it
    #[arg(value_name = "COMMIT")]
    release: String,
    #[command(flatten)]
    word: Say,
}

impl Clear {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.word.source)?;
        self.word.stage.run(async {
            let stage = self.word.stage.open(common, &source.fleet).await?;
            let environment = &source.fleet.environment.name;
            let survey = engine::survey(&stage.clusters, environment, stage.clock.now()).await?;
            let release = self.quarantined(&survey.quarantined_releases)?;
            let who = self.word.who.who("said by hand");
            let clear = (Verb::Clear, Scope::Release(release.clone()));
            say(&stage, environment, who, clear, None).await?;
            ui.say(format!("release {release} may go forward again"));
            stage.close()?;
            Ok(Exit::Done)
        })
    }

    fn quarantined(&self, releases: &[String]) -> Result<String, UserError> {
        let found = releases
            .iter()
            .find(|release| release.starts_with(&self.release));
        found.cloned().ok_or_else(|| {
            let error = UserError::new(format!("release `{}` is not in quarantine", self.release));
            if releases.is_empty() {
                error.hint("no release is")
            } else {
                error.hint(format!("in quarantine: {}", releases.join(", ")))
            }
        })
    }
}

impl Say {
    pub fn run(&self, common: &Common, ui: &Ui, verb: Verb) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.source)?;
        self.stage.run(async {
            let stage = self.stage.open(common, &source.fleet).await?;
            let environment = &source.fleet.environment.name;
            let rollouts = engine::rollouts(&stage.clusters, environment).await?;
            let open = rollouts.iter().find(|rollout| rollout.state.is_open());
            let open = open
                .ok_or_else(|| UserError::new(format!("no rollout of `{environment}` is open")))?;
            let who = self.who.who("said by hand");
            let scope = Scope::Rollout(open.id.clone());
            say(&stage, environment, who, (verb, scope), None).await?;
            let conducted = engine::conducted(&stage.clusters, environment, stage.clock).await;
            ui.say(acknowledged(verb, open, &conducted));
            stage.close()?;
            Ok(Exit::Done)
        })
    }
}

/// Says a word to the hub, for everybody to hear.
pub async fn say(
    stage: &Stage,
    environment: &str,
    who: Who,
    (verb, scope): (Verb, Scope),
    expires: Option<Timestamp>,
) -> anyhow::Result<()> {
    let word = Word {
        verb,
        environment: environment.to_owned(),
        scope,
        author: who.name,
        reason: who.why,
        at: stage.clock.now(),
        expires,
    };
    let hub = stage.clusters.hub()?;
    store::say(&hub.writer(), &word)
        .await
        .map_err(|error| error.advise(hub.name()))?;
    Ok(())
}

/// What will happen, and when: nobody may be there to act on it.
pub fn acknowledged(
    verb: Verb,
    rollout: &RolloutRecord,
    conducted: &Result<Conducted, UserError>,
) -> String {
    let what = format!("{}: said to rollout {}", verb.as_str(), rollout.id);
    match conducted {
        Ok(Conducted::By(conductor)) => format!("{what}; {conductor} acts on it within seconds"),
        Ok(Conducted::Nobody { .. }) => format!(
            "{what}; nobody conducts it now: the next `escale rollout --continue` acts on it"
        ),
        Err(why) => {
            format!("{what}; whether anybody conducts it now could not be found out: {why}")
        }
    }
}
