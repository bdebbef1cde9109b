//! What a tour does where the reader sees it: it says something, and types commands.

use anyhow::{Context as _, Result};

use crate::app::{self, Status};
use crate::commands::add;
use crate::context::Context;
use crate::engine;
use crate::exec::quote;

/// Returns the row's id.
pub fn added(ctx: &Context, message: &str) -> Result<Option<i64>> {
    typed(ctx, &format!("cargo xtask add {}", quote(message)));
    add::add(ctx, message)
}

pub fn state(ctx: &Context) -> Result<Status> {
    let facts = engine::select(ctx)?.facts()?;
    app::status(&facts.url.context("the lab has no URL")?)
}

pub fn say(ctx: &Context, text: &str) {
    ctx.ui.say("");
    for line in text.lines() {
        ctx.ui.say(line);
    }
}

pub fn typed(ctx: &Context, command: &str) {
    ctx.ui.say("");
    ctx.ui.say(&format!("$ {command}"));
}
