//! What the lab itself does: `setup` again, a whole scenario, a long listing.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::figure::{Figure, RUNS, median};
use crate::cli::BenchPart as What;
use crate::context::Context;
use crate::exec::{Cmd, Process};
use crate::http;
use crate::manifests;
use crate::tools::python;
use crate::wait;

const POINTS: &str = "10000";

/// Brings a lab up for measuring and measures what was chosen.
pub fn measure(ctx: &Context, chosen: &[What]) -> Result<Vec<Figure>> {
    let lab = BenchLab::create(ctx)?;
    let step = ctx.ui.step("lab for measuring");
    lab.xtask(&["setup"])?;
    step.done("up");
    let mut figures = Vec::new();
    for one in chosen {
        let step = ctx.ui.step(format!("{one:?}").to_lowercase());
        match one {
            What::Setup => figures.push(setup(&lab)?),
            What::Scenario => figures.extend(scenario(ctx, &lab)?),
            What::Points => figures.push(points(&lab)?),
            What::Build
            | What::Cluster
            | What::Recovery
            | What::Writes
            | What::Protection
            | What::Http
            | What::Replication => {}
        }
        step.done("measured");
    }
    Ok(figures)
}

/// A lab beside the one in use: same declarations, another port, own volumes.
struct BenchLab<'a> {
    ctx: &'a Context,
    root: PathBuf,
}

impl<'a> BenchLab<'a> {
    fn create(ctx: &'a Context) -> Result<Self> {
        let root = ctx.workspace.home().join("bench/lab");
        let lab = Self { ctx, root };
        // Left by a run that was killed.
        lab.remove();
        let home = lab.root.join(".lab");
        fs::create_dir_all(&home).with_context(|| format!("creating {}", home.display()))?;
        for name in ["k8s", "pra", "app"] {
            symlink(ctx.workspace.root.join(name), lab.root.join(name))
                .context("linking the project")?;
        }
        symlink(ctx.workspace.venv(), home.join("venv")).context("linking the packages")?;
        let text = fs::read_to_string(ctx.workspace.root.join("lab.toml"))?;
        let port = format!("port = {}", ctx.config.service.port());
        fs::write(
            lab.root.join("lab.toml"),
            text.replacen(&port, "port = 0", 1),
        )?;
        Ok(lab)
    }

    /// One invocation of this very program; its JSON document.
    fn xtask(&self, args: &[&str]) -> Result<String> {
        let cmd = Cmd::ourselves()?
            .args(args)
            .args(["--json", "--engine", "local"])
            .args(["--root", &self.root.to_string_lossy()])
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
    Ok(Figure::of_runs("setup, a second time", runs, "at most 2 s"))
}

fn scenario(ctx: &Context, lab: &BenchLab) -> Result<Vec<Figure>> {
    let (mut whole, mut rto, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(as_a_probe_sees(ctx, bare_start(ctx)?)?);
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
    let mut rto = Figure::of_runs("scenario 2, RTO", rto, "at most twice a bare start");
    rto.ratio = Some(rto.value / bare);
    rto.against = Some(format!(
        "bare start of the application, as its readiness probe sees it, {bare:.2} s"
    ));
    Ok(vec![
        Figure::of_runs("scenario 2, in all", whole, "at most 20 s"),
        rto,
    ])
}

/// Rounded up to the next readiness probe, which is when a replica counts as ready.
fn as_a_probe_sees(ctx: &Context, seconds: f64) -> Result<f64> {
    let manifests = manifests::load(&ctx.workspace.root)?;
    let period = manifests.replica().container().readiness_probe.as_ref();
    let period = period.map_or(0.0, |probe| probe.period_seconds as f64);
    Ok(if period > 0.0 {
        (seconds / period).ceil() * period
    } else {
        seconds
    })
}

/// From the start of the server's process on empty volumes to its first answer.
fn bare_start(ctx: &Context) -> Result<f64> {
    let folder = ctx.workspace.home().join("bench/bare");
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
        .cwd(ctx.workspace.root.join("app"))
        .env("HOST", "127.0.0.1")
        .env("PORT", port.to_string())
        .envs(&python::compiled(&ctx.workspace))
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
    let script = lab.ctx.workspace.root.join("xtask/benches/many_points.py");
    let multiply = Cmd::new(lab.ctx.venv().python().to_string_lossy())
        .args([
            &*script.to_string_lossy(),
            &*volume.to_string_lossy(),
            POINTS,
        ])
        .env(
            "PYTHONPATH",
            lab.ctx.workspace.root.join("app").to_string_lossy(),
        );
    lab.ctx.exec.read(&multiply)?;
    // Not through our own hands: taking five megabytes in would be measured too.
    let program = std::env::current_exe().context("finding this program")?;
    let listing = Cmd::new("sh")
        .args([
            "-c",
            "exec \"$0\" --root \"$1\" restore --list --json --engine local >/dev/null",
        ])
        .args([program.to_string_lossy(), lab.root.to_string_lossy()]);
    let runs = repeat(RUNS, || {
        let start = Instant::now();
        lab.ctx.exec.read(&listing)?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    Ok(Figure::of_runs(
        "restore --list, 10,000 points",
        runs,
        "at most 0.5 s",
    ))
}

fn repeat(runs: usize, mut one: impl FnMut() -> Result<f64>) -> Result<Vec<f64>> {
    (0..runs).map(|_| one()).collect()
}
