//! Puts the lab back after a scenario that was cut off half-way.

use anyhow::Result;

use crate::app;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::protected;
use crate::scenario::mark::{self, Unfinished};
use crate::scenario::{bad_delete, cluster_loss, disk_full};

const NODE_LOSS: &str = "node-loss";

/// Starts a node that was left stopped: with it, the cluster itself may be away.
pub fn start_nodes(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    match mark::pending(&ctx.lab, engine.name())? {
        Some(unfinished) if unfinished.scenario == NODE_LOSS => engine.start_nodes(),
        _ => Ok(()),
    }
}

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
    let facts = engine::wait_until_ready(engine)?;
    if unfinished.scenario == "disk-full" {
        disk_full::make_room(engine)?;
    }
    if unfinished.scenario == "backup-volume-loss" && app::points(engine)?.latest.is_none() {
        // Refused where the volume is not a new one.
        app::take_new_volume(engine)?;
    }
    let url = facts.url.unwrap_or_default();
    if let Some(copy) = &unfinished.copy {
        cluster_loss::carry_on(engine, copy, &url)?;
    }
    let target = target(engine, unfinished, &url)?;
    if let Some(target) = &target {
        app::restore(engine, target, false)?;
    }
    engine.suspend_backups(false)?;
    mark::forget(&ctx.lab, engine.name())?;
    step.done("database there, backups resumed");
    if target.is_some() || unfinished.copy.is_some() {
        protected::again(ctx, engine)?;
    }
    Ok(())
}

/// What has to be restored after a scenario that was cut off, if anything.
fn target(engine: &dyn Engine, unfinished: &Unfinished, url: &str) -> Result<Option<String>> {
    let latest = Some("latest".to_owned());
    match unfinished.scenario.as_str() {
        // The damage may not have shown yet, and the latest moment is what is
        // there in any case.
        "database-corrupt" | "foreign-delete" => Ok(latest),
        "bad-delete" => bad_delete::before_the_delete(engine, &unfinished.since),
        _ if app::status(url)?.needs_restore => Ok(latest),
        _ => Ok(None),
    }
}
