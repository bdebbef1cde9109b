//! The nodes of a cluster that a file declares, which k3d reads itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use terms::tr;

use super::site::Site;
use crate::exec::{Cmd, quote_path};
use crate::kube::fingerprint;
use crate::tools::docker;
use crate::tools::k3d::{NODES, OWNER};
use crate::tools::k3d_config::{self, Declared};
use crate::workspace;

impl Site {
    /// A command that reads the file, which names other files of the checkout.
    pub(super) fn in_the_checkout(&self, cmd: Cmd) -> Cmd {
        let root = &self.ctx.workspace.root;
        cmd.cwd(root).env("PWD", root.to_string_lossy())
    }

    /// The file and what it says, where there is one: itself, or a copy in which lab.toml's
    /// port leads in.
    pub(super) fn declared(&self, ports: &[(u16, u16)]) -> Result<Option<(String, Declared)>> {
        let Some(name) = self.nodes else {
            return Ok(None);
        };
        let path = self.kube.path(name);
        let nodes = read(&path)?;
        let other = ports
            .iter()
            .filter_map(|(host, node)| Some((nodes.host_port(*node)?, *host, *node)))
            .find(|(from, to, _)| from != to);
        let Some((from, to, node)) = other else {
            return Ok(Some((path.to_string_lossy().into_owned(), nodes)));
        };
        let copy = self.ctx.workspace.lab_state().join("k3d.yaml");
        let (shown, into) = (quote_path(&path), quote_path(&copy));
        let edit = k3d_config::with_port(from, to, node);
        let shell = format!("sed '{edit}' {shown} > {into}");
        if self.ctx.exec.change(&shell) {
            self.ctx.workspace.create()?;
            let text = std::fs::read_to_string(&path)?;
            let text = k3d_config::replace_port(&text, from, to, node);
            workspace::write_file(&copy, &text)?;
        }
        Ok(Some((copy.to_string_lossy().into_owned(), nodes)))
    }

    /// Says it where the file has changed since the nodes were made. What one that somebody
    /// else made was made of, nobody knows.
    pub(super) fn remark_on_nodes(&self) -> Result<()> {
        let Some(name) = self.nodes else {
            return Ok(());
        };
        let declared = fingerprint::of([&*read(&self.kube.path(name))?.says]);
        let marks = Cmd::new("docker").args(docker::labels(self.name, NODES, OWNER));
        let made_of = self.ctx.exec.read(&marks)?;
        let made_of = made_of.split_whitespace().next().unwrap_or(&declared);
        if made_of != declared {
            self.ctx.ui.warn(&tr!(
                "{name} has changed since the cluster {cluster} was created: that takes effect \
                 with the next cluster (cargo xtask teardown, then cargo xtask setup)",
                "{name} a changé depuis la création du cluster {cluster} : cela vaudra pour le \
                 prochain cluster (cargo xtask teardown, puis cargo xtask setup)",
                cluster = self.name,
            ));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Declared> {
    let read = || Declared::parse(&std::fs::read_to_string(path)?);
    read().with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// Both homes of the port say the same, so that the file itself is what k3d is given.
    #[test]
    fn the_nodes_of_the_lab_are_three_servers_behind_the_port_of_lab_toml() {
        let nodes = Declared::parse(include_str!("../../../../ha/k3d.yaml")).unwrap();
        assert_eq!((nodes.servers, nodes.agents), (3, 0));
        assert_eq!(
            nodes.host_port(30080),
            Some(*config::example().ha.port().get_ref())
        );
    }
}
