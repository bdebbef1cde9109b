//! `local`: the parts of the local engine, one at a time.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cli::{JobKind, LocalAction};
use crate::context::Context;
use crate::engine::Engine;
use crate::engine::local::LocalEngine;
use crate::facts::{JobOutcome, JobSource};
use crate::failure::Failure;
use crate::local::{self, strays};
use crate::manifests::fields::{self, Field, Treatment};
use crate::wait;
use terms::Death;

pub fn run(ctx: &Context, action: LocalAction) -> Result<()> {
    match action {
        LocalAction::Fields => return fields(ctx),
        LocalAction::Facts => return facts(ctx),
        LocalAction::Supervisor => return local::supervise(&ctx.lab, &ctx.config, &ctx.ui),
        _ => {}
    }
    let _lock = ctx.lock("local")?;
    let engine = LocalEngine::new(ctx);
    match action {
        LocalAction::Fields | LocalAction::Facts | LocalAction::Supervisor => {}
        LocalAction::Scale { replicas } => scale(ctx, &engine, replicas)?,
        LocalAction::Suspend => engine.suspend_backups(true)?,
        LocalAction::Resume => engine.suspend_backups(false)?,
        LocalAction::Apply => engine.apply_and_say()?,
        LocalAction::RollOut => engine.roll_out()?,
        LocalAction::DeleteJobs => engine.delete_jobs()?,
        LocalAction::DeleteVolume { claim } => {
            ctx.confirm(&format!("This deletes everything on {claim}."))?;
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
            name_strays(ctx);
        }
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx.ui.document(&json!({"status": "done"}));
    }
    Ok(())
}

/// Lists processes that still run for labs whose folder is gone.
pub fn name_strays(ctx: &Context) {
    for stray in strays::all() {
        let said = format!(
            "there is {stray}; it should end by itself, else: {}",
            stray.end()
        );
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
            return Err(
                Failure::usage("the backup job takes its environment from k8s/ alone")
                    .next("cargo xtask local job backup")
                    .into(),
            );
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

fn fields(ctx: &Context) -> Result<()> {
    let all: Vec<Field> = fields::KINDS
        .iter()
        .flat_map(|(kind, _)| fields::fields(kind))
        .collect();
    if ctx.ui.json() {
        let list: Vec<_> = all
            .iter()
            .map(|field| {
                let (treatment, reason) = words(field);
                json!({"kind": field.kind, "field": field.path, "treatment": treatment,
                       "reason": reason})
            })
            .collect();
        return ctx.ui.document(&list);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|field| {
            let (treatment, reason) = words(field);
            [
                field.kind,
                &field.path,
                treatment,
                reason.unwrap_or_default(),
            ]
            .map(str::to_owned)
            .to_vec()
        })
        .collect();
    ctx.ui.table(&["kind", "field", "", "because"], &rows);
    ctx.ui.say("Every other field and kind is refused.");
    Ok(())
}

fn words(field: &Field) -> (&'static str, Option<&'static str>) {
    match field.treatment {
        Treatment::Honoured => ("honoured", None),
        Treatment::Ignored(reason) => ("ignored", Some(reason)),
    }
}
