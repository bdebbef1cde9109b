//! A deletion of k3d's cluster that was cut off, with stand-ins for the tools:
//! what is left is no lab, and the next command ends what was begun.

use crate::support;

use support::fake_k3d::FakeWorld;
use support::said;

/// A lab whose teardown was cut off after this much.
fn cut_off(name: &str, after: &str) -> FakeWorld {
    let world = FakeWorld::new(name);
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let hook = format!("case \"$*\" in 'cluster delete'*) {after}; exit 1;; esac");
    world.hook("k3d", &hook);
    world
        .lab
        .fails(4, &["teardown", "--engine", "k3d", "--yes"]);
    world.unhook("k3d");
    world
}

/// k3d takes the load balancer away first: the nodes run, and nobody reaches them.
fn without_its_balancer(name: &str) -> FakeWorld {
    let world = cut_off(name, "echo 'aa server' > $S/containers");
    let whole = world.whole();
    let (_, server) = whole.split_once("k3d-pra-server-0").unwrap();
    let list = format!("[{{\"name\":\"pra\",\"nodes\":[{{\"name\":\"k3d-pra-server-0{server}");
    world.set("list", &list);
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments'*) echo 'connection refused' >&2; exit 1;; esac",
    );
    world
}

#[test]
fn what_is_left_is_no_lab() {
    let world = without_its_balancer("fake-half-deleted");
    let status = world.lab.json(&["status", "--engine", "k3d"]);
    assert_eq!(status["facts"]["running"], false, "{status}");
    let output = world.lab.xtask(&["cluster"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("half-deleted cluster pra: deleted"), "{text}");
    assert_eq!(world.calls("k3d cluster delete pra"), 2);
    assert_eq!(world.calls("k3d cluster create pra"), 2);
    // Ended is ended.
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.calls("k3d cluster delete pra"), 2);
}

#[test]
fn a_teardown_that_was_cut_off_can_be_typed_again() {
    let world = without_its_balancer("fake-teardown-again");
    // The node with the mark of the lab's is gone too.
    world.forget("owned");
    let output = world.lab.xtask(&["teardown", "--engine", "k3d", "--yes"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("teardown: removed"), "{text}");
    assert!(!world.has("list"));
}

#[test]
fn what_k3d_no_longer_knows_goes_too() {
    let gone = "rm $S/list $S/owned; : > $S/containers; echo 12ab > $S/network";
    let world = cut_off("fake-crumbs", gone);
    let output = world.lab.xtask(&["teardown", "--engine", "k3d", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.has("network"));
    assert_eq!(world.calls("docker network rm k3d-pra"), 1);
    assert_eq!(world.calls("docker volume rm"), 0);
    assert_eq!(world.calls("kubectl config unset contexts.k3d-pra"), 1);
    assert_eq!(world.calls("kubectl config unset current-context"), 1);
    assert_eq!(world.calls("kubectl config unset users.admin@k3d-pra"), 1);
}

#[test]
fn a_cluster_that_lost_nothing_stays() {
    let world = cut_off("fake-delete-not-begun", "true");
    let output = world.lab.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster delete pra"), 1);
    assert_eq!(world.calls("k3d cluster create pra"), 1);
    // Nor later, when a node of it is away for another reason.
    world.set("containers", "aa server\n");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.calls("k3d cluster delete pra"), 1);
}

#[test]
fn a_new_cluster_of_the_same_name_is_not_the_half_of_the_old_one() {
    let world = without_its_balancer("fake-new-one");
    world.set("containers", "dd server\n");
    world.unhook("kubectl");
    let output = world.lab.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster delete pra"), 1);
}

/// What a status does that is typed while k3d is at it.
#[test]
fn who_looks_during_a_teardown_does_not_disturb_it() {
    let world = FakeWorld::new("fake-looked-at");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let look = format!(
        "case \"$*\" in 'cluster delete'*) [ -e $S/look ] || {} --root {} --engine k3d status > $S/look 2>&1; \
         ls {}/.lab/state > $S/left ;; esac",
        env!("CARGO_BIN_EXE_xtask"),
        world.lab.root.display(),
        world.lab.root.display()
    );
    world.hook("k3d", &look);
    let output = world.lab.xtask(&["teardown", "--engine", "k3d", "--yes"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}{}", world.said("look"));
    assert!(
        world.said("left").contains("deleting-pra"),
        "{}",
        world.said("look")
    );
    assert!(!world.lab.root.join(".lab/state/deleting-pra").exists());
}
