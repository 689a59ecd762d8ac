//! `escale completions` and `escale man`: what shells and `man` know of the command line, made from it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

use crate::cli::Common;
use crate::cli::ui::Ui;
use crate::error::Exit;

const NAME: &str = "escale";

/// Print what a shell needs to complete commands and flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "bash: escale completions bash > ~/.local/share/bash-completion/completions/escale\n\
                        zsh:  escale completions zsh > \"${fpath[1]}/_escale\"\n\
                        fish: escale completions fish > ~/.config/fish/completions/escale.fish"
)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Write man pages, one for each command.
#[derive(Debug, clap::Args)]
#[command(after_help = "escale man ~/.local/share/man/man1 && man escale-rollout")]
pub struct Man {
    /// The folder for them
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    pub fn run(&self, ui: &Ui, mut command: Command) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, NAME, &mut script);
        ui.data(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}

impl Man {
    pub fn run(&self, common: &Common, ui: &Ui, command: Command) -> anyhow::Result<Exit> {
        let folder = common.directory.join(&self.folder);
        let into = || format!("could not write man pages into `{}`", folder.display());
        std::fs::create_dir_all(&folder).with_context(into)?;
        clap_mangen::generate_to(command, &folder).with_context(into)?;
        ui.say(format!("man pages written into {}", self.folder.display()));
        Ok(Exit::Done)
    }
}
