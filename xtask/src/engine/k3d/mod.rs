//! The k3d engine: the lab on a Kubernetes cluster in Docker, driven through
//! k3d, Packer, Ansible and kubectl. What it does, a person can type.

pub mod apart;
mod checks;
mod cluster;
mod conntrack;
mod copies;
mod cut;
mod declared;
mod deletion;
mod fence;
mod import;
mod kubeconfig;
mod nodes;
mod ownership;
mod ports;
mod provenance;
pub mod site;
mod stages;
mod store;
mod teardown;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;

use super::capability::{Capability, Lack, Nodes};
use super::monitoring::Monitoring;
use super::offsite::Running;
use super::seam::{Engine, Entry, not_replicated};
use super::serving;
use crate::check::Check;
use crate::context::Context;
use crate::exec::{Cmd, Output, Piped};
use crate::facts::monitoring::Watched;
use crate::facts::offsite::Shipping;
use crate::facts::{Facts, JobOutcome, JobSource, LogSource, Volume};
use crate::failure::Failure;
use crate::kube::Kube;
use crate::kube::image::docker;
use crate::kube::ownership::Owner;
use crate::tools::toolbox::{self, Found};
use crate::wait;
use site::{Blueprint, Site};
use terms::lang::both;
use terms::{Death, EngineName, LabName, tr};

/// A cluster in Docker can do nearly everything.
const LACKS: &[Lack] = &[Lack {
    what: Capability::Push,
    why: both(
        "its nodes are given the image itself: cargo xtask import",
        "ses nœuds reçoivent l'image elle-même : cargo xtask import",
    ),
}];

pub const ENTRY: Entry = Entry {
    name: EngineName::K3d,
    lacks: LACKS,
    suits: |ctx| {
        docker::info(ctx).map(|_| both("a Docker daemon answers", "un démon Docker répond"))
    },
    new: |ctx| Ok(Box::new(K3dEngine::new(ctx))),
};

pub struct K3dEngine {
    site: Site,
    /// Known once the lab answers.
    url: Mutex<Option<String>>,
    owned: OnceLock<()>,
}

impl K3dEngine {
    pub fn new(ctx: &Context) -> Self {
        Self {
            site: Site::new(ctx, Blueprint::of(ctx)),
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

    fn url(&self) -> Result<Option<String>> {
        let mut known = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = self.site.urls()?.swap_remove(0);
        }
        Ok(known.clone())
    }

    /// No answer: is there no cluster, a stopped one, a busy one, or is
    /// something broken?
    fn state_after_all(&self, said: &str) -> Result<Facts> {
        let Some(cluster) = self.site.cluster()? else {
            return Ok(Facts::default());
        };
        if cluster.is_running() && !said.contains("does not exist") {
            return self
                .site
                .kube
                .state(wait::SHORT_COMMAND)?
                .map_err(|said| cluster::not_answering(&cluster, &said).into());
        }
        let place = tr!(
            "in the cluster {name}, which does not run",
            "dans le cluster {name}, qui ne tourne pas",
            name = cluster.name,
        );
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

    fn lab(&self) -> LabName {
        self.site.ctx.options.lab
    }

    fn lacks(&self) -> &'static [Lack] {
        LACKS
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
            (self.site.kube.state(wait::FIRST_LOOK), wait::join(url))
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

    fn fetch(&self) -> Result<()> {
        self.site.fetch()
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
        serving::show_ready(&self.site.ctx.ui, self)
    }

    fn apply(&self) -> Result<()> {
        let site = self.owned()?;
        site.kube.apply()?;
        site.kube.resume_copying()
    }

    fn pending(&self) -> Result<Vec<String>> {
        self.site.pending()
    }

    fn wake(&self) -> Result<()> {
        if self.site.ctx.exec.dry_run() || self.site.is_half_deleted()? {
            return Ok(());
        }
        match self.site.cluster()? {
            Some(cluster) if !cluster.is_running() => self.site.wake(&cluster),
            _ => Ok(()),
        }
    }

    fn scale(&self, replicas: u32) -> Result<()> {
        self.owned()?.kube.scale(replicas)
    }

    fn suspend_backups(&self, suspend: bool) -> Result<()> {
        self.owned()?.kube.suspend_backups(suspend)
    }

    fn resuming_backups(&self) -> String {
        self.site.kube.resuming_backups()
    }

    fn delete_jobs(&self) -> Result<()> {
        self.owned()?.kube.delete_jobs()
    }

    fn delete_volume(&self, claim: &str) -> Result<()> {
        let facts = self.facts()?;
        let site = self.owned()?;
        site.kube.pause_copying(claim)?;
        site.kube.delete_claim(claim, &facts)
    }

    fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>> {
        self.owned()?.kube.run_job(name, source)
    }

    fn pra(&self, args: &[&str]) -> Result<Output> {
        if let Some(output) = self.site.kube.pra_in_replica(args)? {
            return Ok(output);
        }
        let facts = self.facts()?;
        self.owned()?.kube.pra_without_replica(args, facts)
    }

    fn stream(&self, args: &[&str], file: Piped) -> Result<Option<Output>> {
        let site = self.owned()?;
        let replicas = site.ctx.exec.dry_run() || self.facts()?.ready() > 0;
        site.kube.stream(args, &file, replicas)
    }

    fn offsite(&self, args: &[&str]) -> Result<Option<Output>> {
        self.owned()?.kube.offsite(args)
    }

    fn python_beside_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        self.owned()?.kube.python_beside_copies(script, args)
    }

    fn embedded_store(&self) -> Result<Running> {
        self.site.running_store()
    }

    fn kept_copies(&self) -> Option<PathBuf> {
        let site = &self.site;
        site.is_copied().then(|| site.folder_of_store()).flatten()
    }

    fn remove_copies(&self) -> Result<()> {
        self.site.remove_copies()
    }

    fn shipping(&self) -> Result<Option<Shipping>> {
        match self.site.makes_copies() && self.facts()?.running {
            true => self.site.kube.shipping(),
            false => Ok(None),
        }
    }

    fn logs(&self, of: LogSource, lines: u32, follow: bool) -> Result<Cmd> {
        if !self.facts()?.running {
            return Err(no_lab().into());
        }
        self.site.kube.logs(of, lines, follow)
    }

    fn python(&self, script: &str) -> Result<Option<String>> {
        self.owned()?.kube.python(script)
    }

    fn show_python(&self, variable: &str, script: &str) -> Result<()> {
        self.site.kube.show_python(variable, script)
    }

    fn nodes(&self) -> Result<&dyn Nodes> {
        Ok(self)
    }

    fn replicated(&self) -> Result<&Kube> {
        match self.site.kube.workload.database {
            Some(_) => Ok(&self.owned()?.kube),
            None => Err(not_replicated(self.lab())),
        }
    }

    fn monitoring(&self) -> &dyn Monitoring {
        self
    }

    fn down(&self) -> Result<()> {
        self.site.remove()
    }

    fn forget_unstarted_deletion(&self) -> Result<()> {
        self.site.has_deletion_to_end().map(drop)
    }

    fn insist_on_ownership(&self) -> Result<()> {
        self.owned().map(drop)
    }

    fn kill(&self, pod: &str, death: Death) -> Result<f64> {
        self.owned()?.kube.kill(pod, death)
    }
}

/// Where there is nobody who could have written anything.
fn no_lab() -> Failure {
    Failure::usage(tr!("the lab is down", "le lab est arrêté")).next("cargo xtask setup")
}

impl Nodes for K3dEngine {
    fn stop(&self) -> Result<String> {
        self.owned()?.stop_node_of(&self.facts()?)
    }

    fn kill(&self, node: &str) -> Result<()> {
        self.owned()?.kill_node(node)
    }

    fn cut_off(&self, node: &str, others: &str) -> Result<()> {
        self.owned()?.cut_off(node, others)
    }

    fn connect(&self, node: &str) -> Result<()> {
        self.site.connect(node)
    }

    fn start(&self) -> Result<()> {
        if !self.site.ctx.exec.dry_run() && self.site.cluster()?.is_none() {
            // Nor is there any to own.
            return Ok(());
        }
        let known = self.site.ctx.exec.dry_run() || self.owned.get().is_some();
        // Those that are stopped may keep the cluster from saying whose it is.
        if !known && self.site.likely_owner()? != Owner::Us {
            self.owned()?;
        }
        self.site.start_nodes()
    }

    fn look(&self) -> String {
        self.site.kube.typed("get pods -o wide")
    }
}

impl Monitoring for K3dEngine {
    fn start(&self, dashboards: bool) -> Result<()> {
        self.owned()?.kube.start_monitoring(dashboards)
    }

    fn stop(&self) -> Result<bool> {
        self.owned()?.kube.stop_monitoring()
    }

    fn tell_runs(&self, rules: &str) -> Result<()> {
        self.owned()?.kube.tell_runs(rules)
    }

    fn watched(&self) -> Result<Option<Watched>> {
        self.site.kube.watched()
    }
}
