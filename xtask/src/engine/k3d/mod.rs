//! The k3d engine: the lab on a Kubernetes cluster in Docker, driven through
//! k3d, Packer, Ansible and kubectl. What it does, a person can type.

mod checks;
mod cluster;
mod deletion;
mod deploy;
pub mod docker;
mod forward;
mod helper;
mod image;
mod import;
mod jobs;
mod kubeconfig;
mod nodes;
mod ownership;
mod provenance;
mod second_try;
pub mod site;
mod teardown;
mod together;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Engine, serving};
use crate::check::Check;
use crate::context::Context;
use crate::exec::{Cmd, Output, Piped};
use crate::facts::{Facts, JobOutcome, JobSource, Speaker, Volume};
use crate::failure::{self, Failure, Kind};
use crate::names::{CRON_JOB, DEPLOYMENT, RESTORE_JOB};
use crate::tools::k3d::Cluster;
use crate::tools::kube_state;
use crate::tools::kubectl;
use crate::tools::toolbox::{self, Found};
use crate::wait;
use ownership::Owner;
use site::{Blueprint, Site};
use terms::{Death, EngineName};

pub struct K3dEngine {
    site: Site,
    /// Known once the lab answers.
    url: Mutex<Option<String>>,
    owned: OnceLock<()>,
}

impl K3dEngine {
    pub fn new(ctx: &Context) -> Self {
        Self {
            site: Site::new(ctx, Blueprint::pra(ctx)),
            url: Mutex::default(),
            owned: OnceLock::new(),
        }
    }

    /// Looks once whether the cluster is the lab's, before the first change.
    fn owned(&self) -> Result<&Site> {
        if self.owned.get().is_none() && !self.site.ctx.exec.dry_run() {
            self.site.insist_on_ownership()?;
            self.owned.get_or_init(|| ());
        }
        Ok(&self.site)
    }

    fn change<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        let site = self.owned()?;
        let cmd = site.kubectl()?.cmd(args).limit(wait::DELETION);
        site.ctx.exec.run(&cmd)
    }

    fn url(&self) -> Result<Option<String>> {
        let mut known = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = self.site.urls()?.swap_remove(0);
        }
        Ok(known.clone())
    }

    /// What the cluster says of the lab; else why it does not.
    fn state(&self, limit: Duration) -> Result<Result<Facts, String>> {
        let cmd = self.site.kubectl()?.cmd(kubectl::GET_STATE).limit(limit);
        match self.site.ctx.exec.probe(&cmd) {
            Ok(said) if said.status.success() => Ok(Ok(kube_state::facts(&said.stdout)?)),
            Ok(said) => Ok(Err(said.stderr.trim().to_owned())),
            // The load balancer goes on listening while the server is stopped.
            Err(error) if failure::kind(&error) == Kind::Timeout => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// No answer: is there no cluster, a stopped one, a busy one, or is
    /// something broken?
    fn state_after_all(&self, said: &str) -> Result<Facts> {
        let Some(cluster) = self.site.cluster()? else {
            return Ok(Facts::default());
        };
        if cluster.is_running() && !said.contains("does not exist") {
            return self
                .state(wait::SHORT_COMMAND)?
                .map_err(|said| cluster::not_answering(&cluster, &said).into());
        }
        let place = format!("in the cluster {}, which does not run", cluster.name);
        Ok(Facts {
            volumes: vec![Volume {
                claim: "volumes".to_owned(),
                place,
            }],
            ..Facts::default()
        })
    }
}

impl Engine for K3dEngine {
    fn name(&self) -> EngineName {
        EngineName::K3d
    }

    fn checks(&self) -> Vec<Check> {
        checks::all(&self.site.ctx)
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.site.versions()
    }

    fn facts(&self) -> Result<Facts> {
        let tool = toolbox::Tool::Kubectl;
        if matches!(self.site.ctx.tools.find_once(tool)?, Found::Missing(_)) {
            // Nothing of ours can be there before the first setup.
            return Ok(Facts::default());
        }
        if self.site.is_half_deleted()? {
            return Ok(Facts::default());
        }
        let (state, url) = std::thread::scope(|scope| {
            let url = scope.spawn(|| self.url());
            (self.state(wait::FIRST_LOOK), wait::join(url))
        });
        let mut facts = match state? {
            Ok(facts) => facts,
            Err(said) => self.state_after_all(&said)?,
        };
        if facts.running {
            facts.url = url?;
        }
        Ok(facts)
    }

    fn holds_port(&self, port: u16) -> Result<bool> {
        self.site.holds_port(port)
    }

    fn up(&self) -> Result<()> {
        self.site.up()?;
        self.url
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if self.site.ctx.exec.dry_run() {
            return Ok(());
        }
        let step = self.site.ctx.ui.step("replicas ready");
        let facts = wait::until(wait::APP_READY, || {
            let facts = self.facts()?;
            Ok((facts.ready() >= facts.wanted as usize).then_some(facts))
        })?;
        if facts.wanted == 0 {
            step.done("none is asked for");
            return Ok(());
        }
        let url = facts.url.context("the lab has no URL")?;
        serving::wait_until_answered(&url)?;
        step.done("they answer");
        Ok(())
    }

    fn down(&self) -> Result<()> {
        self.site.remove()
    }

    fn apply(&self) -> Result<()> {
        self.change(kubectl::apply(&self.site.manifests_argument()))
    }

    fn pending(&self) -> Result<Vec<String>> {
        self.site.pending()
    }

    fn scale(&self, replicas: u32) -> Result<()> {
        self.change(kubectl::scale(DEPLOYMENT, replicas))
    }

    fn suspend_backups(&self, suspend: bool) -> Result<()> {
        self.change(kubectl::suspend(CRON_JOB, suspend))
    }

    fn delete_jobs(&self) -> Result<()> {
        self.change(kubectl::delete_all_jobs())
    }

    fn delete_volume(&self, claim: &str) -> Result<()> {
        // A claim in use is not deleted but hangs as Terminating.
        let pods = self.facts()?.pods;
        if let Some(pod) = pods.first().filter(|_| !self.site.ctx.exec.dry_run()) {
            return Err(
                Failure::usage(format!("{claim} is in use by the pod {}", pod.name))
                    .next("scale the deployment to 0 first")
                    .into(),
            );
        }
        self.change(kubectl::delete_claim(claim))
    }

    fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>> {
        self.owned()?.run_job(name, source)
    }

    fn pra(&self, args: &[&str]) -> Result<Output> {
        let command = [&["python", "-m", "pra"], args].concat();
        let target = format!("deployment/{DEPLOYMENT}");
        let cmd = self.site.kubectl()?.cmd(kubectl::exec(&target, &command));
        let output = self.site.ctx.exec.probe(&cmd.limit(wait::JOB_LOG))?;
        if kubectl::command_ran(output.status.success(), &output.stderr) {
            return Ok(output);
        }
        let facts = self.facts()?;
        let claims: Vec<String> = facts.volumes.into_iter().map(|one| one.claim).collect();
        self.site
            .ctx
            .ui
            .note("no replica runs: a pod of its own does this");
        self.owned()?.pra_alone(args, &claims)
    }

    fn stream(&self, args: &[&str], file: Piped) -> Result<Option<Output>> {
        let site = self.owned()?;
        let command = [&["python", "-m", "pra"], args].concat();
        let run = |target: &str| {
            let words = match &file {
                Piped::From(_) => kubectl::exec_with_input(target, &command),
                Piped::Into(_) => kubectl::exec(target, &command),
            };
            let cmd = site.kubectl()?.cmd(words).file(file.clone());
            site.ctx.exec.stream(&cmd.limit(wait::COPY))
        };
        if site.ctx.exec.dry_run() || self.facts()?.ready() > 0 {
            return run(&format!("deployment/{DEPLOYMENT}"));
        }
        site.with_helper(run)
    }

    fn logs(&self, of: Speaker, lines: u32, follow: bool) -> Result<Cmd> {
        let app = match of {
            Speaker::App => DEPLOYMENT,
            Speaker::Backup => CRON_JOB,
            Speaker::Restore => RESTORE_JOB,
        };
        Ok(self
            .site
            .kubectl()?
            .cmd(kubectl::logs_of_all(app, lines, follow)))
    }

    fn python(&self, script: &str) -> Result<Option<String>> {
        let site = self.owned()?;
        let target = format!("deployment/{DEPLOYMENT}");
        let args = kubectl::exec(&target, &["python", "-c", script]);
        let cmd = site.kubectl()?.cmd(args).limit(wait::DELETION);
        site.ctx.exec.change_reading(&cmd.to_string(), &cmd)
    }

    fn stop_node(&self) -> Result<String> {
        self.owned()?.stop_node_of(&self.facts()?)
    }

    fn start_nodes(&self) -> Result<()> {
        if !self.site.ctx.exec.dry_run() && self.site.cluster()?.is_none() {
            // Nor is there any to own.
            return Ok(());
        }
        // One that is stopped may keep the cluster from saying whose it is.
        if self.site.ctx.exec.dry_run() || self.site.owner()? != Owner::Unknown {
            self.owned()?;
        }
        self.site.start_nodes()
    }

    fn settle(&self) -> Result<()> {
        self.site.settle_deletion().map(drop)
    }

    fn insist_on_ownership(&self) -> Result<()> {
        self.owned().map(drop)
    }

    fn kill(&self, pod: &str, death: Death) -> Result<()> {
        self.change(kubectl::delete_pod(pod, death == Death::Hard))
    }
}

impl Site {
    /// All stages; side by side where nothing forces an order.
    pub fn up(&self) -> Result<()> {
        self.ctx.tools.ensure_all()?;
        if self.ctx.exec.dry_run() {
            // A script has one order.
            let cluster = self.ensure_cluster()?;
            self.ensure_image()?;
            self.ensure_imported()?;
            self.ensure_deployed()?;
            // One that does not exist yet is created with its ports.
            return cluster.map_or(Ok(()), |cluster| self.ensure_forwarded(&cluster));
        }
        match self.cluster()? {
            None => self.create_all(),
            Some(found) => self.complete_all(found),
        }
    }

    /// Neither the image nor Ansible's packages need the cluster.
    fn create_all(&self) -> Result<()> {
        let cluster = std::thread::scope(|scope| {
            let image = scope.spawn(|| self.ensure_image());
            let venv = scope.spawn(|| self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui));
            let cluster = self.ensure_from(None)?;
            wait::join(image)?;
            self.ensure_imported()?;
            wait::join(venv)?;
            cluster.context("the cluster is gone")
        })?;
        self.deploy()?;
        self.ensure_forwarded(&cluster)
    }

    /// Looks at everything; does what is missing.
    fn complete_all(&self, found: Cluster) -> Result<()> {
        let cluster = self
            .ensure_from(Some(found))?
            .context("the cluster is gone")?;
        let (image, held, running, deployed) = std::thread::scope(|scope| {
            let held = scope.spawn(|| self.held_by(&cluster.nodes()));
            let running = scope.spawn(|| self.look());
            let deployed = scope.spawn(|| self.is_deployed());
            let image = self.ensure_image()?.context("the image is not built")?;
            anyhow::Ok((
                image,
                wait::join(held)?,
                wait::join(running)?,
                wait::join(deployed)?,
            ))
        })?;
        let held = self.import_where_lacking(&image, held)?;
        let moved = self.bring_together(&running)?;
        self.roll_out_where_stale(&running, &held)?;
        if deployed && moved.is_none() {
            self.remark_deployed();
        } else {
            self.deploy()?;
            self.roll_out_where_stale(&self.look()?, &held)?;
        }
        if let Some(moved) = moved {
            self.make_good(moved)?;
        }
        self.ensure_forwarded(&cluster)
    }
}
