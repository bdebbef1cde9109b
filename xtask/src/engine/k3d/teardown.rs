//! Removing a workshop from the machine, and nothing else.

use anyhow::Result;

use super::site::Site;

impl Site {
    /// Cluster, network, volumes, contexts, forwards and images that were built.
    pub fn remove(&self) -> Result<()> {
        self.kube.stop_forward()?;
        if self.has_deletion_to_end()? {
            self.end_deletion()?;
        } else if let Some(cluster) = self.cluster()? {
            self.insist_before_deletion(&cluster)?;
            self.delete_cluster()?;
        }
        self.images.remove()
    }
}
