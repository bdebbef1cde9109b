//! Argument lists of k3d, and the output of `k3d cluster list`.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The labels of the first server's container that say which checkout created this
/// cluster: its identity, and the folder that it was in then. k3d itself lists only
/// labels of its own.
pub const OWNER: &str = "atelier-pra.owner";
pub const FOLDER: &str = "atelier-pra.folder";
/// What the file of its nodes said when it was created, as a fingerprint.
pub const NODES: &str = "atelier-pra.nodes";

/// Where the API is reached: any free port of this machine, and of it alone.
/// k3d's own choice, 0.0.0.0, is no loopback address, so kubectl would ask a
/// proxy for it.
const API_PORT: &str = "127.0.0.1:random";

/// The plan of a new cluster.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub name: &'a str,
    pub servers: u32,
    pub agents: u32,
    /// The file that declares the nodes and their ports, where there is one, and the
    /// fingerprint of what it says.
    pub file: Option<(&'a str, &'a str)>,
    pub image: &'a str,
    /// Port of this machine, node port.
    pub ports: &'a [(u16, u16)],
    /// Identity and folder of the checkout.
    pub owner: (&'a str, &'a str),
}

impl Plan<'_> {
    /// What k3d calls the containers of its servers and agents.
    pub fn nodes(&self) -> Vec<String> {
        let name = self.name;
        let servers = (0..self.servers).map(|n| format!("k3d-{name}-server-{n}"));
        let agents = (0..self.agents).map(|n| format!("k3d-{name}-agent-{n}"));
        servers.chain(agents).collect()
    }
}

pub fn create(plan: &Plan) -> Vec<String> {
    let mut args = words(&["cluster", "create", plan.name]);
    if let Some((file, says)) = plan.file {
        args.extend(words(&["--config", file, "--image", plan.image]));
        args.extend(words(&[
            "--runtime-label",
            &format!("{NODES}={says}@server:0"),
        ]));
    } else {
        args.extend(words(&["--servers", &plan.servers.to_string()]));
        args.extend(words(&["--agents", &plan.agents.to_string()]));
        args.extend(words(&["--image", plan.image]));
        args.extend(words(&["--api-port", API_PORT]));
        for mapping in plan.ports {
            args.extend(words(&["--port", &port(mapping)]));
        }
    }
    let (id, folder) = plan.owner;
    // k3d takes what follows the last @ for the nodes; the folder is for people.
    for (label, value) in [(OWNER, id), (FOLDER, &folder.replace('@', "%40"))] {
        let label = format!("{label}={value}@server:0");
        args.extend(words(&["--runtime-label", &label]));
    }
    args.extend(words(&[
        "--kubeconfig-switch-context=false",
        "--timeout",
        "300s",
    ]));
    args
}

/// Through the load balancer, which k3d takes where nothing else is said, to
/// one node: with several, the load balancer turns its back for ten seconds on
/// each node that refused a connection (`fail_timeout` of its nginx), and while
/// no pod runs, all of them do. `cluster edit` knows no `:proxy` behind it.
fn port((host, node): &(u16, u16)) -> String {
    format!("127.0.0.1:{host}:{node}@server:0")
}

pub fn add_port(cluster: &str, mapping: (u16, u16)) -> Vec<String> {
    words(&["cluster", "edit", cluster, "--port-add", &port(&mapping)])
}

pub fn start(cluster: &str) -> Vec<String> {
    words(&["cluster", "start", cluster, "--timeout", "180s"])
}

pub fn delete(cluster: &str) -> Vec<String> {
    words(&["cluster", "delete", cluster])
}

/// Writes the cluster's context back into the default kubeconfig.
pub fn merge_kubeconfig(cluster: &str) -> Vec<String> {
    words(&[
        "kubeconfig",
        "merge",
        cluster,
        "--kubeconfig-merge-default",
        "--kubeconfig-switch-context=false",
    ])
}

/// How an image gets into the nodes, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import<'a> {
    /// As typed: through a helper container and a shared volume.
    Usual,
    /// From this archive of `docker save`.
    Archive(&'a str),
    /// Straight from Docker into each node: faster, but it hangs for ever
    /// where one node drops its end.
    Direct,
}

pub fn import(cluster: &str, image: &str, how: Import) -> Vec<String> {
    let mut args = words(&["image", "import", "-c", cluster]);
    match how {
        Import::Usual => args.push(image.to_owned()),
        Import::Direct => args.extend(words(&["--mode", "direct", image])),
        Import::Archive(path) => args.push(path.to_owned()),
    }
    args
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A cluster, as `k3d cluster list -o json` describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Cluster {
    pub name: String,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Deserialize)]
struct Node {
    name: String,
    role: String,
    #[serde(rename = "portMappings", default)]
    ports: Option<BTreeMap<String, Vec<Binding>>>,
    #[serde(rename = "State", default)]
    state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct State {
    #[serde(rename = "Running", default)]
    running: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Binding {
    #[serde(rename = "HostPort", default)]
    port: String,
}

/// The cluster of that name among those that k3d knows.
pub fn find(text: &str, name: &str) -> Result<Option<Cluster>> {
    let clusters: Option<Vec<Cluster>> =
        serde_json::from_str(text).context("reading the answer of k3d")?;
    Ok(clusters
        .unwrap_or_default()
        .into_iter()
        .find(|cluster| cluster.name == name))
}

impl Cluster {
    /// Servers and agents: what holds images and pods.
    pub fn nodes(&self) -> Vec<&str> {
        let kept = self.nodes.iter().filter(|node| node.holds_pods());
        kept.map(|node| node.name.as_str()).collect()
    }

    pub fn stopped_nodes(&self) -> Vec<&str> {
        let stopped = self
            .nodes
            .iter()
            .filter(|n| n.holds_pods() && !n.state.running);
        stopped.map(|node| node.name.as_str()).collect()
    }

    pub fn has_server(&self) -> bool {
        self.first_server().is_some()
    }

    /// The node that k3d calls `server:0`.
    pub fn first_server(&self) -> Option<&str> {
        let servers = self.nodes.iter().filter(|node| node.role == "server");
        servers.map(|node| node.name.as_str()).min()
    }

    pub fn is_running(&self) -> bool {
        let needed = |node: &&Node| node.holds_pods() || node.role == "loadbalancer";
        self.has_server()
            && self
                .nodes
                .iter()
                .filter(needed)
                .all(|node| node.state.running)
    }

    pub fn has_load_balancer(&self) -> bool {
        self.nodes.iter().any(|node| node.role == "loadbalancer")
    }

    /// Whether a container of the cluster that runs has this port of the machine.
    pub fn holds_port(&self, host: u16) -> bool {
        let running = self.nodes.iter().filter(|node| node.state.running);
        let mut bindings = running
            .filter_map(|node| node.ports.as_ref())
            .flat_map(BTreeMap::values)
            .flatten();
        bindings.any(|binding| binding.port == host.to_string())
    }

    /// The port of this machine that leads to a node port.
    pub fn host_port(&self, node_port: u16) -> Option<u16> {
        let wanted = [node_port.to_string(), format!("{node_port}/tcp")];
        let maps = self.nodes.iter().filter_map(|node| node.ports.as_ref());
        maps.flatten()
            .find(|(port, _)| wanted.contains(port))
            .and_then(|(_, bindings)| bindings.first()?.port.parse().ok())
    }
}

impl Node {
    fn holds_pods(&self) -> bool {
        ["server", "agent"].contains(&self.role.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[{"name":"other","nodes":[]},{"name":"pra","nodes":[
        {"name":"k3d-pra-serverlb","role":"loadbalancer","State":{"Running":true},
         "portMappings":{"30080/tcp":[{"HostIp":"","HostPort":"8080"}],"6443":[{"HostPort":"1"}]}},
        {"name":"k3d-pra-server-0","role":"server","portMappings":{},"State":{"Running":true}},
        {"name":"k3d-pra-agent-0","role":"agent","State":{"Running":false}}]}]"#;

    #[test]
    fn a_cluster_tells_what_it_has() {
        let cluster = find(LIST, "pra").unwrap().unwrap();
        assert_eq!(cluster.nodes(), ["k3d-pra-server-0", "k3d-pra-agent-0"]);
        assert!(!cluster.is_running(), "an agent is down");
        assert_eq!(cluster.stopped_nodes(), ["k3d-pra-agent-0"]);
        assert_eq!(cluster.first_server(), Some("k3d-pra-server-0"));
        assert!(cluster.has_load_balancer());
        assert_eq!(cluster.host_port(30080), Some(8080));
        assert_eq!(cluster.host_port(30081), None);
        assert!(cluster.holds_port(8080) && !cluster.holds_port(8081));
        let stopped = LIST.replace("true", "false");
        let stopped = find(&stopped, "pra").unwrap().unwrap();
        assert!(!stopped.holds_port(8080), "somebody else may have it");
    }

    #[test]
    fn no_cluster_and_garbage_differ() {
        assert!(find("[]", "pra").unwrap().is_none());
        assert!(find("null", "pra").unwrap().is_none());
        assert!(find(LIST, "lab").unwrap().is_none());
        assert!(find("FATA[0000] no docker", "pra").is_err());
    }

    #[test]
    fn a_cluster_without_its_server_is_half_created() {
        let cluster = find(LIST, "other").unwrap().unwrap();
        assert!(!cluster.has_server() && !cluster.is_running());
    }

    #[test]
    fn the_plan_becomes_arguments() {
        let plan = Plan {
            name: "pra",
            servers: 1,
            agents: 2,
            file: None,
            image: "rancher/k3s:v1",
            ports: &[(8080, 30080)],
            owner: ("0123", "/home/a@b/lab"),
        };
        assert_eq!(
            create(&plan).join(" "),
            "cluster create pra --servers 1 --agents 2 --image rancher/k3s:v1 \
             --api-port 127.0.0.1:random --port 127.0.0.1:8080:30080@server:0 \
             --runtime-label atelier-pra.owner=0123@server:0 \
             --runtime-label atelier-pra.folder=/home/a%40b/lab@server:0 \
             --kubeconfig-switch-context=false --timeout 300s"
        );
        assert_eq!(
            plan.nodes(),
            ["k3d-pra-server-0", "k3d-pra-agent-0", "k3d-pra-agent-1"]
        );
        let declared = Plan {
            file: Some(("ha/k3d.yaml", "4567")),
            ..plan
        };
        let shown = create(&declared).join(" ");
        assert!(
            shown.starts_with(
                "cluster create pra --config ha/k3d.yaml --image rancher/k3s:v1 \
                 --runtime-label atelier-pra.nodes=4567@server:0 --runtime-label"
            ),
            "{shown}"
        );
    }

    #[test]
    fn a_port_can_be_added_later() {
        // k3d refuses `@server:0:proxy` here, though not in `create`.
        assert_eq!(
            add_port("pra", (8080, 30080)).join(" "),
            "cluster edit pra --port-add 127.0.0.1:8080:30080@server:0"
        );
    }

    #[test]
    fn an_image_can_be_imported_in_three_ways() {
        let shown = |how| import("pra", "i:1", how).join(" ");
        assert_eq!(
            shown(Import::Direct),
            "image import -c pra --mode direct i:1"
        );
        assert_eq!(shown(Import::Usual), "image import -c pra i:1");
        assert_eq!(
            shown(Import::Archive("/a.tar")),
            "image import -c pra /a.tar"
        );
    }
}
