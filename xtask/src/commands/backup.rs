//! `backup`: take a restore point now, outside the schedule.

use anyhow::Result;

use crate::app;
use crate::commands::setup;
use crate::context::Context;

/// `option` is a word more for the package: a new volume, or a wanted loss.
pub fn run(ctx: &Context, option: Option<&str>) -> Result<()> {
    let _lock = ctx.lock("backup")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step("backup");
    let taken = match option {
        None => app::backup(engine.as_ref())?,
        Some(option) => {
            let wanted = ctx.exec.change(&format!("cargo xtask backup {option}"));
            let taken = wanted.then(|| app::backup_with(engine.as_ref(), Some(option)));
            taken.transpose()?
        }
    };
    let Some(said) = taken else {
        step.done("shown");
        return Ok(());
    };
    let point = &said.value.point;
    step.done(point.status.to_string());
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
