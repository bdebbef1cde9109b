//! `backup`: take a restore point now, outside the schedule.

use anyhow::Result;
use serde_json::json;

use crate::app;
use crate::commands::setup;
use crate::context::Context;

pub fn run(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("backup")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step("backup");
    let Some(point) = app::backup(engine.as_ref())? else {
        step.done("shown");
        return Ok(());
    };
    step.done(&point.status);
    if ctx.ui.json() {
        return ctx.ui.document(&json!({"status": "ok", "point": point}));
    }
    ctx.ui.say(&format!(
        "{}: {} rows, {} bytes, {}",
        point.name,
        point.rows.unwrap_or_default(),
        point.bytes,
        point.status
    ));
    Ok(())
}
