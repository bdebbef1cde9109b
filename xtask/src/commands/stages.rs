//! The stages of an engine that runs the lab in a cluster, one at a time.

use anyhow::Result;
use serde_json::json;
use terms::{EngineName, LabName};

use crate::cli::Command;
use crate::config::EngineChoice;
use crate::context::Context;
use crate::engine;
use crate::engine::capability::{self, Capability, Stages};
use crate::engine::k3d::site::{Blueprint, Site};
use crate::engine::kubernetes;

pub fn run(ctx: &Context, command: &Command) -> Result<()> {
    insist_on_capability(ctx, command)?;
    let stages = stages(ctx)?;
    if let Command::Forward {
        keep: Some(service),
        port: Some(port),
    } = command
    {
        return stages.keep_forward(service, *port);
    }
    let word = word(command);
    let _lock = ctx.lock(word)?;
    stages.ensure_tools(matches!(command, Command::Image | Command::Push))?;
    match command {
        // Only k3d's engine makes one.
        Command::Cluster => Site::new(ctx, Blueprint::of(ctx))
            .ensure_cluster()
            .map(drop)?,
        _ => stage(stages.as_ref(), command)?,
    }
    ctx.ui.timings();
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx.ui.document(&json!({"status": "done", "stage": word}));
    }
    Ok(())
}

/// Those of the cluster that the lab is on, k3d's where it is on none.
fn stages(ctx: &Context) -> Result<Box<dyn Stages>> {
    if is_elsewhere(ctx) {
        return Ok(Box::new(kubernetes::site::Site::new(ctx)?));
    }
    Ok(Box::new(Site::new(ctx, Blueprint::of(ctx))))
}

/// Whether the lab is in a cluster that was there already.
fn is_elsewhere(ctx: &Context) -> bool {
    ctx.options.lab != LabName::Image && engine::meant(ctx) == Some(EngineName::Kubernetes)
}

/// Refuses an engine that does not have this stage: one that was asked for by name, or the
/// one whose stages are meant.
fn insist_on_capability(ctx: &Context, command: &Command) -> Result<()> {
    let needed = match command {
        Command::Cluster => Capability::Whole,
        Command::Import => Capability::Import,
        Command::Push => Capability::Push,
        _ => return Ok(()),
    };
    let asked = ctx.options.engine.and_then(EngineChoice::named);
    let meant = match is_elsewhere(ctx) {
        true => EngineName::Kubernetes,
        false => EngineName::K3d,
    };
    let engine = asked.unwrap_or(meant);
    let lacks = engine::lacks(engine);
    if capability::hindrance(&[needed], lacks).is_none() {
        return Ok(());
    }
    let refused = capability::lacking(engine, needed, lacks);
    Err(refused.next("cargo xtask setup").into())
}

fn word(command: &Command) -> &'static str {
    match command {
        Command::Cluster => "cluster",
        Command::Image => "image",
        Command::Import => "import",
        Command::Push => "push",
        Command::Deploy => "deploy",
        _ => "forward",
    }
}

/// Runs one stage; the ones before it have to be done.
fn stage(stages: &dyn Stages, command: &Command) -> Result<()> {
    if !matches!(command, Command::Image | Command::Push) {
        stages.insist_on_ownership()?;
    }
    match command {
        Command::Image => stages.image(),
        Command::Import | Command::Push => stages.deliver(),
        Command::Deploy => stages.deploy(),
        _ => stages.forward(),
    }
}
