//! The beginning of a game day: a steady lab, a client that writes, and the disaster.

use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;
use terms::{FaultName, PointStatus, tr};

use crate::config::Mode;
use crate::context::Context;
use crate::database;
use crate::engine::{self, Engine};
use crate::game::{self, Game, Truth};
use crate::measure::compare::Rows;
use crate::measure::ledger_file;
use crate::runs;
use crate::scenario::backup_poisoned;
use crate::scenario::run::{self, SteadyState};
use crate::wait;
use crate::workspace;

use super::symptoms::Symptoms;
use super::{client, faults};

/// Seconds after which users have tried everything.
const CLEAR: f64 = 3.0;

/// What a game is to be.
pub struct Rules {
    pub level: u8,
    pub faults: Vec<FaultName>,
    pub seed: u64,
    pub teacher: bool,
    /// How the client asks, beside what is declared.
    pub mode: Mode,
}

/// Begins a game; returns when users have something to complain about, or do not after a
/// while. From the first file on, the game is pending, whatever happens.
pub fn begin(ctx: &Context, engine: &dyn Engine, rules: Rules) -> Result<(Game, Truth)> {
    let step = ctx.ui.step(tr!(
        "steady state, verified backup, users who write",
        "état stable, sauvegarde vérifiée, des utilisateurs qui écrivent"
    ));
    let steady = run::steady_state(engine)?;
    let (mut game, mut truth) = create(ctx, engine, &rules, &steady)?;
    client::start(ctx, &game)?;
    truth.point_began = Some(game::now());
    faults::prepare(ctx, engine, &truth.faults)?;
    truth.point = restorable(engine, &truth.faults)?;
    game.keep(&ctx.workspace, &truth)?;
    step.done(tr!("ready", "prêt"));

    let step = ctx
        .ui
        .step(tr!("the game day begins", "le game day commence"));
    strike(ctx, &mut game, &mut truth)?;
    await_symptoms(ctx, &game)?;
    step.done(tr!(
        "something has happened",
        "il s'est passé quelque chose"
    ));
    Ok((game, truth))
}

fn create(
    ctx: &Context,
    engine: &dyn Engine,
    rules: &Rules,
    steady: &SteadyState,
) -> Result<(Game, Truth)> {
    let (_, folder) = runs::create(ctx, terms::GAMEDAY)?;
    let folder = runs::name_of(&folder);
    let mut game = Game::new(engine.name(), folder, rules.level, rules.teacher);
    game.mode = ctx.config.client.mode(rules.mode);
    let truth = Truth {
        faults: rules.faults.clone(),
        seed: rules.seed,
        protection: steady.protection,
        replicas: engine.facts()?.wanted,
        began: None,
        point: None,
        point_began: None,
    };
    let before = written(&database::of(engine).dump()?)?;
    workspace::write_file(&game.before(&ctx.workspace), &before)?;
    game.keep(&ctx.workspace, &truth)?;
    Ok((game, truth))
}

/// Rows as a dump has them.
fn written(rows: &Rows) -> Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        id: i64,
        timestamp: &'a str,
        message: &'a str,
    }
    let lines = rows.iter().map(|(id, row)| {
        let line = Line {
            id: *id,
            timestamp: &row.timestamp,
            message: &row.message,
        };
        Ok(serde_json::to_string(&line)? + "\n")
    });
    lines.collect()
}

/// The newest verified point that the disaster leaves sound.
fn restorable(engine: &dyn Engine, faults: &[FaultName]) -> Result<Option<String>> {
    let damaged = match faults.contains(&FaultName::BackupPoisoned) {
        true => backup_poisoned::POISONED,
        false => 0,
    };
    let points = database::of(engine).points()?.into_iter();
    let mut verified = points.filter(|point| point.status == PointStatus::Verified);
    Ok(verified.nth(damaged).map(|point| point.name))
}

/// Without a word: what is done is not told.
fn strike(ctx: &Context, game: &mut Game, truth: &mut Truth) -> Result<()> {
    let hushed = &ctx.hushed();
    let engine = engine::select(hushed)?;
    truth.began = Some(game::now());
    game.keep(&ctx.workspace, truth)?;
    for fault in faults::in_order(&truth.faults) {
        fault.strike(hushed, engine.as_ref())?;
    }
    game.struck = Some(game::now());
    game.keep(&ctx.workspace, truth)
}

fn await_symptoms(ctx: &Context, game: &Game) -> Result<()> {
    let seen = wait::until(wait::GAMEDAY_SYMPTOMS, || {
        let symptoms = symptoms(ctx, game)?;
        let clear = symptoms.are_there() && symptoms.window_seconds >= CLEAR;
        Ok(clear.then_some(()))
    });
    if seen.is_err() {
        // Some disasters are quiet for a while.
        wait::check_interrupt()?;
    }
    Ok(())
}

/// What users see now.
pub fn symptoms(ctx: &Context, game: &Game) -> Result<Symptoms> {
    let so_far = ledger_file::read(&game.ledger(&ctx.workspace))?;
    let struck = game.struck.as_deref();
    let struck = struck.and_then(|at| humantime::parse_rfc3339(at).ok());
    let now = so_far.at(SystemTime::now());
    Ok(Symptoms::of(&so_far, struck.map(|at| so_far.at(at)), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::compare::parse_dump;
    use crate::measure::observed::Row;

    #[test]
    fn the_rows_from_before_are_read_as_they_were_written() {
        let row = Row {
            message: "\"é\"\n".into(),
            timestamp: "t".into(),
        };
        let rows = Rows::from([(1, row.clone()), (7, row)]);
        assert_eq!(parse_dump(&written(&rows).unwrap()).unwrap(), rows);
    }
}
