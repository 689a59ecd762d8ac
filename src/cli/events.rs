//! The event log: what happens in a rollout, one line of JSON each, for people and reports. Never read by the engine.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::ui::Ui;
use crate::engine::{Adoption, Beginning, Heard, Order, RollbackOrder, Who};
use crate::error::UserError;
use crate::fleet::config::API_VERSION;
use crate::rollout::{Phase, Role, Wait, Whom};

const KIND: &str = "RolloutEvents";

/// Where to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EventsArgs {
    /// Append what happens to this file, one line of JSON each
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// What was asked for, and on whose word.
#[derive(Clone, Debug)]
pub struct Origin {
    pub environment: String,
    pub release: Option<String>,
    pub strategy: String,
    pub who: Who,
}

/// A log that is open for writing.
pub struct EventLog<'a> {
    lines: Lines<'a>,
    origin: Origin,
    is_begun: bool,
    waits: Option<WaitsLine>,
}

/// The file, written line by line.
struct Lines<'a> {
    ui: &'a Ui,
    path: PathBuf,
    /// `None` once a line could not be written: a full disk stops no rollout.
    file: Option<File>,
}

impl Origin {
    pub fn of(order: &Order<'_>) -> Self {
        Self {
            environment: order.fleet.environment.name.clone(),
            release: Some(order.release.clone()),
            strategy: order.strategy.name.clone(),
            who: order.who.clone(),
        }
    }

    /// Its bundles may come from many releases.
    pub fn of_rollback(order: &RollbackOrder) -> Self {
        let first = order.returns.first().map(|back| &back.stored.value);
        Self {
            environment: first.map_or_else(String::new, |record| record.environment.clone()),
            release: None,
            strategy: "rollback".to_owned(),
            who: order.who.clone(),
        }
    }

    pub fn of_adoption(adoption: &Adoption) -> Self {
        Self {
            environment: adoption.environment.clone(),
            release: Some(adoption.release.clone()),
            strategy: adoption.strategy.name.clone(),
            who: adoption.who.clone(),
        }
    }
}

impl EventsArgs {
    /// Opens the log, if one is asked for.
    pub fn open<'a>(&self, ui: &'a Ui, origin: Origin) -> Result<Option<EventLog<'a>>, UserError> {
        let path = self.events.as_deref();
        path.map(|path| EventLog::open(path, ui, origin))
            .transpose()
    }
}

impl<'a> EventLog<'a> {
    /// Goes on where the file ends; below a line that a killed process left unfinished.
    pub fn open(path: &Path, ui: &'a Ui, origin: Origin) -> Result<Self, UserError> {
        let file = appending(path).map_err(|error| {
            let path = path.display();
            UserError::new(format!("could not open the event log `{path}`: {error}"))
                .hint("its folder must be there, and yours to write to")
        })?;
        let lines = Lines {
            ui,
            path: path.to_owned(),
            file: Some(file),
        };
        Ok(Self {
            lines,
            origin,
            is_begun: false,
            waits: None,
        })
    }

    /// Writes down what there is to hear.
    pub fn hear(&mut self, heard: &Heard<'_>) {
        match heard {
            Heard::Begins(beginning) => {
                self.is_begun = true;
                self.waits = None;
                self.lines.write(&BeginsLine::new(&self.origin, beginning));
            }
            Heard::Event { event, .. } => self.lines.write(event),
            Heard::Waits { wait, now } => self.waits(wait, *now),
        }
    }

    /// What is waited for is heard again and again, and written when it changes.
    fn waits(&mut self, wait: &Wait, now: Timestamp) {
        if !self.is_begun {
            self.is_begun = true;
            self.lines.write(&BeginsLine::queued(&self.origin, now));
        }
        let line = WaitsLine::new(wait, now);
        let is_known = |last: &WaitsLine| {
            WaitsLine {
                at: now,
                ..last.clone()
            } == line
        };
        if !self.waits.as_ref().is_some_and(is_known) {
            self.lines.write(&line);
            self.waits = Some(line);
        }
    }
}

impl Lines<'_> {
    fn write(&mut self, line: &impl Serialize) {
        let Some(file) = &mut self.file else { return };
        let mut json = serde_json::to_vec(line).expect("a line is plain JSON");
        json.push(b'\n');
        // One write, and nothing kept back: a kill tears at most this line.
        if let Err(error) = file.write_all(&json) {
            let path = self.path.display();
            self.ui.say(format!(
                "the event log ends here: could not write to `{path}`: {error}"
            ));
            self.file = None;
        }
    }
}

fn appending(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if 0 < file.seek(SeekFrom::End(0))? {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

// --- Lines ---

/// The line that says which rollout the lines after it are about.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BeginsLine<'a> {
    at: Timestamp,
    event: Opening,
    api_version: &'a str,
    kind: &'a str,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    strategy: &'a str,
    /// Why what changes picked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_why: Option<&'a str>,
    by: &'a str,
    why: &'a str,
    /// The process: whatever has no author of its own below was done by it.
    conductor: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<WaveLine<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    excluded: BTreeMap<&'a str, String>,
    /// Where tenants are that somebody has moved before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    found: BTreeMap<&'a str, &'static str>,
    /// What somebody should know, and counts for nothing.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Opening {
    /// It has not had its turn.
    Queued,
    Begins,
    GoesOn,
}

#[derive(Serialize)]
struct WaveLine<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Their clusters.
    tenants: BTreeMap<&'a str, &'a str>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitsLine {
    at: Timestamp,
    event: &'static str,
    /// The first few.
    on: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    whom: &'static str,
}

impl<'a> BeginsLine<'a> {
    fn new(origin: &'a Origin, beginning: &Beginning<'a>) -> Self {
        let found = found(beginning);
        let line = Self {
            waves: waves(beginning),
            excluded: excluded(beginning),
            strategy: &beginning.frozen.strategy.name,
            strategy_why: beginning.frozen.strategy.chosen.as_deref(),
            event: if found.is_empty() {
                Opening::Begins
            } else {
                Opening::GoesOn
            },
            found,
            warnings: beginning.warnings,
            ..Self::queued(origin, beginning.at)
        };
        match beginning.rollout {
            // It may be another one than was asked for: what was left off goes first.
            Some(rollout) => Self {
                rollout: Some(&rollout.id),
                release: rollout.release.as_deref(),
                by: &rollout.by,
                why: &rollout.why,
                ..line
            },
            None => line,
        }
    }

    fn queued(origin: &'a Origin, at: Timestamp) -> Self {
        Self {
            at,
            event: Opening::Queued,
            api_version: API_VERSION,
            kind: KIND,
            environment: &origin.environment,
            rollout: None,
            release: origin.release.as_deref(),
            strategy: &origin.strategy,
            strategy_why: None,
            by: &origin.who.name,
            why: &origin.who.why,
            conductor: &origin.who.holder,
            waves: Vec::new(),
            excluded: BTreeMap::new(),
            found: BTreeMap::new(),
            warnings: &[],
        }
    }
}

fn waves<'a>(beginning: &Beginning<'a>) -> Vec<WaveLine<'a>> {
    let waves = beginning.frozen.plan.waves.iter();
    let waves = waves.map(|wave| WaveLine {
        name: &wave.name,
        role: (wave.role == Role::Canary).then_some("canary"),
        tenants: wave
            .tenants
            .iter()
            .map(|planned| {
                (
                    planned.place.tenant.as_str(),
                    planned.place.cluster.as_str(),
                )
            })
            .collect(),
    });
    waves.collect()
}

fn excluded<'a>(beginning: &Beginning<'a>) -> BTreeMap<&'a str, String> {
    let excluded = beginning.frozen.plan.left_out();
    let excluded = excluded.map(|one| (one.tenant.as_str(), one.reason.words()));
    excluded.collect()
}

fn found<'a>(beginning: &Beginning<'a>) -> BTreeMap<&'a str, &'static str> {
    let tenants = beginning.progress.tenants.iter();
    let moved = tenants.filter(|(_, one)| one.phase != Phase::Pending);
    moved
        .map(|(tenant, one)| (tenant.as_str(), one.phase.as_str()))
        .collect()
}

impl WaitsLine {
    fn new(wait: &Wait, at: Timestamp) -> Self {
        /// Hundreds may be in flight, and whom they are is in the lines before.
        const FEW: usize = 3;
        Self {
            at,
            event: "waits",
            on: wait.on.iter().take(FEW).cloned().collect(),
            more: wait.on.len().saturating_sub(FEW),
            until: wait.until,
            whom: match wait.whom {
                Whom::Tenants => "tenants",
                Whom::Gate => "gate",
                Whom::Person { failed: false } => "person",
                Whom::Person { failed: true } => "personAfterFailure",
            },
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
