//! Removing a workshop from the machine, and nothing else.

use anyhow::Result;
use std::collections::BTreeSet;

use super::site::Site;
use crate::exec::Cmd;
use crate::tools::docker;
use crate::wait;

impl Site {
    /// Cluster, network, volumes, contexts, forwards and images that were
    /// built. Base images stay: they are Docker's cache, not the lab's.
    pub fn remove(&self) -> Result<()> {
        self.stop_forward()?;
        if self.settle_deletion()? {
            self.end_deletion()?;
        } else if let Some(cluster) = self.cluster()? {
            self.insist_before_deletion(&cluster)?;
            self.delete_cluster()?;
        }
        self.remove_images()
    }

    fn remove_images(&self) -> Result<()> {
        let list = Cmd::new("docker").args(docker::built_images(self.plan.repository));
        let listed = self.ctx.exec.read(&list)?;
        let images: BTreeSet<&str> = listed.split_whitespace().collect();
        if images.is_empty() {
            return Ok(());
        }
        let cmd = Cmd::new("docker").args(["rmi", "--force"]).args(images);
        self.ctx.exec.run(&cmd.limit(wait::CLUSTER))
    }
}
