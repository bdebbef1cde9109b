//! The lab `ha` on three real servers, from nothing to nothing: with the two losses that are
//! most likely, and with all disasters, in twenty minutes. Takes the cluster name `ha` of the
//! machine: `cargo xtask test --only ha` and `--only ha-long`.

use serde_json::Value;

use super::support::{TestLab, said};
use super::{a_lab, insist_on_none_of, machine, must};

const KUBECTL: &str = "kubectl --context k3d-ha -n ha";

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only ha"]
fn ha_from_nothing_to_nothing() {
    from_nothing_to_nothing(&["primary-loss", "node-loss"]);
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only ha-long"]
fn ha_plays_all_disasters() {
    from_nothing_to_nothing(&[
        "pod-crash",
        "primary-loss",
        "volume-loss",
        "node-loss",
        "server-loss",
        "partition",
        "drain",
    ]);
}

fn from_nothing_to_nothing(disasters: &[&str]) {
    insist_on_none_of(&["ha"]);
    let lab = a_lab("ha");
    // Where releases are not reached, a mirror has what the operator is made of.
    if let Ok(mirror) = std::env::var("ATELIER_TEST_MIRROR") {
        lab.configure("mirror = \"\"", &format!("mirror = \"{mirror}\""));
    }
    let ha = |words: &[&str]| lab.json(&[&["--lab", "ha"], words].concat());
    ha(&["preflight"]);
    let before = machine();

    let up = ha(&["setup"]);
    assert_eq!((&up["engine"], &up["ready"]), (&"k3d".into(), &3.into()));
    everything_is_apart(&ha(&["status"])["topology"]);
    let text = said(&lab.xtask(&["--lab", "ha", "setup"]));
    assert!(text.contains("holds what ha/ says"), "{text}");
    ha(&["add", "a row"]);
    assert_eq!(
        lab.json(&["--engine", "k3d", "status"])["facts"]["running"],
        false
    );

    for name in disasters {
        no_row_is_missing(&lab, name, &played(&lab, name));
    }
    let nodes = must(&format!("{KUBECTL} get nodes --no-headers"));
    assert_eq!(nodes.matches(" Ready ").count(), 3, "{nodes}");

    ha(&["teardown", "--yes"]);
    let after = machine();
    for ((script, seen), (_, expected)) in after.iter().zip(&before) {
        assert_eq!(seen, expected, "{script}");
    }
}

/// The result of a scenario, also where an objective was missed.
fn played(lab: &TestLab, name: &str) -> Value {
    let words = ["--lab", "ha", "scenario", name, "--json"];
    let output = lab.command(&words).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let document = text.lines().next().unwrap_or_default();
    serde_json::from_str(document).unwrap_or_else(|_| panic!("{name}: {}", said(&output)))
}

/// As the cluster tells it: no two of the same kind share a node.
fn everything_is_apart(topology: &Value) {
    for (kind, count) in [("instances", 3), ("replicas", 3), ("operators", 2)] {
        let all = topology[kind].as_array().unwrap();
        let mut nodes: Vec<&str> = all
            .iter()
            .map(|one| one["node"].as_str().unwrap())
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        assert_eq!(
            (all.len(), nodes.len()),
            (count, count),
            "{kind}: {topology}"
        );
    }
}

/// Also past the application: the database of the primary has as many rows as were compared,
/// and each instance that follows it has the same.
fn no_row_is_missing(lab: &TestLab, name: &str, result: &Value) {
    // How long each took is the machine's affair, what holds is not.
    let broken = result["broken"].as_array().unwrap().iter();
    let broken: Vec<&str> = broken.map(|one| one.as_str().unwrap()).collect();
    let only_late = broken.iter().all(|one| one.contains("; the objective is "));
    assert!(only_late, "{name}: {broken:?}");
    assert_eq!(
        (&result["lab"], &result["protection"]),
        (&"ha".into(), &"replication".into())
    );
    assert_eq!(result["rpo"]["lost"], 0, "{name}: {result}");
    assert_eq!(result["verified"]["phantom"], 0, "{name}: {result}");
    let rows = result["verified"]["rows"].as_u64().unwrap();
    let count = lab.json(&["--lab", "ha", "status"])["application"]["count"].as_u64();
    assert!(count >= Some(rows), "{name}: {count:?} of {rows}");
    let instances = must(&format!(
        "{KUBECTL} get pods -l cnpg.io/podRole=instance -o name"
    ));
    for instance in instances.lines() {
        let sql = "SELECT count(*) FROM events";
        let asked = format!("{KUBECTL} exec {instance} -c postgres -- psql -tA app -c '{sql}'");
        let there: u64 = must(&asked).trim().parse().unwrap();
        assert!(there >= rows, "{name}: {instance} has {there} of {rows}");
    }
}
