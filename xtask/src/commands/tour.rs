//! `tour`: a guided first run. It types the lab's own commands in the reader's place, says
//! what to look at in what they show, and pauses between them.

mod aloud;
mod mistake;
mod texts;

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use terms::ScenarioName;

use crate::commands::{scenario, setup, status};
use crate::context::Context;
use crate::engine;
use crate::exec::{kept_in, quote, variable};
use crate::failure::Failure;
use crate::measure::result::ScenarioResult;
use crate::scenario::run::RunOptions;
use crate::ui::{OutputMode, Ui};
use aloud::{added, say, state, typed};
use mistake::Undone;

const DISASTER: ScenarioName = ScenarioName::VolumeLoss;

/// What a program reads of a tour.
#[derive(Serialize)]
struct Tour {
    scenario: ScenarioResult,
    mistake: Undone,
    seconds: f64,
}

pub fn run(ctx: &Context) -> Result<()> {
    if ctx.exec.dry_run() {
        return show(ctx);
    }
    let start = Instant::now();
    let told = &told_of(ctx)?;
    let tour = Tour {
        scenario: {
            look(told)?;
            write(told)?;
            destroy(told)?
        },
        mistake: mistake::take_back(told)?,
        seconds: start.elapsed().as_secs_f64(),
    };
    say(told, &texts::end(&told.workspace.root));
    if ctx.ui.json() {
        return ctx.ui.document(&tour);
    }
    Ok(())
}

/// The commands of a tour each say what they do; with `--json` beside the one document.
fn told_of(ctx: &Context) -> Result<Context> {
    if !ctx.ui.json() {
        return Ok(ctx.clone());
    }
    let mut options = ctx.options.clone();
    options.json = false;
    let ui = Ui::new(OutputMode {
        aside: true,
        ..Context::output_mode(&options)
    });
    Context::load(options, ui)
}

/// The commands, as they are typed.
fn show(ctx: &Context) -> Result<()> {
    const NEWEST: &str = "cargo xtask restore --log --limit 1 --json | python3 -c 'import json, sys; \
        print(json.load(sys.stdin)[\"transactions\"][0][\"seq\"])'";
    let add = |message: &str| format!("cargo xtask add {}", quote(message));
    ctx.exec.show("cargo xtask setup");
    ctx.exec.show(&add(&texts::message()));
    ctx.exec.show(&format!("cargo xtask scenario {DISASTER}"));
    ctx.exec.show(&add(&texts::mistake()));
    ctx.exec.show(&kept_in("TRANSACTION", NEWEST));
    let seq = quote(&variable("TRANSACTION"));
    ctx.exec
        .show(&format!("cargo xtask restore --yes --to-before {seq}"));
    Ok(())
}

fn look(ctx: &Context) -> Result<()> {
    say(ctx, &texts::welcome());
    {
        let _lock = ctx.lock("tour")?;
        let engine = engine::select(ctx)?;
        setup::ensure_as_declared(ctx, engine.as_ref())?;
    }
    typed(ctx, "cargo xtask status");
    status::run(ctx)?;
    say(ctx, &texts::lab(state(ctx)?.protection));
    pause(ctx)
}

fn write(ctx: &Context) -> Result<()> {
    say(ctx, &texts::before_a_write());
    added(ctx, &texts::message())?;
    say(ctx, &texts::after_a_write(&state(ctx)?));
    pause(ctx)
}

fn destroy(ctx: &Context) -> Result<ScenarioResult> {
    let scenario = crate::scenario::of(DISASTER);
    say(ctx, &texts::before_the_disaster(ctx.config.client.rate()));
    typed(ctx, &format!("cargo xtask scenario {DISASTER}"));
    let result = scenario::play_and_show(ctx, scenario, RunOptions::default())?;
    let result = result.context("a tour that is carried out is no dry run")?;
    if others_wrote(&result) {
        let said = texts::others_wrote(result.verified.phantom);
        return Err(Failure::usage(said).next("cargo xtask tour").into());
    }
    scenario::insist_it_held(&result)?;
    say(ctx, &texts::after_the_disaster(&result));
    pause(ctx)?;
    Ok(result)
}

/// Whether all that did not hold is that rows are there which the client did not send.
fn others_wrote(result: &ScenarioResult) -> bool {
    let (rows, lost) = (&result.verified, result.rpo.lost);
    rows.phantom > 0 && rows.changed == 0 && lost == 0 && result.broken.len() == 1
}

/// Until the reader goes on, where there is one to ask.
fn pause(ctx: &Context) -> Result<()> {
    if ctx.options.yes || ctx.ui.json() || !ctx.ui.has_reader() {
        return Ok(());
    }
    ctx.ui.say("");
    ctx.ui.wait_for_reader()
}
