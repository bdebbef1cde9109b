//! The engine kubernetes against tools that are stand-ins: what it refuses, what it says, and
//! that it asks nobody but the cluster.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::support::fake_k3d::FakeWorld;
use crate::support::said;

/// A cluster that answers and lets this account do everything.
pub const CLUSTER: &str = r#"
case "$*" in
*"version -o json"*)
    echo '{"clientVersion":{"gitVersion":"v1.34.1"},"serverVersion":{"gitVersion":"v1.34.2"}}'
    exit ;;
*"get namespace"*)
    if [ -e $S/namespace ]; then cat $S/namespace; exit; fi
    echo 'Error from server (NotFound): namespaces "pra" not found' >&2
    exit 1 ;;
*selfsubjectrulesreviews*) cat $S/rights; exit ;;
*"get storageclasses"*)
    echo '{"items":[{"metadata":{"name":"slow"},"volumeBindingMode":"Immediate"}]}'
    exit ;;
*"auth can-i"*) echo yes; exit ;;
esac
"#;

const ALL_RIGHTS: &str =
    r#"{"status":{"resourceRules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}}"#;

pub fn world(name: &str) -> FakeWorld {
    let world = FakeWorld::new(name);
    let lab = &world.lab;
    lab.configure("engine = \"auto\"", "engine = \"kubernetes\"");
    lab.configure("context = \"\"", "context = \"theirs\"");
    lab.configure("\nregistry = \"\"", "\nregistry = \"r.example/team\"");
    lab.configure(
        "storage_class = \"\"\n# How users",
        "storage_class = \"slow\"\n# How users",
    );
    world.hook("kubectl", CLUSTER);
    world.set("rights", ALL_RIGHTS);
    world
}

/// What preflight says of one thing.
pub fn check(world: &FakeWorld, lab: &[&str], name: &str) -> Value {
    let output = world.lab.xtask(&[lab, &["preflight", "--json"]].concat());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let checks = text.lines().find(|line| line.starts_with('['));
    let checks: Value =
        serde_json::from_str(checks.unwrap_or_else(|| panic!("{}", said(&output)))).unwrap();
    let mut all = checks.as_array().unwrap().iter();
    let found = all.find(|check| check["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {checks}"))
        .clone()
}

#[test]
fn the_current_context_is_never_meant() {
    let world = world("kubernetes-context");
    world
        .lab
        .configure("context = \"theirs\"", "context = \"\"");
    for command in [&["setup"][..], &["status"], &["teardown", "--yes"]] {
        let refused = world.lab.fails(2, command);
        assert!(refused.contains("kubernetes.context"), "{refused}");
    }
    assert_eq!(world.calls("kubectl --context"), 0);
}

#[test]
fn a_namespace_of_another_checkout_is_refused_whatever_is_answered() {
    let world = world("kubernetes-other");
    let namespace = r#"{"metadata":{"annotations":{"atelier-pra/owner":"0123",
        "atelier-pra/folder":"/gone"}},"status":{"phase":"Active"}}"#;
    world.set("namespace", namespace);
    for command in ["deploy", "teardown"] {
        let refused = world.lab.fails(2, &[command, "--yes"]);
        assert!(refused.contains("another checkout, /gone"), "{refused}");
    }
    for change in ["create", "apply", "delete", "patch"] {
        assert_eq!(
            world.calls(&format!("kubectl --context theirs -n pra {change}")),
            0
        );
    }
}

#[test]
fn a_namespace_that_is_going_is_waited_for_by_nobody() {
    let world = world("kubernetes-going");
    let namespace = r#"{"status":{"phase":"Terminating","conditions":[
        {"type":"NamespaceFinalizersRemaining","status":"True","message":"a finalizer is left"}]}}"#;
    world.set("namespace", namespace);
    let refused = world.lab.fails(4, &["deploy"]);
    assert!(refused.contains("a finalizer is left"), "{refused}");
}

#[test]
fn why_a_cluster_does_not_answer_is_told() {
    let world = world("kubernetes-silent");
    for (code, stderr, told) in [
        (
            2,
            "error: context \"theirs\" does not exist",
            "no context theirs",
        ),
        (
            3,
            "error: You must be logged in to the server (Unauthorized)",
            "does not know this account",
        ),
        (
            4,
            "The connection to the server 127.0.0.1:6443 was refused - did you specify the right \
             host or port?",
            "does not answer",
        ),
    ] {
        let hook = format!("case \"$*\" in --context*) echo '{stderr}' >&2; exit 1;; esac");
        world.hook("kubectl", &hook);
        let refused = world.lab.fails(code, &["status"]);
        assert!(refused.contains(told), "{refused}");
    }
}

#[test]
fn what_is_missing_is_told_before_anything_is_made() {
    let world = world("kubernetes-lacks");
    assert_eq!(check(&world, &[], "rights")["ok"], true);
    assert_eq!(
        check(&world, &[], "namespace")["found"],
        "pra will be created"
    );
    let class = check(&world, &[], "storage class");
    assert_eq!(class["ok"], true);
    assert!(
        class["next"]
            .as_str()
            .unwrap()
            .contains("WaitForFirstConsumer"),
        "{class}"
    );

    world.set(
        "rights",
        r#"{"status":{"resourceRules":[{"verbs":["get"],"apiGroups":["*"],"resources":["*"]}]}}"#,
    );
    let rights = check(&world, &[], "rights");
    assert_eq!(rights["ok"], false);
    let found = rights["found"].as_str().unwrap();
    assert!(found.contains("create pods/exec"), "{found}");
    world
        .lab
        .configure("storage_class = \"slow\"", "storage_class = \"gone\"");
    let found = check(&world, &[], "storage class")["found"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(found.contains("no storage class gone"), "{found}");
    assert_eq!(world.calls("kubectl --context theirs -n pra apply"), 0);
}

#[test]
fn what_has_no_power_over_nodes_says_so_and_asks_no_k3d() {
    let world = world("kubernetes-lists");
    let listed = said(&world.lab.xtask(&["scenario", "--list"]));
    let reasons = listed.matches("not possible on kubernetes").count();
    // A lost node, a lost cluster, and an attack that takes the cluster with it.
    assert_eq!(reasons, 3, "{listed}");
    for (command, told) in [
        ("cluster", "not the lab's to make"),
        ("import", "xtask push"),
    ] {
        let refused = world.lab.fails(2, &[command]);
        assert!(refused.contains(told), "{refused}");
    }
    let output = world.lab.xtask(&["status"]);
    assert!(
        said(&output).contains("The lab is down"),
        "{}",
        said(&output)
    );
    assert_eq!(world.calls("k3d"), 0);
    assert_eq!(world.calls("docker ps") + world.calls("docker exec"), 0);
}

#[test]
fn a_forward_that_cannot_listen_does_not_say_that_it_is_alive() {
    let world = world("kubernetes-forward");
    let lock = world.lab.root.join(".lab/state/forward-kubernetes-flask");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    // As one that was killed leaves it.
    fs::write(&lock, "999999 8080\n").unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let root = world.lab.root.display().to_string();
    let words = ["forward", "--keep", "flask", "--root", &root];
    let output = world
        .lab
        .xtask(&[&words[..], &["--port", &port.to_string()]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("listening on port"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read_to_string(&lock).unwrap(), "");
}

#[test]
fn dashboards_are_deployed_where_somebody_asks_for_them() {
    let world = world("kubernetes-dashboards");
    let shown = |words: &[&str]| {
        let output = world.lab.xtask(&[words, &["--dry-run"]].concat());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(
            text.contains("rollout status deployment/prometheus"),
            "{text}"
        );
        text
    };
    let plain = shown(&["monitor"]);
    let text = shown(&["monitor", "--dashboards"]);
    for part in [
        "- ../../../monitoring/dashboards",
        "rollout status deployment/grafana",
        "service/grafana",
    ] {
        assert!(!plain.contains(part), "{part}: {plain}");
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// In a shell without them a lab that has them comes back all the same.
#[test]
fn what_the_bucket_asks_for_is_needed_once() {
    let world = world("kubernetes-credentials");
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let declared = [
        ("to = \"off\"", "to = \"s3://copies/lab\"".to_owned()),
        ("recipients = []", format!("recipients = [{key:?}]")),
    ];
    for (before, after) in &declared {
        world.lab.configure(before, after);
    }
    let answer = |secret: &str| {
        let case = format!(
            "case \"$*\" in *'get secret pra-offsite'*) {secret} exit;;\n\
             *'get deployments,pods,configmaps'*) echo '{{\"items\":[]}}'; exit;;\n\
             *can-i*) echo yes; exit;; *selfsubject*) cat $S/rights; exit;;\n\
             *create*) echo no more >&2; exit 1;; esac\n"
        );
        world.hook("kubectl", &(case + CLUSTER));
    };
    let lacking = "nothing says what the bucket for copies asks for";
    for none in [
        "",
        "echo s3://copies/lab;",
        "echo s3://copies/other; echo given;",
        "echo; echo given;",
    ] {
        answer(none);
        let refused = world.lab.fails(2, &["setup"]);
        assert!(refused.contains(lacking), "{none}: {refused}");
    }
    answer("echo s3://copies/lab; echo given;");
    let went_on = said(&world.lab.xtask(&["setup"]));
    assert!(!went_on.contains(lacking), "{went_on}");
    assert!(went_on.contains("no more"), "{went_on}");
}
