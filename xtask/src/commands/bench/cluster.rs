//! The lab on k3d against the typed commands on the same machine, and the
//! recovery against a bare pod start. Needs Docker and the cluster's name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Figure, RUNS, median};
use crate::context::Context;
use crate::engine::k3d::site::{Blueprint, Site};
use crate::engine::{BACKUP_CLAIM, DATA_CLAIM};
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::kubectl;
use crate::wait;

/// As many as the promise speaks of.
const RECOVERIES: usize = 10;
const BARE: &str = "bench-bare";

/// What a person types, one after another, up to the first answer.
const TYPED: &str = "
k3d cluster create pra --servers 1 --agents 2 -p 127.0.0.1:8080:30080@server:0:proxy \
    --kubeconfig-switch-context=false
packer init packer/flask
packer build -var image_tag=1.0 packer/flask
python3 -m venv typed
typed/bin/pip install --require-hashes -r ansible/requirements.txt
k3d image import pra/flask-sqlite:1.0 -c pra
typed/bin/ansible-playbook ansible/playbook.yml
until curl -fsS -m 1 http://127.0.0.1:8080/health; do sleep 0.05; done
";
const TYPED_AWAY: &str = "
k3d cluster delete pra
docker rmi pra/flask-sqlite:1.0
rm -r typed
";

pub fn measure(ctx: &Context) -> Result<Vec<Figure>> {
    let site = Site::new(ctx, Blueprint::pra(ctx));
    if site.cluster()?.is_some() {
        return Err(
            Failure::usage("the cluster pra is in use: this measures from nothing")
                .next("cargo xtask teardown, then the same command again")
                .into(),
        );
    }
    let lab = ClusterLab::create(ctx)?;
    let step = ctx.ui.step("the typed commands");
    let typed = lab.shell(TYPED)?;
    lab.shell(TYPED_AWAY)?;
    step.done(format!("{typed:.1} s"));
    let step = ctx.ui.step("setup, from nothing and again");
    let mut nothing = Figure::of_runs(
        "k3d: setup from nothing",
        vec![lab.timed(&["setup"])?.0],
        "at most 0.7 times the typed commands",
    );
    nothing.ratio = Some(nothing.value / typed);
    nothing.against = Some(format!("the typed commands {typed:.1} s"));
    let again = (0..RUNS).map(|_| Ok(lab.timed(&["setup"])?.0));
    let again = again.collect::<Result<Vec<_>>>()?;
    step.done("measured");
    let mut figures = vec![
        nothing,
        Figure::of_runs("k3d: setup, a second time", again, "at most 2 s"),
        listing(&lab)?,
    ];
    figures.extend(recoveries(ctx, &lab, &site)?);
    figures.push(crashes(ctx, &lab)?);
    Ok(figures)
}

fn listing(lab: &ClusterLab) -> Result<Figure> {
    let runs = (0..RUNS).map(|_| Ok(lab.timed(&["restore", "--list"])?.0));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    Ok(Figure::of_runs(
        "k3d: restore --list",
        runs,
        "less than 1 s",
    ))
}

fn recoveries(ctx: &Context, lab: &ClusterLab, site: &Site) -> Result<Vec<Figure>> {
    let (mut rto, mut bare) = (Vec::new(), Vec::new());
    for run in 1..=RECOVERIES {
        let step = ctx.ui.step(format!("recovery {run} of {RECOVERIES}"));
        if run <= RUNS {
            bare.push(bare_start(site)?);
        }
        let result: Value = serde_json::from_str(&lab.timed(&["scenario", "2"])?.1)?;
        let seconds = result["rto"]["seconds"].as_f64();
        let seconds = seconds.context("a result without an RTO")?;
        rto.push(seconds);
        step.done(format!("RTO {seconds} s, lost {}", result["rpo"]["lost"]));
    }
    let (worst, bare) = (rto.iter().copied().fold(0.0, f64::max), median(&bare));
    let mut middle = Figure::of_runs("k3d: scenario 2, RTO", rto, "at most twice a bare start");
    middle.ratio = Some(middle.value / bare);
    middle.against = Some(format!("pod start and claim binding {bare:.2} s"));
    let worst = Figure::of_runs("k3d: the worst RTO", vec![worst], "at most 10 s");
    Ok(vec![middle, worst])
}

fn crashes(ctx: &Context, lab: &ClusterLab) -> Result<Figure> {
    let step = ctx.ui.step("deleted pods");
    let mut failed = Vec::new();
    for _ in 0..RUNS {
        let result: Value = serde_json::from_str(&lab.timed(&["scenario", "1"])?.1)?;
        failed.push(result["client"]["failed"].as_f64().context("no client")?);
    }
    step.done("measured");
    let mut figure = Figure::of_runs("k3d: scenario 1, failed requests", failed, "0");
    figure.unit = "requests".to_owned();
    Ok(figure)
}

/// From the request for two claims and a pod of the application until the pod
/// is ready.
fn bare_start(site: &Site) -> Result<f64> {
    let objects = bare_objects(site)?.to_string();
    let kubectl = site.kubectl()?;
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
            fs::read_to_string(site.path(name)).with_context(|| format!("reading {name}"))?;
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
        let root = ctx.lab.home().join("bench/cluster");
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
        for name in [
            "k8s", "pra", "app", "ansible", "packer", "image", "lab.toml",
        ] {
            symlink(ctx.lab.root.join(name), root.join(name)).context("linking the project")?;
        }
        Ok(Self { ctx, root })
    }

    /// Runs typed commands; how long they took.
    fn shell(&self, script: &str) -> Result<f64> {
        let start = Instant::now();
        let cmd = Cmd::new("sh")
            .args(["-eu", "-c", script])
            .cwd(&self.root)
            .limit(wait::TEST_COMMAND);
        self.ctx.exec.run(&cmd)?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn timed(&self, args: &[&str]) -> Result<(f64, String)> {
        let program = std::env::current_exe().context("finding this program")?;
        let cmd = Cmd::new(program.to_string_lossy())
            .args(args)
            .args(["--json", "--engine", "k3d"])
            .env("ATELIER_ROOT", self.root.to_string_lossy())
            .limit(wait::TEST_COMMAND);
        let start = Instant::now();
        let said = self.ctx.exec.read(&cmd)?;
        Ok((start.elapsed().as_secs_f64(), said))
    }
}

impl Drop for ClusterLab<'_> {
    fn drop(&mut self) {
        // What is left of it is said by the next measurement.
        let _ = self.timed(&["teardown", "--yes"]);
        let _ = fs::remove_dir_all(&self.root);
    }
}
