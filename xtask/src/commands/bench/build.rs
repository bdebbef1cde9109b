//! Cold builds: all dependencies against the eight crates that the design
//! names, and the first `cargo xtask` of a fresh clone.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::figure::{Figure, RUNS, median};
use crate::context::Context;
use crate::exec::Cmd;
use crate::wait;

/// The crates that the task runner is built on by design.
const NAMED: [&str; 8] = [
    "anyhow",
    "clap",
    "duct",
    "indicatif",
    "serde",
    "toml",
    "which",
    "xshell",
];

/// Builds both sets of crates from nothing, in turn, and then a fresh clone.
pub fn measure(ctx: &Context) -> Result<Vec<Figure>> {
    let folder = ctx.workspace.home().join("bench/build");
    let manifest = ctx.workspace.root.join("xtask/Cargo.toml");
    let text = fs::read_to_string(&manifest).context("reading the task runner's manifest")?;
    let all = dependencies(&text)?;
    let named: Vec<&String> = all
        .iter()
        .filter(|line| NAMED.contains(&line.split(' ').next().unwrap_or_default()))
        .collect();
    anyhow::ensure!(
        named.len() == NAMED.len(),
        "not all named crates are in xtask/Cargo.toml"
    );
    let lock = ctx.workspace.root.join("Cargo.lock");
    let (mut ours, mut eight) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let step = ctx
            .ui
            .step("cold build of the dependencies, and of the eight named ones");
        ours.push(cold_build(
            ctx,
            &folder.join("all"),
            &all.iter().collect::<Vec<_>>(),
            &lock,
        )?);
        eight.push(cold_build(ctx, &folder.join("named"), &named, &lock)?);
        step.done("built");
    }
    let eight = median(&eight);
    let mut dependencies = Figure::of_runs("cold build, all dependencies", ours, "at most 1.5");
    dependencies.ratio = Some(dependencies.value / eight);
    dependencies.against = Some(format!("the eight named crates {eight:.2} s"));
    let first = Figure::of_runs(
        "first cargo xtask --help, fresh clone",
        vec![fresh_clone(ctx)?],
        "reported",
    );
    let _ = fs::remove_dir_all(&folder);
    Ok(vec![dependencies, first])
}

/// The lines of `[dependencies]`.
fn dependencies(manifest: &str) -> Result<Vec<String>> {
    let section = manifest
        .split("\n[dependencies]\n")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .context("xtask/Cargo.toml has no [dependencies]")?;
    Ok(section
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

fn cold_build(ctx: &Context, folder: &Path, lines: &[&String], lock: &Path) -> Result<f64> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/main.rs"), "fn main() {}\n")?;
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
    let manifest = format!(
        "[package]\nname = \"bench\"\nedition = \"2024\"\n\n[dependencies]\n{}\n\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n\n[workspace]\n",
        lines.join("\n")
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    // The same versions as ours.
    fs::copy(lock, folder.join("Cargo.lock"))?;
    let cargo = |args: &[&str]| {
        Cmd::new("cargo")
            .args(args)
            .cwd(folder)
            .limit(wait::TEST_COMMAND)
    };
    ctx.exec.run(&cargo(&["fetch", "--quiet"]))?;
    let start = Instant::now();
    ctx.exec.run(&cargo(&["build", "--quiet", "--offline"]))?;
    Ok(start.elapsed().as_secs_f64())
}

fn fresh_clone(ctx: &Context) -> Result<f64> {
    let folder = ctx.workspace.home().join("bench/clone");
    let _ = fs::remove_dir_all(&folder);
    let shown = folder.to_string_lossy().into_owned();
    let source = ctx.workspace.root.to_string_lossy().into_owned();
    ctx.exec
        .run(&Cmd::new("git").args(["clone", "--quiet", &source, &shown]))?;
    let help = Cmd::new("cargo")
        .args(["xtask", "--help"])
        .cwd(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target").to_string_lossy())
        .limit(wait::TEST_COMMAND);
    let start = Instant::now();
    ctx.exec.run(&help)?;
    let seconds = start.elapsed().as_secs_f64();
    let _ = fs::remove_dir_all(&folder);
    Ok(seconds)
}
