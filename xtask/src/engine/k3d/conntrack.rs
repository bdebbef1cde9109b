//! The nodes' connection tracking forgets an unanswered SYN after one second.
//!
//! For a new connection to a service, conntrack keeps the pod that was chosen until it
//! answers, by default for 120 s (`nf_conntrack_tcp_timeout_syn_sent`). Until the
//! cluster notices that a pod is gone, some connections are sent to it. The
//! retransmitted SYN, one second later, goes to the same pod, and so does every later
//! connection from the same source port. The load balancer has one address and reuses
//! its ports within a minute under load, so one connection in some hundreds went to a
//! dead pod long after the recovery. With one second, the retransmission is sent to a
//! pod that runs.

use anyhow::Result;
use terms::tr;

use super::site::Site;
use crate::exec::Cmd;
use crate::tools::k3d::Cluster;

/// In seconds: TCP retransmits the first SYN after one.
const SETTING: &str = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent";
/// k3d runs what is called like this before K3s, each time a node starts. A
/// node whose script fails does not start.
const FILE: &str = "/bin/k3d-entrypoint-atelier-pra.sh";

fn script() -> String {
    format!("#!/bin/sh\necho 1 >{SETTING} || true\n")
}

/// The answer of a node that has the setting, now and after each start.
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
    /// Whether the nodes have the setting. Only the first server is asked: all were set
    /// together, and the lab's port leads to it.
    pub(super) fn has_short_conntrack(&self, cluster: &Cluster) -> Result<bool> {
        let Some(server) = cluster.first_server() else {
            return Ok(true);
        };
        Ok(self.ctx.exec.probe(&look(server))?.stdout == in_force())
    }

    /// Sets it on these nodes. The lab works without; more requests fail then after a
    /// pod is gone.
    pub(super) fn shorten_conntrack(&self, nodes: &[&str]) -> Result<()> {
        for node in nodes {
            let cmd = set(node);
            let Some(output) = self.kube.change(&cmd)? else {
                continue;
            };
            if !output.status.success() {
                self.ctx.ui.warn(&tr!(
                    "{node} sends some connections to pods that are gone, for two minutes after \
                     an outage: {why}",
                    "{node} envoie certaines connexions à des pods disparus, pendant deux minutes \
                     après une panne : {why}",
                    why = output.stderr.trim(),
                ));
            }
        }
        Ok(())
    }
}
