//! The stages of the setup in a cluster that is there already.

use anyhow::Result;
use terms::lang::both;

use super::checks;
use super::lab_place;
use super::site::{Site, TOOLS};
use crate::engine::capability::Stages;
use crate::kube::image::docker;
use crate::kube::image::pushed::Pushed;
use crate::wait;

impl Site {
    /// All stages; image and Ansible's packages beside the namespace.
    pub fn up(&self) -> Result<()> {
        let was_blind = checks::lacks_tools(self);
        self.ctx.tools.ensure_these(&TOOLS)?;
        self.insist_on_possible_copies()?;
        lab_place::insist_on_same(self)?;
        if was_blind && !self.ctx.exec.dry_run() {
            checks::insist_on_cluster(self)?;
        }
        if self.ctx.exec.dry_run() {
            self.ensure_namespaces()?;
            self.ensure_pushed()?;
            let copies = self.wanted_copies()?;
            self.settle_copies(copies.as_ref())?;
            self.kube.deploy()?;
            self.kube.keep_copying(copies.as_ref())?;
            return self.ensure_reached();
        }
        // Nobody is asked anything while something else is told.
        let is_new = self.ensure_namespaces()?;
        if is_new {
            checks::insist_on_admission(self)?;
        }
        std::thread::scope(|scope| {
            let venv = scope.spawn(|| self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui));
            self.ensure_pushed()?;
            wait::join(venv)
        })?;
        self.complete()?;
        self.ensure_reached()
    }

    /// That of the lab and, where it installs an operator, of that; says whether the lab's
    /// had to be made. All is asked before anything is.
    fn ensure_namespaces(&self) -> Result<bool> {
        let installs = self.ask_for_operator()?;
        let is_new = self.ensure_namespace()?;
        if installs {
            self.make_place_for_operator()?;
        }
        Ok(is_new)
    }

    /// The namespace holds what is declared, and runs it.
    fn complete(&self) -> Result<()> {
        let running = self.kube.look()?;
        let copies = self.wanted_copies()?;
        let settled = self.settle_copies(copies.as_ref())?;
        let moved = self.kube.gather_on_one_node(&running)?;
        if moved.is_none() && self.kube.is_deployed()? {
            self.kube.remark_deployed();
        } else {
            self.kube.deploy()?;
        }
        self.roll_out_where_outdated(settled)?;
        self.kube.keep_copying(copies.as_ref())?;
        if let Some(moved) = moved {
            self.kube.restore_given_up(moved)?;
        }
        Ok(())
    }

    /// Another image has another name, and so is rolled out by the cluster itself.
    fn roll_out_where_outdated(&self, settled: bool) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let mut running = self.kube.look()?;
        // What lost a source of its settings does not show it.
        running.outdated |= settled && !running.images.is_empty();
        self.kube.roll_out_where_stale(&running, |_| true)
    }

    fn ensure_pushed(&self) -> Result<()> {
        if self.ctx.exec.dry_run() && self.pushed_of_inputs()?.is_none() {
            self.kube.expect_push();
        }
        self.images.ensure_pushed(self.settings(), &self.folder())
    }

    /// What the registry was given, where that is what would be built now.
    fn pushed_of_inputs(&self) -> Result<Option<Pushed>> {
        self.images
            .pushed_of_inputs(self.settings(), &self.folder())
    }

    /// What a first [`Site::up`] downloads and builds beside the cluster; no image that the
    /// registry was given already.
    pub fn fetch(&self) -> Result<()> {
        self.ctx.tools.ensure_these(&TOOLS)?;
        self.fetch_operator()?;
        if self.pushed_of_inputs()?.is_none() {
            self.images.ensure()?;
        }
        self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui)
    }

    /// What is declared and not in force, in words.
    pub fn pending(&self) -> Result<Vec<String>> {
        let pushed = self.pushed_of_inputs()?;
        let (deployed, running) = std::thread::scope(|scope| {
            let deployed = scope.spawn(|| self.kube.is_deployed());
            (wait::join(deployed), self.kube.look())
        });
        let said = [
            (!deployed?, both("the manifests", "les manifestes")),
            (
                running?.outdated,
                both("the settings of the replicas", "les réglages des répliques"),
            ),
            (
                pushed.is_none(),
                both("the application's code", "le code de l'application"),
            ),
            (
                !self.copies_are_as_wanted()?,
                both("copies elsewhere", "les copies ailleurs"),
            ),
        ];
        let pending = said.into_iter().filter(|(pending, _)| *pending);
        Ok(pending.map(|(_, what)| what.into()).collect())
    }
}

impl Stages for Site {
    fn insist_on_ownership(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        lab_place::insist_on_same(self)?;
        Self::insist_on_ownership(self)
    }

    fn image(&self) -> Result<()> {
        self.images.ensure().map(drop)
    }

    /// Whatever the registry was given before: it may have lost that.
    fn deliver(&self) -> Result<()> {
        let image = self.images.ensure()?;
        self.images
            .push(self.settings(), &self.folder(), image.as_ref())
    }

    fn deploy(&self) -> Result<()> {
        self.insist_on_no_strangers()?;
        if self.ask_for_operator()? {
            self.make_place_for_operator()?;
        }
        // What was pushed last may be another code's, or in a registry of before.
        self.ensure_pushed()?;
        self.kube.ensure_deployed()?;
        self.roll_out_where_outdated(false)
    }

    fn forward(&self) -> Result<()> {
        self.ensure_reached()
    }

    fn keep_forward(&self, service: &str, host: u16) -> Result<()> {
        self.kube.keep(service, host)
    }

    fn ensure_tools(&self, builds: bool) -> Result<()> {
        if builds {
            docker::insist(&self.ctx)?;
        }
        self.ctx.tools.ensure_these(&TOOLS)
    }
}
