//! Removing a workshop from the machine, and nothing else.

use anyhow::Result;
use terms::tr;

use super::site::{Blueprint, Site};
use crate::tools::k3d;

impl Site {
    /// Cluster, network, volumes, contexts, forwards and images that were built.
    pub fn remove(&self) -> Result<()> {
        self.kube.stop_forwards()?;
        if self.has_deletion_to_end()? {
            self.end_deletion()?;
        } else if let Some(cluster) = self.cluster()? {
            self.insist_before_deletion(&cluster)?;
            self.delete_cluster()?;
        } else {
            self.detach_store()?;
        }
        match self.sharer()? {
            None => self.images.remove(),
            Some(other) => {
                self.ctx.ui.note(&tr!(
                    "{image} stays: the cluster {other} runs it too",
                    "{image} reste : le cluster {other} l'exécute aussi",
                    image = self.images.recipe.image(),
                ));
                Ok(())
            }
        }
    }

    /// Another cluster that is there and runs the same image.
    fn sharer(&self) -> Result<Option<&'static str>> {
        let image = self.images.recipe.repository;
        let mut others = Blueprint::all(&self.ctx).to_vec();
        others.retain(|other| other.cluster != self.name && other.image.repository == image);
        if others.is_empty() || !self.has_k3d()? {
            return Ok(None);
        }
        let list = self.k3d(["cluster", "list", "-o", "json"])?;
        let text = self.ctx.exec.read(&list)?;
        for other in others {
            if k3d::find(&text, other.cluster)?.is_some() {
                return Ok(Some(other.cluster));
            }
        }
        Ok(None)
    }
}
