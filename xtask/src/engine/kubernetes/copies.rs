//! Copies elsewhere of the lab in a cluster that is there already.

use anyhow::Result;

use super::site::Site;
use crate::kube::copying::Copying;
use crate::offsite::pods;

impl Site {
    /// Whether copies are to be made: a database of several instances is on no volume of ours.
    pub(super) fn makes_copies(&self) -> bool {
        !self.is_replicated() && self.ctx.config.offsite.destination().is_some()
    }

    pub(super) fn insist_on_possible_copies(&self) -> Result<()> {
        if self.is_replicated() {
            return Ok(());
        }
        pods::insist(&self.ctx.config.offsite, &self.ctx.workspace, |place| {
            self.kube.was_given_credentials(place)
        })
    }

    /// As they are declared. A store of our own would be lost with the cluster.
    pub(super) fn wanted_copies(&self) -> Result<Option<Copying>> {
        if !self.makes_copies() {
            return Ok(None);
        }
        let wanted = pods::wanted(&self.ctx.config.offsite, &self.ctx.workspace, None)?;
        Ok(wanted.map(|wanted| Copying {
            wanted,
            store: None,
            image: String::new(),
        }))
    }

    pub(super) fn copies_are_as_wanted(&self) -> Result<bool> {
        match self.is_replicated() {
            true => Ok(true),
            false => self.kube.copies_as_wanted(self.wanted_copies()?.as_ref()),
        }
    }

    /// Where they go is as declared, before the replicas start; says whether those that run have
    /// other settings.
    pub(super) fn settle_copies(&self, wanted: Option<&Copying>) -> Result<bool> {
        match self.is_replicated() {
            true => Ok(false),
            false => self.kube.settle_copies(wanted),
        }
    }
}
