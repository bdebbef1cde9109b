//! The question before a restore or an adoption that takes rows away.

use anyhow::{Context as _, Result};
use terms::tr;

use crate::app::{self, Document, Plan};
use crate::context::Context;
use crate::engine::Engine;
use crate::wait;

/// Asks where a restore or an adoption (`doing`, as a person would say it)
/// takes the place of rows that differ from what it brings. Nothing is asked
/// where there is no database, or where the plan says that no row is lost or
/// changed.
///
/// # Errors
/// What is wanted cannot be had, or the answer is no.
pub fn insist(
    ctx: &Context,
    engine: &dyn Engine,
    doing: &str,
    plan: impl FnOnce() -> Result<Option<Document<Plan>>>,
) -> Result<()> {
    if ctx.options.yes || ctx.exec.dry_run() {
        return Ok(());
    }
    let url = engine
        .facts()?
        .url
        .context(tr!("the lab has no URL", "le lab n'a pas d'URL"))?;
    // Where the application does not answer there is more reason to ask.
    if app::status(&url).is_ok_and(|status| status.needs_restore) {
        return Ok(());
    }
    let planned = plan()?;
    wait::check_interrupt()?;
    let Some(Document { value: plan, .. }) = planned.filter(|said| said.value.takes_something())
    else {
        return Ok(());
    };
    for warning in &plan.warnings {
        ctx.ui.warn(warning);
    }
    ctx.confirm(&tr!(
        "{doing}: {against}. What is there is kept: `cargo xtask undo` brings it back.",
        "{doing} : {against}. Ce qui est là est conservé : `cargo xtask undo` le ramène.",
        against = plan.against(),
    ))
}
