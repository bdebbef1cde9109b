//! The engines that a lab can run on, and which of them is meant: the one that was
//! asked for, remembered, or found to suit this machine.

pub mod capability;
pub mod k3d;
pub mod local;
mod seam;
pub mod serving;

use anyhow::{Context as _, Result};
use terms::{EngineName, tr};

use crate::chosen_engines;
use crate::context::Context;
use capability::Lack;
pub use seam::Engine;
use seam::Entry;

/// Every engine; the first that suits a machine is the one that `auto` takes there.
const ALL: &[Entry] = &[k3d::ENTRY, local::ENTRY];

fn entry(name: EngineName) -> &'static Entry {
    let found = ALL.iter().find(|entry| entry.name == name);
    found.expect("a test compares the names with the engines")
}

/// The engine that this lab runs on. A lab that is up stays with its engine
/// until `teardown`.
pub fn select(ctx: &Context) -> Result<Box<dyn Engine>> {
    let asked = ctx.options.engine.unwrap_or(ctx.config.engine).named();
    let meant = asked.or_else(|| chosen_engines::engines(&ctx.workspace).pop());
    let entry = match meant {
        Some(name) => entry(name),
        None => suitable(ctx)?,
    };
    Ok((entry.new)(ctx))
}

/// What an engine lacks, also one that no lab is on.
pub fn lacks(engine: EngineName) -> &'static [Lack] {
    entry(engine).lacks
}

fn suitable(ctx: &Context) -> Result<&'static Entry> {
    let mut suitable = ALL
        .iter()
        .filter_map(|entry| Some((entry, (entry.suits)(ctx)?)));
    let (entry, why) = suitable.next().context("no engine suits this machine")?;
    ctx.ui.note(&tr!(
        "Engine: {engine}, since {why}.",
        "Moteur : {engine}, car {why}.",
        engine = entry.name,
    ));
    Ok(entry)
}

/// From here on there is a lab on that engine.
pub fn remember(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    ctx.workspace.create()?;
    chosen_engines::add(&ctx.workspace, engine.name())?;
    // From now on this one is meant without being named.
    ctx.name_commands();
    Ok(())
}

/// The lab on that engine is gone; returns the engines that still have one. Where
/// none has, the next lab may be on any.
pub fn forget(ctx: &Context, engine: &dyn Engine) -> Result<Vec<EngineName>> {
    if ctx.exec.dry_run() {
        return Ok(chosen_engines::others(&ctx.workspace, engine.name()));
    }
    let others = chosen_engines::remove(&ctx.workspace, engine.name())?;
    ctx.name_commands();
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_an_engine() {
        for name in EngineName::ALL {
            assert_eq!(entry(*name).name, *name);
        }
        assert_eq!(ALL.len(), EngineName::ALL.len());
    }
}
