//! Where the parts of a replicated lab are: its nodes, the instances of its database,
//! the operators that watch them, the replicas of the application. Data alone.

use serde::Serialize;
use terms::lang::{both, listed};
use terms::tr;

/// A replicated lab as its cluster describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topology {
    pub nodes: Vec<Node>,
    pub database: Database,
    pub instances: Vec<Placed>,
    /// Those who notice that the primary is gone, and choose the next one.
    pub operators: Vec<Placed>,
    /// Of the application.
    pub replicas: Vec<Placed>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    pub name: String,
    pub zone: Option<String>,
    pub ready: bool,
    /// New pods may come; not while it is drained.
    pub schedulable: bool,
    /// Its own, and those of its pods.
    pub addresses: Vec<String>,
}

/// The cluster of instances, as its operator says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Database {
    pub phase: String,
    pub wanted: u32,
    pub ready: u32,
    /// The instance that takes writes, and the one that is to.
    pub primary: String,
    pub target: String,
}

/// A pod and its node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Placed {
    pub name: String,
    pub node: String,
    pub ready: bool,
}

/// The node of one of these pods.
pub fn node_of<'a>(pods: &'a [Placed], name: &str) -> Option<&'a str> {
    let found = pods.iter().find(|one| one.name == name);
    found.map(|one| one.node.as_str())
}

impl Topology {
    /// The node of the primary.
    pub fn primary_node(&self) -> Option<&str> {
        node_of(&self.instances, &self.database.primary)
    }

    /// Every node but that one.
    pub fn other_nodes(&self, node: &str) -> Vec<&str> {
        let others = self.nodes.iter().filter(|one| one.name != node);
        others.map(|one| one.name.as_str()).collect()
    }

    /// The addresses of all nodes but that one, and of their pods.
    pub fn addresses_of_others(&self, node: &str) -> String {
        let others = self.nodes.iter().filter(|one| one.name != node);
        let all: Vec<&str> = others
            .flat_map(|one| one.addresses.iter().map(String::as_str))
            .collect();
        all.join(" ")
    }

    /// One instance takes writes, and is to go on.
    pub fn has_settled_on_a_primary(&self) -> bool {
        !self.database.primary.is_empty() && self.database.primary == self.database.target
    }

    /// A node with more replicas of the application than it would have if they were spread
    /// over all nodes, and how many. One that came back gets none by itself.
    pub fn crowded(&self) -> Option<(&str, usize)> {
        let open = |node: &&Node| node.ready && node.schedulable;
        let open: Vec<&Node> = self.nodes.iter().filter(open).collect();
        let there = |node: &Node| {
            let there = self.replicas.iter().filter(|one| one.node == node.name);
            there.count()
        };
        let counts = || open.iter().map(|node| there(node));
        // One more here or there is what the numbers may ask for.
        let even = counts().max()? <= counts().min()? + 1;
        let (most, node) = open
            .iter()
            .map(|node| (there(node), *node))
            .max_by_key(|one| one.0)?;
        (!even).then_some((node.name.as_str(), most))
    }

    /// What is not as it has to be, in words; `None` where nothing can be lost with any
    /// one node.
    pub fn trouble(&self) -> Option<String> {
        let away = |all: &[Placed]| -> Vec<String> {
            let away = all.iter().filter(|one| !one.ready);
            away.map(|one| one.name.clone()).collect()
        };
        let nodes = self.nodes.iter().filter(|one| !one.ready);
        let nodes: Vec<String> = nodes.map(|one| one.name.clone()).collect();
        if !nodes.is_empty() {
            let nodes = listed(&nodes);
            return Some(tr!("not ready: {nodes}", "pas prêt : {nodes}"));
        }
        let drained = self.nodes.iter().filter(|one| !one.schedulable);
        let drained: Vec<String> = drained.map(|one| one.name.clone()).collect();
        if !drained.is_empty() {
            let drained = listed(&drained);
            return Some(tr!(
                "closed to new pods: {drained}",
                "fermé aux nouveaux pods : {drained}",
            ));
        }
        let Database { ready, wanted, .. } = self.database;
        if wanted == 0 || ready < wanted || self.instances.len() < wanted as usize {
            return Some(tr!(
                "{ready} of {wanted} instances of the database are ready",
                "{ready} instances de la base sur {wanted} sont prêtes",
            ));
        }
        if !self.has_settled_on_a_primary() {
            return Some(
                both(
                    "the database has no primary that stays",
                    "la base n'a pas de primaire établi",
                )
                .into(),
            );
        }
        let mut others = away(&self.instances);
        others.extend(away(&self.operators));
        others.extend(away(&self.replicas));
        if !others.is_empty() {
            let others = listed(&others);
            return Some(tr!("not ready: {others}", "pas prêts : {others}"));
        }
        None
    }
}

#[cfg(test)]
pub fn example() -> Topology {
    let placed = |name: &str, node: &str| Placed {
        name: name.to_owned(),
        node: node.to_owned(),
        ready: true,
    };
    let nodes = ["k3d-ha-server-0", "k3d-ha-server-1", "k3d-ha-server-2"];
    let each = |what: &str| -> Vec<Placed> {
        let nodes = nodes.iter().enumerate();
        nodes
            .map(|(n, node)| placed(&format!("{what}-{}", n + 1), node))
            .collect()
    };
    Topology {
        nodes: nodes
            .iter()
            .map(|name| Node {
                name: (*name).to_owned(),
                zone: None,
                ready: true,
                schedulable: true,
                addresses: vec![format!("address-of-{name}")],
            })
            .collect(),
        database: Database {
            phase: "Cluster in healthy state".to_owned(),
            wanted: 3,
            ready: 3,
            primary: "pg-2".to_owned(),
            target: "pg-2".to_owned(),
        },
        instances: each("pg"),
        operators: each("operator"),
        replicas: each("flask"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lab_that_can_lose_any_one_node_is_without_trouble() {
        assert_eq!(example().trouble(), None);
        assert_eq!(example().primary_node(), Some("k3d-ha-server-1"));
        assert_eq!(
            example().addresses_of_others("k3d-ha-server-1"),
            "address-of-k3d-ha-server-0 address-of-k3d-ha-server-2"
        );
        type Change = fn(&mut Topology);
        let worse: [(&str, Change); 6] = [
            ("not ready: k3d-ha-server-0", |one| {
                one.nodes[0].ready = false;
            }),
            ("closed to new pods: k3d-ha-server-2", |one| {
                one.nodes[2].schedulable = false;
            }),
            ("2 of 3 instances of the database are ready", |one| {
                one.database.ready = 2;
            }),
            ("the database has no primary that stays", |one| {
                one.database.target = "pending".to_owned();
            }),
            ("not ready: operator-1", |one| {
                one.operators[0].ready = false;
            }),
            ("not ready: flask-3", |one| one.replicas[2].ready = false),
        ];
        for (said, change) in worse {
            let mut one = example();
            change(&mut one);
            assert_eq!(one.trouble().as_deref(), Some(said));
        }
        assert!(Topology::default().trouble().is_some(), "nothing is no lab");
    }

    #[test]
    fn replicas_that_stayed_where_they_went_when_a_node_was_lost_are_crowded() {
        let mut one = example();
        assert_eq!(one.crowded(), None);
        one.replicas[2].node = "k3d-ha-server-0".to_owned();
        assert_eq!(one.crowded(), Some(("k3d-ha-server-0", 2)));
        // While it is away or closed there is no better place.
        one.nodes[2].schedulable = false;
        assert_eq!(one.crowded(), None);
        one.nodes[2].schedulable = true;
        one.replicas.pop();
        assert_eq!(one.crowded(), None, "two have room on two of three");
        assert_eq!(Topology::default().crowded(), None);
    }
}
