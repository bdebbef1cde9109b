//! The kubernetes engine: the lab in one namespace of a cluster that is there already.
//! It has no power over the cluster: it makes none, stops no node, removes nothing that is
//! not the lab's.

mod admission;
mod checks;
mod copies;
mod lab_place;
mod namespace;
mod operator;
mod quota;
mod reach;
mod refused;
mod replicas;
mod rights;
pub mod site;
mod stages;
mod storage;
mod strangers;
mod teardown;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use terms::lang::both;
use terms::{Death, EngineName, LabName};

use super::capability::{Capability, Lack};
use super::monitoring::Monitoring;
use super::seam::{Engine, Entry, not_replicated};
use super::serving;
use crate::check::Check;
use crate::context::Context;
use crate::exec::{Cmd, Output, Piped};
use crate::facts::monitoring::Watched;
use crate::facts::offsite::Shipping;
use crate::facts::{Facts, JobOutcome, JobSource, LogSource};
use crate::kube::Kube;
use crate::tools::toolbox::{Found, Tool};
use crate::wait;
use site::Site;

const LACKS: &[Lack] = &[
    Lack {
        what: Capability::Nodes,
        why: both(
            "its nodes are the cluster's, which others use too: the lab stops none",
            "ses nœuds sont ceux du cluster, que d'autres utilisent aussi : le lab n'en arrête \
             aucun",
        ),
    },
    Lack {
        what: Capability::Import,
        why: both(
            "its nodes pull the image from a registry: cargo xtask push",
            "ses nœuds tirent l'image d'un registre : cargo xtask push",
        ),
    },
    Lack {
        what: Capability::Whole,
        why: both(
            "the cluster was there before the lab, and is not the lab's to make or to lose",
            "le cluster était là avant le lab, et ce n'est pas au lab de le créer ou de le perdre",
        ),
    },
];

pub const ENTRY: Entry = Entry {
    name: EngineName::Kubernetes,
    lacks: LACKS,
    // Somebody else's cluster is never taken by itself.
    suits: |_| None,
    new: |ctx| Ok(Box::new(KubernetesEngine::new(ctx)?)),
};

pub struct KubernetesEngine {
    site: Site,
    /// Known once the lab answers.
    url: Mutex<Option<String>>,
    owned: OnceLock<()>,
}

impl KubernetesEngine {
    fn new(ctx: &Context) -> Result<Self> {
        Ok(Self {
            site: Site::new(ctx)?,
            url: Mutex::default(),
            owned: OnceLock::new(),
        })
    }

    /// Looks once whether the namespace is the lab's, before the first change.
    fn owned(&self) -> Result<&Site> {
        if self.owned.get().is_none() && !self.site.ctx.exec.dry_run() {
            lab_place::insist_on_same(&self.site)?;
            self.site.insist_on_ownership()?;
            self.owned.get_or_init(|| ());
        }
        Ok(&self.site)
    }

    fn url(&self) -> Result<Option<String>> {
        let mut known = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        // A forward can be told at no cost, and may have ended.
        if known.is_none() || self.site.is_forwarded() {
            *known = self.site.url()?;
        }
        Ok(known.clone())
    }
}

impl Engine for KubernetesEngine {
    fn name(&self) -> EngineName {
        EngineName::Kubernetes
    }

    fn lab(&self) -> LabName {
        match self.site.is_replicated() {
            true => LabName::Ha,
            false => LabName::Pra,
        }
    }

    fn lacks(&self) -> &'static [Lack] {
        LACKS
    }

    fn checks(&self) -> Vec<Check> {
        checks::all(&self.site)
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.site.kube.versions()
    }

    fn facts(&self) -> Result<Facts> {
        let tools = &self.site.ctx.tools;
        if matches!(tools.find_once(Tool::Kubectl)?, Found::Missing(_)) {
            // Nothing of ours can be there before the first setup.
            return Ok(Facts::default());
        }
        let mut facts = match self.site.kube.state(wait::SHORT_COMMAND)? {
            Ok(facts) => facts,
            Err(said) => return Err(self.site.unreachable(&said).into()),
        };
        // A cluster that answers is no lab yet.
        facts.running = !facts.schedule.is_empty() || facts.wanted > 0 || !facts.volumes.is_empty();
        if facts.running {
            facts.url = self.url()?;
        }
        Ok(facts)
    }

    fn needs_port(&self) -> bool {
        self.site.is_forwarded()
    }

    fn holds_port(&self, port: u16) -> Result<bool> {
        let mut ports = self.site.kube.workload.ports.iter();
        Ok(ports.any(|one| self.site.kube.kept_port(one) == Some(port)))
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

    /// The cluster is not the lab's to start.
    fn wake(&self) -> Result<()> {
        Ok(())
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

    fn shipping(&self) -> Result<Option<Shipping>> {
        match self.site.makes_copies() && self.facts()?.running {
            true => self.site.kube.shipping(),
            false => Ok(None),
        }
    }

    fn logs(&self, of: LogSource, lines: u32, follow: bool) -> Result<Cmd> {
        self.site.kube.logs(of, lines, follow)
    }

    fn python(&self, script: &str) -> Result<Option<String>> {
        self.owned()?.kube.python(script)
    }

    fn show_python(&self, variable: &str, script: &str) -> Result<()> {
        self.site.kube.show_python(variable, script)
    }

    fn replicated(&self) -> Result<&Kube> {
        match self.site.is_replicated() {
            true => Ok(&self.owned()?.kube),
            false => Err(not_replicated(self.lab())),
        }
    }

    fn monitoring(&self) -> &dyn Monitoring {
        self
    }

    fn down(&self) -> Result<()> {
        self.site.remove()
    }

    fn insist_on_ownership(&self) -> Result<()> {
        self.owned().map(drop)
    }

    fn kill(&self, pod: &str, death: Death) -> Result<f64> {
        self.owned()?.kube.kill(pod, death)
    }
}

impl Monitoring for KubernetesEngine {
    fn start(&self, dashboards: bool) -> Result<()> {
        let site = self.owned()?;
        if !site.ctx.exec.dry_run() {
            site.insist_on_rights_to_watch()?;
        }
        site.kube.start_monitoring(dashboards)
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
