//! A connection to a pod that is gone gets a second try at another one.
//!
//! A node that passes a new connection on to a pod remembers that pod until it
//! answers: two minutes, as Linux comes. Until the cluster has noticed that a pod is
//! gone, some connections are passed on to it; their own second try, after one
//! second, is passed on to it again, and so is every later connection that
//! happens to come from the same port. The load balancer is one address, and
//! under load it comes back to its ports within a minute: long after all is
//! well, one connection in some hundreds is sent to a pod of before. A node of
//! the lab remembers for one second: the second try finds a pod that lives.

use anyhow::Result;

use super::site::Site;
use crate::exec::Cmd;
use crate::tools::k3d::Cluster;

/// In seconds. A connection is tried again after one, everywhere.
const SETTING: &str = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent";
/// k3d runs what is called like this before K3s, each time a node starts. A
/// node whose script fails does not start.
const FILE: &str = "/bin/k3d-entrypoint-atelier-pra.sh";

fn script() -> String {
    format!("#!/bin/sh\necho 1 >{SETTING} || true\n")
}

/// What a node says that has the setting, now and after each start.
fn in_force() -> String {
    format!("1\n{}", script())
}

fn look(node: &str) -> Cmd {
    Cmd::new("docker").args(["exec", node, "cat", SETTING, FILE])
}

fn set(node: &str) -> Cmd {
    let install = format!("printf %s \"$0\" >{FILE} && chmod 755 {FILE} && {FILE}");
    Cmd::new("docker").args(["exec", node, "sh", "-c", &install, &script()])
}

impl Site {
    /// Whether the nodes grant a second try. One is asked: all of them were told
    /// together, and it is the one that the lab's port leads to.
    pub(super) fn grants_second_try(&self, cluster: &Cluster) -> Result<bool> {
        let Some(server) = cluster.first_server() else {
            return Ok(true);
        };
        Ok(self.ctx.exec.probe(&look(server))?.stdout == in_force())
    }

    /// Has these nodes grant it. The lab works without, only less smoothly.
    pub(super) fn grant_second_try(&self, nodes: &[&str]) -> Result<()> {
        for node in nodes {
            let cmd = set(node);
            let Some(output) = self.kube.change(&cmd)? else {
                continue;
            };
            if !output.status.success() {
                self.ctx.ui.warn(&format!(
                    "{node} sends some connections to pods that are gone, for two minutes after \
                     an outage: {}",
                    output.stderr.trim()
                ));
            }
        }
        Ok(())
    }
}
