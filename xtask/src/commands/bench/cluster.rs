//! The lab on k3d against the typed commands on the same machine, and the
//! recovery against a bare pod start. Needs Docker and the cluster's name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::figure::{Figure, RUNS, median};
use crate::cli::BenchPart as What;
use crate::context::Context;
use crate::engine::k3d::site::{Blueprint, Site};
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::tools::kubectl;
use crate::wait;

const BARE: &str = "bench-bare";

/// What a person types, one after another, up to the first answer.
const TYPED: &str = "
k3d cluster create pra --servers 1 --agents 2 --api-port 127.0.0.1:random \
    -p 127.0.0.1:$PORT:30080@server:0 --kubeconfig-switch-context=false
packer init packer/flask
packer build -var image_tag=1.0 packer/flask
python3 -m venv typed
typed/bin/pip install --require-hashes -r ansible/requirements.txt
k3d image import pra/flask-sqlite:1.0 -c pra
typed/bin/ansible-playbook ansible/playbook.yml
until curl -fsS -m 1 http://127.0.0.1:$PORT/health; do sleep 0.05; done
";
const TYPED_AWAY: &str = "
k3d cluster delete pra
docker rmi pra/flask-sqlite:1.0 || true
rm -rf typed
";

/// What it takes on two cores, in seconds, for the estimate.
const SETUP: usize = 70;
const AGAIN_AND_TYPED: usize = 220;
const RECOVERY: usize = 14;
const CRASH: usize = 16;

/// Measures what was chosen on one cluster, made for it.
pub fn measure(ctx: &Context, chosen: &[What], recoveries: usize) -> Result<Vec<Figure>> {
    let site = Site::new(ctx, Blueprint::pra(ctx));
    if site.cluster()?.is_some() {
        return Err(
            Failure::usage("the cluster pra is in use: this measures from nothing")
                .next("cargo xtask teardown, then the same command again")
                .into(),
        );
    }
    let (setups, recover) = (
        chosen.contains(&What::Cluster),
        chosen.contains(&What::Recovery),
    );
    let seconds = SETUP
        + usize::from(setups) * AGAIN_AND_TYPED
        + usize::from(recover) * (recoveries * RECOVERY + RUNS * CRASH);
    let minutes = seconds.div_ceil(60);
    ctx.ui.note(&format!("On k3d: about {minutes} min."));
    // What is downloaded is the same for both: none of them is to pay for it.
    ctx.ansible().ensure(&ctx.exec, &ctx.ui)?;
    let lab = ClusterLab::create(ctx)?;
    let mut figures = Vec::new();
    let first = from_nothing(ctx, &lab)?;
    if setups {
        figures.push(against_typed(ctx, &lab, first)?);
        figures.push(again(ctx, &lab)?);
        figures.push(listing(ctx, &lab)?);
    }
    if recover {
        figures.extend(recovered(ctx, &lab, &site, recoveries)?);
        figures.extend(crashes(ctx, &lab)?);
    }
    Ok(figures)
}

fn from_nothing(ctx: &Context, lab: &ClusterLab) -> Result<f64> {
    let step = ctx.ui.step("k3d: setup from nothing");
    let seconds = lab.timed(&["setup"])?.0;
    step.done(format!("{seconds:.1} s"));
    Ok(seconds)
}

/// Measured before and after the typed commands, so that warm caches and other load
/// favour neither. Leaves the lab up.
fn against_typed(ctx: &Context, lab: &ClusterLab, first: f64) -> Result<Figure> {
    let step = ctx.ui.step("k3d: the typed commands");
    lab.clear()?;
    let typed = lab.shell(TYPED);
    // Also where it stopped half-way: nobody else would take it for ours.
    lab.shell(TYPED_AWAY)?;
    let typed = typed?;
    step.done(format!("{typed:.1} s"));
    let runs = vec![first, from_nothing(ctx, lab)?];
    let target = "at most 0.7 times the typed commands";
    let mut figure = Figure::of_runs("k3d: setup from nothing", runs, target);
    figure.ratio = Some(figure.value / typed);
    figure.against = Some(format!("the typed commands {typed:.1} s"));
    Ok(figure)
}

fn again(ctx: &Context, lab: &ClusterLab) -> Result<Figure> {
    let runs = repeat(ctx, lab, "k3d: setup, a second time", &["setup"])?;
    Ok(Figure::of_runs(
        "k3d: setup, a second time",
        runs,
        "at most 2 s",
    ))
}

fn listing(ctx: &Context, lab: &ClusterLab) -> Result<Figure> {
    let runs = repeat(ctx, lab, "k3d: restore --list", &["restore", "--list"])?;
    Ok(Figure::of_runs(
        "k3d: restore --list",
        runs,
        "less than 1 s",
    ))
}

fn repeat(ctx: &Context, lab: &ClusterLab, what: &str, args: &[&str]) -> Result<Vec<f64>> {
    let step = ctx.ui.step(what);
    let runs = (0..RUNS).map(|_| Ok(lab.timed(args)?.0));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    step.done(format!("{:.2} s", median(&runs)));
    Ok(runs)
}

fn recovered(
    ctx: &Context,
    lab: &ClusterLab,
    site: &Site,
    recoveries: usize,
) -> Result<Vec<Figure>> {
    let (mut rto, mut bare, mut broken) = (Vec::new(), Vec::new(), 0.0);
    for run in 1..=recoveries {
        let step = ctx.ui.step(format!("k3d: recovery {run} of {recoveries}"));
        if run <= RUNS {
            bare.push(bare_start(site)?);
        }
        let result = lab.scenario("2")?;
        let seconds = result["rto"]["seconds"].as_f64();
        let seconds = seconds.context("a result without an RTO")?;
        rto.push(seconds);
        broken += f64::from(u8::from(result["passed"] != true));
        step.done(format!("RTO {seconds} s, lost {}", result["rpo"]["lost"]));
    }
    let (worst, bare) = (rto.iter().copied().fold(0.0, f64::max), median(&bare));
    let mut middle = Figure::of_runs("k3d: scenario 2, RTO", rto, "at most twice a bare start");
    middle.ratio = Some(middle.value / bare);
    middle.against = Some(format!("pod start and claim binding {bare:.2} s"));
    let worst = Figure::of_runs("k3d: the worst RTO", vec![worst], "at most 10 s");
    let broken = Figure {
        unit: format!("of {recoveries}"),
        ..Figure::of_runs("k3d: scenario 2, broken promises", vec![broken], "0")
    };
    Ok(vec![middle, worst, broken])
}

fn crashes(ctx: &Context, lab: &ClusterLab) -> Result<Vec<Figure>> {
    let step = ctx.ui.step("k3d: deleted pods");
    let (mut failed, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let client = lab.scenario("1")?["client"].take();
        failed.push(client["failed"].as_f64().context("no client")?);
        requests.push(client["requests"].as_f64().context("no client")?);
    }
    step.done(format!("failed {failed:?} of {requests:?}"));
    let worst = failed.iter().copied().fold(0.0, f64::max);
    let fewest = requests.iter().copied().fold(f64::INFINITY, f64::min);
    let figure = |what, value, target| Figure {
        unit: "requests".to_owned(),
        ..Figure::of_runs(what, vec![value], target)
    };
    Ok(vec![
        figure("k3d: scenario 1, most failed", worst, "0"),
        figure("k3d: scenario 1, fewest sent", fewest, "at least 200"),
    ])
}

/// From the request for two claims and a pod of the application until the pod
/// is ready.
fn bare_start(site: &Site) -> Result<f64> {
    let objects = bare_objects(site)?.to_string();
    let kubectl = site.kube.kubectl()?;
    let create = kubectl.cmd(kubectl::create("-")).input(objects);
    let pod = format!("pod/{BARE}");
    let wait_ready = ["wait", "--for=condition=Ready", &pod, "--timeout=60s"];
    let start = Instant::now();
    site.ctx.exec.read(&create)?;
    let ready = kubectl.cmd(wait_ready).limit(wait::DELETION);
    site.ctx.exec.read(&ready)?;
    let seconds = start.elapsed().as_secs_f64();
    let (data, backup) = (format!("pvc/{BARE}-data"), format!("pvc/{BARE}-backup"));
    let delete = kubectl.cmd(["delete", &pod, &data, &backup, "--wait"]);
    site.ctx.exec.read(&delete.limit(wait::DELETION))?;
    Ok(seconds)
}

/// The application's own pod and claims under other names.
fn bare_objects(site: &Site) -> Result<Value> {
    let read = |name: &str| -> Result<Value> {
        let text =
            fs::read_to_string(site.kube.path(name)).with_context(|| format!("reading {name}"))?;
        serde_norway::from_str(&text).with_context(|| format!("reading {name}"))
    };
    let mut spec = read("k8s/20-deployment.yaml")?["spec"]["template"]["spec"].take();
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        let Some(claim) = volume.pointer_mut("/persistentVolumeClaim/claimName") else {
            continue;
        };
        match claim.as_str() {
            Some(DATA_CLAIM) => *claim = format!("{BARE}-data").into(),
            Some(BACKUP_CLAIM) => *claim = format!("{BARE}-backup").into(),
            _ => {}
        }
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": BARE}, "spec": spec});
    let mut items = vec![pod];
    for (file, name) in [
        ("k8s/10-pvc-data.yaml", "data"),
        ("k8s/11-pvc-backup.yaml", "backup"),
    ] {
        let mut claim = read(file)?;
        claim["metadata"]["name"] = format!("{BARE}-{name}").into();
        items.push(claim);
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

/// A checkout of its own: nothing is installed there yet.
struct ClusterLab<'a> {
    ctx: &'a Context,
    root: PathBuf,
}

impl<'a> ClusterLab<'a> {
    fn create(ctx: &'a Context) -> Result<Self> {
        let root = ctx.workspace.home().join("bench/cluster");
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
        for name in ["k8s", "pra", "app", "ansible", "packer", "lab.toml"] {
            symlink(ctx.workspace.root.join(name), root.join(name))
                .context("linking the project")?;
        }
        Ok(Self { ctx, root })
    }

    /// The port that the typed commands take.
    fn port(&self) -> u16 {
        match self.ctx.config.service.port() {
            0 => 8080,
            port => port,
        }
    }

    /// As it was before the first setup.
    fn clear(&self) -> Result<()> {
        self.timed(&["teardown", "--yes"])?;
        fs::remove_dir_all(self.root.join(".lab")).context("clearing the lab for measuring")
    }

    /// Runs typed commands; how long they took.
    fn shell(&self, script: &str) -> Result<f64> {
        let start = Instant::now();
        let cmd = Cmd::new("sh")
            .args(["-eu", "-c", script])
            .cwd(&self.root)
            .env("PORT", self.port().to_string())
            .limit(wait::TEST_COMMAND);
        self.ctx.exec.run(&cmd)?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn xtask(&self, args: &[&str]) -> Result<Cmd> {
        Ok(Cmd::ourselves()?
            .args(args)
            .args(["--json", "--engine", "k3d"])
            .args(["--root", &self.root.to_string_lossy()])
            .limit(wait::TEST_COMMAND))
    }

    fn timed(&self, args: &[&str]) -> Result<(f64, String)> {
        let cmd = self.xtask(args)?;
        let start = Instant::now();
        let said = self.ctx.exec.read(&cmd)?;
        Ok((start.elapsed().as_secs_f64(), said))
    }

    /// The result of a scenario, also of one that broke its promise: that is
    /// a measurement too.
    fn scenario(&self, name: &str) -> Result<Value> {
        let output = self.ctx.exec.probe(&self.xtask(&["scenario", name])?)?;
        let said = || format!("scenario {name}: {}", output.stderr.trim());
        let result: Value = serde_json::from_str(&output.stdout).with_context(said)?;
        // A broken promise has a result too; a tool that failed has none.
        anyhow::ensure!(result["rto"].is_object(), said());
        Ok(result)
    }
}

impl Drop for ClusterLab<'_> {
    fn drop(&mut self) {
        // What is left of it is said by the next measurement.
        let _ = self.timed(&["teardown", "--yes"]);
        let _ = fs::remove_dir_all(&self.root);
    }
}
