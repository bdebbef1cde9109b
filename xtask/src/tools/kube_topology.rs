//! What `kubectl get … -o json` says of a replicated lab, as its [`Topology`].

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::{Value, json};

use super::kube_state::{condition, instances, is_going, is_over, items, list, string};
use crate::facts::Instances;
use crate::facts::topology::{Database, Node, Placed, Topology};

/// All that it is read from, in one call.
pub const GET: &[&str] = &[
    "get",
    "nodes,pods,clusters.postgresql.cnpg.io",
    "--all-namespaces",
    "-o",
    "json",
];

/// What the cluster of the database is called for kubectl.
pub const CLUSTERS: &str = "clusters.postgresql.cnpg.io";

/// The namespace of the operators.
pub const OF_OPERATORS: &str = "cnpg-system";

/// Who holds the lease that the operators share.
pub const GET_LEADER: &[&str] = &[
    "get",
    "lease",
    "db9c8771.cnpg.io",
    "-o",
    "jsonpath={.spec.holderIdentity}",
];

/// The addresses of nodes and of their pods.
pub const ADDRESSES: &str = "jsonpath={range .items[*]}{.status.addresses[?(@.type==\"InternalIP\")].address} {.spec.podCIDRs[*]} {end}";

/// As the operator's own plugin for kubectl asks for it.
pub fn promote(database: &str, instance: &str) -> Vec<String> {
    let now = humantime::format_rfc3339_micros(SystemTime::now());
    let status = json!({"status": {
        "targetPrimary": instance,
        "targetPrimaryTimestamp": now.to_string(),
        "phase": "Switchover in progress",
        "phaseReason": format!("Switching over to {instance}"),
    }});
    let words = [
        "patch",
        CLUSTERS,
        database,
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ];
    words.map(str::to_owned).into()
}

/// Prints which instance is the primary, from when it is promoted.
pub fn which_primary(database: &str) -> [&str; 5] {
    const CURRENT: &str = "jsonpath={.status.currentPrimary}";
    ["get", CLUSTERS, database, "-o", CURRENT]
}

/// Returns once an instance is labelled as the one that the service leads to.
pub fn wait_until_served(instance: &str, limit: Duration) -> Vec<String> {
    let words = [
        "wait",
        &format!("pod/{instance}"),
        r"--for=jsonpath={.metadata.labels.cnpg\.io/instanceRole}=primary",
        &format!("--timeout={}s", limit.as_secs()),
    ];
    words.map(str::to_owned).into()
}

/// The names that tell which pods are whose.
pub struct Named<'a> {
    pub namespace: &'a str,
    pub deployment: &'a str,
    pub database: &'a str,
}

pub fn topology(text: &str, named: &Named) -> Result<Topology> {
    let items = items(text)?;
    let of = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let here = |item: &&Value| item["metadata"]["namespace"] == named.namespace;
    let placed = |is: &dyn Fn(&Value) -> bool| -> Vec<Placed> {
        let pods = of("Pod").filter(|pod| is(pod) && !is_over(pod));
        let mut placed: Vec<Placed> = pods.map(one_placed).collect();
        placed.sort_by(|a, b| a.name.cmp(&b.name));
        placed
    };
    let labelled =
        |pod: &Value, label: &str, value: &str| pod["metadata"]["labels"][label] == value;
    let cluster = of("Cluster")
        .filter(here)
        .find(|one| one["metadata"]["name"] == named.database);
    let mut nodes: Vec<Node> = of("Node").map(one_node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Topology {
        nodes,
        database: cluster.map(database).unwrap_or_default(),
        instances: placed(&|pod| {
            here(&pod)
                && labelled(pod, "cnpg.io/cluster", named.database)
                && labelled(pod, "cnpg.io/podRole", "instance")
        }),
        operators: placed(&|pod| labelled(pod, "app.kubernetes.io/name", "cloudnative-pg")),
        replicas: placed(&|pod| here(&pod) && labelled(pod, "app", named.deployment)),
    })
}

fn database(cluster: &Value) -> Database {
    let status = &cluster["status"];
    let Instances { wanted, ready } = instances(cluster);
    Database {
        phase: string(&status["phase"]),
        wanted,
        ready,
        primary: string(&status["currentPrimary"]),
        target: string(&status["targetPrimary"]),
    }
}

fn one_placed(pod: &Value) -> Placed {
    Placed {
        name: string(&pod["metadata"]["name"]),
        node: string(&pod["spec"]["nodeName"]),
        ready: !is_going(pod) && condition(pod, "Ready").is_some(),
    }
}

fn one_node(node: &Value) -> Node {
    let zone = node["metadata"]["labels"]["topology.kubernetes.io/zone"].as_str();
    let mut taints = list(&node["spec"]["taints"]);
    Node {
        name: string(&node["metadata"]["name"]),
        zone: zone.map(str::to_owned),
        ready: condition(node, "Ready").is_some(),
        schedulable: node["spec"]["unschedulable"] != true
            && !taints.any(|taint| taint["key"] == "node.kubernetes.io/unschedulable"),
        addresses: addresses(node),
    }
}

/// Of a node and of the pods on it.
fn addresses(node: &Value) -> Vec<String> {
    let own = list(&node["status"]["addresses"]).filter(|one| one["type"] == "InternalIP");
    let own = own.map(|one| string(&one["address"]));
    let pods = list(&node["spec"]["podCIDRs"]).map(string);
    own.chain(pods).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: Named = Named {
        namespace: "ha",
        deployment: "flask",
        database: "pg",
    };

    fn pod(name: &str, namespace: &str, node: &str, labels: Value, phase: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
               "spec": {"nodeName": node},
               "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]}})
    }

    #[test]
    fn the_topology_is_read_from_one_answer() {
        let instance = json!({"cnpg.io/cluster": "pg", "cnpg.io/podRole": "instance"});
        let joining = json!({"cnpg.io/cluster": "pg", "cnpg.io/jobRole": "join"});
        let operator = json!({"app.kubernetes.io/name": "cloudnative-pg"});
        let text = json!({"items": [
            {"kind": "Node", "metadata": {"name": "b", "labels":
                {"topology.kubernetes.io/zone": "z2"}}, "spec": {"unschedulable": true},
             "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
            {"kind": "Node", "metadata": {"name": "a"}, "spec": {"podCIDRs": ["10.42.1.0/24"]},
             "status": {"conditions": [{"type": "Ready", "status": "True"}], "addresses":
                [{"type": "InternalIP", "address": "172.18.0.3"},
                 {"type": "Hostname", "address": "a"}]}},
            {"kind": "Cluster", "metadata": {"name": "pg", "namespace": "other"},
             "spec": {"instances": 1}},
            {"kind": "Cluster", "metadata": {"name": "pg", "namespace": "ha"},
             "spec": {"instances": 3}, "status": {"readyInstances": 2, "phase": "Failing over",
             "currentPrimary": "pg-1", "targetPrimary": "pending"}},
            pod("pg-2", "ha", "b", instance.clone(), "Running"),
            pod("pg-1", "ha", "a", instance.clone(), "Running"),
            pod("pg-9", "other", "a", instance, "Running"),
            pod("pg-3-join", "ha", "a", joining, "Running"),
            pod("op", "cnpg-system", "b", operator, "Running"),
            pod("flask-1", "ha", "a", json!({"app": "flask"}), "Running"),
            pod("flask-0", "ha", "a", json!({"app": "flask"}), "Failed"),
        ]})
        .to_string();
        let found = topology(&text, &NAMED).unwrap();
        let names = |all: &[Placed]| -> Vec<String> {
            all.iter()
                .map(|one| format!("{}@{}", one.name, one.node))
                .collect()
        };
        assert_eq!(names(&found.instances), ["pg-1@a", "pg-2@b"]);
        assert_eq!(names(&found.operators), ["op@b"]);
        assert_eq!(names(&found.replicas), ["flask-1@a"]);
        assert_eq!(found.primary_node(), Some("a"));
        assert!(!found.has_settled_on_a_primary());
        assert_eq!((found.database.wanted, found.database.ready), (3, 2));
        let (a, b) = (&found.nodes[0], &found.nodes[1]);
        assert_eq!(a.addresses, ["172.18.0.3", "10.42.1.0/24"]);
        assert!(a.ready && a.schedulable && a.zone.is_none());
        assert!(!b.ready && !b.schedulable && b.zone.as_deref() == Some("z2"));
    }

    #[test]
    fn a_cluster_without_the_lab_has_an_empty_topology() {
        let found = topology(r#"{"items":[]}"#, &NAMED).unwrap();
        assert_eq!(found, Topology::default());
        assert!(topology("Unable to connect", &NAMED).is_err());
    }
}
