//! `completions`: a script for the shell to load, and the answers to what it
//! asks at each tab.
//!
//! What people type is `cargo xtask`, so the scripts stand in front of what
//! completes cargo and hand on everything else.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use clap_complete::engine::{self as completion, ArgValueCandidates, CompletionCandidate};
use terms::{LabName, tr};

use crate::cli::{self, CompletedShell, Options};
use crate::context::Context;
use crate::engine;
use crate::exec::quote;
use crate::ui::{OutputMode, Ui};
use crate::{app, runs, scenario};

/// Prints the script; its answers come from this very program.
pub fn script(ui: &Ui, shell: CompletedShell) -> Result<()> {
    let text = match shell {
        CompletedShell::Bash => include_str!("completions/cargo.bash"),
        CompletedShell::Zsh => include_str!("completions/cargo.zsh"),
        CompletedShell::Fish => include_str!("completions/cargo.fish"),
    };
    let program = std::env::current_exe().context("finding this program")?;
    let program = quote(&program.to_string_lossy());
    ui.raw(&text.replace("'@PROGRAM@'", &program));
    Ok(())
}

/// Prints what can stand at a place of a command line, each with its help.
pub fn answer(ui: &Ui, options: &Options, words: Vec<OsString>, index: usize) -> Result<()> {
    let begun = words.get(index).is_some_and(|word| !word.is_empty());
    // Files are looked for from where the person is.
    let here = std::env::current_dir().ok();
    let found = completion::complete(&mut command(options), words, index, here.as_deref())
        .context("completing a command line")?;
    for one in found.iter().filter(|one| !one.is_hide_set()) {
        let value = one.get_value().to_string_lossy();
        // Options are a crowd: they come once one is begun.
        if !begun && value.starts_with('-') {
            continue;
        }
        match one.get_help() {
            Some(help) => ui.raw(&format!("{value}\t{}", first_line(&help.to_string()))),
            None => ui.raw(&value),
        }
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The command line, where names of scenarios, points and runs stand for themselves.
fn command(options: &Options) -> clap::Command {
    let given = |command: clap::Command, verb: &str, arg: &str, names: ArgValueCandidates| {
        command.mut_subcommand(verb, |found| found.mut_arg(arg, |arg| arg.add(names)))
    };
    let lab = options.lab;
    let scenarios = || ArgValueCandidates::new(move || scenarios_and(lab, []));
    let runs = || {
        let options = options.clone();
        ArgValueCandidates::new(move || run_names(&options))
    };
    let asked = options.clone();
    let points = ArgValueCandidates::new(move || points(&asked));
    let with_all = move || {
        let all = CompletionCandidate::new("all").help(Some(
            tr!("One after the other", "L'un après l'autre").into(),
        ));
        scenarios_and(lab, [all])
    };
    let command = cli::help::command();
    let command = given(
        command,
        "scenario",
        "name",
        ArgValueCandidates::new(with_all),
    );
    let command = given(command, "drill", "scenarios", scenarios());
    let command = given(command, "restore", "point", points);
    let command = given(command, "report", "run", runs());
    command.mut_subcommand("runs", |found| given(found, "rm", "runs", runs()))
}

fn scenarios_and<const N: usize>(
    lab: LabName,
    more: [CompletionCandidate; N],
) -> Vec<CompletionCandidate> {
    let all = scenario::all(lab).iter();
    all.map(|one| CompletionCandidate::new(one.name.word()).help(Some(one.title.text().into())))
        .chain(more)
        .collect()
}

/// The restore points of a lab that is up; none where it does not answer.
fn points(options: &Options) -> Vec<CompletionCandidate> {
    let latest = CompletionCandidate::new("latest");
    std::iter::once(latest)
        .chain(known_points(options).unwrap_or_default())
        .collect()
}

fn known_points(options: &Options) -> Option<Vec<CompletionCandidate>> {
    let ctx = context(options)?;
    let engine = engine::select(&ctx).ok()?;
    let facts = engine.facts().ok()?;
    // Without a replica it would take a pod, and seconds, to look.
    if facts.ready() == 0 {
        return None;
    }
    let points = app::points(engine.as_ref()).ok()?.points;
    let candidates = points.into_iter().map(|point| {
        let help = format!("{}, {}", point.created, point.status);
        CompletionCandidate::new(point.name).help(Some(help.into()))
    });
    Some(candidates.collect())
}

fn run_names(options: &Options) -> Vec<CompletionCandidate> {
    let folders = context(options).and_then(|ctx| runs::folders(&ctx.workspace.runs()).ok());
    let names = folders.unwrap_or_default();
    names
        .iter()
        .rev()
        .map(|folder| CompletionCandidate::new(runs::name_of(folder)))
        .collect()
}

fn context(options: &Options) -> Option<Context> {
    let ui = Ui::new(OutputMode::default());
    Context::load(options.clone(), ui).ok()
}
