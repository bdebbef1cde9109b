//! The stages of the setup: side by side where nothing forces an order.

use anyhow::{Context as _, Result};
use terms::lang::both;
use terms::tr;

use super::site::Site;
use crate::engine::capability::Stages;
use crate::kube::image::docker;
use crate::tools::k3d::Cluster;
use crate::wait;

impl Site {
    /// All stages; side by side where nothing forces an order.
    pub fn up(&self) -> Result<()> {
        self.ctx.tools.ensure_all()?;
        self.insist_on_possible_copies()?;
        if self.ctx.exec.dry_run() {
            // A script has one order.
            let cluster = self.ensure_cluster()?;
            self.images.ensure()?;
            if cluster.is_some() {
                let said = tr!(
                    "# A run leaves out what is so already; the next lines change nothing then.",
                    "# Une exécution omet ce qui est déjà fait ; les lignes suivantes ne changent \
                     alors rien.",
                );
                self.ctx.exec.show(&said);
            }
            self.ensure_imported()?;
            self.ensure_store_where_used()?;
            let copies = self.wanted_copies()?;
            self.settle_copies(copies.as_ref())?;
            self.kube.ensure_deployed()?;
            self.kube.keep_copying(copies.as_ref())?;
            // One that does not exist yet is created with its ports.
            return cluster.map_or(Ok(()), |cluster| self.ensure_forwarded(&cluster));
        }
        match self.cluster()? {
            None => self.create_all(),
            Some(found) => self.complete_all(found),
        }
    }

    /// What a first [`Site::up`] downloads and builds beside the cluster, and its nodes' image.
    pub fn fetch(&self) -> Result<()> {
        self.ctx.tools.ensure_all()?;
        self.kube.fetch_operator()?;
        if self.ctx.exec.dry_run() {
            self.images.ensure()?;
            self.images.ensure_here(&self.ctx.config.k3d.node_image)?;
            return self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui);
        }
        std::thread::scope(|scope| {
            let image = scope.spawn(|| self.images.ensure());
            let nodes = scope.spawn(|| self.images.ensure_here(&self.ctx.config.k3d.node_image));
            let venv = self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui);
            wait::join(nodes)?;
            wait::join(image)?;
            venv
        })
    }

    /// Neither the image, Ansible's packages nor the store for copies need the cluster.
    fn create_all(&self) -> Result<()> {
        // Drawn once, before several ask for it side by side.
        self.kube.identity()?;
        let cluster = std::thread::scope(|scope| {
            let image = scope.spawn(|| self.images.ensure());
            let venv = scope.spawn(|| self.ctx.ansible().ensure(&self.ctx.exec, &self.ctx.ui));
            let store = scope.spawn(|| self.ensure_store_where_used());
            let cluster = self.ensure_from(None)?;
            wait::join(image)?;
            self.ensure_imported()?;
            wait::join(venv)?;
            wait::join(store)?;
            cluster.context("the cluster is gone")
        })?;
        let copies = self.wanted_copies()?;
        self.settle_copies(copies.as_ref())?;
        self.kube.deploy()?;
        self.kube.keep_copying(copies.as_ref())?;
        self.ensure_forwarded(&cluster)
    }

    /// Looks at everything; does what is missing.
    fn complete_all(&self, found: Cluster) -> Result<()> {
        let cluster = self
            .ensure_from(Some(found))?
            .context("the cluster is gone")?;
        let (image, held, running, deployed) = std::thread::scope(|scope| {
            let held = scope.spawn(|| self.held_by(&cluster.nodes()));
            let running = scope.spawn(|| self.kube.look());
            let deployed = scope.spawn(|| self.kube.is_deployed());
            let image = self.images.ensure()?.context("the image is not built")?;
            anyhow::Ok((
                image,
                wait::join(held)?,
                wait::join(running)?,
                wait::join(deployed)?,
            ))
        })?;
        let held = self.import_where_lacking(&image, held)?;
        self.ensure_store_where_used()?;
        let copies = self.wanted_copies()?;
        let mut running = running;
        // What lost a source of its settings does not show it.
        let settled = self.settle_copies(copies.as_ref())?;
        running.outdated |= settled && !running.images.is_empty();
        let moved = self.kube.gather_on_one_node(&running)?;
        self.kube
            .roll_out_where_stale(&running, |id| held.is_known(id))?;
        if deployed && moved.is_none() {
            self.kube.remark_deployed();
        } else {
            self.kube.deploy()?;
            self.kube
                .roll_out_where_stale(&self.kube.look()?, |id| held.is_known(id))?;
        }
        self.kube.keep_copying(copies.as_ref())?;
        if let Some(moved) = moved {
            self.kube.restore_given_up(moved)?;
        }
        self.ensure_forwarded(&cluster)
    }

    /// Imports the image where a node lacks exactly it.
    pub fn ensure_imported(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return self.show_import();
        }
        let here = self.images.built()?;
        let cluster = self.cluster()?.context("the cluster is gone")?;
        let held = self.held_by(&cluster.nodes())?;
        self.import_where_lacking(&here, held).map(drop)
    }

    /// Replaces pods that run another image of the same tag, or that began
    /// before their settings changed.
    pub fn ensure_rolled_out(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let cluster = self.cluster()?.context("the cluster is gone")?;
        let held = self.held_by(&cluster.nodes())?;
        let running = self.kube.look()?;
        self.kube
            .roll_out_where_stale(&running, |id| held.is_known(id))
    }

    /// What is declared and not in force, in words.
    pub fn pending(&self) -> Result<Vec<String>> {
        let (deployed, running, copies, image) = std::thread::scope(|scope| {
            let deployed = scope.spawn(|| self.kube.is_deployed());
            let running = scope.spawn(|| self.kube.look());
            let copies = scope.spawn(|| self.copies_are_as_wanted());
            let image = self.images.is_current();
            let told = (wait::join(deployed), wait::join(running));
            (told.0, told.1, wait::join(copies), image)
        });
        let said = [
            (!deployed?, both("the manifests", "les manifestes")),
            (
                running?.outdated,
                both("the settings of the replicas", "les réglages des répliques"),
            ),
            (
                !image?,
                both("the application's code", "le code de l'application"),
            ),
            (!copies?, both("copies elsewhere", "les copies ailleurs")),
        ];
        let pending = said.into_iter().filter(|(pending, _)| *pending);
        Ok(pending.map(|(_, what)| what.into()).collect())
    }
}

impl Stages for Site {
    fn insist_on_ownership(&self) -> Result<()> {
        Self::insist_on_ownership(self)
    }

    fn image(&self) -> Result<()> {
        self.images.ensure().map(drop)
    }

    fn deliver(&self) -> Result<()> {
        self.images.ensure()?;
        self.ensure_imported()?;
        self.ensure_rolled_out()
    }

    fn deploy(&self) -> Result<()> {
        self.kube.ensure_deployed()?;
        self.ensure_rolled_out()
    }

    fn forward(&self) -> Result<()> {
        let cluster = self.cluster()?.context("the cluster is gone")?;
        self.ensure_forwarded(&cluster)
    }

    fn keep_forward(&self, service: &str, host: u16) -> Result<()> {
        self.kube.keep(service, host)
    }

    fn ensure_tools(&self, _builds: bool) -> Result<()> {
        docker::insist(&self.ctx)?;
        self.ctx.tools.ensure_all()
    }
}
