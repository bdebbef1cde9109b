//! `local`: the parts of the local engine, one at a time.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cli::{JobKind, LocalAction};
use crate::context::Context;
use crate::engine::Engine;
use crate::engine::local::LocalEngine;
use crate::facts::{JobOutcome, JobSource};
use crate::failure::Failure;
use crate::local::{self, orphans};
use crate::wait;
use terms::{Death, tr};

pub fn run(ctx: &Context, action: LocalAction) -> Result<()> {
    match action {
        LocalAction::Facts => return facts(ctx),
        LocalAction::Supervisor => return local::supervise(&ctx.workspace, &ctx.config, &ctx.ui),
        _ => {}
    }
    let _lock = ctx.lock("local")?;
    let engine = LocalEngine::new(ctx);
    match action {
        LocalAction::Facts | LocalAction::Supervisor => {}
        LocalAction::Scale { replicas } => scale(ctx, &engine, replicas)?,
        LocalAction::Suspend => engine.suspend_backups(true)?,
        LocalAction::Resume => engine.suspend_backups(false)?,
        LocalAction::Apply => engine.apply_and_say()?,
        LocalAction::DeleteJobs => engine.delete_jobs()?,
        LocalAction::DeleteVolume { claim } => {
            ctx.confirm(&tr!(
                "This deletes everything on {claim}.",
                "Ceci supprime tout ce qui est sur {claim}.",
            ))?;
            engine.delete_volume(&claim)?;
        }
        LocalAction::Job { kind, name, env } => return job(ctx, &engine, kind, name, env),
        LocalAction::Kill { pod, force } => {
            let death = if force { Death::Hard } else { Death::Graceful };
            engine.kill(&pod, death)?;
        }
        LocalAction::Python { script } => {
            if let Some(printed) = engine.python(&script)?.filter(|_| !ctx.ui.json()) {
                ctx.ui.raw(&printed);
            }
        }
        LocalAction::Stop => {
            engine.stop()?;
            name_orphans(ctx);
        }
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx.ui.document(&json!({"status": "done"}));
    }
    Ok(())
}

/// Lists processes that still run for labs whose folder is gone.
pub fn name_orphans(ctx: &Context) {
    for orphan in orphans::all() {
        let orphans::Orphan { what, end } = orphan;
        let said = format!("there is {what}; it should end by itself, else: {end}");
        ctx.ui.warn(&said);
    }
}

/// Returns when surplus replicas have ended, since the next command may delete their
/// volume.
fn scale(ctx: &Context, engine: &LocalEngine, replicas: u32) -> Result<()> {
    engine.scale(replicas)?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    wait::until(wait::APP_STOPPED, || {
        let left = engine.facts()?.pods.len();
        Ok((left <= replicas as usize).then_some(()))
    })
}

fn job(
    ctx: &Context,
    engine: &LocalEngine,
    kind: JobKind,
    name: Option<String>,
    env: Vec<(String, String)>,
) -> Result<()> {
    let (default, source) = match kind {
        JobKind::Backup if !env.is_empty() => {
            return Err(Failure::usage(tr!(
                "the backup job takes its environment from k8s/ alone",
                "le job de sauvegarde ne prend son environnement que dans k8s/",
            ))
            .next("cargo xtask local job backup")
            .into());
        }
        JobKind::Backup => ("backup-now", JobSource::Backup),
        JobKind::Restore => (crate::names::RESTORE_JOB, JobSource::Restore { env }),
    };
    let name = name.unwrap_or_else(|| default.to_owned());
    let Some(outcome) = engine.run_job(&name, &source)? else {
        return Ok(());
    };
    report(ctx, &name, &outcome)?;
    if outcome.succeeded {
        return Ok(());
    }
    let reason = outcome
        .reason
        .unwrap_or_else(|| "no reason is known".to_owned());
    Err(Failure::tool(format!("job {name} failed: {reason}"))
        .next("cargo xtask status")
        .into())
}

fn report(ctx: &Context, name: &str, outcome: &JobOutcome) -> Result<()> {
    if !ctx.ui.json() {
        ctx.ui.raw(&outcome.log);
        return Ok(());
    }
    ctx.ui.document(&json!({
        "job": name,
        "succeeded": outcome.succeeded,
        "reason": outcome.reason,
        "log": outcome.log,
    }))
}

fn facts(ctx: &Context) -> Result<()> {
    let facts = LocalEngine::new(ctx).facts()?;
    if ctx.ui.json() {
        return ctx.ui.document(&facts);
    }
    let document = serde_norway::to_string(&facts).context("spelling out the facts")?;
    ctx.ui.raw(&document);
    Ok(())
}
