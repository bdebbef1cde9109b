//! Which engine a lab runs on: asked for, remembered, or found out.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Engine;
use super::k3d::{K3dEngine, docker};
use super::local::LocalEngine;
use crate::config::EngineChoice;
use crate::context::Context;
use crate::lab;

/// The engine that this lab runs on. A lab that is up stays with its engine
/// until `teardown`.
pub fn select(ctx: &Context) -> Result<Box<dyn Engine>> {
    let asked = ctx.options.engine.unwrap_or(ctx.config.engine);
    Ok(match asked {
        EngineChoice::Local => Box::new(LocalEngine::new(ctx)),
        EngineChoice::K3d => Box::new(K3dEngine::new(ctx)),
        EngineChoice::Auto => match remembered(ctx) {
            Some(EngineChoice::K3d) => Box::new(K3dEngine::new(ctx)),
            Some(_) => Box::new(LocalEngine::new(ctx)),
            None => find_out(ctx),
        },
    })
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

fn file(ctx: &Context) -> PathBuf {
    ctx.lab.state().join("engine")
}

fn remembered(ctx: &Context) -> Option<EngineChoice> {
    match fs::read_to_string(file(ctx)).ok()?.trim() {
        "k3d" => Some(EngineChoice::K3d),
        "local" => Some(EngineChoice::Local),
        _ => None,
    }
}

/// From here on this lab is on that engine.
pub fn remember(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    ctx.lab.create()?;
    lab::write_file(&file(ctx), &format!("{}\n", engine.name()))
}

/// The lab is gone: the next one may be on another engine.
pub fn forget(ctx: &Context) -> Result<()> {
    if ctx.exec.dry_run() || !file(ctx).exists() {
        return Ok(());
    }
    fs::remove_file(file(ctx)).context("forgetting the engine of the lab")
}
