//! The one place that writes to the terminal: data on stdout, talk on stderr.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use crate::error::{Described, Exit};

/// How to talk to whoever is reading.
pub struct Ui {
    verbose: u8,
    /// Whether stderr is a terminal: only then are lines rewritten.
    pub is_terminal: bool,
    /// Everything goes here instead, for somebody who is told later.
    kept: Option<Mutex<String>>,
}

impl Ui {
    /// Keeps all that is said and shown, in order.
    pub fn keeping() -> Self {
        Self {
            verbose: 0,
            is_terminal: false,
            kept: Some(Mutex::default()),
        }
    }

    /// What was kept so far.
    pub fn kept(&self) -> String {
        let kept = self.kept.as_ref().map(|kept| kept.lock());
        let kept = kept.map(|kept| kept.unwrap_or_else(PoisonError::into_inner).clone());
        kept.unwrap_or_default()
    }

    fn keep(&self, text: &str) -> bool {
        let Some(kept) = &self.kept else {
            return false;
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_str(text);
        true
    }

    pub fn new(verbose: u8) -> Self {
        Self {
            verbose,
            is_terminal: std::io::stderr().is_terminal(),
            kept: None,
        }
    }

    /// Data, on stdout. A reader that went away (`| head`) is no error of ours.
    pub fn data(&self, text: &str) {
        if self.keep(text) {
            return;
        }
        let mut out = std::io::stdout().lock();
        let _reader_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// How many columns data may have: those of the terminal, else what a log shows well.
    pub fn width(&self) -> usize {
        const LOG: usize = 100;
        const CHAT: usize = 80;
        if self.kept.is_some() {
            return CHAT;
        }
        comfy_table::Table::new().width().map_or(LOG, usize::from)
    }

    /// Talk, on stderr.
    pub fn say(&self, text: impl Display) {
        if self.kept.is_some() {
            self.keep(&format!("{text}\n"));
            return;
        }
        let mut out = std::io::stderr().lock();
        let _reader_gone = writeln!(out, "{text}");
    }

    /// Talk for those who asked for more.
    pub fn detail(&self, text: impl Display) {
        if self.verbose > 0 {
            self.say(text);
        }
    }

    pub fn error(&self, error: &anyhow::Error) {
        if self.keep(&Described(error).to_string()) {
            return;
        }
        let mut out = std::io::stderr().lock();
        let _reader_gone = write!(out, "{}", Described(error));
    }
}

/// Shows help on stdout, and wrong usage on stderr with exit code 64.
pub fn usage(error: &clap::Error) -> Exit {
    let _reader_gone = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}
