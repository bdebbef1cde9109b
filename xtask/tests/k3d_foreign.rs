//! The lab in a cluster of somebody else, played by one of k3d that was made by hand: it
//! comes and goes without a trace, in a namespace of its own and in one that it was given,
//! also with an account that knows nothing beyond that.
//!
//! The registry is one of `k3d registry create`. `ATELIER_TEST_REGISTRY` names another one
//! where there is no image for that: as this machine pushes to it and as the nodes pull from
//! it, with `=` between.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::support::{TestLab, await_some, said};
use super::{insist_on_none_of, must, shell};

const CLUSTER: &str = "elsewhere";
pub(super) const CONTEXT: &str = "k3d-elsewhere";
const REGISTRY: &str = "atelier-registry";
/// The namespace that an administrator made, and the other one that the account may use.
const GIVEN: &str = "given";
const OTHER: &str = "other";

/// A registry: how this machine pushes to it, and how the nodes pull from it.
pub(super) struct Registry {
    push: String,
    pull: String,
    /// What makes the nodes of a cluster know it.
    option: String,
    made: bool,
}

impl Registry {
    fn find() -> Self {
        if let Ok(stated) = std::env::var("ATELIER_TEST_REGISTRY") {
            let (push, pull) = stated.split_once('=').expect("PUSH=PULL");
            return Self {
                push: push.to_owned(),
                pull: pull.to_owned(),
                option: String::new(),
                made: false,
            };
        }
        must(&format!(
            "k3d registry create {REGISTRY} --port 127.0.0.1:0"
        ));
        let ports = format!("docker port k3d-{REGISTRY} 5000/tcp");
        let port = must(&ports).trim().rsplit(':').next().unwrap().to_owned();
        Self {
            push: format!("127.0.0.1:{port}/lab"),
            pull: format!("k3d-{REGISTRY}:5000/lab"),
            option: format!("--registry-use k3d-{REGISTRY}:5000"),
            made: true,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        shell(&format!("k3d cluster delete {CLUSTER}"));
        if self.made {
            shell(&format!("k3d registry delete k3d-{REGISTRY}"));
        }
    }
}

pub(super) fn kubectl(words: &str) -> String {
    must(&format!("kubectl --context {CONTEXT} {words}"))
}

pub(super) fn a_foreign_cluster(agents: u8) -> Registry {
    insist_on_none_of(&[CLUSTER]);
    let registry = Registry::find();
    must(&format!(
        "k3d cluster create {CLUSTER} --agents {agents} --no-lb --kubeconfig-switch-context=false \
         --timeout 300s {}",
        registry.option
    ));
    registry
}

pub(super) fn a_lab_there(name: &str, registry: &Registry) -> TestLab {
    let lab = TestLab::bare(name);
    lab.configure("engine = \"local\"", "engine = \"kubernetes\"");
    lab.configure("context = \"\"", &format!("context = \"{CONTEXT}\""));
    let (push, pull) = (&registry.push, &registry.pull);
    lab.configure("\nregistry = \"\"", &format!("\nregistry = \"{pull}\""));
    let push = format!("push_registry = \"{push}\"");
    lab.configure("push_registry = \"\"", &push);
    lab
}

/// Every object of every kind with what it says, but what a cluster notes by itself.
pub(super) fn objects() -> Vec<String> {
    let kinds = kubectl("api-resources --verbs=list -o name");
    let noted = ["events", "leases", "endpoints"];
    let is_noted = |kind: &&str| {
        noted
            .iter()
            .any(|noted| *kind == *noted || kind.starts_with(&format!("{noted}.")))
    };
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !is_noted(kind)).collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    let mut all = Vec::new();
    for kind in kinds {
        let each = "{range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.uid} \
                    {.metadata.labels} {.spec} {.data}{\"\\n\"}{end}";
        let listed = shell(&format!(
            "kubectl --context {CONTEXT} get {kind} -A -o jsonpath='{each}'"
        ));
        // Some kinds can be named and not be listed, as the requests of metrics.
        let listed = String::from_utf8(listed.stdout).unwrap();
        all.extend(listed.lines().map(|name| format!("{kind} {name}")));
    }
    all.sort();
    assert!(all.len() > 50, "{all:?}");
    all
}

/// What a cluster removes by itself may take it a moment.
pub(super) fn insist_on_no_trace(before: &[String]) {
    let mut last = Vec::new();
    for _ in 0..20 {
        last = objects();
        if last == before {
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    let differs = |one: &[String], other: &[String]| -> Vec<String> {
        let only = one.iter().filter(|object| !other.contains(object));
        only.cloned().collect()
    };
    panic!(
        "left: {:?}, gone: {:?}",
        differs(&last, before),
        differs(before, &last)
    );
}

fn play_and_restore(lab: &TestLab) {
    let crash = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(crash["passed"], true, "{crash}");
    assert_eq!(crash["client"]["failed"], 0, "{crash}");
    let loss = lab.json(&["scenario", "volume-loss"]);
    assert_eq!(loss["passed"], true, "{loss}");
    assert_eq!(loss["engine"], "kubernetes");
    assert_eq!(loss["rpo"]["lost"], 0, "{loss}");
    let rows = lab.curl("/count")["count"].as_u64().unwrap();
    lab.json(&["restore", "latest", "--yes"]);
    assert!(lab.curl("/count")["count"].as_u64().unwrap() >= rows);
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster"]
fn a_lab_in_a_foreign_cluster_comes_and_goes_without_a_trace() {
    let registry = a_foreign_cluster(1);
    let before = objects();
    let current = shell("kubectl config current-context").stdout;
    let lab = a_lab_there("foreign", &registry);
    let shown = lab.xtask(&["setup", "--dry-run"]);
    assert!(shown.status.success(), "{}", said(&shown));
    assert_eq!(objects(), before, "a dry run changed something");

    let up = lab.json(&["setup"]);
    assert_eq!(
        (&up["engine"], &up["ready"]),
        (&"kubernetes".into(), &2.into())
    );
    let again = said(&lab.xtask(&["setup"]));
    assert!(
        again.contains("the cluster holds what k8s/ says"),
        "{again}"
    );
    lab.json(&["add", "from elsewhere"]);
    assert_eq!(lab.json(&["status"])["facts"]["running"], true);
    play_and_restore(&lab);

    let refused = lab.fails(2, &["scenario", "node-loss"]);
    assert!(refused.contains("the lab stops none"), "{refused}");
    let refused = lab.fails(2, &["import"]);
    assert!(refused.contains("cargo xtask push"), "{refused}");

    // Whatever anybody answers, it is one lab's.
    let another = a_lab_there("foreign-other", &registry);
    let refused = another.fails(2, &["setup", "--yes"]);
    assert!(refused.contains("the lab of another checkout"), "{refused}");

    users_come_by_a_port_of_the_nodes(&lab);
    lab.json(&["teardown", "--yes"]);
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
    assert_eq!(shell("kubectl config current-context").stdout, current);
    insist_on_no_trace(&before);
}

fn users_come_by_a_port_of_the_nodes(lab: &TestLab) {
    lab.configure("service = \"port-forward\"", "service = \"node-port\"");
    let url = lab.json(&["setup"])["url"].as_str().unwrap().to_owned();
    assert!(!url.contains("127.0.0.1"), "{url}");
    let crash = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(crash["passed"], true, "{crash}");
    assert!(lab.processes().is_empty(), "the forward went on");
}

/// An account of two namespaces, made by an administrator: a kubeconfig with nothing else.
fn an_account(folder: &TestLab) -> PathBuf {
    for namespace in [GIVEN, OTHER] {
        kubectl(&format!("create namespace {namespace}"));
    }
    kubectl(&format!(
        "label namespace {GIVEN} pod-security.kubernetes.io/enforce=restricted"
    ));
    kubectl(&format!("-n {GIVEN} create serviceaccount teacher"));
    for namespace in [GIVEN, OTHER] {
        kubectl(&format!(
            "-n {namespace} create rolebinding teacher --clusterrole=edit \
             --serviceaccount={GIVEN}:teacher"
        ));
    }
    let token = kubectl(&format!("-n {GIVEN} create token teacher --duration=2h"));
    let config = kubectl("config view --raw --minify -o json");
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let file = folder.root.join("kubeconfig");
    fs::write(&file, config.to_string()).unwrap();
    file
}

/// In the namespace before the lab is, and left alone: among them a pod with the label that
/// the lab's replicas have.
fn objects_of_somebody_else() {
    kubectl(&format!(
        "-n {GIVEN} create configmap theirs --from-literal=a=b"
    ));
    kubectl(&format!(
        "-n {GIVEN} create job theirs --image=busybox --dry-run=client -o yaml \
                      | sed 's/template:/suspend: true\\n  template:/' \
                      | kubectl --context {CONTEXT} -n {GIVEN} apply -f -"
    ));
    let pod = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "theirs", "labels": {"app": "flask"}},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "theirs", "image": "busybox", "command": ["sleep", "7200"],
                "securityContext": {"allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    must(&format!(
        "echo '{pod}' | kubectl --context {CONTEXT} -n {GIVEN} create -f -"
    ));
    kubectl(&format!(
        "-n {GIVEN} wait --for=condition=Ready pod/theirs --timeout=120s"
    ));
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn an_account_of_two_namespaces_has_a_lab_in_a_restricted_one() {
    let registry = a_foreign_cluster(1);
    let lab = a_lab_there("foreign-given", &registry);
    let kubeconfig = an_account(&lab);
    lab.configure("namespace = \"pra\"", &format!("namespace = \"{GIVEN}\""));
    objects_of_somebody_else();
    let before = objects();
    let run = |args: &[&str]| {
        let mut command: Command = lab.command(args);
        command.env("KUBECONFIG", &kubeconfig).output().unwrap()
    };
    let json = |args: &[&str]| -> Value {
        let output = run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let asked = run(&["setup"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(said(&asked).contains("Adopt it?"), "{}", said(&asked));
    assert_eq!(objects(), before, "nothing is done without a yes");

    // A service under the name of the lab's would be taken over.
    kubectl(&format!(
        "-n {GIVEN} create service clusterip flask --tcp=80"
    ));
    let with_service = objects();
    let refused = run(&["setup", "--yes"]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    let refused = said(&refused);
    assert!(refused.contains("service/flask"), "{refused}");
    assert_eq!(objects(), with_service, "somebody else's service");
    kubectl(&format!("-n {GIVEN} delete service flask"));

    assert_eq!(json(&["setup", "--yes"])["ready"], 2);
    let pods = &json(&["status"])["facts"]["pods"];
    let pods = pods.as_array().unwrap();
    assert!(pods.iter().all(|pod| pod["name"] != "theirs"), "{pods:?}");
    let volumes = &json(&["status"])["facts"]["volumes"];
    let places = volumes.as_array().unwrap().iter();
    let places: Vec<&str> = places.map(|one| one["place"].as_str().unwrap()).collect();
    assert!(
        places.iter().all(|place| place.starts_with("pvc-")),
        "{places:?}"
    );
    let loss = json(&["scenario", "volume-loss"]);
    assert_eq!(loss["passed"], true, "{loss}");
    let crash = json(&["scenario", "pod-crash"]);
    assert_eq!(crash["passed"], true, "{crash}");

    json(&["teardown", "--yes"]);
    await_some("the cluster to remove the volumes", || {
        let left = kubectl("get persistentvolumes -o name");
        left.trim().is_empty().then_some(())
    });
    insist_on_no_trace(&before);
}
