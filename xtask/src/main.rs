//! `cargo xtask`: brings a lab up, breaks it on purpose, recovers it, and measures.
//!
//! [`commands`] has a module for each command. A disaster is a module of [`scenario`]; it
//! acts on the lab through an [`engine`] (k3d, or processes of this machine) and on the data
//! through [`database`], while [`measure`] writes as a client and compares. What any cluster
//! needs is in [`kube`], what the local engine needs in [`local`], what the lab is made of in
//! [`manifests`] and [`config`]. Every process is started by [`exec`], everything that is
//! printed goes through [`ui`].
//!
//! `docs/architecture.md` has the layers, and says which file to open for what.

mod alerts;
mod app;
mod balance;
mod check;
mod checkout;
mod chosen_engines;
mod cli;
mod commands;
mod config;
mod context;
mod copy;
mod cron;
mod database;
mod engine;
mod exec;
mod facts;
mod failure;
mod game;
mod gameday;
mod http;
mod identity;
mod kube;
mod local;
mod manifests;
mod marker;
mod marking;
mod measure;
mod names;
mod offsite;
mod pins;
mod place;
mod progress;
mod protected;
mod provenance;
mod reset;
mod runs;
mod scenario;
mod tools;
mod ui;
mod version;
mod wait;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::FromArgMatches;
use terms::LabName;
use terms::lang::{self, Lang};

use cli::{Cli, Command, GamedayAction};
use context::Context;
use scenario::run::RunOptions;
use ui::{OutputMode, Ui};

fn main() -> ExitCode {
    lang::choose(Lang::of_environment(|name| std::env::var(name).ok()));
    let cli = parse().unwrap_or_else(|error| wrong_use(&error));
    if let Some(lang) = cli.options.lang {
        lang::choose(lang);
    }
    let ui = Ui::new(OutputMode {
        aside: !cli.options.dry_run && cli.command.fills_standard_output(),
        ..Context::output_mode(&cli.options)
    });
    match run(cli, &ui).and_then(|()| ui.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(failure::kind(&error) as u8)
        }
    }
}

fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&cli::help::command().try_get_matches()?)
}

/// Ends as clap does, with a document where one was asked for.
fn wrong_use(error: &clap::Error) -> ! {
    // Help and version are no errors.
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default();
        let failure = failure::Failure::usage(said.trim_start_matches("error: "));
        Ui::new(OutputMode {
            json: true,
            ..OutputMode::default()
        })
        .complain(&failure.next("cargo xtask --help").into());
    }
    error.exit()
}

fn run(cli: Cli, ui: &Ui) -> Result<()> {
    // The supervisor has its own mind about signals.
    if !cli.command.is_supervisor() {
        wait::watch_signals()?;
    }
    if let Command::Completions {
        shell,
        index,
        words,
    } = cli.command
    {
        // Also without a lab, and with a configuration that is wrong.
        return match (shell, index) {
            (Some(shell), _) => commands::completions::script(ui, shell),
            (None, index) => {
                commands::completions::answer(ui, &cli.options, words, index.unwrap_or_default())
            }
        };
    }
    let ctx = &Context::load(cli.options, ui.clone())?;
    let marked = matches!(cli.command, Command::Check(_));
    if ctx.options.lab == LabName::Image && !marked {
        return commands::image_workshop::run(ctx, &cli.command);
    }
    if ctx.options.lab == LabName::Ha {
        commands::ha::insist_on(&cli.command)?;
    }
    match cli.command {
        Command::Preflight { download } => commands::preflight::run(ctx, download),
        Command::Setup { existing: true } => commands::setup::existing(ctx),
        Command::Setup { existing: false } => commands::setup::run(ctx),
        Command::Status => commands::status::run(ctx),
        Command::Add { message } => commands::add::run(ctx, &message),
        Command::Backup { new_volume, accept } => {
            let option = new_volume.then_some("--new-volume");
            commands::backup::run(ctx, option.or(accept.then_some("--accept")))
        }
        Command::Restore(args) => commands::restore::run(ctx, &args),
        Command::Undo { plan } => commands::restore::undo(ctx, plan),
        Command::Prune => commands::restore::prune(ctx),
        Command::Export { file } => commands::copy::export(ctx, &file),
        Command::Adopt(args) => commands::copy::adopt(ctx, &args),
        Command::Offsite(action) => commands::offsite::run(ctx, action),
        Command::Scenario { list: true, .. } => commands::scenario::list(ctx),
        Command::Scenario {
            name,
            step,
            operator_delay,
            auto,
            live,
            client,
            ..
        } => {
            let options = RunOptions {
                step,
                draw: None,
                operator_delay,
                auto,
                mode: client.mode(),
            };
            let asked = name.unwrap_or_default();
            commands::live::beside(ctx, live, || commands::scenario::run(ctx, &asked, options))
        }
        Command::Tour => commands::tour::run(ctx),
        Command::Gameday { action, start } => {
            commands::gameday::run(ctx, action.unwrap_or(GamedayAction::Start(start)))
        }
        Command::Drill(args) => commands::drill::run(ctx, &args),
        Command::Measure(args) => commands::measure::run(ctx, args),
        Command::Report { run, open } => commands::report::run(ctx, run.as_deref(), open),
        Command::Runs { action } => commands::runs::run(ctx, &action),
        Command::Monitor { off, dashboards } => commands::monitor::run(ctx, off, dashboards),
        Command::Watch { count } => commands::watch::run(ctx, count),
        Command::Logs(args) => commands::logs::run(ctx, &args),
        Command::Open => commands::open::run(ctx),
        Command::Cluster
        | Command::Image
        | Command::Import
        | Command::Push
        | Command::Deploy
        | Command::Forward { .. } => commands::stages::run(ctx, &cli.command),
        Command::Reset => commands::reset::run(ctx),
        Command::Teardown { copies } => commands::teardown::run(ctx, copies),
        Command::Test(args) => commands::test::run(ctx, &args),
        Command::Check(args) => commands::check::run(ctx, &args),
        Command::Faults { suites, long, seed } => commands::faults::run(ctx, &suites, long, seed),
        Command::Bench { what, recoveries } => {
            commands::bench::run(ctx, &what, usize::from(recoveries))
        }
        Command::Guide { action } => commands::guide::run(ctx, &action),
        Command::Local { action } => commands::local::run(ctx, action),
        // Done before the lab was looked at.
        Command::Completions { .. } => Ok(()),
    }
}
