//! Which engine a lab runs on: asked for, remembered, or found out.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::k3d::{K3dEngine, docker};
use super::local::LocalEngine;
use super::{Engine, EngineName};
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
        EngineChoice::Auto => match remembered(ctx).last() {
            Some(EngineName::K3d) => Box::new(K3dEngine::new(ctx)),
            Some(EngineName::Local) => Box::new(LocalEngine::new(ctx)),
            None => find_out(ctx),
        },
    })
}

/// The option that a command needs to mean the same engine as this one: none where
/// it is meant without.
pub fn option(ctx: &Context) -> Option<String> {
    let asked = match ctx.options.engine? {
        EngineChoice::Local => EngineName::Local,
        EngineChoice::K3d => EngineName::K3d,
        EngineChoice::Auto => return None,
    };
    let meant = match ctx.config.engine {
        EngineChoice::Local => Some(EngineName::Local),
        EngineChoice::K3d => Some(EngineName::K3d),
        // Where there is no lab yet, it depends on Docker.
        EngineChoice::Auto => remembered(ctx).pop(),
    };
    (meant != Some(asked)).then(|| format!("--engine {asked}"))
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

/// The engines that a lab of this checkout is on, the one chosen last at the
/// end: with `--engine` there can be one on each.
fn remembered(ctx: &Context) -> Vec<EngineName> {
    let text = fs::read_to_string(file(ctx)).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines.filter_map(|line| line.parse().ok()).collect()
}

/// From here on there is a lab on that engine.
pub fn remember(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    ctx.lab.create()?;
    let mut engines = others(ctx, engine);
    engines.push(engine.name());
    write(ctx, &engines)?;
    // From now on this one is meant without being named.
    ctx.name_commands();
    Ok(())
}

/// The lab on that engine is gone; returns the engines that still have one. Where
/// none has, the next lab may be on any.
pub fn forget(ctx: &Context, engine: &dyn Engine) -> Result<Vec<EngineName>> {
    let others = others(ctx, engine);
    if ctx.exec.dry_run() || !file(ctx).exists() {
        return Ok(others);
    }
    if others.is_empty() {
        fs::remove_file(file(ctx)).context("forgetting the engine of the lab")?;
    } else {
        write(ctx, &others)?;
    }
    ctx.name_commands();
    Ok(others)
}

fn others(ctx: &Context, engine: &dyn Engine) -> Vec<EngineName> {
    let mut engines = remembered(ctx);
    engines.retain(|one| *one != engine.name());
    engines
}

fn write(ctx: &Context, engines: &[EngineName]) -> Result<()> {
    let lines = engines.iter().map(|one| format!("{one}\n"));
    lab::write_file(&file(ctx), &lines.collect::<String>())
}
