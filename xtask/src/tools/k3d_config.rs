//! The configuration file of a cluster, which k3d reads itself; what we need to know of
//! it, and the same file with another port.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// A cluster as its file declares it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Declared {
    pub servers: u32,
    pub agents: u32,
    #[serde(default)]
    ports: Vec<Port>,
    /// All that it says, comments left out.
    #[serde(skip)]
    pub says: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Port {
    /// `ADDRESS:HOST:NODE`
    port: String,
}

impl Declared {
    pub fn parse(text: &str) -> Result<Self> {
        let read = || {
            let says: serde_json::Value = serde_norway::from_str(text)?;
            let declared = serde_norway::from_str(text)?;
            anyhow::Ok(Self {
                says: says.to_string(),
                ..declared
            })
        };
        read().context("reading the configuration of the cluster")
    }

    /// The port of this machine that leads to a node port.
    pub fn host_port(&self, node: u16) -> Option<u16> {
        let ports = self.ports.iter();
        let mut ports = ports.filter_map(|one| one.port.rsplit_once(':'));
        let (host, _) = ports.find(|(_, to)| *to == node.to_string())?;
        host.rsplit(':').next()?.parse().ok()
    }
}

/// What `sed` has to do for another port of this machine to lead to a node port.
pub fn with_port(from: u16, to: u16, node: u16) -> String {
    format!("s/:{from}:{node}$/:{to}:{node}/")
}

/// The same, done.
pub fn replace_port(text: &str, from: u16, to: u16, node: u16) -> String {
    let (from, to) = (format!(":{from}:{node}"), format!(":{to}:{node}"));
    let lines = text.lines().map(|line| match line.strip_suffix(&from) {
        Some(begun) => format!("{begun}{to}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kind: Simple\nservers: 3\nagents: 0\nports:\n  - port: 127.0.0.1:8083:30080\n    \
                        nodeFilters: [loadbalancer]\n";

    #[test]
    fn a_file_says_how_many_nodes_there_are_and_which_port_leads_in() {
        let declared = Declared::parse(TEXT).unwrap();
        assert_eq!((declared.servers, declared.agents), (3, 0));
        assert_eq!(declared.host_port(30080), Some(8083));
        assert_eq!(declared.host_port(80), None);
        assert!(Declared::parse("kind: Simple").is_err());
        let commented = format!("# Why.\n{TEXT}");
        assert_eq!(Declared::parse(&commented).unwrap().says, declared.says);
        let other = TEXT.replace("loadbalancer", "\"server:0\"");
        assert_ne!(Declared::parse(&other).unwrap().says, declared.says);
    }

    #[test]
    fn another_port_changes_that_line_alone() {
        let other = replace_port(TEXT, 8083, 9000, 30080);
        let declared = Declared::parse(&other).unwrap();
        assert_eq!(declared.host_port(30080), Some(9000));
        assert_eq!(other.replace("9000", "8083"), TEXT);
        assert_eq!(with_port(8083, 9000, 30080), "s/:8083:30080$/:9000:30080/");
    }
}
