//! Puts the lab back after a scenario that was cut off half-way.

use anyhow::Result;

use crate::app;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::protected;
use crate::scenario::{
    self,
    mark::{self, Unfinished},
};

/// How a scenario is put back that was cut off.
pub struct Repair {
    /// Its nodes may be stopped, and with them the cluster itself.
    pub stops_nodes: bool,
    /// Undoes what a restore would not, once every replica is ready.
    pub first: fn(&dyn Engine, &Left) -> Result<()>,
    /// What has to be restored then, if anything.
    pub target: fn(&dyn Engine, &Left) -> Result<Option<String>>,
}

/// A scenario as it was left, and where its application is reached.
pub struct Left<'a> {
    pub unfinished: &'a Unfinished,
    pub url: &'a str,
}

impl Repair {
    /// The latest moment, where the database is gone.
    pub const WHERE_MISSING: Self = Self {
        stops_nodes: false,
        first: |_, _| Ok(()),
        target: |_, left| {
            let needed = app::status(left.url)?.needs_restore;
            Ok(needed.then(latest))
        },
    };

    /// The latest moment in any case: damage may not have shown yet, and it is
    /// what is there otherwise.
    pub const LATEST: Self = Self {
        target: |_, _| Ok(Some(latest())),
        ..Self::WHERE_MISSING
    };
}

fn latest() -> String {
    "latest".to_owned()
}

/// Starts a node that was left stopped: with it, the cluster itself may be away.
pub fn start_nodes(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    match mark::pending(&ctx.lab, engine.name())? {
        Some(left) if scenario::of(left.scenario).repair.stops_nodes => engine.start_nodes(),
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
    let url = facts.url.unwrap_or_default();
    let left = Left {
        unfinished,
        url: &url,
    };
    let repair = &scenario::of(unfinished.scenario).repair;
    (repair.first)(engine, &left)?;
    let target = (repair.target)(engine, &left)?;
    if let Some(target) = &target {
        app::restore(engine, target, app::Insist::default())?;
    }
    engine.suspend_backups(false)?;
    mark::forget(&ctx.lab, engine.name())?;
    step.done("database there, backups resumed");
    if target.is_some() || unfinished.copy.is_some() {
        protected::again(ctx, engine)?;
    }
    Ok(())
}
