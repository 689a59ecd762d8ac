//! What people type: a verb, names, and a few words with a meaning. Nothing of it is ever a flag of a command.

use std::fmt;

use crate::fleet::config::ChatVerb;

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Help,
    Status,
    History,
    Diff,
    Rollback,
    Hold,
    ReleaseHold,
    Pause,
    Resume,
    Approve,
}

/// A request that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub verb: Verb,
    /// Tenants, platforms, domains or `client=NAME`.
    pub targets: Vec<String>,
    /// `to last-good`
    pub to: Option<String>,
    /// `for 4h`
    pub time: Option<String>,
    /// `wave early`
    pub wave: Option<String>,
    /// `because documents do not open`
    pub reason: Option<String>,
    /// `confirm 7f3a2b`
    pub confirm: Option<String>,
}

/// Why it could not be read, for whoever typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread(pub String);

/// A reason is a sentence, not a report.
const LONGEST: usize = 1024;
/// Whoever means more types a selection on a command line, where it can be looked at first.
const MOST_TARGETS: usize = 5;
/// As long as a domain may be.
const LONGEST_NAME: usize = 253;

pub const HELP: &str = "\
status [TARGET]                                how the fleet stands, or what a tenant runs and waits for
history TARGET                                 who did what to it, and why
diff TARGET                                    what the next rollout changes there
rollback TARGET [to WHERE] because WHY         back to what ran well before, and held there for a day
                                               WHERE: previous-good, last-good, a commit
hold TARGET [for 4h] because WHY               rollouts leave it alone; release-hold TARGET ends that
pause because WHY                              the rollout starts nobody more; resume because WHY
approve TARGET | approve wave NAME             lets a tenant, or a wave, go on
TARGET is a tenant, a platform, a domain or client=NAME; of several, each by its name.
";

impl Verb {
    pub const ALL: [Self; 10] = [
        Self::Help,
        Self::Status,
        Self::History,
        Self::Diff,
        Self::Rollback,
        Self::Hold,
        Self::ReleaseHold,
        Self::Pause,
        Self::Resume,
        Self::Approve,
    ];

    /// What a grant names.
    pub fn of(granted: ChatVerb) -> Self {
        match granted {
            ChatVerb::Status => Self::Status,
            ChatVerb::History => Self::History,
            ChatVerb::Diff => Self::Diff,
            ChatVerb::Rollback => Self::Rollback,
            ChatVerb::Hold => Self::Hold,
            ChatVerb::ReleaseHold => Self::ReleaseHold,
            ChatVerb::Pause => Self::Pause,
            ChatVerb::Resume => Self::Resume,
            ChatVerb::Approve => Self::Approve,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Status => "status",
            Self::History => "history",
            Self::Diff => "diff",
            Self::Rollback => "rollback",
            Self::Hold => "hold",
            Self::ReleaseHold => "release-hold",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Approve => "approve",
        }
    }

    /// Whether it changes what tenants run, or whether they are moved.
    pub fn changes_tenants(self) -> bool {
        match self {
            Self::Rollback | Self::Hold | Self::ReleaseHold | Self::Approve => true,
            Self::Help | Self::Status | Self::History | Self::Diff | Self::Pause | Self::Resume => {
                false
            }
        }
    }

    fn needs_targets(self) -> bool {
        match self {
            Self::History | Self::Diff | Self::Rollback | Self::Hold | Self::ReleaseHold => true,
            Self::Help | Self::Status | Self::Pause | Self::Resume | Self::Approve => false,
        }
    }

    fn needs_reason(self) -> bool {
        matches!(
            self,
            Self::Rollback | Self::Hold | Self::Pause | Self::Resume
        )
    }
}

/// Reads what was typed. Nothing typed asks for help.
pub fn read(text: &str) -> Result<Request, Misread> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(misread("that is too long"));
    }
    if text.chars().any(is_hidden) {
        return Err(misread("there are characters in it that nobody sees"));
    }
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut request = Request {
        verb: verb(words.first().copied().unwrap_or("help"))?,
        targets: Vec::new(),
        to: None,
        time: None,
        wave: None,
        reason: None,
        confirm: None,
    };
    if let [.., "confirm", code] = words.as_slice() {
        request.confirm = Some(name(code)?);
        words.truncate(words.len() - 2);
    }
    let mut rest = words.into_iter().skip(1);
    while let Some(word) = rest.next() {
        let mut value = || {
            let value = rest.next();
            value.ok_or_else(|| misread(&format!("what comes after `{word}`?")))
        };
        match word {
            "to" => request.to = Some(name(value()?)?),
            "for" => request.time = Some(name(value()?)?),
            "wave" => request.wave = Some(name(value()?)?),
            "because" => {
                let reason: Vec<&str> = rest.by_ref().collect();
                request.reason = Some(reason.join(" ")).filter(|reason| !reason.is_empty());
            }
            target => request.targets.push(name(target)?),
        }
    }
    complete(request)
}

fn complete(request: Request) -> Result<Request, Misread> {
    let Request { verb, targets, .. } = &request;
    if MOST_TARGETS < targets.len() {
        return Err(misread(&format!(
            "{} names: `because` comes before a reason, and at most {MOST_TARGETS} are taken at once",
            targets.len()
        )));
    }
    if verb.needs_targets() && targets.is_empty() {
        return Err(misread(&format!(
            "{verb} what? Name a tenant, a platform or a domain"
        )));
    }
    if verb.needs_reason() && request.reason.is_none() {
        return Err(misread(&format!("say why: `{verb} … because WHY`")));
    }
    let takes_names =
        verb.needs_targets() || matches!(verb, Verb::Status | Verb::Approve | Verb::Help);
    if !takes_names && !targets.is_empty() {
        return Err(misread(&format!(
            "{verb} is about the whole rollout: it takes no names"
        )));
    }
    let is_odd = |what: &Option<String>, of: &[Verb]| what.is_some() && !of.contains(verb);
    if is_odd(&request.to, &[Verb::Rollback])
        || is_odd(&request.time, &[Verb::Hold, Verb::Rollback])
        || is_odd(&request.wave, &[Verb::Approve])
    {
        return Err(misread(&format!("{verb} does not take that")));
    }
    if *verb == Verb::Approve && targets.is_empty() == request.wave.is_none() {
        return Err(misread("approve a tenant, or `approve wave NAME`"));
    }
    Ok(request)
}

fn verb(word: &str) -> Result<Verb, Misread> {
    let mut all = Verb::ALL.into_iter();
    all.find(|verb| verb.as_str() == word)
        .ok_or_else(|| misread(&format!("`{}` is no command", shown(word))))
}

/// A name of a tenant, a platform, a domain, a commit, a time. No pattern: whoever means many types it elsewhere.
fn name(word: &str) -> Result<String, Misread> {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "._-=:".contains(character);
    let is_name =
        !word.starts_with('-') && word.chars().all(is_plain) && word.len() <= LONGEST_NAME;
    if is_name {
        return Ok(word.to_owned());
    }
    Err(misread(&format!("`{}` is no name", shown(word))))
}

/// Enough of it to know it again, and nothing that acts.
fn shown(word: &str) -> String {
    let escaped: String = word
        .chars()
        .take(40)
        .flat_map(char::escape_default)
        .collect();
    escaped.replace('`', "'")
}

/// Control characters, and those that change how others are read.
fn is_hidden(character: char) -> bool {
    let is_space = matches!(character, '\n' | '\r' | '\t');
    let steers = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}');
    (character.is_control() && !is_space) || steers
}

fn misread(why: &str) -> Misread {
    Misread(why.to_owned())
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_a_request() {
        let request = read("rollback www.carbone.example to last-good because documents do not open confirm 7f3a2b").unwrap();
        assert_eq!(request.verb, Verb::Rollback);
        assert_eq!(request.targets, ["www.carbone.example"]);
        assert_eq!(request.to.as_deref(), Some("last-good"));
        assert_eq!(request.reason.as_deref(), Some("documents do not open"));
        assert_eq!(request.confirm.as_deref(), Some("7f3a2b"));
        let hold = read("hold client=carbone vault-opale for 4h because they count").unwrap();
        assert_eq!((hold.targets.len(), hold.time.as_deref()), (2, Some("4h")));
        assert_eq!(read("").unwrap().verb, Verb::Help);
        assert_eq!(
            read("approve wave rest").unwrap().wave.as_deref(),
            Some("rest")
        );
        let told = read("pause because 'wait' $(for) the; db").unwrap();
        assert_eq!(told.reason.as_deref(), Some("'wait' $(for) the; db"));
    }

    #[test]
    fn what_would_act_elsewhere_is_no_name() {
        for typed in [
            "rollback tenant-a; rm -rf / because x",
            "rollback `id` because x",
            "rollback $(id) because x",
            "rollback ${KUBECONFIG} because x",
            "rollback --all because x",
            "rollback --kubeconfig=/x because x",
            "rollback -n because x",
            "rollback ../../x because x",
            "rollback * because x",
            "rollback vault-* because x",
            "rollback \u{202e}a because x",
            "rollback a\u{200b}b because x",
            "rollback a\u{0} because x",
            "rollback \u{1b}[31m because x",
            "deploy everything",
            "rollback",
            "rollback a",
            "rollback a because",
            "rollback a b c d e f because x",
            "pause a because x",
            "status a to b",
            "approve",
            "approve a wave b",
            "diff",
        ] {
            assert!(read(typed).is_err(), "{typed:?}");
        }
        assert!(read(&"a".repeat(64 * 1024)).is_err());
        let Misread(why) = read("rollback `id` because x").unwrap_err();
        assert!(!why.contains("`id`") && why.contains("id"), "{why}");
    }

    #[test]
    fn a_second_line_is_more_of_the_first() {
        let request = read("rollback a\nrollback b because x").unwrap();
        assert_eq!(
            request.targets,
            ["a", "rollback", "b"],
            "none of which is a tenant"
        );
    }
}
