//! `runs`: what scenarios and drills left, listed and removed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terms::lang::{Both, both, number};
use terms::tr;

use crate::cli::RunsAction;
use crate::context::Context;
use crate::engine;
use crate::failure::Failure;
use crate::measure::promise::yes_or_no;
use crate::measure::result_file;
use crate::runs::{self, name_of};
use crate::scenario::alerted;

pub fn run(ctx: &Context, action: &RunsAction) -> Result<()> {
    match action {
        RunsAction::List => list(ctx),
        RunsAction::Rm { runs, keep } => rm(ctx, runs, *keep),
    }
}

/// A line of the listing.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    result: Summary,
    bytes: u64,
}

/// The fields of a result that the listing shows. A drill has no engine, RPO and RTO of
/// its own.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Summary {
    engine: Option<String>,
    protection: Option<String>,
    /// `None` where there is no result, or none that can be read.
    passed: Option<bool>,
    rpo: Option<Value>,
    rto: Option<Value>,
}

fn list(ctx: &Context) -> Result<()> {
    let lines = runs::folders(&ctx.workspace.runs())?
        .iter()
        .rev()
        .map(|folder| line(folder))
        .collect::<Result<Vec<Line>>>()?;
    if ctx.ui.json() {
        return ctx.ui.document(&lines);
    }
    if lines.is_empty() {
        ctx.ui.say(
            both(
                "Nothing has been run yet. next: cargo xtask scenario 2",
                "Rien n'a encore été exécuté. ensuite : cargo xtask scenario 2",
            )
            .text(),
        );
        return Ok(());
    }
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let headers = [
        both("run", "exécution"),
        both("engine", "moteur"),
        Both::same("protection"),
        both("kept", "tenu"),
        both("lost", "perdues"),
        Both::same("RTO (s)"),
        both("KiB", "Kio"),
    ];
    ctx.ui.table(&headers.map(Both::text), &rows);
    Ok(())
}

fn line(folder: &Path) -> Result<Line> {
    let text = fs::read_to_string(folder.join(result_file::FILE));
    let result = text.ok().and_then(|text| serde_json::from_str(&text).ok());
    Ok(Line {
        name: name_of(folder),
        result: result.unwrap_or_default(),
        bytes: bytes(folder)?,
    })
}

fn row(line: &Line) -> Vec<String> {
    let Summary {
        engine,
        protection,
        passed,
        rpo,
        rto,
    } = &line.result;
    let figure = |of: &Option<Value>, key: &str| {
        let value = of.as_ref().and_then(|of| of.get(key));
        value.map_or_else(
            || "-".to_owned(),
            |value| match value.as_f64() {
                Some(figure) => number(figure),
                None => value.to_string(),
            },
        )
    };
    let kept = match passed {
        Some(kept) => yes_or_no(*kept),
        None => tr!("no result", "pas de résultat"),
    };
    vec![
        line.name.clone(),
        engine.clone().unwrap_or_else(|| "-".to_owned()),
        protection.clone().unwrap_or_else(|| "-".to_owned()),
        kept,
        figure(rpo, "lost"),
        figure(rto, "seconds"),
        line.bytes.div_ceil(1024).to_string(),
    ]
}

fn rm(ctx: &Context, asked: &[String], keep: Option<usize>) -> Result<()> {
    let _lock = ctx.lock("runs rm")?;
    let all = runs::folders(&ctx.workspace.runs())?;
    let doomed: Vec<PathBuf> = match keep {
        Some(keep) => all[..all.len().saturating_sub(keep)].to_vec(),
        None => asked
            .iter()
            .map(|name| named(&all, name))
            .collect::<Result<_>>()?,
    };
    if doomed.is_empty() {
        ctx.ui
            .note(both("There is nothing to remove.", "Il n'y a rien à supprimer.").text());
        return Ok(());
    }
    for folder in &doomed {
        runs::insist_on_unneeded(&ctx.workspace, folder)?;
    }
    ctx.confirm(&tr!(
        "This deletes {count} runs with their results and ledgers.",
        "Ceci supprime {count} exécutions avec leurs résultats et leurs registres.",
        count = doomed.len(),
    ))?;
    for folder in &doomed {
        runs::remove(ctx, folder)?;
    }
    if !ctx.exec.dry_run() && engine::meant(ctx).is_some() {
        // What watches a lab has their figures too.
        alerted::tell_runs(ctx, engine::select(ctx)?.as_ref());
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        let names: Vec<String> = doomed.iter().map(|folder| name_of(folder)).collect();
        return ctx.ui.document(&serde_json::json!({"removed": names}));
    }
    Ok(())
}

fn named(all: &[PathBuf], name: &str) -> Result<PathBuf> {
    let found = all.iter().find(|folder| name_of(folder) == name);
    found.cloned().ok_or_else(|| {
        Failure::usage(tr!(
            "there is no run {name:?}",
            "il n'y a pas d'exécution {name:?}"
        ))
        .next("cargo xtask runs list")
        .into()
    })
}

fn bytes(folder: &Path) -> Result<u64> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let files = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    Ok(files.map(|file| file.len()).sum())
}
