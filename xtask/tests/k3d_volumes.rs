//! Volumes that ended up on two nodes, with stand-ins for the tools: nothing
//! is deleted that cannot be made good, and nothing without a yes.

use crate::support;

use support::fake_k3d::FakeWorld;
use support::said;

/// What the namespace holds: two bound claims, and a pod of somebody's.
const NAMESPACE: &str = r#"{"items":[
{"kind":"PersistentVolumeClaim","metadata":{"name":"pra-data"},"spec":{"volumeName":"v1"}},
{"kind":"PersistentVolumeClaim","metadata":{"name":"pra-backup"},"spec":{"volumeName":"v2"}},
{"kind":"PersistentVolume","metadata":{"name":"v1"},"spec":{"hostPath":{"path":"/a"},
 "nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[
 {"key":"kubernetes.io/hostname","values":["agent-0"]}]}]}}}},
{"kind":"PersistentVolume","metadata":{"name":"v2"},"spec":{"hostPath":{"path":"/b"},
 "nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[
 {"key":"kubernetes.io/hostname","values":["agent-1"]}]}]}}}},
{"kind":"Pod","metadata":{"name":"look"},"status":{"phase":"PHASE"},"spec":{"nodeName":"agent-0",
 "volumes":[{"persistentVolumeClaim":{"claimName":"pra-data"}}]}}]}"#;

const JOB: &str = r#"{"items":[{"kind":"Job","metadata":{"uid":"u1","name":"look"}},
{"kind":"Pod","metadata":{"name":"look-1","ownerReferences":[{"uid":"u1"}]},
 "status":{"phase":"Succeeded"}}]}"#;

/// A lab that is up but for its volumes; `points` is what a pod finds on
/// pra-backup, `phase` that of somebody's pod with pra-data.
fn apart(name: &str, points: &str, phase: &str) -> FakeWorld {
    let world = FakeWorld::new(name);
    for stage in ["cluster", "image", "import"] {
        let output = world.lab.xtask(&[stage]);
        assert!(output.status.success(), "{}", said(&output));
    }
    world.set("namespace", &NAMESPACE.replace("PHASE", phase));
    world.set("job", JOB);
    world.set("points", points);
    world.hook(
        "kubectl",
        "case \"$*\" in \
         *'get pods,configmaps'*) cat $S/namespace; exit 0;; \
         *'get jobs,pods'*) cat $S/job; exit 0;; \
         *' create --save-config'*) echo '{\"metadata\":{\"uid\":\"u1\"}}'; exit 0;; \
         *' logs '*) cat $S/points; exit 0;; \
         esac",
    );
    world
}

fn deleted(world: &FakeWorld) -> usize {
    world.calls("kubectl --context k3d-pra -n pra delete persistentvolumeclaim")
}

const VERIFIED: &str = r#"{"points":[{"name":"app-1.db"}],"latest":"app-1.db","journal":{}}"#;
const EMPTY: &str = r#"{"points":[],"latest":null,"journal":null}"#;
const SUSPECT: &str = r#"{"points":[{"name":"app-1.db"}],"latest":null,"journal":null}"#;

#[test]
fn the_data_volume_is_given_up_only_after_a_yes() {
    let world = apart("fake-apart-data", VERIFIED, "Succeeded");
    let said = world.lab.fails(2, &["setup", "--engine", "k3d"]);
    for part in [
        "pra-data on agent-0",
        "pra-backup on agent-1",
        "Delete the volume pra-data",
        "--yes",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert_eq!(deleted(&world), 0);
}

#[test]
fn an_empty_backup_volume_is_the_one_to_give_up() {
    let world = apart("fake-apart-backup", EMPTY, "Succeeded");
    let said = world.lab.fails(2, &["setup", "--engine", "k3d"]);
    assert!(said.contains("pra-backup holds no restore point"), "{said}");
    assert_eq!(deleted(&world), 0);
}

#[test]
fn a_backup_volume_without_a_verified_point_is_left_to_a_person() {
    let world = apart("fake-apart-suspect", SUSPECT, "Succeeded");
    let said = world.lab.fails(2, &["setup", "--engine", "k3d", "--yes"]);
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(deleted(&world), 0);
}

#[test]
fn a_pod_that_holds_the_volume_is_named() {
    let world = apart("fake-apart-used", VERIFIED, "Running");
    let said = world.lab.fails(2, &["setup", "--engine", "k3d", "--yes"]);
    assert!(said.contains("the pod look uses pra-data"), "{said}");
    assert!(said.contains("delete pod look"), "{said}");
    assert_eq!(deleted(&world), 0);
}
