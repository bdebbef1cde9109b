//! `logs`: what the pods wrote.

use anyhow::Result;
use serde_json::json;

use crate::cli::LogsArgs;
use crate::context::Context;
use crate::engine;

pub fn run(ctx: &Context, args: &LogsArgs) -> Result<()> {
    let engine = engine::select(ctx)?;
    let cmd = engine.logs(args.of, args.lines, args.follow)?;
    if args.follow {
        return ctx.exec.follow(&cmd);
    }
    let text = ctx.exec.read(&cmd)?;
    if text.trim().is_empty() {
        // kubectl calls that a success.
        return Err(engine::no_logs());
    }
    if ctx.ui.json() {
        return ctx
            .ui
            .document(&json!({"logs": text.lines().collect::<Vec<_>>()}));
    }
    ctx.ui.raw(&text);
    Ok(())
}
