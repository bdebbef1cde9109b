//! `completions`: a script for the shell to load.
//!
//! The alias is a subcommand of cargo, so the script completes `xtask`; the
//! README shows how to load it.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::ui::Ui;

pub fn run(ui: &Ui, shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "xtask", &mut script);
    ui.raw(&String::from_utf8(script)?);
    Ok(())
}
