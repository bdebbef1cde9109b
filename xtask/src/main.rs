//! `cargo xtask`: parse, load, dispatch, exit.

mod cli;
mod commands;
mod config;
mod context;
mod engine;
mod exec;
mod failure;
mod lab;
mod ui;
mod wait;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command};
use context::Context;
use ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(Context::voice(&cli.options));
    match run(cli, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(failure::kind(&error) as u8)
        }
    }
}

fn run(cli: Cli, ui: &Ui) -> Result<()> {
    wait::watch_signals()?;
    let word = cli.command.word();
    if let Command::Completions { shell } = cli.command {
        return commands::completions::run(ui, shell);
    }
    let ctx = Context::load(cli.options, ui.clone())?;
    anyhow::bail!("{word} in {}", ctx.lab.root.display());
}
