//! The lab under another protection than the declared one, for as long as a
//! drill compares them: the declarations are copied with one value changed, and
//! the engines apply the copy while it is there.

use anyhow::Result;
use terms::{LabName, Protection, tr};

use crate::context::Context;
use crate::database::{self, Setting};
use crate::engine::{Engine, serving};
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::manifests::substitute;
use crate::scenario::outage;

/// Puts the lab under a protection, with a new base for it.
pub fn switch(ctx: &Context, engine: &dyn Engine, protection: Protection) -> Result<()> {
    insist_on_choice(engine.lab())?;
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
    outage::stop_everything(ctx, engine)?;
    start(ctx, engine)?;
    step.done(tr!(
        "in force, with a new base",
        "en vigueur, avec une nouvelle base"
    ));
    Ok(())
}

/// Puts the lab back under the declared protection, where it is not. Cut off at any moment,
/// it does so again when it is called again.
pub fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let (root, name) = (&ctx.workspace.root, engine.name());
    // What is left may be another lab's, on the same engine.
    if engine.lab() != LabName::Pra || !substitute::is_left(root, name) {
        return Ok(());
    }
    let step = ctx
        .ui
        .step(tr!("the declarations of k8s/", "les déclarations de k8s/"));
    // Nobody is served under the other protection any more, from here on.
    outage::stop_everything(ctx, engine)?;
    let copy = substitute::path(root, name);
    let really = ctx.exec.change(&format!("rm -r {}", quote_path(&copy)));
    if really {
        substitute::retire(root, name)?;
    }
    start(ctx, engine)?;
    if really {
        substitute::remove(root, name)?;
    }
    step.done(tr!("back in force", "de nouveau en vigueur"));
    Ok(())
}

/// # Errors
/// The lab has one protection, and no declarations of `k8s/` that a copy could stand for.
fn insist_on_choice(lab: LabName) -> Result<()> {
    if lab == LabName::Pra {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "the lab {lab} has one protection, and cannot be put under another",
        "le lab {lab} a une seule protection, et ne peut être mis sous une autre",
    ))
    .next("cargo xtask scenario --list")
    .into())
}

/// Replicas read their settings when they start; the protection that begins
/// needs a point of its own to begin from.
fn start(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.apply()?;
    if !ctx.exec.dry_run() {
        serving::wait_until_ready(engine)?;
    }
    engine.suspend_backups(false)?;
    outage::verified_backup(ctx, engine)
}
