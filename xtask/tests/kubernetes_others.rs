//! What is somebody else's where the engine kubernetes has its lab: volumes of an earlier
//! owner, objects of the same names, and a lab that lab.toml does not mean any more.

use std::fs;

use crate::kubernetes::{CLUSTER, check, world};
use crate::support::fake_k3d::FakeWorld;
use crate::support::said;

/// The namespace as this checkout made it.
const OURS: &str = r#"{"metadata":{"name":"pra","annotations":{"atelier-pra/owner":"0123"}},
    "status":{"phase":"Active"}}"#;

/// A namespace that says since when it is there, and volumes that go with it.
const VOLUMES: &str = r#"
case "$*" in
*"get namespace"*jsonpath*) cat $S/since; exit ;;
*"get persistentvolumes"*) cat $S/volumes; exit ;;
*"delete namespace"*) echo '{"items":[]}' > $S/volumes; rm $S/namespace; exit ;;
esac
"#;

fn calls(world: &FakeWorld, words: &str) -> usize {
    world.calls(&format!("kubectl --context theirs -n pra {words}"))
}

fn volume(name: &str, made: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","creationTimestamp":"{made}",
        "annotations":{{"pv.kubernetes.io/provisioned-by":"x"}}}},
        "spec":{{"claimRef":{{"namespace":"pra","name":"pra-data"}},
        "persistentVolumeReclaimPolicy":"Retain"}}}}"#
    )
}

/// A lab in a namespace that it made, with a volume of its own and one of an earlier owner.
fn with_volumes(name: &str) -> FakeWorld {
    let world = world(name);
    world.own();
    world.hook("kubectl", &format!("{VOLUMES}{CLUSTER}"));
    world.set("namespace", OURS);
    let before = volume("before", "2025-12-31T23:59:59Z");
    let ours = volume("ours", "2026-01-01T00:00:05Z");
    world.set("volumes", &format!("{{\"items\":[{before},{ours}]}}"));
    world
}

#[test]
fn a_volume_of_an_earlier_owner_outlives_a_teardown() {
    let world = with_volumes("kubernetes-volumes");
    world.set("since", "2026-01-01T00:00:00Z");
    let removed = world.lab.xtask(&["teardown", "--yes"]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert_eq!(calls(&world, "patch persistentvolume ours"), 1);
    assert_eq!(calls(&world, "patch persistentvolume before"), 0);
    assert_eq!(calls(&world, "delete namespace pra"), 1);
}

#[test]
fn nothing_is_removed_where_it_is_not_known_since_when_it_is_the_labs() {
    let world = with_volumes("kubernetes-since");
    for nothing in ["echo Timeout >&2; exit 1", "exit"] {
        let silent = format!(r#"case "$*" in *"get namespace"*jsonpath*) {nothing};; esac"#);
        world.hook("kubectl", &format!("{silent}{VOLUMES}{CLUSTER}"));
        let refused = world.lab.fails(4, &["teardown", "--yes"]);
        assert!(refused.contains("since when the namespace"), "{refused}");
        assert_eq!(calls(&world, "patch") + calls(&world, "delete"), 0);
    }
}

#[test]
fn a_lab_that_lab_toml_does_not_mean_any_more_is_not_forgotten() {
    let world = world("kubernetes-moved");
    let folder = world.lab.root.join(".lab/state/kubernetes");
    fs::create_dir_all(&folder).unwrap();
    let place = folder.join("place.json");
    fs::write(&place, r#"{"context":"theirs","namespace":"former"}"#).unwrap();
    // What lab.toml means is not there.
    let refused = world.lab.fails(2, &["teardown", "--yes"]);
    assert!(refused.contains("in the namespace former"), "{refused}");
    assert!(place.exists());
}

/// A namespace that nobody marked, what the lab would put there, and what is there.
const GIVEN: &str = r#"
case "$*" in
kustomize*) printf 'apiVersion: v1\nkind: Service\nmetadata: {name: flask, namespace: pra}\n'; exit ;;
*"get -f - "*) cat > $S/asked; cat $S/there; exit ;;
esac
"#;

fn given(name: &str) -> FakeWorld {
    let world = world(name);
    world.own();
    world.hook("kubectl", &format!("{GIVEN}{CLUSTER}"));
    world.set("namespace", r#"{"status":{"phase":"Active"}}"#);
    world
}

fn service(labels: &str) -> String {
    format!(r#"{{"kind":"Service","metadata":{{"name":"flask","labels":{{{labels}}}}}}}"#)
}

#[test]
fn an_object_of_somebody_else_under_a_name_of_the_labs_is_refused() {
    let world = given("kubernetes-strangers");
    world.set("there", &service(r#""app":"flask""#));
    let refused = world.lab.fails(3, &["setup", "--yes"]);
    assert!(refused.contains("service/flask"), "{refused}");
    // Put there after the lab had the namespace.
    world.set("namespace", OURS);
    let refused = world.lab.fails(2, &["deploy", "--yes"]);
    assert!(refused.contains("service/flask"), "{refused}");
    let asked = world.said("asked");
    assert!(asked.contains(r#""name":"flask""#), "{asked}");
    for change in ["create --save-config", "create configmap", "apply", "patch"] {
        assert_eq!(calls(&world, change), 0, "{change}");
    }
    let names = check(&world, &[], "names");
    assert_eq!(names["ok"], false, "{names}");
}

#[test]
fn what_has_the_labs_label_is_the_labs() {
    let world = given("kubernetes-names");
    world.set(
        "there",
        &service(r#""app.kubernetes.io/part-of":"atelier-pra""#),
    );
    assert_eq!(check(&world, &[], "names")["ok"], true);
    world.set("there", "");
    assert_eq!(check(&world, &[], "names")["ok"], true);
}

#[test]
fn a_namespace_that_another_checkout_was_faster_to_make_is_refused() {
    let world = world("kubernetes-faster");
    world.own();
    let theirs =
        r#"{"metadata":{"annotations":{"atelier-pra/owner":"9","atelier-pra/folder":"/gone"}}}"#;
    world.set("theirs", theirs);
    let faster = r#"case "$*" in *"create --save-config"*)
        cp $S/theirs $S/namespace
        echo 'Error from server (AlreadyExists): namespaces "pra" already exists' >&2; exit 1 ;;
    esac"#;
    world.hook("kubectl", &format!("{faster}{CLUSTER}"));
    let refused = world.lab.fails(2, &["setup", "--yes"]);
    assert!(refused.contains("another checkout, /gone"), "{refused}");
}

#[test]
fn a_config_map_of_the_marks_name_without_an_owner_is_somebody_elses() {
    let world = given("kubernetes-no-mark");
    world.set("there", "");
    // A config map that is there and has no such data.
    let bare = r#"case "$*" in *"get configmap atelier-pra"*) echo; exit ;; esac"#;
    world.hook("kubectl", &format!("{bare}{GIVEN}{CLUSTER}"));
    for command in ["setup", "teardown"] {
        let refused = world
            .lab
            .fails(if command == "setup" { 3 } else { 2 }, &[command, "--yes"]);
        assert!(refused.contains("names no checkout"), "{refused}");
    }
    assert_eq!(
        calls(&world, "create configmap") + calls(&world, "delete"),
        0
    );
}
