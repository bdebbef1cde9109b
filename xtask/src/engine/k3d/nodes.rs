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
        self.kill_node(&node)?;
        Ok(node)
    }

    /// Ends a node without warning.
    pub fn kill_node(&self, node: &str) -> Result<()> {
        self.insist_on_own_node(node)?;
        let cmd = Cmd::new("docker").args(docker::kill(node));
        self.ctx.exec.run(&cmd.limit(wait::NODE_CONTAINER))
    }

    /// Refuses a name that is no container of this cluster.
    pub(super) fn insist_on_own_node(&self, node: &str) -> Result<()> {
        let cluster = self.cluster()?;
        let ours = cluster.is_some_and(|cluster| cluster.nodes().contains(&node));
        if ours || self.ctx.exec.dry_run() {
            return Ok(());
        }
        Err(Failure::usage(tr!(
            "{node} is no container of the cluster {cluster}",
            "{node} n'est pas un conteneur du cluster {cluster}",
            cluster = self.name,
        ))
        .next("cargo xtask status")
        .into())
    }

    /// Starts every node that is stopped; returns when all are ready.
    pub fn start_nodes(&self) -> Result<()> {
        let dry_run = self.ctx.exec.dry_run();
        if dry_run {
            self.ctx.exec.run(&self.k3d(k3d::start(self.name))?)?;
        }
        let cluster = match self.cluster()? {
            Some(cluster) => cluster,
            None if dry_run => return Ok(()),
            None => anyhow::bail!(tr!("the cluster is gone", "le cluster a disparu")),
        };
        for node in cluster.stopped_nodes().into_iter().filter(|_| !dry_run) {
            let cmd = Cmd::new("docker").args(docker::start(node));
            self.ctx.exec.run(&cmd.limit(wait::NODE_CONTAINER))?;
        }
        if self.kube.workload.database.is_some() {
            self.connect_again(&cluster.nodes())?;
        }
        match dry_run {
            true => Ok(()),
            false => self.await_nodes(),
        }
    }

    /// Waits until the cluster answers, and every node is ready.
    pub(super) fn await_nodes(&self) -> Result<()> {
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
