//! What cannot be done while a game day goes on.

use anyhow::Result;
use terms::tr;

use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::game;

use super::orphan;

/// Another disaster now would spoil both.
pub fn insist_on_none(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let Some(game) = game::running(&ctx.workspace, engine.name())? else {
        return insist_on_none_uncounted(ctx, engine);
    };
    let said = tr!(
        "a game day goes on in this lab since {since}",
        "un game day est en cours dans ce lab depuis {since}",
        since = game.since
    );
    let next = tr!(
        "cargo xtask gameday status; cargo xtask gameday done ends it, cargo xtask gameday abort \
         puts the lab back",
        "cargo xtask gameday status ; cargo xtask gameday done y met fin, cargo xtask gameday \
         abort remet le lab en état"
    );
    Err(Failure::usage(said).next(next).into())
}

/// After a setup: a scenario, where no game goes on that it would spoil.
pub fn say_what_is_next(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let next = match game::running(&ctx.workspace, engine.name())? {
        None => tr!(
            "  next: cargo xtask scenario 2",
            "  ensuite : cargo xtask scenario 2"
        ),
        Some(game) => tr!(
            "A game day goes on since {since}: more may be broken than setup looks at.\n  \
             next: cargo xtask gameday status",
            "Un game day est en cours depuis {since} : setup ne regarde pas tout ce qui peut être en \
             panne.\n  ensuite : cargo xtask gameday status",
            since = game.since
        ),
    };
    ctx.ui.say(&next);
    Ok(())
}

/// Its lab is put back by what comes next, and then nothing could be counted any more.
fn insist_on_none_uncounted(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let Some(game) = orphan::uncounted(&ctx.workspace, engine.name())? else {
        return Ok(());
    };
    let said = tr!(
        "the game day of {since} is over, and its end was cut off before it was counted",
        "le game day du {since} est terminé, et sa fin a été coupée avant le décompte",
        since = game.since
    );
    let next = tr!(
        "cargo xtask gameday done, which counts it",
        "cargo xtask gameday done, qui fait le décompte"
    );
    Err(Failure::usage(said).next(next).into())
}
