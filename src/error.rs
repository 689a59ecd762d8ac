//! Errors that carry advice, how every error is shown, and the exit codes.

use std::fmt;

/// What a command's end means to the caller (`docs/exit-codes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error, or a part that was not compared.
    Error = 1,
    /// Differences, or something that is not healthy.
    Differences = 2,
    /// Failed; everything touched is back.
    FailedAndBack = 3,
    /// Not finished: run it again.
    NotFinished = 4,
    /// Not ours to run: lease held, superseded.
    NotOurs = 5,
    /// Finished with exceptions: deferred, held, failed within budget, not rendered.
    Exceptions = 6,
    /// Failed, and a person is needed.
    PersonNeeded = 7,
    /// Wrong usage of the command line.
    Usage = 64,
    /// Our bug.
    Bug = 70,
}

/// A mistake in what the user wrote or asked for, with advice on mending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    message: String,
    hints: Vec<String>,
    exit: Exit,
}

impl UserError {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
            exit: Exit::Error,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Ends the program with another code than 1.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// The code to end with: the one that the innermost advice names, else 70: our fault.
pub fn exit_code(error: &anyhow::Error) -> Exit {
    user_errors(error)
        .last()
        .map_or(Exit::Bug, |error| error.exit)
}

/// Offers the known name that is nearest to what was typed, if one is near.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this Jaro-Winkler similarity a suggestion puzzles more than it helps.
    const NEAR: f64 = 0.8;
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

/// The advice that comes with an error.
pub fn hints(error: &anyhow::Error) -> impl Iterator<Item = &str> {
    let hints = user_errors(error).flat_map(|error| &error.hints);
    hints.map(String::as_str)
}

fn user_errors(error: &anyhow::Error) -> impl Iterator<Item = &UserError> {
    error.chain().filter_map(|cause| cause.downcast_ref())
}

/// Shows an error: what failed, a line per cause, a line per hint.
pub struct Described<'a>(pub &'a anyhow::Error);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.0)?;
        for cause in self.0.chain().skip(1) {
            writeln!(f, "  because: {cause}")?;
        }
        for hint in hints(self.0) {
            writeln!(f, "  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_survives_any_amount_of_context() {
        let error = anyhow::Error::from(
            UserError::new("no tenant named `acme-prd` in `production`")
                .hint("did you mean `acme-prod`?"),
        )
        .context("could not plan the rollout");
        assert_eq!(
            Described(&error).to_string(),
            "error: could not plan the rollout\n\
             \x20 because: no tenant named `acme-prd` in `production`\n\
             \x20 hint: did you mean `acme-prod`?\n"
        );
        assert_eq!(exit_code(&error), Exit::Error);
    }

    #[test]
    fn an_error_without_advice_is_our_fault() {
        assert_eq!(
            exit_code(&anyhow::anyhow!("journal line 7 is torn")),
            Exit::Bug
        );
    }

    #[test]
    fn only_near_names_are_offered() {
        let known = ["vault-carbone", "shared-gra-1"];
        assert_eq!(did_you_mean("vault-carbonne", known), Some("vault-carbone"));
        assert_eq!(did_you_mean("zebra", known), None);
    }
}
