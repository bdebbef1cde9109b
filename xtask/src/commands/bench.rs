//! `bench`: what should be fast, measured side by side in one run. It works in
//! a lab of its own under `.lab/bench`; the lab in use is left alone.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::exec::{Cmd, Process};
use crate::http;
use crate::measure::result::milliseconds;
use crate::wait;

/// Repetitions of what takes seconds; the median is quoted.
const RUNS: usize = 3;
const POINTS: &str = "10000";
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Cold build of all dependencies against the eight named crates alone
    Build,
    /// `setup` on a lab that is up
    Setup,
    /// `scenario 2` in all, and its RTO against a bare start of the application
    Scenario,
    /// `restore --list` over 10,000 points
    Points,
}

#[derive(Serialize)]
struct Figure {
    what: &'static str,
    /// Median of the runs.
    seconds: f64,
    runs: Vec<f64>,
    /// What it is held against, and the share of it.
    against: Option<String>,
    ratio: Option<f64>,
    target: &'static str,
}

pub fn run(ctx: &Context, what: &[What]) -> Result<()> {
    let _lock = ctx.lock("bench")?;
    let all = What::value_variants();
    let chosen: Vec<What> = all
        .iter()
        .copied()
        .filter(|one| what.is_empty() || what.contains(one))
        .collect();
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let mut figures = Vec::new();
    if chosen.contains(&What::Build) {
        figures.extend(build(ctx)?);
    }
    let in_lab: Vec<What> = chosen
        .into_iter()
        .filter(|one| *one != What::Build)
        .collect();
    if !in_lab.is_empty() {
        let lab = BenchLab::create(ctx)?;
        let step = ctx.ui.step("lab for measuring");
        lab.xtask(&["setup"])?;
        step.done("up");
        for one in in_lab {
            let step = ctx.ui.step(format!("{one:?}").to_lowercase());
            match one {
                What::Build => {}
                What::Setup => figures.push(setup(&lab)?),
                What::Scenario => figures.extend(scenario(ctx, &lab)?),
                What::Points => figures.push(points(&lab)?),
            }
            step.done("measured");
        }
    }
    report(ctx, &figures)
}

fn report(ctx: &Context, figures: &[Figure]) -> Result<()> {
    if ctx.ui.json() {
        return ctx.ui.document(&figures);
    }
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| {
            vec![
                figure.what.to_owned(),
                format!("{:.2}", figure.seconds),
                figure.against.clone().unwrap_or_default(),
                figure
                    .ratio
                    .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                figure.target.to_owned(),
            ]
        })
        .collect();
    ctx.ui
        .table(&["what", "seconds", "against", "ratio", "target"], &rows);
    Ok(())
}

/// A lab beside the one in use: same declarations, another port, own volumes.
struct BenchLab<'a> {
    ctx: &'a Context,
    root: PathBuf,
}

impl<'a> BenchLab<'a> {
    fn create(ctx: &'a Context) -> Result<Self> {
        let root = ctx.lab.home().join("bench/lab");
        let lab = Self { ctx, root };
        // Left by a run that was killed.
        lab.remove();
        let home = lab.root.join(".lab");
        fs::create_dir_all(&home).with_context(|| format!("creating {}", home.display()))?;
        for name in ["k8s", "pra", "app"] {
            symlink(ctx.lab.root.join(name), lab.root.join(name)).context("linking the project")?;
        }
        symlink(ctx.lab.venv(), home.join("venv")).context("linking the packages")?;
        let text = fs::read_to_string(ctx.lab.root.join("lab.toml"))?;
        let port = format!("port = {}", ctx.config.service.port);
        fs::write(
            lab.root.join("lab.toml"),
            text.replacen(&port, "port = 0", 1),
        )?;
        Ok(lab)
    }

    /// One invocation of this very program; its JSON document.
    fn xtask(&self, args: &[&str]) -> Result<String> {
        let program = std::env::current_exe().context("finding this program")?;
        let cmd = Cmd::new(program.to_string_lossy())
            .args(args)
            .args(["--json", "--engine", "local"])
            .env("ATELIER_ROOT", self.root.to_string_lossy())
            .limit(wait::TEST_COMMAND);
        self.ctx.exec.read(&cmd)
    }

    fn timed(&self, args: &[&str]) -> Result<(f64, String)> {
        let start = Instant::now();
        let said = self.xtask(args)?;
        Ok((start.elapsed().as_secs_f64(), said))
    }

    fn remove(&self) {
        if self.root.join(".lab/state").exists() {
            // What is left of it is said by the next `create`.
            let _ = self.xtask(&["teardown", "--yes"]);
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Drop for BenchLab<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

fn setup(lab: &BenchLab) -> Result<Figure> {
    let runs = repeat(RUNS, || Ok(lab.timed(&["setup"])?.0))?;
    Ok(figure("setup, a second time", runs, "at most 2 s"))
}

fn scenario(ctx: &Context, lab: &BenchLab) -> Result<Vec<Figure>> {
    let (mut whole, mut rto, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(bare_start(ctx)?);
        let (seconds, said) = lab.timed(&["scenario", "volume-loss"])?;
        whole.push(seconds);
        let result: Value = serde_json::from_str(&said).context("reading the result")?;
        rto.push(
            result["rto"]["seconds"]
                .as_f64()
                .context("a result without an RTO")?,
        );
    }
    let bare = median(&bare);
    let mut rto = figure("scenario 2, RTO", rto, "at most twice a bare start");
    rto.ratio = Some(rto.seconds / bare);
    rto.against = Some(format!("bare start of the application {bare:.2} s"));
    Ok(vec![
        figure("scenario 2, in all", whole, "at most 20 s"),
        rto,
    ])
}

/// From the start of the server's process on empty volumes to its first answer.
fn bare_start(ctx: &Context) -> Result<f64> {
    let folder = ctx.lab.home().join("bench/bare");
    let _ = fs::remove_dir_all(&folder);
    for volume in ["data", "backup"] {
        fs::create_dir_all(folder.join(volume))?;
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let log = fs::File::create(folder.join("log"))?;
    let cmd = Cmd::new(ctx.venv().python().to_string_lossy())
        .args(["-m", "pra", "serve"])
        .cwd(ctx.lab.root.join("app"))
        .env("HOST", "127.0.0.1")
        .env("PORT", port.to_string())
        .env(
            "PYTHONPYCACHEPREFIX",
            ctx.lab.home().join("pycache").to_string_lossy(),
        )
        .env("PRA_DATA_DIR", folder.join("data").to_string_lossy())
        .env("PRA_BACKUP_DIR", folder.join("backup").to_string_lossy());
    let url = format!("http://127.0.0.1:{port}");
    let start = Instant::now();
    let _server = Process::start(&cmd, &log)?;
    wait::until(wait::APP_SERVES, || {
        Ok(http::get(&url, "/health", &[])
            .ok()
            .filter(|answer| answer.ok()))
    })?;
    Ok(start.elapsed().as_secs_f64())
}

fn points(lab: &BenchLab) -> Result<Figure> {
    // The next scheduled backup would remove what retention does not keep.
    lab.xtask(&["local", "suspend"])?;
    lab.xtask(&["backup"])?;
    let volume = lab.root.join(".lab/volumes/pra-backup");
    let script = lab.ctx.lab.root.join("xtask/benches/many_points.py");
    let multiply = Cmd::new(lab.ctx.venv().python().to_string_lossy())
        .args([
            &*script.to_string_lossy(),
            &*volume.to_string_lossy(),
            POINTS,
        ])
        .env("PYTHONPATH", lab.ctx.lab.root.join("app").to_string_lossy());
    lab.ctx.exec.read(&multiply)?;
    let runs = repeat(RUNS, || Ok(lab.timed(&["restore", "--list"])?.0))?;
    Ok(figure(
        "restore --list, 10,000 points",
        runs,
        "at most 0.5 s",
    ))
}

/// Builds both sets of crates from nothing, in turn, and then a fresh clone.
fn build(ctx: &Context) -> Result<Vec<Figure>> {
    let folder = ctx.lab.home().join("bench/build");
    let manifest = ctx.lab.root.join("xtask/Cargo.toml");
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
    let lock = ctx.lab.root.join("Cargo.lock");
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
    let mut dependencies = figure("cold build, all dependencies", ours, "at most 1.5");
    dependencies.ratio = Some(dependencies.seconds / eight);
    dependencies.against = Some(format!("the eight named crates {eight:.2} s"));
    let first = figure(
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
    let folder = ctx.lab.home().join("bench/clone");
    let _ = fs::remove_dir_all(&folder);
    let shown = folder.to_string_lossy().into_owned();
    let source = ctx.lab.root.to_string_lossy().into_owned();
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

fn repeat(runs: usize, mut one: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
    (0..runs).map(|_| one()).collect()
}

fn figure(what: &'static str, runs: Vec<f64>, target: &'static str) -> Figure {
    let runs: Vec<f64> = runs.into_iter().map(milliseconds).collect();
    Figure {
        what,
        seconds: median(&runs),
        runs,
        against: None,
        ratio: None,
        target,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
