//! What a lab with several instances needs of a cluster that others run: nodes for all of
//! them, zones perhaps, names that are resolved while a node is lost.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use terms::tr;

use super::site::Site;
use crate::check::Check;
use crate::failure::Failure;

/// Each instance of the database is on a node of its own.
const NEEDED: usize = 3;
const ZONE: &str = "topology.kubernetes.io/zone";

impl Site {
    pub(super) fn nodes(&self) -> Check {
        let name = "nodes";
        let get = ["get", "nodes", "-o", "json"];
        let looked = || -> Result<Nodes> {
            let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
            if !output.status.success() {
                return Err(self.unreachable(&output.stderr).into());
            }
            let list = serde_json::from_str(&output.stdout).context("reading the nodes")?;
            Ok(Nodes::of(&list))
        };
        match looked() {
            Err(error) => Check::from(name, Err(error)),
            Ok(nodes) => nodes.told(),
        }
    }

    /// The only one, on the node that is lost, would leave the others without names.
    pub(super) fn dns(&self) -> Result<Option<Check>> {
        let get = ["get", "deployments", "-l", "k8s-app=kube-dns"];
        let kubectl = self.kube.kubectl()?.within("kube-system");
        let replicas = "jsonpath={range .items[*]}{.spec.replicas}{end}";
        let output = self
            .ctx
            .exec
            .probe(&kubectl.cmd(get).args(["-o", replicas]))?;
        let alone = output.status.success() && output.stdout.trim() == "1";
        Ok(alone.then(|| {
            Check::advice(
                "dns",
                tr!(
                    "CoreDNS has one replica: where its node is lost, no name is resolved for more \
                     than a minute, and no standby finds a new primary",
                    "CoreDNS a une seule réplique : si son nœud est perdu, aucun nom n'est résolu \
                     pendant plus d'une minute, et aucun secondaire ne trouve de nouveau primaire",
                ),
                tr!(
                    "whoever runs the cluster scales it; the lab does not",
                    "à qui gère le cluster de l'étendre ; le lab ne le fait pas",
                ),
            )
        }))
    }
}

/// Those that take pods of anybody.
#[derive(Debug, PartialEq, Eq)]
struct Nodes {
    usable: usize,
    zones: BTreeSet<String>,
    without_zone: usize,
}

impl Nodes {
    fn of(list: &Value) -> Self {
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        let usable: Vec<&Value> = items.iter().filter(|node| is_usable(node)).collect();
        let zones = usable
            .iter()
            .filter_map(|node| node["metadata"]["labels"][ZONE].as_str());
        let with_zone = zones.clone().count();
        Self {
            usable: usable.len(),
            without_zone: usable.len() - with_zone,
            zones: zones.map(str::to_owned).collect(),
        }
    }

    fn told(&self) -> Check {
        let (name, usable) = ("nodes", self.usable);
        if usable < NEEDED {
            let failure = Failure::preflight(tr!(
                "{usable} nodes take pods, and each of the {NEEDED} instances of the database needs \
                 one of its own",
                "{usable} nœuds acceptent des pods, et chacune des {NEEDED} instances de la base a \
                 besoin du sien",
            ));
            let next = tr!(
                "a cluster with {NEEDED} nodes or more as kubernetes.context in lab.toml",
                "un cluster d'au moins {NEEDED} nœuds, kubernetes.context dans lab.toml",
            );
            return Check::from(name, Err(failure.next(next).into()));
        }
        let zones = self.zones.len();
        if zones >= NEEDED && self.without_zone == 0 {
            return Check::from(
                name,
                Ok(tr!(
                    "{usable} in {zones} zones; when one counts as lost is the cluster's to say \
                     (by default after 50 s)",
                    "{usable} dans {zones} zones ; quand l'un compte comme perdu, c'est le cluster \
                     qui le dit (par défaut après 50 s)",
                )),
            );
        }
        Check::advice(
            name,
            tr!(
                "{usable} in {zones} zones, {without} without the label of one: the parts are on \
                 different nodes, and a zone that is lost may take two of them; when a node \
                 counts as lost is the cluster's to say (by default after 50 s)",
                "{usable} dans {zones} zones, {without} sans étiquette de zone : les parties sont \
                 sur des nœuds différents, et une zone perdue peut en emporter deux ; quand un \
                 nœud compte comme perdu, c'est le cluster qui le dit (par défaut après 50 s)",
                without = self.without_zone,
            ),
            tr!(
                "whoever runs the cluster labels its nodes: {ZONE}",
                "à qui gère le cluster d'étiqueter ses nœuds : {ZONE}",
            ),
        )
    }
}

fn is_usable(node: &Value) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ready = list(&node["status"]["conditions"])
        .iter()
        .any(|one| one["type"] == "Ready" && one["status"] == "True");
    let closed = list(&node["spec"]["taints"])
        .iter()
        .any(|taint| taint["effect"] != "PreferNoSchedule");
    ready && !closed && node["spec"]["unschedulable"] != true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(zone: Option<&str>, spec: Value, ready: &str) -> Value {
        json!({"metadata": {"labels": {ZONE: zone}}, "spec": spec,
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn told(nodes: &[Value]) -> Check {
        Nodes::of(&json!({"items": nodes})).told()
    }

    #[test]
    fn three_nodes_that_take_pods_are_needed() {
        let good = |zone| node(Some(zone), json!({}), "True");
        let whole = told(&[good("a"), good("b"), good("c")]);
        assert!(whole.ok && whole.next.is_none(), "{whole:?}");
        let taint = json!({"taints": [{"key": "x", "effect": "NoSchedule"}]});
        for unusable in [
            node(Some("c"), taint, "True"),
            node(Some("c"), json!({"unschedulable": true}), "True"),
            node(Some("c"), json!({}), "False"),
        ] {
            let short = told(&[good("a"), good("b"), unusable]);
            assert!(!short.ok, "{short:?}");
            assert!(short.found.contains("2 nodes take pods"), "{short:?}");
        }
    }

    #[test]
    fn nodes_without_zones_will_do_and_are_told() {
        let soft = json!({"taints": [{"key": "x", "effect": "PreferNoSchedule"}]});
        let plain = |spec| node(None, spec, "True");
        let advice = told(&[plain(json!({})), plain(json!({})), plain(soft)]);
        assert!(advice.ok && advice.next.is_some(), "{advice:?}");
        assert!(advice.found.contains("3 without the label"), "{advice:?}");
    }
}
