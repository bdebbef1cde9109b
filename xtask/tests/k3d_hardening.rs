//! Who is kept out of a lab on a real cluster, and that nobody else is: other pods, accounts
//! with few rights, pods that ask for too much.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::support::{TestLab, await_some, said};
use super::{must, shell};

const CONTEXT: &str = "k3d-pra";
/// Namespaces beside the lab: of somebody else, and one where nothing but the strictest starts.
const STRANGERS: &str = "strangers";
const STRICT: &str = "strict";
const IMAGE: &str = "pra/flask-sqlite:1.0";

fn kubectl(words: &str) -> String {
    must(&format!("kubectl --context {CONTEXT} {words}"))
}

fn try_kubectl(words: &str) -> Output {
    shell(&format!("kubectl --context {CONTEXT} {words}"))
}

fn create(namespace: &str, object: &Value, more: &str) -> Output {
    let words = format!("--context {CONTEXT} -n {namespace} create {more} -f -");
    let mut kubectl = Command::new("kubectl")
        .args(words.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = kubectl.stdin.take().unwrap();
    write!(input, "{object}").unwrap();
    drop(input);
    kubectl.wait_with_output().unwrap()
}

pub(super) fn the_lab_keeps_to_itself(lab: &TestLab) {
    for namespace in [STRANGERS, STRICT] {
        kubectl(&format!("create namespace {namespace}"));
    }
    our_pods_need_the_least(lab);
    typed_pods_start_and_powerful_ones_do_not();
    strangers_are_refused_and_users_are_not(lab);
    roles_are_what_they_say(lab);
    what_runs_away_is_bounded(lab);
    kubectl(&format!(
        "delete namespace {STRANGERS} {STRICT} --wait=false"
    ));
}

/// The pods that these manifests make.
fn pods(files: &[PathBuf]) -> Vec<Value> {
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for document in serde_norway::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).unwrap();
            let of_jobs = object.pointer("/spec/jobTemplate/spec/template");
            let Some(template) = of_jobs.or_else(|| object.pointer("/spec/template")) else {
                continue;
            };
            let mut spec = template["spec"].clone();
            // It is not in this namespace.
            spec.as_object_mut().unwrap().remove("serviceAccountName");
            let name = object["metadata"]["name"].clone();
            all.push(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                "spec": spec}),
            );
        }
    }
    all
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_manifest = |path: &PathBuf| path.extension().is_some_and(|one| one == "yaml");
    let mut files: Vec<PathBuf> = paths.filter(is_manifest).collect();
    files.sort();
    files
}

fn our_pods_need_the_least(lab: &TestLab) {
    let enforce = "pod-security.kubernetes.io/enforce=restricted --overwrite";
    kubectl(&format!("label namespace {STRICT} {enforce}"));
    let folders = [
        "k8s",
        "k8s/offsite",
        "pra",
        "ha",
        "monitoring",
        "monitoring/dashboards",
    ];
    let files = folders.map(|folder| yaml_files(&lab.root.join(folder)));
    let all = pods(&files.concat());
    assert!(all.len() >= 7, "{all:?}");
    for pod in all {
        let taken = create(STRICT, &pod, "--dry-run=server");
        assert!(taken.status.success(), "{}", said(&taken));
    }
    // The same of those that run, as they run: what violates the level would be warned of.
    let label = format!("label namespace pra {enforce} --dry-run=server");
    let output = try_kubectl(&label);
    assert!(output.status.success(), "{}", said(&output));
    let warned = said(&output);
    assert!(!warned.contains("violate"), "{warned}");
}

/// As docs/runbook.md has it typed, and as a class types anything.
fn typed_pods_start_and_powerful_ones_do_not() {
    let volume = |name: &str| json!({"name": name, "persistentVolumeClaim": {"claimName": format!("pra-{name}")}});
    let mount = |name: &str| json!({"name": name, "mountPath": format!("/{name}")});
    let overrides = json!({"spec": {
        "securityContext": {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001},
        "containers": [{"name": "look", "image": "alpine", "command": ["sleep", "600"],
            "volumeMounts": [mount("data"), mount("backup")]}],
        "volumes": [volume("data"), volume("backup")],
    }});
    kubectl(&format!(
        "-n pra run look --restart=Never --image=alpine --overrides='{overrides}'"
    ));
    kubectl("-n pra run rooted --restart=Never --image=alpine --command -- sleep 600");
    kubectl("-n pra wait --for=condition=Ready pod/look pod/rooted --timeout=120s");
    assert!(kubectl("-n pra exec look -- ls /data").contains("app.db"));
    kubectl("-n pra delete pod look rooted --grace-period=1");
    let refused = try_kubectl("-n pra run power --image=alpine --privileged --command -- id");
    let told = said(&refused);
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains("violates PodSecurity"), "{told}");
}

/// Which of these places a pod gets a connection to; anything but an answer for each is a
/// mistake of the test.
fn reached(namespace: &str, from: &str, places: &[(&str, u16)]) -> Vec<bool> {
    let script = "import socket, sys\n\
                  for place in sys.argv[1:]:\n    \
                  host, port = place.split(\":\")\n    \
                  try: socket.create_connection((host, port), 3); print(\"yes\")\n    \
                  except OSError: print(\"no\")";
    let words = places.iter().map(|(host, port)| format!("{host}:{port}"));
    let words = words.collect::<Vec<String>>().join(" ");
    let said = kubectl(&format!(
        "-n {namespace} exec {from} -- python -c '{script}' {words}"
    ));
    let answers: Vec<&str> = said.lines().collect();
    assert_eq!(answers.len(), places.len(), "{from}: {said}");
    answers.iter().map(|answer| *answer == "yes").collect()
}

fn strangers_are_refused_and_users_are_not(lab: &TestLab) {
    let nodes = kubectl("get nodes -o jsonpath='{.items[*].metadata.name}'");
    let nodes: Vec<&str> = nodes.split_whitespace().collect();
    assert!(nodes.len() > 1, "{nodes:?}");
    for node in &nodes {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node},
            "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [
                {"name": "stranger", "image": IMAGE, "command": ["sleep", "3600"]}]}});
        let made = create(STRANGERS, &pod, "");
        assert!(made.status.success(), "{}", said(&made));
    }
    kubectl(&format!(
        "-n {STRANGERS} wait --for=condition=Ready pod --all --timeout=120s"
    ));
    let addresses = "-n pra get pods -l app=flask --field-selector=status.phase=Running \
                     -o jsonpath='{.items[*].status.podIP}'";
    let addresses = kubectl(addresses);
    for node in &nodes {
        // It reaches what anybody does, so a refusal is one of the lab.
        let mut places = vec![("kubernetes.default", 443), ("flask.pra", 80)];
        for address in addresses.split_whitespace() {
            places.extend([(address, 8080), (address, 8081)]);
        }
        assert!(places.len() >= 6, "{places:?}");
        let reached = reached(STRANGERS, node, &places);
        let only_the_first: Vec<bool> = (0..places.len()).map(|place| place == 0).collect();
        assert_eq!(reached, only_the_first, "{node}: {places:?}");
        // Users come by any node, whichever has the pods.
        let node = format!("get node {node} -o jsonpath='{{.status.addresses[0].address}}'");
        let url = format!("http://{}:30080/health", kubectl(&node));
        let answer = must(&format!("curl -fsS -m 10 {url}"));
        assert!(answer.contains("status"), "{url}: {answer}");
    }
    // Nor do the lab's pods reach anybody but the server of names.
    let replica = kubectl("-n pra get pods -l app=flask -o jsonpath='{.items[0].metadata.name}'");
    let resolve = "import socket; print(socket.gethostbyname(\"kubernetes.default\"))";
    kubectl(&format!("-n pra exec {replica} -- python -c '{resolve}'"));
    let places = [("kubernetes.default", 443)];
    assert_eq!(reached("pra", &replica, &places), [false]);
    lab.json(&["backup"]);
    lab.json(&["add", "through the policies"]);
}

/// kubectl as an account that has this role and nothing else, by its token.
fn account(lab: &TestLab, role: &str) -> PathBuf {
    kubectl(&format!("-n {STRANGERS} create serviceaccount {role}"));
    kubectl(&format!(
        "-n pra create rolebinding {role} --role={role} --serviceaccount={STRANGERS}:{role}"
    ));
    let token = kubectl(&format!("-n {STRANGERS} create token {role}"));
    let config = kubectl("config view --raw --minify -o json");
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = lab.root.join(format!("{role}.kubeconfig"));
    fs::write(&file, config.to_string()).unwrap();
    file
}

fn roles_are_what_they_say(lab: &TestLab) {
    let roles = ["pra-viewer", "pra-restorer", "pra-admin"];
    let files = roles.map(|role| account(lab, role));
    let acts = |file: &Path, words: &str| {
        shell(&format!(
            "kubectl --kubeconfig {} -n pra {words}",
            file.display()
        ))
    };
    let rights = files.each_ref().map(|file| {
        let list = acts(file, "auth can-i --list --no-headers");
        String::from_utf8(list.stdout).unwrap()
    });
    // What each may, in the order of the roles.
    for (verb, resource, may) in [
        ("get", "pods", [true, true, true]),
        ("get", "pods/log", [true, true, true]),
        ("create", "jobs.batch", [false, true, true]),
        ("patch", "deployments.apps/scale", [false, true, true]),
        ("create", "pods/exec", [false, true, true]),
        ("create", "pods", [false, false, true]),
        ("delete", "persistentvolumeclaims", [false, false, true]),
        ("patch", "configmaps", [false, false, true]),
        (
            "delete",
            "networkpolicies.networking.k8s.io",
            [false, false, true],
        ),
        ("get", "secrets", [false, false, true]),
        ("patch", "resourcequotas", [false; 3]),
        ("patch", "limitranges", [false; 3]),
        ("patch", "roles.rbac.authorization.k8s.io", [false; 3]),
        ("patch", "namespaces", [false; 3]),
        ("get", "nodes", [false; 3]),
    ] {
        for ((role, rights), may) in roles.iter().zip(&rights).zip(may) {
            assert_eq!(
                has(rights, verb, resource),
                may,
                "{role}: {verb} {resource}"
            );
        }
    }
    let [viewer, restorer, admin] = &files;
    let job = lab.root.join("pra/50-job-restore.yaml");
    let restore = format!("create -f {}", job.display());
    let forbidden = |file: &Path, words: &str| {
        let output = acts(file, words);
        let told = said(&output);
        assert!(told.to_lowercase().contains("forbidden"), "{words}: {told}");
    };
    let done = |file: &Path, words: &str| {
        let output = acts(file, words);
        assert!(output.status.success(), "{words}: {}", said(&output));
    };
    done(viewer, "get pods,jobs,configmaps,events");
    forbidden(viewer, &restore);
    forbidden(viewer, "exec deployment/flask -- true");
    kubectl("-n pra delete job sqlite-restore --ignore-not-found");
    done(restorer, &restore);
    done(
        restorer,
        "wait --for=condition=complete job/sqlite-restore --timeout=120s",
    );
    forbidden(restorer, "delete pvc pra-data");
    forbidden(restorer, "delete networkpolicy default-deny");
    done(admin, "create configmap theirs --from-literal=a=b");
    done(admin, "delete configmap theirs");
    done(admin, "create rolebinding ann --role=pra-viewer --user=ann");
    done(admin, "delete rolebinding ann");
    forbidden(
        admin,
        "create rolebinding ann --clusterrole=cluster-admin --user=ann",
    );
    forbidden(admin, "delete resourcequota pra");
    for role in roles {
        kubectl(&format!("-n pra delete rolebinding {role}"));
    }
}

/// Whether a line of `kubectl auth can-i --list` has this verb for this resource: the first
/// word of it is the resource, the last one in brackets are the verbs.
fn has(rights: &str, verb: &str, resource: &str) -> bool {
    rights.lines().any(|line| {
        let verbs = line.rsplit_once('[').map_or("", |(_, verbs)| verbs);
        let mut verbs = verbs.trim_end().trim_end_matches(']').split(' ');
        line.split_whitespace().next() == Some(resource) && verbs.any(|one| one == verb)
    })
}

fn what_runs_away_is_bounded(lab: &TestLab) {
    let eats = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "eats"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "eats", "image": IMAGE,
            "command": ["python", "-c", "b'x' * 10**9"]}]}});
    let made = create("pra", &eats, "");
    assert!(made.status.success(), "{}", said(&made));
    await_some("the end of a pod that takes too much memory", || {
        let reason = "{.status.containerStatuses[0].state.terminated.reason}";
        let said = kubectl(&format!("-n pra get pod eats -o jsonpath='{reason}'"));
        (said == "OOMKilled").then_some(())
    });
    // They get no node, and are counted all the same.
    let many = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many"},
        "spec": {"replicas": 80, "selector": {"matchLabels": {"app": "many"}},
            "template": {"metadata": {"labels": {"app": "many"}},
                "spec": {"nodeSelector": {"none": "such"}, "containers": [
                    {"name": "many", "image": IMAGE}]}}}});
    let made = create("pra", &many, "");
    assert!(made.status.success(), "{}", said(&made));
    await_some("the quota to refuse a pod", || {
        let events = kubectl("-n pra get events -o jsonpath='{.items[*].message}'");
        events.contains("exceeded quota").then_some(())
    });
    let pods = kubectl("-n pra get pods -l app=many -o name");
    assert!(pods.lines().count() < 40, "{pods}");
    let ready = "-n pra get deployment flask -o jsonpath='{.status.readyReplicas}'";
    assert_eq!(kubectl(ready), "2");
    lab.json(&["add", "while a pod runs away"]);
    // Whoever is elsewhere notices nothing.
    let beside = format!("-n {STRANGERS} run beside --restart=Never --image={IMAGE}");
    kubectl(&format!("{beside} --command -- true"));
    kubectl("-n pra delete deployment many --wait");
    kubectl("-n pra delete pod eats");
}
