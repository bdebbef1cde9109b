//! `backup`: take a restore point now, outside the schedule.

use anyhow::Result;

use crate::app;
use crate::commands::setup;
use crate::context::Context;

pub fn run(ctx: &Context, new_volume: bool) -> Result<()> {
    let _lock = ctx.lock("backup")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step("backup");
    let taken = if !new_volume {
        app::backup(engine.as_ref())?
    } else if ctx.exec.change("cargo xtask backup --new-volume") {
        Some(app::take_new_volume(engine.as_ref())?)
    } else {
        None
    };
    let Some(said) = taken else {
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
