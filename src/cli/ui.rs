//! The one place that writes to the terminal: data on stdout, talk on stderr.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use crate::error::{Described, Exit};

/// How to talk to whoever is reading.
pub struct Ui {
    verbose: u8,
    /// Whether stderr is a terminal: only then are lines rewritten.
    pub is_terminal: bool,
}

impl Ui {
    pub fn new(verbose: u8) -> Self {
        Self {
            verbose,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Data, on stdout. A reader that went away (`| head`) is no error of ours.
    pub fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _reader_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// How many columns data may have: those of the terminal, else what a log shows well.
    pub fn width(&self) -> usize {
        const LOG: usize = 100;
        comfy_table::Table::new().width().map_or(LOG, usize::from)
    }

    /// Talk, on stderr.
    pub fn say(&self, text: impl Display) {
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
