//! The stages of the k3d engine, one at a time.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cli::{Command, Workshop};
use crate::config::EngineChoice;
use crate::context::Context;
use crate::engine;
use crate::engine::capability::{self, Capability};
use crate::engine::k3d::docker;
use crate::engine::k3d::site::{Blueprint, Site};

pub fn run(ctx: &Context, command: &Command) -> Result<()> {
    let plan = match ctx.options.workshop {
        Workshop::Pra => Blueprint::pra(ctx),
        Workshop::Image => Blueprint::image_workshop(ctx),
    };
    let site = Site::new(ctx, plan);
    if let Command::Forward {
        keep: Some(service),
        port: Some(port),
    } = command
    {
        return site.kube.keep(service, *port);
    }
    if matches!(command, Command::Import) {
        insist_on_import(ctx)?;
    }
    let word = word(command);
    let _lock = ctx.lock(word)?;
    docker::insist(ctx)?;
    ctx.tools.ensure_all()?;
    stage(&site, command)?;
    ctx.ui.timings();
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx.ui.document(&json!({"status": "done", "stage": word}));
    }
    Ok(())
}

/// Refuses an engine that was asked for by name and has no image: the stages act
/// on the cluster.
fn insist_on_import(ctx: &Context) -> Result<()> {
    let Some(engine) = ctx.options.engine.and_then(EngineChoice::named) else {
        return Ok(());
    };
    let lacks = engine::lacks(engine);
    if capability::hindrance(&[Capability::Import], lacks).is_none() {
        return Ok(());
    }
    let refused = capability::lacking(engine, Capability::Import, lacks);
    Err(refused.next("cargo xtask setup").into())
}

fn word(command: &Command) -> &'static str {
    match command {
        Command::Cluster => "cluster",
        Command::Image => "image",
        Command::Import => "import",
        Command::Deploy => "deploy",
        _ => "forward",
    }
}

/// Runs one stage; the ones before it have to be done.
fn stage(site: &Site, command: &Command) -> Result<()> {
    if !matches!(command, Command::Cluster | Command::Image) {
        site.insist_on_ownership()?;
    }
    match command {
        Command::Cluster => site.ensure_cluster().map(drop),
        Command::Image => site.images.ensure().map(drop),
        Command::Import => {
            site.images.ensure()?;
            site.ensure_imported()?;
            site.ensure_rolled_out()
        }
        Command::Deploy => {
            site.kube.ensure_deployed()?;
            site.ensure_rolled_out()
        }
        _ => {
            let cluster = site.cluster()?.context("the cluster is gone")?;
            site.ensure_forwarded(&cluster)
        }
    }
}
