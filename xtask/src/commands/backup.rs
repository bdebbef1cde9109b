//! `backup`: take a restore point now, outside the schedule.

use anyhow::Result;

use crate::app;
use crate::commands::setup;
use crate::context::Context;

pub fn run(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("backup")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step("backup");
    let Some(said) = app::backup(engine.as_ref())? else {
        step.done("shown");
        return Ok(());
    };
    let point = &said.value.point;
    step.done(&point.status);
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
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
