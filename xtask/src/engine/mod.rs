//! The engines that a lab can run on, and which of them is meant: the one that was
//! asked for, remembered, or found to suit this machine.

pub mod capability;
pub mod k3d;
pub mod kubernetes;
pub mod local;
pub mod monitoring;
pub mod offsite;
mod seam;
pub mod serving;

use anyhow::Result;
use terms::lang::listed;
use terms::{EngineName, LabName, tr};

use crate::chosen_engines;
use crate::config::EngineChoice;
use crate::context::Context;
use crate::failure::Failure;
use capability::Lack;
use seam::Entry;
pub use seam::{Engine, no_logs};

/// Every engine; the first that suits a machine is the one that `auto` takes there.
const ALL: &[Entry] = &[k3d::ENTRY, local::ENTRY, kubernetes::ENTRY];

fn entry(name: EngineName) -> &'static Entry {
    let found = ALL.iter().find(|entry| entry.name == name);
    found.expect("a test compares the names with the engines")
}

/// The engine that this lab runs on. A lab that is up stays with its engine
/// until `teardown`.
pub fn select(ctx: &Context) -> Result<Box<dyn Engine>> {
    let lab = ctx.options.lab;
    let asked = ctx.options.engine.and_then(EngineChoice::named);
    if let Some(asked) = asked.filter(|asked| !entry(*asked).carries(lab)) {
        return Err(not_carried(lab, asked).into());
    }
    let entry = match meant(ctx) {
        Some(name) => entry(name),
        None => suitable(ctx)?,
    };
    (entry.new)(ctx)
}

/// The engine that was asked for, or is declared, or that there is a lab on.
pub fn meant(ctx: &Context) -> Option<EngineName> {
    let asked = ctx.options.engine.and_then(EngineChoice::named);
    // What is declared may be of another lab.
    let declared = ctx.config.engine.named();
    let declared = declared.filter(|one| entry(*one).carries(ctx.options.lab));
    let asked = asked.or(declared);
    asked.or_else(|| chosen_engines::engines(&ctx.workspace).pop())
}

fn not_carried(lab: LabName, engine: EngineName) -> Failure {
    let able = ALL.iter().filter(|entry| entry.carries(lab));
    let able: Vec<&str> = able.map(|entry| entry.name.word()).collect();
    // With its options, or the one that is refused would be put into it again.
    let next = able.first().map_or_else(
        || "cargo xtask setup".to_owned(),
        |able| format!("cargo xtask --lab {lab} --engine {able} setup"),
    );
    let able = listed(&able);
    Failure::usage(tr!(
        "the lab {lab} is not possible on {engine}, only on {able}",
        "le lab {lab} n'est pas possible sur {engine}, seulement sur {able}",
    ))
    .next(next)
}

/// What an engine lacks, also one that no lab is on.
pub fn lacks(engine: EngineName) -> &'static [Lack] {
    entry(engine).lacks
}

fn suitable(ctx: &Context) -> Result<&'static Entry> {
    let able = ALL.iter().filter(|entry| entry.carries(ctx.options.lab));
    let mut suitable = able.filter_map(|entry| Some((entry, (entry.suits)(ctx)?)));
    let Some((entry, why)) = suitable.next() else {
        // The local one suits any machine, so this is a lab that it cannot carry: what the
        // other lacks here, its own checks say.
        return Ok(entry(EngineName::K3d));
    };
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
