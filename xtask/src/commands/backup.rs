//! `backup`: take a restore point now, outside the schedule.

use anyhow::Result;
use terms::{Labelled, lang, tr};

use crate::app;
use crate::commands::setup;
use crate::context::Context;

/// `option` is a word more for the package: a new volume, or a wanted loss.
pub fn run(ctx: &Context, option: Option<&str>) -> Result<()> {
    let _lock = ctx.lock("backup")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step(tr!("backup", "point de restauration"));
    let taken = match option {
        None => app::backup(engine.as_ref())?,
        Some(option) => {
            let wanted = ctx.exec.change(&format!("cargo xtask backup {option}"));
            let taken = wanted.then(|| app::backup_with(engine.as_ref(), Some(option)));
            taken.transpose()?
        }
    };
    let Some(said) = taken else {
        step.done(tr!("shown", "montré"));
        return Ok(());
    };
    let point = &said.value.point;
    step.done(point.status.label());
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    ctx.ui.say(&tr!(
        "{name}: {rows}, {bytes} bytes, {status}",
        "{name} : {status} ; {rows} ; octets : {bytes}",
        name = point.name,
        rows = lang::rows(point.rows.unwrap_or_default()),
        bytes = point.bytes,
        status = point.status.label(),
    ));
    Ok(())
}
