//! The nodes of k3d, with stand-ins for the tools: what the lab sets on them,
//! and what it makes of one that was stopped.

mod support;

use support::fake_k3d::FakeWorld;
use support::said;

/// How the setting that grants a second try is made.
const GRANT: &str = "docker exec k3d-pra-server-0 sh -c printf %s";

#[test]
fn a_node_grants_connections_a_second_try_and_is_told_once() {
    let world = FakeWorld::new("fake-second-try");
    for _ in 0..2 {
        let output = world.lab.xtask(&["cluster"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(world.calls(GRANT), 1);
    // As on a node that somebody made anew.
    world.forget("granted");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.calls(GRANT), 2);
}

#[test]
fn a_node_that_cannot_grant_it_is_told_and_does_not_stop_the_lab() {
    let world = FakeWorld::new("fake-no-second-try");
    world.hook(
        "docker",
        "case \"$*\" in exec*chmod*) echo 'Read-only file system' >&2; exit 1;; esac",
    );
    let output = world.lab.xtask(&["cluster"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("k3d-pra-server-0 sends some"), "{text}");
    assert!(text.contains("Read-only file system"), "{text}");
}

#[test]
fn the_nodes_of_somebody_else_are_not_changed_before_a_yes() {
    let world = FakeWorld::new("fake-foreign-nodes");
    world.cluster_by_hand();
    world.lab.fails(2, &["cluster"]);
    assert_eq!(world.calls(GRANT), 0);
    assert!(world.lab.xtask(&["cluster", "--yes"]).status.success());
    assert_eq!(world.calls(GRANT), 1);
}
