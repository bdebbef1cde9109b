//! The lab whose servers restore a lost database by themselves, for as long as runs want
//! that: the declarations are copied with that one value changed, as for a protection, and
//! `protection::put_back` takes both back.

use anyhow::Result;
use terms::tr;

use crate::context::Context;
use crate::database::{self, Restored, Setting};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::manifests::substitute;
use crate::wait;

/// # Errors
/// The lab, as it runs, could not restore what a disaster takes from it: asked before
/// anything is taken. Nothing is asked in a dry run.
pub fn insist(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let url = engine.facts()?.url.unwrap_or_default();
    database::of(engine).insist_on_healing(&url)
}

/// Has the servers that start from here on restore by themselves. Those that run need not:
/// the disaster ends them.
///
/// # Errors
/// Those of [`insist`].
pub fn turn_on(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    insist(ctx, engine)?;
    let Setting { key, value } = database::of(engine).healing_setting();
    if ctx
        .exec
        .change(&format!("# {key}={value} in a copy of k8s/"))
    {
        substitute::change(&ctx.workspace.root, engine.name(), key, value)?;
    }
    Ok(())
}

/// Waits until the servers have brought the database back.
///
/// # Errors
/// They say that they do not.
pub fn wait_until_back(ctx: &Context, engine: &dyn Engine) -> Result<Option<Restored>> {
    if ctx.exec.dry_run() {
        return Ok(None);
    }
    wait::until(wait::RESTORED_BY_ITSELF, || {
        engine.insist_on_life()?;
        let url = engine.facts()?.url.unwrap_or_default();
        database::of(engine).healed(&url)
    })
    .map(Some)
}

/// Refuses to leave to the lab what it does not recover from by itself.
pub fn refuse(what: &str) -> anyhow::Error {
    Failure::usage(tr!(
        "{what} cannot be had with --auto: the lab restores by itself a lost data volume alone",
        "{what} n'existe pas avec --auto : le lab ne restaure de lui-même qu'un volume de données \
         perdu",
    ))
    .next("cargo xtask --lab pra scenario volume-loss --auto")
    .into()
}

/// Refuses a drill that compares such a recovery under a protection without a journal.
pub fn refuse_without_journal() -> anyhow::Error {
    Failure::usage(tr!(
        "--auto does not go with --protection snapshot: without a journal the lost volume has \
         the only copy of what was acknowledged since the newest point, and to give that up is \
         for a person",
        "--auto ne va pas avec --protection snapshot : sans journal le volume perdu a la seule \
         copie de ce qui a été acquitté depuis le point le plus récent, et y renoncer revient à \
         une personne",
    ))
    .next("cargo xtask drill volume-loss --auto --protection journal")
    .into()
}
