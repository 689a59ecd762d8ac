//! `escale chat`: one request out of chat, in a job of GitLab, and one answer.

use std::path::PathBuf;

use clap::Parser as _;
use serde_json::json;

use crate::chat::{self, HELP, Misread, Person, Refused, Request, Verb};
use crate::cli::source::{self, Source};
use crate::cli::ui::Ui;
use crate::cli::who::variable;
use crate::cli::{Arguments, Common, artifacts, clock, runtime};
use crate::error::{Exit, exit_code};
use crate::fleet::config::{API_VERSION, Chat as Config};
use crate::fleet::{Fleet, Selection};

/// Answer what somebody typed in chat: `status`, `diff`, `rollback`, `hold`, `release-hold`, `pause`, `resume`, `approve`, `history`, `help`.
///
/// For a job that GitLab starts from chat (`/gitlab run chat …`): reads `CHAT_INPUT`, finds out who asks by the job's token (`ESCALE_ID_TOKEN`,
/// from `id_tokens`), and answers with one section that GitLab posts. As GitLab posts nothing of a job that failed, it ends well once it has
/// answered; `--result` has the real exit code.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 answered, whatever the answer is.")]
pub struct Chat {
    /// The environment; default: the only one there is
    #[arg(short, long, value_name = "NAME")]
    environment: Option<String>,
    /// Write what came of it, for machines
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Simulated clusters instead, kept in `.escale/sim` between commands
    #[arg(long)]
    sim: bool,
}

/// What there is to say, and how the command ended, if one was run.
struct Answer {
    text: String,
    exit: Option<Exit>,
}

/// Somebody who may ask for it, and what it is about.
struct Case<'a> {
    request: &'a Request,
    person: Person,
    tenants: Vec<String>,
}

impl Chat {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let typed = variable("CHAT_INPUT").unwrap_or_default();
        let answered =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.answer(common, &typed)));
        let answer = answered.unwrap_or_else(|_| Answer {
            text: "FAILED: something in escale is broken; the job's log has more".to_owned(),
            exit: Some(Exit::Bug),
        });
        let more = variable("CI_JOB_URL").unwrap_or_else(|| "the job's log".to_owned());
        if let Some(path) = &self.result {
            let exit = answer.exit.map(|exit| exit as u8);
            let result = json!({"apiVersion": API_VERSION, "kind": "ChatResult", "exitCode": exit, "answer": answer.text});
            artifacts::write_json(path, &result)?;
        }
        ui.data(&chat::section(&answer.text, &more, clock::now()));
        Ok(Exit::Done)
    }

    fn answer(&self, common: &Common, typed: &str) -> Answer {
        let request = match chat::read(typed) {
            Ok(request) => request,
            Err(Misread(why)) => return refused(&format!("{why}\n\n{HELP}")),
        };
        match self.case(common, &request) {
            Ok((case, _)) if case.request.verb == Verb::Help => Answer {
                text: HELP.to_owned(),
                exit: Some(Exit::Done),
            },
            Ok((case, fleet)) => self.carry_out(common, &case, &fleet),
            Err(why) => refused(&why),
        }
    }

    /// Who asks, and whether that may be.
    fn case<'a>(&self, common: &Common, request: &'a Request) -> Result<(Case<'a>, Fleet), String> {
        let fleet = self.fleet(common)?;
        let config = fleet.environment.spec.chat.clone();
        let config =
            config.ok_or("nobody may ask anything here: `chat` is not in environment.yaml")?;
        let person = identify(&config)?;
        let tenants = tenants(&fleet, request)?;
        chat::allowed(&config, &person, request.verb, &tenants).map_err(|why| match why {
            Refused::Unknown => format!(
                "{} ({}) is not among `chat.people`",
                person.login, person.id
            ),
            Refused::Verb => format!("{} may not `{}` here", person.login, request.verb),
            Refused::Tenant(tenant) => {
                format!("{} may not `{}` {tenant}", person.login, request.verb)
            }
        })?;
        let case = Case {
            request,
            person,
            tenants,
        };
        Ok((case, fleet))
    }

    /// As it is committed: what lies around in the folder of a job says nothing about rights.
    fn fleet(&self, common: &Common) -> Result<Fleet, String> {
        let read = || {
            let tree = source::tree(common, Some("HEAD"))?;
            let environment = source::environment(&tree, self.environment.as_deref())?;
            Ok::<_, anyhow::Error>(Source::of_tree(tree, &environment)?.fleet)
        };
        read().map_err(|error| format!("the fleet cannot be read: {error:#}"))
    }

    fn carry_out(&self, common: &Common, case: &Case<'_>, fleet: &Fleet) -> Answer {
        if let Some(question) = self.question(case, fleet) {
            return refused(&question);
        }
        let words = self.words(case, fleet);
        let ui = Ui::keeping();
        let outcome = match Arguments::try_parse_from(&words) {
            Ok(mut arguments) => {
                arguments.common.directory.clone_from(&common.directory);
                super::dispatch(&arguments, &ui)
            }
            Err(error) => Err(anyhow::anyhow!("{error}")),
        };
        let exit = outcome.unwrap_or_else(|error| {
            ui.error(&error);
            exit_code(&error)
        });
        let heading = heading(case, exit);
        Answer {
            text: format!("{heading}\n{}", ui.kept()),
            exit: Some(exit),
        }
    }

    /// What else is moved must be seen first, and agreed to.
    fn question(&self, case: &Case<'_>, fleet: &Fleet) -> Option<String> {
        let Case {
            request,
            person,
            tenants,
        } = case;
        let now = clock::now();
        if !request.verb.changes_tenants() || chat::is_confirmed(request, tenants, person, now) {
            return None;
        }
        let notes = source::sharing_notes(fleet, &selection(request));
        if notes.is_empty() && tenants.len() < 2 {
            return None;
        }
        let code = chat::code(request, tenants, person, now);
        let notes: String = notes.iter().flat_map(|note| [note, "\n"]).collect();
        let again = request
            .confirm
            .as_ref()
            .map_or("", |_| "that code is not good (any more)\n");
        Some(format!(
            "{again}{notes}`{}` is about {}. To go on, type the same with `confirm {code}` at its end, within five minutes",
            request.verb,
            tenants.join(", ")
        ))
    }

    /// The command, word by word: what was typed is only ever a value behind a flag, or behind `--`.
    fn words(&self, case: &Case<'_>, fleet: &Fleet) -> Vec<String> {
        let Case {
            request, person, ..
        } = case;
        let verb = match request.verb {
            // Of one tenant: what happened to it, the newest first.
            Verb::Status if !request.targets.is_empty() => Verb::History,
            verb => verb,
        };
        let mut words: Vec<String> = vec!["escale".to_owned(), verb.to_string()];
        let mut flag = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("--{name}={value}")));
        };
        flag("environment", Some(fleet.environment.name.clone()));
        if !matches!(verb, Verb::Status | Verb::History | Verb::Diff) {
            flag("by", Some(format!("{} (chat)", person.login)));
            flag("reason", request.reason.clone());
        }
        flag("to", request.to.clone());
        let time = if verb == Verb::Rollback {
            "hold-for"
        } else {
            "for"
        };
        flag(time, request.time.clone());
        flag("wave", request.wave.clone());
        if self.sim {
            words.push("--sim".to_owned());
        }
        if !request.targets.is_empty() {
            words.push("--".to_owned());
            words.extend(request.targets.iter().cloned());
        }
        words
    }
}

fn identify(config: &Config) -> Result<Person, String> {
    let token = variable("ESCALE_ID_TOKEN").ok_or(
        "nobody knows who asks: the job has no `ESCALE_ID_TOKEN`; write `id_tokens: {ESCALE_ID_TOKEN: {aud: escale}}` into it",
    )?;
    let keys = runtime::real(chat::fetch_keys(config))?;
    chat::verify(&token, &keys, config)
}

/// The tenants that are meant, by name.
fn tenants(fleet: &Fleet, request: &Request) -> Result<Vec<String>, String> {
    if request.targets.is_empty() {
        return Ok(Vec::new());
    }
    let found = fleet.select(&selection(request));
    let found = found.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    Ok(found.iter().map(|tenant| tenant.name.clone()).collect())
}

fn selection(request: &Request) -> Selection {
    Selection {
        targets: request.targets.clone(),
        ..Selection::default()
    }
}

/// The first line says how it ended: whoever reads no further knows that.
fn heading(case: &Case<'_>, exit: Exit) -> String {
    let what = match case.tenants.as_slice() {
        [] => case.request.verb.to_string(),
        tenants => format!("{} {}", case.request.verb, tenants.join(", ")),
    };
    match exit {
        Exit::Done => format!("{what}: done"),
        Exit::Differences | Exit::Exceptions => format!("{what}: done, with exceptions"),
        Exit::NotFinished => format!("{what}: NOT FINISHED"),
        Exit::PersonNeeded => format!("{what}: FAILED, a person is needed"),
        Exit::FailedAndBack => format!("{what}: FAILED, and everything is back"),
        Exit::Error | Exit::NotOurs | Exit::Usage | Exit::Bug => {
            format!("{what}: FAILED")
        }
    }
}

fn refused(why: &str) -> Answer {
    Answer {
        text: format!("not done: {why}"),
        exit: None,
    }
}
