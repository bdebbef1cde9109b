//! The cluster of a marking and what was found on it, asked through kubectl.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::deployed::Deployed;
use crate::context::Context;
use crate::engine::k3d::apart::Apart;
use crate::exec::{Cmd, Output, Process};
use crate::failure::Failure;
use crate::marking::facts::Choice;
use crate::marking::labs::fault::{of_the_work, why_waiting};
use crate::marking::repository::layout::{Layout, mounts};
use crate::marking::repository::points::RestoreJob;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::tools::kubectl::Kubectl;
use crate::wait;

/// What is asked of kubectl at most; waits have their own limits.
pub const ASKED: Duration = Duration::from_secs(60);

/// A lab on a cluster of its own, which goes with it.
pub struct ClusterLab {
    pub(super) ctx: Context,
    /// Dropped before the cluster.
    pub(super) forward: Option<Forward>,
    pub(super) apart: Apart,
    pub(super) kubectl: Kubectl,
    /// The copy of the work.
    pub(super) root: PathBuf,
    pub(super) scratch: PathBuf,
    pub(super) layout: Layout,
    pub(super) deployed: Deployed,
    /// The application's object, as the cluster has it.
    pub(super) deployment: String,
    pub(super) replicas: u64,
    pub(super) cron_job: String,
    pub(super) restore: Option<RestoreJob>,
    pub(super) choice: (Choice, Option<RestoreJob>),
    pub(super) serial: Cell<u32>,
}

pub struct Forward {
    pub(super) port: u16,
    pub(super) _process: Process,
}

impl ClusterLab {
    pub(super) fn cmd<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Cmd {
        let cmd = self.kubectl.cmd(args).limit(ASKED);
        cmd.envs(&self.apart.environment())
    }

    pub(super) fn probe<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        self.ctx.exec.probe(&self.cmd(args))
    }

    pub(super) fn read<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        self.ctx.exec.read(&self.cmd(args))
    }

    pub(super) fn get(&self, what: &[&str]) -> Result<Value> {
        let said = self.read([&["get"], what, &["-o", "json"]].concat())?;
        serde_json::from_str(&said).context("reading what kubectl said")
    }

    /// The names of what was really deployed: what mounts the claims.
    pub(super) fn find_objects(&mut self) -> Result<()> {
        let all = self.get(&["deployments,cronjobs"])?;
        let items = all["items"].as_array().into_iter().flatten();
        let of_kind = |kind: &'static str| items.clone().filter(move |one| one["kind"] == kind);
        let by_claim = |kind, claim| {
            let mut mounting = of_kind(kind).filter(|one| mounts(one, claim));
            mounting.next().or_else(|| of_kind(kind).next())
        };
        let name = |one: &Value| one["metadata"]["name"].as_str().map(str::to_owned);
        let Some(application) = by_claim("Deployment", DATA_CLAIM) else {
            let none = Failure::tool(tr!(
                "the work deployed no Deployment in its namespace",
                "le travail n'a déployé aucun Deployment dans son espace de noms"
            ));
            return Err(of_the_work(none.into()));
        };
        self.deployment = name(application).unwrap_or_default();
        self.replicas = application["spec"]["replicas"].as_u64().unwrap_or(1);
        if let Some(cron_job) = by_claim("CronJob", BACKUP_CLAIM).and_then(name) {
            self.cron_job = cron_job;
        }
        Ok(())
    }

    pub(super) fn application(&self) -> Result<Value> {
        self.get(&["deployment", &self.deployment])
    }

    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let limit = format!("--timeout={}s", wait::MARKED_ROLLOUT.as_secs());
        let object = format!("deployment/{}", self.deployment);
        let args = ["rollout", "status", &object, &limit];
        let cmd = self.cmd(args).limit(wait::MARKED_ROLLOUT + ASKED);
        let output = self.ctx.exec.probe(&cmd)?;
        if output.status.success() {
            return Ok(());
        }
        let why = why_waiting(&self.get(&["pods"])?).unwrap_or_default();
        let said = output.stderr.trim();
        let failure = Failure::tool(tr!(
            "the pods of {object} do not become ready: {said}; {why}",
            "les pods de {object} ne deviennent pas prêts : {said} ; {why}"
        ));
        Err(of_the_work(failure.into()))
    }

    pub(super) fn scale(&self, replicas: u64) -> Result<()> {
        let replicas = format!("--replicas={replicas}");
        self.read(["scale", "deployment", &self.deployment, &replicas])?;
        Ok(())
    }

    /// No pod of the application is left, so that nobody has the volume.
    pub(super) fn stop(&self) -> Result<()> {
        self.scale(0)?;
        let selector = self.selector()?;
        let limit = format!("--timeout={}s", wait::DELETION.as_secs());
        let wait = ["wait", "--for=delete", "pod", "-l", &selector, &limit];
        self.ctx
            .exec
            .read(&self.cmd(wait).limit(wait::DELETION + ASKED))?;
        Ok(())
    }

    pub(super) fn selector(&self) -> Result<String> {
        let application = self.application()?;
        let labels = application["spec"]["selector"]["matchLabels"].as_object();
        let labels = labels.into_iter().flatten();
        let pairs = labels.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
        Ok(pairs.collect::<Vec<_>>().join(","))
    }

    /// The service of the application: the one that selects its pods.
    pub(super) fn service(&self) -> Result<(String, u64)> {
        let labels = self.application()?["spec"]["template"]["metadata"]["labels"].clone();
        let services = self.get(&["services"])?;
        let mut all = services["items"].as_array().into_iter().flatten();
        let selects = |one: &&Value| {
            let selector = one["spec"]["selector"].as_object();
            selector.is_some_and(|wanted| wanted.iter().all(|(key, value)| &labels[key] == value))
        };
        let service = all.find(selects).with_context(|| {
            tr!(
                "no service leads to the application",
                "aucun service ne mène à l'application"
            )
        })?;
        let name = service["metadata"]["name"].as_str().unwrap_or_default();
        let port = service["spec"]["ports"][0]["port"].as_u64().unwrap_or(80);
        Ok((name.to_owned(), port))
    }
}
