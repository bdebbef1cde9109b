//! The nodes of the cluster, which are containers: one stops, all come back.

use anyhow::{Context as _, Result};
use terms::tr;

use super::site::Site;
use crate::exec::Cmd;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::tools::{docker, k3d, kube_state};
use crate::wait;

impl Site {
    /// Ends the node that holds the volumes, without warning; says which.
    pub fn stop_node_of(&self, facts: &Facts) -> Result<String> {
        let node = facts.volumes.iter().find_map(|volume| {
            let (node, _) = volume.place.split_once(':')?;
            Some(node.to_owned())
        });
        let dry_run = self.ctx.exec.dry_run();
        let node = node
            .or_else(|| dry_run.then(|| "NODE".to_owned()))
            .context(tr!(
                "the volumes are on no node yet",
                "les volumes ne sont encore sur aucun nœud",
            ))?;
        let cluster = self.cluster()?;
        let ours = cluster.is_some_and(|cluster| cluster.nodes().contains(&node.as_str()));
        if !ours && !dry_run {
            return Err(Failure::usage(tr!(
                "the volumes are on {node}, which is no container of the cluster {cluster}",
                "les volumes sont sur {node}, qui n'est pas un conteneur du cluster {cluster}",
                cluster = self.name,
            ))
            .next("cargo xtask status")
            .into());
        }
        let cmd = Cmd::new("docker").args(docker::kill(&node));
        self.ctx.exec.run(&cmd.limit(wait::NODE_CONTAINER))?;
        Ok(node)
    }

    /// Starts every node that is stopped; returns when all are ready.
    pub fn start_nodes(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return self.ctx.exec.run(&self.k3d(k3d::start(self.name))?);
        }
        let cluster = self
            .cluster()?
            .context(tr!("the cluster is gone", "le cluster a disparu"))?;
        for node in cluster.stopped_nodes() {
            let cmd = Cmd::new("docker").args(docker::start(node));
            self.ctx.exec.run(&cmd.limit(wait::NODE_CONTAINER))?;
        }
        self.ensure_answers()?;
        let look = self.kube.kubectl()?.cmd(["get", "nodes", "-o", "json"]);
        wait::until(wait::NODES_READY, || {
            // The API of a server that has just started comes and goes.
            let output = self.ctx.exec.probe(&look)?;
            let ready = output.status.success() && kube_state::all_nodes_ready(&output.stdout)?;
            Ok(ready.then_some(()))
        })
    }
}
