//! Whether a lab is up, or comes back by itself.

use anyhow::Result;
use terms::LabName;

use crate::context::Context;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::marker;
use crate::names;

/// A lab that repairs itself does so after a disaster that was cut off: it is awaited, and
/// nothing is deployed anew meanwhile.
pub fn is_coming_back(ctx: &Context, engine: &dyn Engine) -> Result<bool> {
    let struck = marker::pending(&ctx.workspace, engine.name())?.is_some();
    Ok(engine.lab() == LabName::Ha && struck && engine.facts()?.wanted > 0)
}

/// Everything that was asked for is there and answers.
pub fn is_up(lab: LabName, facts: &Facts) -> bool {
    let claims = [names::DATA_CLAIM, names::BACKUP_CLAIM];
    let data_are_there = match lab {
        LabName::Ha => facts.database_is_whole(),
        LabName::Pra | LabName::Image => claims.iter().all(|claim| facts.has_volume(claim)),
    };
    let replicas = facts.wanted > 0 && facts.ready() >= facts.wanted as usize;
    // A forward of this machine ends with it.
    facts.running && replicas && data_are_there && facts.url.is_some()
}
