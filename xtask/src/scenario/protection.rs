//! The lab under another protection than the declared one, for as long as a
//! drill compares them: the declarations are copied with one value changed, and
//! the engines apply the copy while it is there.

use anyhow::Result;
use terms::{Protection, tr};

use crate::context::Context;
use crate::database::{self, Setting};
use crate::engine::{Engine, serving};
use crate::exec::quote_path;
use crate::manifests::substitute;
use crate::scenario::outage;

/// Puts the lab under a protection, with a new base for it.
pub fn switch(ctx: &Context, engine: &dyn Engine, protection: Protection) -> Result<()> {
    let step = ctx
        .ui
        .step(tr!("protection: {protection}", "protection : {protection}"));
    let Setting { key, value } = database::of(engine).protection_setting(protection);
    if ctx
        .exec
        .change(&format!("# {key}={value} in a copy of k8s/"))
    {
        substitute::change(&ctx.workspace.root, engine.name(), key, value)?;
    }
    restart(ctx, engine)?;
    step.done(tr!(
        "in force, with a new base",
        "en vigueur, avec une nouvelle base"
    ));
    Ok(())
}

/// Puts the lab back under the declared protection, where it is not.
pub fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let copy = substitute::path(&ctx.workspace.root, engine.name());
    if !copy.exists() {
        return Ok(());
    }
    let step = ctx
        .ui
        .step(tr!("the declared protection", "la protection déclarée"));
    if ctx.exec.change(&format!("rm -r {}", quote_path(&copy))) {
        substitute::remove(&ctx.workspace.root, engine.name())?;
    }
    restart(ctx, engine)?;
    step.done(tr!("back in force", "de nouveau en vigueur"));
    Ok(())
}

/// Replicas read their settings when they start; the protection that begins
/// needs a point of its own to begin from.
fn restart(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::stop_everything(ctx, engine)?;
    engine.apply()?;
    if !ctx.exec.dry_run() {
        serving::wait_until_ready(engine)?;
    }
    engine.suspend_backups(false)?;
    outage::verified_backup(ctx, engine)
}
