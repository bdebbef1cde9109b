//! Puts the lab back after a game day that was aborted, given up, or cut off: a player may
//! have recovered none of it, some of it, or all.

use std::time::SystemTime;

use anyhow::Result;
use terms::lang::listed;
use terms::{FaultName, Protection, tr};

use crate::context::Context;
use crate::database;
use crate::engine::{Engine, serving};
use crate::game::{Game, Truth};
use crate::marker::{Stage, Unfinished};
use crate::measure::ledger_file;
use crate::scenario::interrupted;
use crate::scenario::outage;
use crate::scenario::repair::Interrupted;

use super::excuse::Excuse;
use super::{faults, verify};

/// Starts a node that the game has stopped: with it, the cluster itself may be away.
pub fn start_nodes(engine: &dyn Engine, truth: &Truth) -> Result<()> {
    if truth.faults.contains(&FaultName::NodeLoss) {
        engine.nodes()?.start()?;
    }
    Ok(())
}

/// Undoes what is broken, restores only what is missing, and sees it protected. The client
/// has ended.
pub fn put_back(ctx: &Context, engine: &dyn Engine, game: &Game, truth: &Truth) -> Result<()> {
    if truth.began.is_none() {
        return Ok(());
    }
    let step = ctx.ui.step(tr!(
        "putting the lab back after the game day",
        "remise en état du lab après le game day"
    ));
    engine.delete_jobs()?;
    engine.apply()?;
    let url = serving::wait_until_ready(engine)?.url.unwrap_or_default();
    let left = left(truth);
    for unfinished in &left {
        let repair = &crate::scenario::of(unfinished.scenario).repair;
        let unfinished = Interrupted {
            unfinished,
            url: &url,
        };
        (repair.first)(engine, &unfinished)?;
    }
    engine.suspend_backups(false)?;
    if let Err(error) = sound(ctx, engine, game, truth) {
        crate::wait::check_interrupt()?;
        ctx.ui.note(&format!("{error:#}"));
        restore(ctx, engine, &left, &url)?;
        bring_back_missing(ctx, engine, game, truth)?;
        outage::verified_backup(ctx, engine)?;
        database::of(engine).prove()?;
    }
    step.done(tr!("as before", "comme avant"));
    Ok(())
}

/// Each fault as the scenario that causes it would have been left half-way.
fn left(truth: &Truth) -> Vec<Unfinished> {
    let faults = faults::in_order(&truth.faults).into_iter();
    let snapshots = truth.protection == Protection::Snapshot;
    let scenarios = faults.filter_map(|fault| fault.scenario);
    scenarios
        .map(|scenario| Unfinished {
            scenario,
            since: truth.began.clone().unwrap_or_default(),
            stage: Stage::Struck,
            copy: None,
            point: truth.point.clone().filter(|_| snapshots),
            safety_point: None,
            closed: None,
        })
        .collect()
}

fn restore(ctx: &Context, engine: &dyn Engine, left: &[Unfinished], url: &str) -> Result<()> {
    for unfinished in left {
        if let Some(restored) = interrupted::recover(engine, unfinished, url, None)? {
            interrupted::tell(ctx, &restored);
        }
    }
    Ok(())
}

/// # Errors
/// Something of it is not: what, in words.
fn sound(ctx: &Context, engine: &dyn Engine, game: &Game, truth: &Truth) -> Result<()> {
    let missing = missing(ctx, engine, game, truth)?;
    anyhow::ensure!(missing.is_empty(), "{}", listed(&missing));
    outage::verified_backup(ctx, engine)?;
    database::of(engine).prove().map(drop)
}

/// What a player has lost by a restore to too early a moment is in the point from before
/// the game, and what came after that is lost.
fn bring_back_missing(
    ctx: &Context,
    engine: &dyn Engine,
    game: &Game,
    truth: &Truth,
) -> Result<()> {
    let database = database::of(engine);
    if missing(ctx, engine, game, truth)?.is_empty() {
        return Ok(());
    }
    let point = truth.point.as_deref();
    let there = database.points()?;
    if let Some(point) = point.filter(|name| there.iter().any(|one| one.name == *name)) {
        database.bring_back(point)?;
    }
    for what in missing(ctx, engine, game, truth)? {
        ctx.ui.warn(&tr!(
            "{what}; every row from before the game day is in {path}",
            "{what} ; toutes les lignes d'avant le game day sont dans {path}",
            path = game.before(&ctx.workspace).display()
        ));
    }
    Ok(())
}

/// What the database lacks of what was promised, in words.
fn missing(ctx: &Context, engine: &dyn Engine, game: &Game, truth: &Truth) -> Result<Vec<String>> {
    let kept = verify::before(ctx, game).and_then(|before| {
        let so_far = ledger_file::read(&game.ledger(&ctx.workspace))?;
        Ok((before, so_far))
    });
    let (before, so_far) = match kept {
        Ok(kept) => kept,
        Err(error) => {
            // The lab has to come back all the same: a new point tells most of it.
            ctx.ui.warn(&tr!(
                "no row can be compared: {error:#}",
                "aucune ligne ne peut être comparée : {error:#}"
            ));
            return Ok(Vec::new());
        }
    };
    let excuse = Excuse::of(game, truth, &so_far)?;
    let after = database::of(engine).dump()?;
    let requests = so_far.as_of(so_far.at(SystemTime::now()));
    let verdict = verify::compare(&before, &requests, &after, game);
    Ok(verify::told(&verdict, &excuse))
}
