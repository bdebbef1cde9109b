//! Which engine a lab runs on: asked for, remembered, or found out.

use anyhow::Result;

use super::Engine;
use super::capability::Lack;
use super::k3d::{self, K3dEngine, docker};
use super::local::{self, LocalEngine};
use crate::config::EngineChoice;
use crate::context::Context;
use crate::remembered;
use terms::EngineName;

/// The engine that this lab runs on. A lab that is up stays with its engine
/// until `teardown`.
pub fn select(ctx: &Context) -> Result<Box<dyn Engine>> {
    let asked = ctx.options.engine.unwrap_or(ctx.config.engine);
    Ok(match asked {
        EngineChoice::Local => Box::new(LocalEngine::new(ctx)),
        EngineChoice::K3d => Box::new(K3dEngine::new(ctx)),
        EngineChoice::Auto => match remembered::engines(&ctx.lab).last() {
            Some(EngineName::K3d) => Box::new(K3dEngine::new(ctx)),
            Some(EngineName::Local) => Box::new(LocalEngine::new(ctx)),
            None => find_out(ctx),
        },
    })
}

/// What an engine lacks, also one that no lab is on.
pub fn lacks(engine: EngineName) -> &'static [Lack] {
    match engine {
        EngineName::Local => local::LACKS,
        EngineName::K3d => k3d::LACKS,
    }
}

fn find_out(ctx: &Context) -> Box<dyn Engine> {
    if docker::info(ctx).is_some() {
        ctx.ui.note("Engine: k3d, since a Docker daemon answers.");
        return Box::new(K3dEngine::new(ctx));
    }
    ctx.ui
        .note("Engine: local, since no Docker daemon answers.");
    Box::new(LocalEngine::new(ctx))
}

/// From here on there is a lab on that engine.
pub fn remember(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    ctx.lab.create()?;
    remembered::add(&ctx.lab, engine.name())?;
    // From now on this one is meant without being named.
    ctx.name_commands();
    Ok(())
}

/// The lab on that engine is gone; returns the engines that still have one. Where
/// none has, the next lab may be on any.
pub fn forget(ctx: &Context, engine: &dyn Engine) -> Result<Vec<EngineName>> {
    if ctx.exec.dry_run() {
        return Ok(remembered::others(&ctx.lab, engine.name()));
    }
    let others = remembered::remove(&ctx.lab, engine.name())?;
    ctx.name_commands();
    Ok(others)
}
