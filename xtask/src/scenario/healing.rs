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

/// Has the servers that start from here on restore by themselves. Those that run need not:
/// the disaster ends them.
pub fn turn_on(ctx: &Context, engine: &dyn Engine) -> Result<()> {
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
    .next("cargo xtask scenario volume-loss --auto")
    .into()
}
