//! `gameday`: begin a game day, look at it, and end it.

mod shown;

use std::path::Path;

use anyhow::{Context as _, Result};
use terms::lang::listed;
use terms::tr;

use crate::cli::{GamedayAction, GamedayArgs};
use crate::commands::{report, setup};
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::failure::{self, Failure, Kind};
use crate::game::{self, Game, Truth, What};
use crate::gameday::begin::{self, Rules};
use crate::gameday::result::{self, Ended};
use crate::gameday::{client, damaged, draw, hints, orphan, verify};
use crate::measure::result_file;
use crate::runs;
use crate::scenario::alerted;
use crate::wait;
use crate::workspace;

pub fn run(ctx: &Context, action: GamedayAction) -> Result<()> {
    if ctx.exec.dry_run() {
        let said = tr!(
            "a game day has no --dry-run: that would tell what breaks",
            "un game day n'a pas de --dry-run : il révélerait ce qui tombe en panne"
        );
        let next = "cargo xtask scenario --list; cargo xtask scenario NAME --dry-run";
        return Err(Failure::usage(said).next(next).into());
    }
    match action {
        GamedayAction::Start(args) => start(ctx, &args),
        GamedayAction::Status => status(ctx),
        GamedayAction::Noticed { diagnosis } => noticed(ctx, diagnosis),
        GamedayAction::Hint => hint(ctx),
        GamedayAction::Done { give_up } => done(ctx, give_up),
        GamedayAction::Abort => abort(ctx),
        GamedayAction::Client => client::be(ctx, engine::select(ctx)?.as_ref()),
    }
}

fn start(ctx: &Context, args: &GamedayArgs) -> Result<()> {
    // Before the lab is made, or waited for.
    args.truth
        .as_deref()
        .map_or(Ok(()), workspace::insist_on_new)?;
    let _lock = ctx.lock("gameday")?;
    let engine = engine::select(ctx)?;
    let engine = engine.as_ref();
    let rules = rules(args, engine)?;
    setup::ensure_as_declared(ctx, engine)?;
    if rules.teacher {
        tell_teacher(ctx, &rules, args.truth.as_deref())?;
    }
    let begun = begin::begin(ctx, engine, rules);
    let (game, _) = begun.map_err(|error| end_after(ctx, engine, error))?;
    shown::intro(ctx, &game);
    shown::state(ctx, &game)
}

fn rules(args: &GamedayArgs, engine: &dyn Engine) -> Result<Rules> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let teacher = args.teacher || args.truth.is_some() || !args.fault.is_empty();
    let (level, faults) = if args.fault.is_empty() {
        (args.level, draw::draw(args.level, engine.name(), seed))
    } else {
        (
            draw::chosen(&args.fault, engine.name())?,
            args.fault.clone(),
        )
    };
    Ok(Rules {
        level,
        faults,
        seed,
        teacher,
        mode: args.client.mode(),
    })
}

/// Before it breaks, and to nobody else: here, or into a file.
fn tell_teacher(ctx: &Context, rules: &Rules, file: Option<&Path>) -> Result<()> {
    let lines = shown::truth(&rules.faults);
    match file {
        Some(path) => workspace::write_file(path, &(lines.join("\n") + "\n")),
        None => {
            for line in lines {
                ctx.ui.note(&line);
            }
            Ok(())
        }
    }
}

/// A game that did not begin leaves nothing behind. Returns the error to end with.
fn end_after(ctx: &Context, engine: &dyn Engine, error: anyhow::Error) -> anyhow::Error {
    if failure::kind(&error) == Kind::Interrupted {
        wait::begin_anew();
    }
    let ended = end(ctx, engine);
    if let Err(late) = ended {
        ctx.ui.warn(&tr!(
            "the lab was not put back: {late:#}. cargo xtask setup does that.",
            "le lab n'a pas été remis en état : {late:#}. cargo xtask setup s'en charge."
        ));
    }
    error
}

/// Ends the client, and has the lab put back as after a client that was killed.
fn end(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    client::stop(ctx, engine.name())?;
    setup::ensure_up(ctx, engine)
}

/// The game that goes on.
///
/// # Errors
/// There is none, or its client is gone.
fn current(ctx: &Context, engine: &dyn Engine) -> Result<Game> {
    let pending = game::pending(&ctx.workspace, engine.name())?;
    let Some(game) = pending else {
        let said = tr!("no game day goes on", "aucun game day n'est en cours");
        return Err(Failure::usage(said).next("cargo xtask gameday").into());
    };
    if game::is_running(&ctx.workspace, engine.name()) {
        return Ok(game);
    }
    let said = tr!(
        "the game day of {since} lost its client (it was killed, or the machine was restarted): \
         what was lost can no longer be measured",
        "le game day du {since} a perdu son client (il a été tué, ou la machine a redémarré) : ce \
         qui a été perdu ne peut plus être mesuré",
        since = game.since
    );
    let next = tr!(
        "cargo xtask gameday abort, which puts the lab back",
        "cargo xtask gameday abort, qui remet le lab en état"
    );
    Err(Failure::tool(said).next(next).into())
}

fn status(ctx: &Context) -> Result<()> {
    let engine = engine::select(ctx)?;
    let game = current(ctx, engine.as_ref())?;
    shown::state(ctx, &game)
}

fn noticed(ctx: &Context, diagnosis: Option<String>) -> Result<()> {
    let engine = engine::select(ctx)?;
    let game = current(ctx, engine.as_ref())?;
    game.note(&ctx.workspace, What::Noticed { said: diagnosis })?;
    shown::state(ctx, &game)
}

fn hint(ctx: &Context) -> Result<()> {
    let engine = engine::select(ctx)?;
    let game = current(ctx, engine.as_ref())?;
    let all = hints::of(&game.truth(&ctx.workspace)?.faults);
    let bought = shown::hints_bought(ctx, &game);
    if bought == all.len() {
        let said = tr!("there is no further hint", "il n'y a plus d'indice");
        let next = tr!(
            "cargo xtask gameday status, which shows those that were bought",
            "cargo xtask gameday status, qui montre ceux qui ont été achetés"
        );
        return Err(Failure::usage(said).next(next).into());
    }
    game.note(&ctx.workspace, What::Hint)?;
    shown::hint(ctx, &game, bought, &all)
}

fn done(ctx: &Context, give_up: bool) -> Result<()> {
    let _lock = ctx.lock("gameday done")?;
    let engine = engine::select(ctx)?;
    let engine = engine.as_ref();
    if let Some(game) = orphan::uncounted(&ctx.workspace, engine.name())? {
        return finish(ctx, engine, &game);
    }
    let game = current(ctx, engine)?;
    let truth = game.truth(&ctx.workspace)?;
    insist_on_disaster(&game, &truth)?;
    let typed = game::now();
    let step = ctx.ui.step(tr!(
        "state, service, rows and protection are verified",
        "vérification de l'état, du service, des lignes et de la protection"
    ));
    let broken = verify::broken(ctx, engine, &game, &truth)?;
    let number = broken.len();
    step.done(match number {
        0 => tr!("recovered", "rétabli"),
        _ => tr!("{number} still broken", "{number} encore en panne"),
    });
    game.note(&ctx.workspace, What::Tried { broken: number })?;
    if !broken.is_empty() && !give_up {
        return shown::goes_on(ctx, &broken);
    }
    game.note(&ctx.workspace, What::Ended { typed, broken })?;
    finish(ctx, engine, &game)
}

/// # Errors
/// What began the game was killed before the disaster was complete: there is nothing to count.
fn insist_on_disaster(game: &Game, truth: &Truth) -> Result<()> {
    if game.struck.is_some() {
        return Ok(());
    }
    let said = match truth.began {
        None => tr!(
            "the game day of {since} was cut off while it was prepared: nothing had been broken yet",
            "le game day du {since} a été coupé pendant sa préparation : rien n'avait encore été cassé",
            since = game.since
        ),
        Some(_) => tr!(
            "the game day of {since} was cut off in the middle of its disaster, and cannot be counted",
            "le game day du {since} a été coupé au milieu de son sinistre, et ne peut pas être compté",
            since = game.since
        ),
    };
    let next = tr!(
        "cargo xtask gameday abort, which puts the lab back",
        "cargo xtask gameday abort, qui remet le lab en état"
    );
    Err(Failure::usage(said).next(next).into())
}

/// Counts, keeps the result, and puts back what is still broken. Cut off, the next `done`
/// does it.
fn finish(ctx: &Context, engine: &dyn Engine, game: &Game) -> Result<()> {
    let folder = game.run_folder(&ctx.workspace);
    client::stop(ctx, engine.name())?;
    let (typed, broken) = game.ended(&ctx.workspace).context("the game goes on")?;
    let ended = Ended {
        game,
        truth: &game.truth(&ctx.workspace)?,
        at: typed,
        broken,
    };
    let result = result::make(ctx, engine, ended)?;
    result_file::write(&folder, &result)?;
    alerted::tell_runs(ctx, engine);
    if result.passed {
        game::forget(&ctx.workspace, engine.name())?;
    } else {
        setup::ensure_up(ctx, engine)?;
    }
    let page = report::draw_if_ready(ctx, &folder);
    shown::result(ctx, &result, page.as_deref())?;
    if result.passed {
        return Ok(());
    }
    let said = tr!(
        "the game day was not passed: {why}",
        "le game day n'est pas réussi : {why}",
        why = listed(&result.broken)
    );
    Err(Failure::promise(said)
        .next(format!("cargo xtask report {}", runs::name_of(&folder)))
        .into())
}

fn abort(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("gameday abort")?;
    let engine = engine::select(ctx)?;
    let engine = engine.as_ref();
    let pending = game::pending(&ctx.workspace, engine.name());
    let truth = pending.and_then(|game| game.map(|game| game.truth(&ctx.workspace)).transpose());
    let truth = match truth {
        Ok(truth) => truth.with_context(|| {
            let said = tr!("no game day goes on", "aucun game day n'est en cours");
            Failure::usage(said).next("cargo xtask gameday")
        })?,
        Err(error) => {
            ctx.ui.warn(&format!("{error:#}"));
            damaged::put_back(ctx, engine)?;
            return shown::aborted(ctx, None);
        }
    };
    end(ctx, engine)?;
    // One that is recovered and was not counted is kept by whatever else puts a lab back.
    game::forget(&ctx.workspace, engine.name())?;
    shown::aborted(ctx, Some(&truth))
}
