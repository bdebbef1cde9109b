//! The bucket of the embedded store: there, and locked as declared.

use std::path::Path;

use anyhow::Result;
use terms::tr;

use super::store::Store;
use crate::config::Offsite;
use crate::exec;
use crate::failure::Failure;
use crate::offsite;
use crate::workspace::Workspace;

/// Makes it as its owner, where it is not there; says for how many days nobody removes what is
/// copied.
///
/// # Errors
/// The store that runs does not make it so.
pub fn ensure(
    config: &Offsite,
    workspace: &Workspace,
    python: &Path,
    owned: &Store,
) -> Result<String> {
    let days = config.lock_days().to_string();
    let settings = offsite::place(config, Some(owned))?;
    let making = ["bucket", "--json", "--lock-days", &days];
    let cmd = offsite::on_this_machine(python, workspace, &settings, &making);
    let output = exec::output(&cmd)?;
    if output.status.success() {
        return Ok(tr!(
            "locked for {days} days",
            "verrouillé pour {days} jours"
        ));
    }
    let said = output.stderr.trim();
    Err(Failure::tool(tr!(
        "the bucket for copies could not be made: {said}",
        "le bucket des copies n'a pas pu être créé : {said}",
    ))
    .next("cargo xtask status")
    .into())
}
