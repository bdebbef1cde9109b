//! The lab `ha` in a cluster of somebody else, played by one of k3d that was made by hand:
//! three nodes without zones, one CoreDNS, with an operator or without. It comes and goes
//! without a trace.

use super::foreign::{
    Registry, a_foreign_cluster, a_lab_there, insist_on_no_trace, kubectl, objects,
};
use super::must;
use super::support::{TestLab, await_some, said};

const GIVEN: &str = "given";
const OPERATOR: &str = "cnpg-system";

fn a_lab_of_ha(name: &str, registry: &Registry) -> TestLab {
    let lab = a_lab_there(name, registry);
    lab.configure("port = 8083", "port = 0");
    if let Ok(mirror) = std::env::var("ATELIER_TEST_MIRROR") {
        lab.configure("mirror = \"\"", &format!("mirror = \"{mirror}\""));
    }
    lab
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only ha-long"]
fn ha_in_a_foreign_cluster_comes_and_goes_without_a_trace() {
    let registry = a_foreign_cluster(2);
    let before = objects();
    let lab = a_lab_of_ha("foreign-ha", &registry);
    let ha = |words: &[&str]| lab.json(&[&["--lab", "ha"], words].concat());
    let asked = lab.fails(2, &["--lab", "ha", "setup"]);
    assert!(asked.contains("no operator CloudNativePG"), "{asked}");
    assert_eq!(objects(), before, "nothing is done without a yes");

    let up = ha(&["setup", "--yes"]);
    assert_eq!(
        (&up["engine"], &up["ready"]),
        (&"kubernetes".into(), &3.into())
    );
    let again = said(&lab.xtask(&["--lab", "ha", "setup"]));
    assert!(again.contains("holds what ha/ says"), "{again}");
    let topology = &ha(&["status"])["topology"];
    for (kind, count) in [("instances", 3), ("replicas", 3), ("operators", 2)] {
        let all = topology[kind].as_array().unwrap().iter();
        let nodes = all.map(|one| one["node"].as_str().unwrap());
        let nodes: std::collections::BTreeSet<&str> = nodes.collect();
        assert_eq!(nodes.len(), count, "{kind}: {topology}");
    }
    let dns = kubectl("-n kube-system get deployment coredns -o jsonpath={.spec.replicas}");
    assert_eq!(dns, "1", "it is somebody else's");

    let loss = lab
        .command(&["--lab", "ha", "scenario", "primary-loss", "--json"])
        .output()
        .unwrap();
    let text = String::from_utf8(loss.stdout.clone()).unwrap();
    let result: serde_json::Value = serde_json::from_str(text.lines().next().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{}", said(&loss)));
    // How long it took is the machine's affair, what holds is not.
    assert_eq!(result["rpo"]["lost"], 0, "{result}");
    assert_eq!(result["verified"]["phantom"], 0, "{result}");
    assert_eq!(result["engine"], "kubernetes");

    ha(&["teardown", "--yes"]);
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
    insist_on_no_trace(&before);
}

/// As its project says how to install it, of the release that lab.toml pins.
fn an_operator_of_an_administrator(lab: &TestLab) {
    let pins = std::fs::read_to_string(lab.root.join("lab.toml")).unwrap();
    let pins: toml::Table = pins.parse().unwrap();
    let operator = &pins["ha"]["operator"];
    let version = operator["version"].as_str().unwrap();
    let url = operator["url"].as_str().unwrap();
    let mut url = url.replace("{version}", version);
    if let Ok(mirror) = std::env::var("ATELIER_TEST_MIRROR") {
        url = url.replace("https://", &format!("{mirror}/"));
    }
    let file = lab.root.join("operator.yaml");
    let file = file.display();
    must(&format!("curl -fsSL -o '{file}' '{url}'"));
    kubectl(&format!("apply --server-side -f '{file}'"));
    kubectl(&format!(
        "-n {OPERATOR} rollout status deployment/cnpg-controller-manager --timeout=180s"
    ));
    // What it makes for itself when it starts.
    await_some("the operator's certificate", || {
        let secrets = kubectl(&format!("-n {OPERATOR} get secrets -o name"));
        (secrets.matches("cnpg-").count() >= 2).then_some(())
    });
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only ha-long"]
fn ha_in_a_foreign_cluster_uses_the_operator_and_the_namespace_it_is_given() {
    let registry = a_foreign_cluster(2);
    let lab = a_lab_of_ha("foreign-ha-given", &registry);
    an_operator_of_an_administrator(&lab);
    kubectl(&format!("create namespace {GIVEN}"));
    lab.configure(
        "ha_namespace = \"ha\"",
        &format!("ha_namespace = \"{GIVEN}\""),
    );
    lab.configure("service = \"port-forward\"", "service = \"node-port\"");
    let before = objects();
    let ha = |words: &[&str]| lab.json(&[&["--lab", "ha"], words].concat());
    let asked = lab.fails(2, &["--lab", "ha", "setup"]);
    assert!(asked.contains("Adopt it?"), "{asked}");
    assert_eq!(objects(), before, "nothing is done without a yes");

    let up = ha(&["setup", "--yes"]);
    assert_eq!(up["ready"], 3, "{up}");
    let url = up["url"].as_str().unwrap();
    assert!(!url.contains("127.0.0.1"), "{url}");
    assert!(lab.processes().is_empty(), "there is nothing to forward");
    ha(&["add", "by a port of the nodes"]);
    let crash = ha(&["scenario", "pod-crash"]);
    assert_eq!(crash["passed"], true, "{crash}");

    ha(&["teardown", "--yes"]);
    insist_on_no_trace(&before);
}
