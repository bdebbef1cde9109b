//! A node that is cut off from the others, by rules of the firewall in its container:
//! who comes from outside of the cluster still reaches it.

use anyhow::Result;

use super::site::Site;
use crate::exec::Cmd;
use crate::wait;

/// The chain that our rules are in, so that they can be told from all others. The table is
/// passed before any of the cluster's own, and after an address of a service has become
/// one of a pod.
const CHAIN: &str = "ATELIER-CUT";

/// Of the others' addresses, in `$0`: nothing comes from them, nothing goes to them.
fn cut() -> String {
    format!(
        "set -e; iptables -t mangle -N {CHAIN}; \
         for other in $0; do \
         iptables -t mangle -A {CHAIN} -s $other -j DROP; \
         iptables -t mangle -A {CHAIN} -d $other -j DROP; done; \
         iptables -t mangle -I PREROUTING -j {CHAIN}; \
         iptables -t mangle -I POSTROUTING -j {CHAIN}"
    )
}

/// Also where a cut was itself cut off.
fn connect() -> String {
    format!(
        "iptables -t mangle -D PREROUTING -j {CHAIN}; \
         iptables -t mangle -D POSTROUTING -j {CHAIN}; \
         iptables -t mangle -F {CHAIN}; iptables -t mangle -X {CHAIN}"
    )
}

fn in_node(node: &str, script: &str) -> Cmd {
    let cmd = Cmd::new("docker").args(["exec", node, "sh", "-c", script]);
    cmd.limit(wait::NODE_CONTAINER)
}

impl Site {
    /// Nothing goes between a node and those addresses, of nodes and of their pods.
    pub fn cut_off(&self, node: &str, others: &str) -> Result<()> {
        self.insist_on_own_node(node)?;
        self.ctx.exec.run(&in_node(node, &cut()).args([others]))
    }

    /// Takes such rules away again.
    pub fn connect(&self, node: &str) -> Result<()> {
        self.ctx.exec.run(&in_node(node, &connect()))
    }

    /// The same wherever there are some.
    pub(super) fn connect_again(&self, nodes: &[&str]) -> Result<()> {
        for node in nodes {
            let look = in_node(node, &format!("iptables -t mangle -S {CHAIN}"));
            if self.ctx.exec.probe(&look)?.status.success() {
                self.connect(node)?;
            }
        }
        Ok(())
    }
}
