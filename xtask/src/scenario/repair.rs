//! Puts the lab back after a scenario that was cut off half-way.

use anyhow::Result;

use crate::app;
use crate::context::Context;
use crate::engine::Engine;
use crate::scenario::bad_delete;
use crate::scenario::mark::{self, Unfinished};
use crate::wait;

/// Ends the recovery that was cut off: data restored where they are missing,
/// backups resumed.
pub fn run(ctx: &Context, engine: &dyn Engine, unfinished: &Unfinished) -> Result<()> {
    ctx.ui.note(&format!(
        "Scenario {} of {} was interrupted: putting the lab back.",
        unfinished.scenario, unfinished.since
    ));
    let step = ctx.ui.step("repair after an interrupted scenario");
    engine.apply()?;
    if ctx.exec.dry_run() {
        engine.suspend_backups(false)?;
        step.done("shown");
        return Ok(());
    }
    let url = wait::until(wait::APP_READY, || {
        let facts = engine.facts()?;
        let ready = facts.wanted > 0 && facts.ready() >= facts.wanted as usize;
        Ok(facts.url.filter(|_| ready))
    })?;
    if unfinished.scenario == "backup-volume-loss" && app::points(engine)?.latest.is_none() {
        // Refused where the volume is not a new one.
        app::take_new_volume(engine)?;
    }
    if let Some(target) = target(engine, unfinished, &url)? {
        app::restore(engine, &target, false)?;
    }
    engine.suspend_backups(false)?;
    mark::forget(&ctx.lab)?;
    step.done("database there, backups resumed");
    Ok(())
}

/// What has to be restored after a scenario that was cut off, if anything.
fn target(engine: &dyn Engine, unfinished: &Unfinished, url: &str) -> Result<Option<String>> {
    let latest = Some("latest".to_owned());
    match unfinished.scenario.as_str() {
        // The damage may not have shown yet, and the latest moment is what is
        // there in any case.
        "database-corrupt" => Ok(latest),
        "bad-delete" => bad_delete::before_the_delete(engine, &unfinished.since),
        _ if app::status(url)?.needs_restore => Ok(latest),
        _ => Ok(None),
    }
}
