//! `tour`: a guided first run. It types the lab's own commands in the reader's place, says
//! what to look at in what they show, and pauses between them.

mod texts;

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use terms::{Protection, ScenarioName};

use crate::app::{self, Status};
use crate::cli::RestoreArgs;
use crate::commands::{add, backup, restore, scenario, setup, status};
use crate::context::Context;
use crate::engine;
use crate::exec::{kept_in, quote, variable};
use crate::measure::result::ScenarioResult;
use crate::scenario::run::RunOptions;
use crate::ui::{OutputMode, Ui};

const DISASTER: ScenarioName = ScenarioName::VolumeLoss;

/// What a program reads of a tour.
#[derive(Serialize)]
struct Tour {
    scenario: ScenarioResult,
    mistake: Undone,
    seconds: f64,
}

/// The rows when a mistake had been made, and after it was taken back.
#[derive(Serialize)]
struct Undone {
    rows_before: Option<u64>,
    rows_after: Option<u64>,
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
        mistake: take_a_mistake_back(told)?,
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
    let result = scenario::play_and_tell(ctx, scenario, RunOptions::default())?;
    let result = result.context("a tour that is carried out is no dry run")?;
    say(ctx, &texts::after_the_disaster(&result));
    pause(ctx)?;
    Ok(result)
}

fn take_a_mistake_back(ctx: &Context) -> Result<Undone> {
    let protection = state(ctx)?.protection;
    say(ctx, &texts::before_the_mistake(protection));
    let args = match protection {
        Protection::Journal => {
            added(ctx, &texts::mistake())?;
            let seq = newest_transaction(ctx)?;
            typed(ctx, &format!("cargo xtask restore --to-before {seq}"));
            RestoreArgs {
                to_before: Some(seq),
                ..RestoreArgs::default()
            }
        }
        // Without a journal there is no way back but to a point.
        Protection::Snapshot => {
            typed(ctx, "cargo xtask backup");
            backup::run(ctx, None)?;
            added(ctx, &texts::mistake())?;
            typed(ctx, "cargo xtask restore latest");
            RestoreArgs {
                point: Some("latest".to_owned()),
                ..RestoreArgs::default()
            }
        }
    };
    let rows_before = state(ctx)?.count;
    restore::run(&agreed(ctx, &args)?, &args)?;
    let rows_after = state(ctx)?.count;
    say(ctx, &texts::after_the_mistake(rows_before, rows_after));
    Ok(Undone {
        rows_before,
        rows_after,
    })
}

/// The restore takes the tour's own message away: that much needs no question.
fn agreed(ctx: &Context, args: &RestoreArgs) -> Result<Context> {
    let engine = engine::select(ctx)?;
    let target = match args.to_before {
        Some(seq) => format!("before:{seq}"),
        None => args.point.clone().unwrap_or_default(),
    };
    let plan = app::plan(engine.as_ref(), &target, false)?.value;
    let mut agreed = ctx.clone();
    agreed.options.yes |= (plan.lost, plan.changed) == (Some(1), Some(0));
    Ok(agreed)
}

fn newest_transaction(ctx: &Context) -> Result<u64> {
    let engine = engine::select(ctx)?;
    let newest = app::log(engine.as_ref(), false, 1)?.value.transactions;
    let newest = newest.first().context("the journal has no transaction")?;
    Ok(newest.seq)
}

fn added(ctx: &Context, message: &str) -> Result<()> {
    typed(ctx, &format!("cargo xtask add {}", quote(message)));
    add::run(ctx, message)
}

fn state(ctx: &Context) -> Result<Status> {
    let facts = engine::select(ctx)?.facts()?;
    app::status(&facts.url.context("the lab has no URL")?)
}

fn say(ctx: &Context, text: &str) {
    ctx.ui.say("");
    for line in text.lines() {
        ctx.ui.say(line);
    }
}

fn typed(ctx: &Context, command: &str) {
    ctx.ui.say("");
    ctx.ui.say(&format!("$ {command}"));
}

/// Until the reader goes on, where there is one to ask.
fn pause(ctx: &Context) -> Result<()> {
    if ctx.options.yes || ctx.ui.json() || !ctx.ui.has_reader() {
        return Ok(());
    }
    ctx.ui.say("");
    ctx.ui.wait_for_reader()
}
