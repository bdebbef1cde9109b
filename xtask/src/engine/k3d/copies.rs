//! Copies elsewhere of the lab on k3d.

use anyhow::Result;

use super::site::Site;
use crate::config::Destination;
use crate::kube::copying::{Copying, STORE, STORE_PORT};
use crate::offsite::pods;
use crate::offsite::store::{self, Store};
use terms::LabName;

impl Site {
    /// The lab whose volumes are copied: the others have none.
    pub(super) fn is_copied(&self) -> bool {
        self.ctx.options.lab == LabName::Pra
    }

    /// Whether copies are to be made.
    pub(super) fn makes_copies(&self) -> bool {
        self.is_copied() && self.ctx.config.offsite.destination().is_some()
    }

    pub(super) fn insist_on_possible_copies(&self) -> Result<()> {
        match self.is_copied() {
            true => pods::insist(&self.ctx.config.offsite, &self.ctx.workspace, |place| {
                // One that was stopped cannot be asked yet: whatever lacks is told once it runs.
                Ok(self.cluster()?.is_some()
                    && self.kube.was_given_credentials(place).unwrap_or(true))
            }),
            false => Ok(()),
        }
    }

    fn uses_store(&self) -> bool {
        self.ctx.config.offsite.destination() == Some(Destination::Embedded)
    }

    /// Where it is the lab's own, what copies go to runs.
    pub(super) fn ensure_store_where_used(&self) -> Result<()> {
        match self.makes_copies() && self.uses_store() {
            true => self.ensure_store(),
            false => Ok(()),
        }
    }

    /// Ends what runs for copies elsewhere, whose network k3d could not remove meanwhile; those
    /// there are stay. Says whether there was any.
    pub(super) fn detach_store(&self) -> Result<bool> {
        let there = self.is_copied() && store::exists(&self.ctx.workspace);
        if !there || !self.has_own_store()? {
            return Ok(false);
        }
        self.remove_store()?;
        Ok(true)
    }

    /// Copies elsewhere as they are declared, of a cluster and a store that are there.
    pub(super) fn wanted_copies(&self) -> Result<Option<Copying>> {
        if !self.makes_copies() {
            return Ok(None);
        }
        let store = match self.uses_store() {
            true => Some(self.attach_store()?),
            false => None,
        };
        self.declared_copies(store)
    }

    /// The same, with the store at this address.
    fn declared_copies(&self, store: Option<String>) -> Result<Option<Copying>> {
        let (config, workspace) = (&self.ctx.config.offsite, &self.ctx.workspace);
        let reached = store.as_ref().map(|_| {
            let endpoint = format!("http://{STORE}:{STORE_PORT}");
            Store::at(&endpoint, workspace)
        });
        let wanted = pods::wanted(config, workspace, reached.as_ref())?;
        let image = match self.ctx.exec.dry_run() {
            true => String::new(),
            false => self.images.built()?.id,
        };
        Ok(wanted.map(|wanted| Copying {
            wanted,
            store,
            image,
        }))
    }

    /// Nothing that copies would be changed by a setup.
    pub(super) fn copies_are_as_wanted(&self) -> Result<bool> {
        if !self.is_copied() {
            return Ok(true);
        }
        if !self.makes_copies() {
            return self.kube.copies_as_wanted(None);
        }
        let store = match self.uses_store() {
            true => self.store_address()?,
            false => None,
        };
        if self.uses_store() && store.is_none() {
            return Ok(false);
        }
        let declared = self.declared_copies(store)?;
        self.kube.copies_as_wanted(declared.as_ref())
    }

    /// Where they go is as declared, before the replicas start; says whether those that run have
    /// other settings.
    pub(super) fn settle_copies(&self, wanted: Option<&Copying>) -> Result<bool> {
        match self.is_copied() {
            true => self.kube.settle_copies(wanted),
            false => Ok(false),
        }
    }
}
