//! The lab `ha` in a cluster of somebody else, with stand-ins for the tools: what it needs
//! there, whose the operator of the database is, and what a teardown leaves alone.

use std::fs;

use serde_json::{Value, json};

use crate::kubernetes::{CLUSTER, check, world};
use crate::support::fake_k3d::FakeWorld;
use crate::support::said;

const KUBECTL: &str = "kubectl --context theirs -n ha";

/// What the cluster has of an operator, its nodes, and what is in the way of its removal.
const OPERATOR: &str = r#"
case "$*" in
*"auth can-i"*) echo yes; exit ;;
*"get customresourcedefinition/"*) cat $S/operator; exit ;;
*"get nodes -o json"*) cat $S/nodes; exit ;;
*"get deployments -l k8s-app=kube-dns"*) cat $S/dns; exit ;;
*"get deployments --all-namespaces"*) echo registry.example/cloudnative-pg:1.27.0; exit ;;
*"get customresourcedefinitions -l"*) echo clusters.postgresql.cnpg.io; exit ;;
*"get clusters.postgresql.cnpg.io --all-namespaces"*) cat $S/others; exit ;;
*"get namespace ha -o jsonpath"*) echo 2026-01-01T00:00:00Z; exit ;;
esac
"#;

fn node(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {}}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

fn definition(fields: &[&str]) -> Value {
    let fields: serde_json::Map<String, Value> = fields
        .iter()
        .map(|field| ((*field).to_owned(), json!({"type": "object"})))
        .collect();
    json!({"kind": "CustomResourceDefinition", "spec": {"versions": [{"schema":
        {"openAPIV3Schema": {"properties": {"spec": {"properties": fields}}}}}]}})
}

fn ours() -> Value {
    json!({"kind": "Namespace", "metadata": {"name": "cnpg-system",
        "annotations": {"atelier-pra/owner": "0123"}}})
}

fn current() -> Value {
    definition(&["primaryLease", "probes"])
}

/// The same, as the lab installs it.
fn installed() -> Value {
    let mut definition = current();
    definition["metadata"]["labels"] = json!({"app.kubernetes.io/part-of": "atelier-pra",
        "app.kubernetes.io/component": "database-operator"});
    definition
}

/// A database, as the cluster tells it.
fn database(namespace: &str, name: &str, labels: &Value) -> String {
    json!({"items": [{"kind": "Cluster", "metadata":
        {"namespace": namespace, "name": name, "labels": labels}}]})
    .to_string()
}

/// A cluster of three nodes that has these objects of an operator.
fn cluster(name: &str, operator: &[Value]) -> FakeWorld {
    let world = world(name);
    world.own();
    world.lab.configure("port = 8083", "port = 0");
    world.hook("kubectl", &format!("{OPERATOR}{CLUSTER}"));
    world.set("operator", &json!({"items": operator}).to_string());
    let three = ["a", "b", "c"].map(node);
    let nodes = json!({ "items": three });
    world.set("nodes", &nodes.to_string());
    world.set("dns", "1");
    world.set("others", r#"{"items":[]}"#);
    world
}

fn ha(world: &FakeWorld, words: &[&str]) -> String {
    let output = world.lab.xtask(&[&["--lab", "ha"], words].concat());
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn an_operator_is_installed_only_where_there_is_none() {
    let world = cluster("kubernetes-ha-operator", &[]);
    let shown = ha(&world, &["setup", "--dry-run"]);
    for part in [
        "\"name\":\"cnpg-system\"",
        "\"name\":\"ha\"",
        "namespace: ha\n",
        "ansible/ha.yml --skip-tags dns",
        "annotate --overwrite namespace cnpg-system atelier-pra/beside=",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    world.set("operator", &json!({"items": [current()]}).to_string());
    let shown = ha(&world, &["setup", "--dry-run"]);
    assert!(
        shown.contains("ansible/ha.yml --skip-tags cluster"),
        "{shown}"
    );
    for part in ["cnpg-system", "atelier-pra/beside", "coredns"] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("CloudNativePG 1.27.0 of the cluster is used as it is"));
    assert_eq!(world.calls(&format!("{KUBECTL} create --save")), 0);
}

#[test]
fn nobody_installs_an_operator_unasked() {
    let world = cluster("kubernetes-ha-asks", &[]);
    let namespace = r#"{"metadata":{"annotations":{"atelier-pra/owner":"0123"}}}"#;
    world.set("namespace", namespace);
    let refused = world.lab.fails(2, &["--lab", "ha", "deploy"]);
    assert!(refused.contains("Install 1.30.0?"), "{refused}");
    assert_eq!(world.calls(&format!("{KUBECTL} create --save")), 0);
}

#[test]
fn an_operator_that_is_too_old_is_refused() {
    let old = definition(&["instances", "probes"]);
    let world = cluster("kubernetes-ha-old", &[old]);
    let refused = world.lab.fails(3, &["--lab", "ha", "setup", "--yes"]);
    for part in ["CloudNativePG 1.27.0", "primaryLease", "1.30.0 or later"] {
        assert!(refused.contains(part), "no {part} in {refused}");
    }
    assert_eq!(world.calls(&format!("{KUBECTL} create --save")), 0);
}

#[test]
fn what_the_cluster_lacks_for_several_instances_is_told() {
    let world = cluster("kubernetes-ha-lacks", &[current()]);
    let found = |name: &str| check(&world, &["--lab", "ha"], name);
    let nodes = found("nodes");
    assert_eq!(nodes["ok"], true, "{nodes}");
    assert!(nodes["found"].as_str().unwrap().contains("50 s"), "{nodes}");
    let dns = found("dns");
    assert!(
        dns["found"].as_str().unwrap().contains("one replica"),
        "{dns}"
    );
    let two = ["a", "b"].map(node);
    let two = json!({ "items": two });
    world.set("nodes", &two.to_string());
    let nodes = found("nodes");
    assert_eq!(nodes["ok"], false, "{nodes}");
    let refused = world.lab.fails(3, &["--lab", "ha", "setup", "--yes"]);
    assert!(refused.contains("2 nodes take pods"), "{refused}");
    assert_eq!(world.calls(&format!("{KUBECTL} create --save")), 0);

    // The rights of one namespace are not enough to tell which part is where.
    let blind = r#"case "$*" in *"can-i list nodes --all-namespaces"*) echo no; exit 1;; esac"#;
    world.hook("kubectl", &format!("{blind}{OPERATOR}{CLUSTER}"));
    let rights = found("rights");
    assert_eq!(rights["ok"], false, "{rights}");
    assert!(
        rights["found"].as_str().unwrap().contains("list nodes"),
        "{rights}"
    );
}

#[test]
fn what_needs_power_over_nodes_is_listed_with_the_reason() {
    let world = cluster("kubernetes-ha-list", &[current()]);
    let list = world.lab.json(&["--lab", "ha", "scenario", "--list"]);
    let not: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["not_on"]["kubernetes"].is_string())
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(not, ["node-loss", "server-loss", "partition", "drain"]);
    let refused = world.lab.fails(2, &["--lab", "ha", "scenario", "drain"]);
    assert!(refused.contains("the lab stops none"), "{refused}");
}

#[test]
fn both_labs_have_a_namespace_and_a_memory_of_their_own() {
    let world = cluster("kubernetes-ha-both", &[current()]);
    let folder = world.lab.root.join(".lab/state/kubernetes");
    fs::create_dir_all(&folder).unwrap();
    let place = r#"{"context":"theirs","namespace":"pra"}"#;
    fs::write(folder.join("place.json"), place).unwrap();
    let shown = ha(&world, &["setup", "--dry-run"]);
    assert!(
        shown.contains("/.lab/state/ha/kubernetes/applied/"),
        "{shown}"
    );
    assert!(!shown.contains("-n pra "), "{shown}");
    world
        .lab
        .configure("ha_namespace = \"ha\"", "ha_namespace = \"pra\"");
    let refused = world.lab.fails(2, &["--lab", "ha", "status"]);
    assert!(refused.contains("kubernetes.ha_namespace"), "{refused}");
}

/// A lab in a namespace that it made.
fn up(name: &str, operator: &[Value]) -> FakeWorld {
    let world = cluster(name, operator);
    let namespace = r#"{"metadata":{"annotations":{"atelier-pra/owner":"0123"}}}"#;
    world.set("namespace", namespace);
    world
}

fn removed(world: &FakeWorld) -> [usize; 3] {
    let calls = |words: &str| world.calls(&format!("{KUBECTL} delete {words}"));
    [
        calls("namespace ha"),
        calls("mutatingwebhookconfigurations,"),
        calls("namespace cnpg-system"),
    ]
}

#[test]
fn a_teardown_removes_the_operator_that_the_lab_installed() {
    let world = up("kubernetes-ha-teardown", &[installed(), ours()]);
    // The lab's own is still there where nothing is removed.
    let labels = json!({"app.kubernetes.io/part-of": "atelier-pra"});
    world.set("others", &database("ha", "pg", &labels));
    let shown = ha(&world, &["teardown", "--dry-run"]);
    assert!(shown.contains("delete namespace cnpg-system"), "{shown}");
    assert_eq!(removed(&world), [0, 0, 0]);
    world.set("others", r#"{"items":[]}"#);
    ha(&world, &["teardown", "--yes"]);
    assert_eq!(removed(&world), [1, 1, 1]);
    let calls = world.said("calls");
    let place = |what: &str| calls.find(what).unwrap();
    assert!(
        place("delete namespace ha") < place("delete mutatingwebhook"),
        "{calls}"
    );
}

#[test]
fn an_operator_that_others_use_or_brought_stays() {
    let world = up("kubernetes-ha-used", &[installed(), ours()]);
    world.set("others", &database("team", "theirs", &json!({})));
    let text = ha(&world, &["teardown", "--yes"]);
    assert!(text.contains("team/Cluster/theirs"), "{text}");
    assert_eq!(removed(&world), [1, 0, 0]);

    // A namespace that is nobody's any more: what is in it is not the lab's.
    let world = cluster("kubernetes-ha-nobodys", &[installed(), ours()]);
    world.set("namespace", r#"{"metadata":{"annotations":{}}}"#);
    world.set("others", &database("ha", "theirs", &json!({})));
    let text = ha(&world, &["teardown", "--yes"]);
    assert!(text.contains("ha/Cluster/theirs"), "{text}");
    assert_eq!(removed(&world), [0, 0, 0]);

    // An administrator's, in the namespace of a setup that was cut off.
    let world = up("kubernetes-ha-brought", &[current(), ours()]);
    ha(&world, &["teardown", "--yes"]);
    assert_eq!(removed(&world), [1, 0, 0]);

    let mut namespace = ours();
    namespace["metadata"]["annotations"] = json!({});
    for theirs in [&[current()][..], &[current(), namespace]] {
        let world = up("kubernetes-ha-theirs", theirs);
        ha(&world, &["teardown", "--yes"]);
        assert_eq!(removed(&world), [1, 0, 0]);
    }
}

#[test]
fn a_node_that_others_have_closed_is_not_opened() {
    let world = up("kubernetes-ha-closed", &[current()]);
    let state = world.lab.root.join(".lab/state/ha");
    fs::create_dir_all(&state).unwrap();
    let mark = r#"{"scenario":"primary-loss","since":"2026-11-28T00:00:00Z"}"#;
    fs::write(state.join("unfinished-scenario-kubernetes.json"), mark).unwrap();
    let mut closed = node("a");
    closed["kind"] = "Node".into();
    closed["spec"]["unschedulable"] = true.into();
    world.set("objects", &json!({"items": [closed]}).to_string());
    let nodes = r#"case "$*" in *"get nodes,pods,"*) cat $S/objects; exit ;; esac"#;
    world.hook("kubectl", &format!("{nodes}{OPERATOR}{CLUSTER}"));
    let shown = ha(&world, &["setup", "--dry-run"]);
    assert!(shown.contains("primary-loss"), "{shown}");
    assert!(!shown.contains("uncordon"), "{shown}");
}
