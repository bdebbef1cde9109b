//! Scenarios that were cut off half-way (ctrl-C, a crash): a mark says so, and
//! the next command that needs the lab puts it back.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::app;
use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::lab::{self, Lab};
use crate::scenario::bad_delete;
use crate::wait;

/// A scenario that has begun its disaster and not ended its recovery.
#[derive(Debug, Deserialize, Serialize)]
pub struct Unfinished {
    pub scenario: String,
    pub since: String,
}

/// The mark of the scenario that runs now; it stays unless [`Mark::done`].
pub struct Mark {
    path: PathBuf,
}

impl Mark {
    pub fn done(self) -> Result<()> {
        remove(&self.path)
    }
}

fn path(lab: &Lab) -> PathBuf {
    lab.state().join("unfinished-scenario.json")
}

pub fn begin(lab: &Lab, scenario: &str) -> Result<Mark> {
    let unfinished = Unfinished {
        scenario: scenario.to_owned(),
        since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    };
    let path = path(lab);
    lab::write_file(&path, &serde_json::to_string(&unfinished)?)?;
    Ok(Mark { path })
}

/// The scenario that was left half-way, if any.
pub fn pending(lab: &Lab) -> Result<Option<Unfinished>> {
    let path = path(lab);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(None);
    };
    let unfinished = serde_json::from_str(&text)
        .with_context(|| format!("reading {}", path.display()))
        .map_err(|error| {
            error.context(
                Failure::usage("the mark of an unfinished scenario is damaged")
                    .next(format!("rm {} && cargo xtask status", path.display())),
            )
        })?;
    Ok(Some(unfinished))
}

/// Nothing is left to be put back: the lab is gone.
pub fn forget(lab: &Lab) -> Result<()> {
    if path(lab).exists() {
        remove(&path(lab))?;
    }
    Ok(())
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
    remove(&path(&ctx.lab))?;
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

fn remove(path: &std::path::Path) -> Result<()> {
    std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}
