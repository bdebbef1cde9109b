//! The lab `ha` in a cluster of somebody else, played by one of k3d that was made by hand:
//! three nodes without zones, one CoreDNS, no operator. It comes and goes without a trace.

use super::foreign::{a_foreign_cluster, a_lab_there, insist_on_no_trace, kubectl, objects};
use super::support::said;

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only ha-long"]
fn ha_in_a_foreign_cluster_comes_and_goes_without_a_trace() {
    let registry = a_foreign_cluster(2);
    let before = objects();
    let lab = a_lab_there("foreign-ha", &registry);
    lab.configure("port = 8083", "port = 0");
    if let Ok(mirror) = std::env::var("ATELIER_TEST_MIRROR") {
        lab.configure("mirror = \"\"", &format!("mirror = \"{mirror}\""));
    }
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
