//! `teardown`: remove the lab with its data and restore points. The results of
//! scenarios and the downloaded packages stay under `.lab/`.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::commands::local::name_orphans;
use crate::context::Context;
use crate::engine;
use crate::exec::quote_path;
use crate::game;
use crate::gameday::client;
use crate::marker;
use crate::reset;
use crate::wait;
use terms::EngineName;

pub fn run(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("teardown")?;
    let engine = engine::select(ctx)?;
    // A lab that cannot say what it has may go all the same.
    let anything = match engine.facts() {
        Ok(facts) => facts.running || !facts.volumes.is_empty(),
        Err(error) => {
            wait::check_interrupt()?;
            ctx.ui.warn(&format!("{error:#}"));
            true
        }
    };
    if anything {
        ctx.confirm(&format!(
            "This deletes the database and all restore points of the lab of {} ({}).",
            ctx.workspace.root.display(),
            engine.name()
        ))?;
    }
    let copy = give_up_copy(ctx, engine.name())?;
    end_game(ctx, engine.name())?;
    let step = ctx.ui.step("teardown");
    engine.teardown()?.down()?;
    if !ctx.exec.dry_run() {
        marker::forget(&ctx.workspace, engine.name())?;
        reset::forget(&ctx.workspace, engine.name())?;
    }
    let others = engine::forget(ctx, engine.as_ref())?;
    let removed = anything || !ctx.exec.changes().is_empty();
    if removed {
        step.done("removed");
    } else {
        step.found("nothing was there");
    }
    if let Some(copy) = copy {
        let copy = quote_path(&copy);
        ctx.ui
            .note(&format!("The copy stays: cargo xtask adopt {copy}"));
    }
    if engine.name() == EngineName::Local {
        name_orphans(ctx);
    }
    for other in others {
        ctx.ui.note(&format!(
            "The lab on the {other} engine is left as it is: cargo xtask --engine {other} teardown"
        ));
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx
            .ui
            .document(&json!({"status": "removed", "engine": engine.name()}));
    }
    Ok(())
}

/// A game day ends with its lab.
fn end_game(ctx: &Context, engine: EngineName) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    client::stop(ctx, engine)?;
    game::forget(&ctx.workspace, engine)
}

/// The copy that the lab had to come back from, which nobody adopts after this by
/// itself.
fn give_up_copy(ctx: &Context, engine: EngineName) -> Result<Option<PathBuf>> {
    // A mark that cannot be read goes with the lab.
    let pending = marker::pending(&ctx.workspace, engine).ok().flatten();
    let Some(copy) = pending.and_then(|one| one.copy).filter(|one| one.exists()) else {
        return Ok(None);
    };
    ctx.confirm(&format!(
        "A scenario was interrupted, and the lab has to come back from {}: cargo xtask setup does \
         that. A teardown gives it up.",
        copy.display()
    ))?;
    Ok(Some(copy))
}
