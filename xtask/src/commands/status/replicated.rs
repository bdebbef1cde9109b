//! What `status` shows of a lab whose parts are there several times: where each is, which
//! instance of the database takes writes, and how far the others are behind.

use terms::lang::{Both, both, fixed};
use terms::{Labelled, tr};

use crate::app;
use crate::facts::topology::{Placed, Topology};
use crate::kube::Kube;
use crate::ui::Ui;

/// The rows of a table: what it is, and how it is.
pub fn rows(topology: &Topology, app: Option<&app::Status>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (n, node) in topology.nodes.iter().enumerate() {
        let zone = node.zone.as_deref().unwrap_or("-");
        let state = match (node.ready, node.schedulable) {
            (true, true) => both("ready", "prêt"),
            (true, false) => both("closed to new pods", "fermé aux nouveaux pods"),
            (false, _) => both("NOT READY", "PAS PRÊT"),
        };
        let said = tr!(
            "{name} ({zone}): {state}",
            "{name} ({zone}) : {state}",
            name = node.name,
        );
        rows.push(row((n == 0).then_some(both("nodes", "nœuds")), said));
    }
    rows.push(row(
        Some(both("database", "base de données")),
        database(topology),
    ));
    for one in &topology.instances {
        let role = match one.name == topology.database.primary {
            true => both("primary", "primaire"),
            false => both("standby", "secondaire"),
        };
        let behind = app.and_then(|app| behind(app, &one.name));
        let said = format!("{}, {role}{}", placed(one), behind.unwrap_or_default());
        rows.push(row(None, said));
    }
    for (name, pods) in [
        (both("operators", "opérateurs"), &topology.operators),
        (both("replicas", "répliques"), &topology.replicas),
    ] {
        for (n, pod) in pods.iter().enumerate() {
            rows.push(row((n == 0).then_some(name), placed(pod)));
        }
    }
    if let Some(app) = app {
        rows.push(row(Some(Both::same("protection")), app.protection.label()));
        let count = app.count.map_or_else(
            || tr!("cannot be counted", "impossible à compter"),
            |count| count.to_string(),
        );
        rows.push(row(Some(both("rows", "lignes")), count));
    }
    rows
}

/// What nobody moves by itself, and what does: a replica stays where it went when a node
/// was lost.
pub fn say_crowded(ui: &Ui, kube: &Kube, topology: &Topology) {
    let Some((node, count)) = topology.crowded() else {
        return;
    };
    let restart = format!("rollout restart deployment/{}", kube.workload.deployment);
    ui.say(&tr!(
        "{count} of {all} replicas are on {node}, and would be lost with it together.\n  \
         next: {restart}, which spreads them over all nodes again",
        "Sur {node} se trouvent {count} répliques sur {all}, qui seraient perdues ensemble avec \
         lui.\n  ensuite : {restart}, qui les répartit de nouveau sur tous les nœuds",
        all = topology.replicas.len(),
        restart = kube.typed(&restart),
    ));
}

fn database(topology: &Topology) -> String {
    let database = &topology.database;
    tr!(
        "{ready} of {wanted} instances ready; {phase}",
        "instances prêtes : {ready} sur {wanted} ; {phase}",
        ready = database.ready,
        wanted = database.wanted,
        phase = database.phase,
    )
}

fn placed(pod: &Placed) -> String {
    let state = match pod.ready {
        true => both("ready", "prêt"),
        false => both("NOT READY", "PAS PRÊT"),
    };
    tr!(
        "{name} on {node}: {state}",
        "{name} sur {node} : {state}",
        name = pod.name,
        node = pod.node,
    )
}

/// How far a standby is behind, as the primary sees it.
fn behind(app: &app::Status, instance: &str) -> Option<String> {
    let mut standbys = app.standbys()?.into_iter();
    let one = standbys.find(|one| one.name == instance)?;
    let (bytes, state) = (one.lag_bytes?, one.state?);
    let seconds = one.lag_seconds;
    let seconds = seconds.map_or_else(String::new, |lag| format!(", {} s", fixed(lag, 3)));
    Some(tr!(
        ", {state}, {bytes} bytes{seconds} behind",
        ", {state}, retard : {bytes} octets{seconds}",
    ))
}

fn row(name: Option<Both>, value: String) -> Vec<String> {
    vec![name.map(String::from).unwrap_or_default(), value]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::topology::example;
    use serde_json::json;

    #[test]
    fn each_part_is_shown_where_it_is_and_a_standby_with_its_lag() {
        let app = json!({
            "count": 7, "protection": "replication", "needs_restore": false,
            "replicas": [{"name": "pg-1", "state": "streaming", "lag_bytes": 12,
                          "lag_seconds": 0.002}],
        });
        let app: app::Status = serde_json::from_value(app).unwrap();
        let mut topology = example();
        topology.nodes[2].ready = false;
        topology.operators[0].ready = false;
        let shown: Vec<String> = rows(&topology, Some(&app))
            .iter()
            .map(|row| row.join("|"))
            .collect();
        for wanted in [
            "nodes|k3d-ha-server-0 (-): ready",
            "|k3d-ha-server-2 (-): NOT READY",
            "|pg-1 on k3d-ha-server-0: ready, standby, streaming, 12 bytes, 0.002 s behind",
            "|pg-2 on k3d-ha-server-1: ready, primary",
            "operators|operator-1 on k3d-ha-server-0: NOT READY",
            "protection|replication",
            "rows|7",
        ] {
            assert!(
                shown.iter().any(|row| row == wanted),
                "{wanted}: {shown:#?}"
            );
        }
    }
}
