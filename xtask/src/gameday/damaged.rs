//! A game day of which what was kept cannot be read any more: what broke is not known, and the
//! lab is put back as far as that goes without.

use anyhow::Result;
use terms::tr;

use crate::context::Context;
use crate::engine::{Engine, serving};
use crate::game;
use crate::scenario::outage;
use crate::wait;

use super::client;

/// Nodes, volumes, replicas and backups; the data as the latest restore point and the journal
/// have them, where they cannot be protected as they are. The game is forgotten first: where
/// this fails, every other command can go on with it.
pub fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    client::stop(ctx, engine.name())?;
    game::forget(&ctx.workspace, engine.name())?;
    let step = ctx.ui.step(tr!(
        "putting back what can be, without knowing what broke",
        "remise en état de ce qui peut l'être, sans savoir ce qui est en panne"
    ));
    if let Ok(nodes) = engine.nodes() {
        nodes.start()?;
    }
    engine.delete_jobs()?;
    engine.apply()?;
    serving::wait_until_ready(engine)?;
    if let Err(error) = outage::protect(ctx, engine) {
        wait::check_interrupt()?;
        ctx.ui.note(&format!("{error:#}"));
        outage::restore_latest(ctx, engine)?;
        serving::wait_until_ready(engine)?;
        outage::protect(ctx, engine)?;
    }
    step.done(tr!(
        "it serves and is protected",
        "le lab sert et il est protégé"
    ));
    ctx.ui.warn(&tr!(
        "rows that the disaster itself deleted are not back: cargo xtask restore --log --largest \
         shows such a transaction, and before.jsonl of that run, under .lab/runs, has every row \
         from before the game day",
        "les lignes que le sinistre lui-même a supprimées ne sont pas revenues : cargo xtask \
         restore --log --largest montre une telle transaction, et before.jsonl de cette exécution, \
         sous .lab/runs, contient toutes les lignes d'avant le game day"
    ));
    Ok(())
}
