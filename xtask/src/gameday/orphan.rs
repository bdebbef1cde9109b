//! A game day whose client is gone: it was killed, the machine was restarted, or the game
//! was ended. Nothing can be measured any more, so the lab is put back by the next command
//! that needs it.

use anyhow::Result;
use terms::{EngineName, tr};

use crate::context::Context;
use crate::engine::Engine;
use crate::game::{self, Game};
use crate::measure::result_file;
use crate::workspace::Workspace;

use super::put_back as game_put_back;

/// Starts a node that it has left stopped.
pub fn start_nodes(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    match game::orphaned(&ctx.workspace, engine.name())? {
        Some(game) => game_put_back::start_nodes(engine, &game.truth(&ctx.workspace)?),
        None => Ok(()),
    }
}

/// What is left of it, in words.
pub fn told(ctx: &Context, engine: &dyn Engine) -> Result<Option<String>> {
    let left = game::orphaned(&ctx.workspace, engine.name())?;
    Ok(left.map(|game| {
        tr!(
            "the game day of {since} lost its client (it was killed, or the machine was \
             restarted), and cannot be finished: something may still be broken",
            "le game day du {since} a perdu son client (il a été tué, ou la machine a redémarré) \
             et ne peut pas être terminé : quelque chose est peut-être encore en panne",
            since = game.since
        )
    }))
}

/// Puts the lab back, and forgets the game.
pub fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let Some(game) = game::orphaned(&ctx.workspace, engine.name())? else {
        return Ok(());
    };
    // Recovered, it needs nothing, and `done` still counts it.
    let ended = game.ended(&ctx.workspace);
    if ended.is_some_and(|(_, broken)| broken.is_empty()) && !is_counted(&ctx.workspace, &game) {
        return Ok(());
    }
    ctx.ui.note(&tr!(
        "The game day of {since} is over: the lab is put back.",
        "Le game day du {since} est terminé : le lab est remis en état.",
        since = game.since
    ));
    if ctx.exec.dry_run() {
        return Ok(());
    }
    game_put_back::put_back(ctx, engine, &game, &game.truth(&ctx.workspace)?)?;
    game::forget(&ctx.workspace, engine.name())
}

/// The game that is over and was not counted, since its end was cut off.
pub fn uncounted(workspace: &Workspace, engine: EngineName) -> Result<Option<Game>> {
    let game = game::orphaned(workspace, engine)?;
    let ended = game.filter(|game| game.ended(workspace).is_some());
    Ok(ended.filter(|game| !is_counted(workspace, game)))
}

fn is_counted(workspace: &Workspace, game: &Game) -> bool {
    let folder = game.run_folder(workspace);
    folder.join(result_file::FILE).exists()
}
