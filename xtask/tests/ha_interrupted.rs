//! What a disaster of the lab `ha` leaves that was cut off, with stand-ins for the tools.

use crate::support;

use std::fs;
use std::path::PathBuf;

use support::fake_ha::{objects, shell, up};
use support::fake_k3d::FakeWorld;

/// A scenario that was cut off, with what its mark says beside its name.
fn left(world: &FakeWorld, scenario: &str, more: &str) -> PathBuf {
    let state = world.lab.root.join(".lab/state/ha");
    fs::create_dir_all(&state).unwrap();
    let mark = state.join("unfinished-scenario-k3d.json");
    let since = "2026-11-28T00:00:00Z";
    let text = format!(r#"{{"scenario":"{scenario}","since":"{since}"{more}}}"#);
    fs::write(&mark, text).unwrap();
    mark
}

/// The node k3d-ha-server-N is closed to new pods.
fn close(world: &FakeWorld, n: usize) {
    let mut all = objects();
    let items = all["items"].as_array_mut().unwrap();
    let name = format!("k3d-ha-server-{n}");
    let mut nodes = items
        .iter_mut()
        .filter(|one| one["metadata"]["name"] == name);
    nodes.next().unwrap()["spec"]["unschedulable"] = true.into();
    world.set("objects", &all.to_string());
}

#[test]
fn a_node_that_somebody_else_has_closed_stays_closed() {
    let world = up("ha-closed");
    close(&world, 2);
    let mark = left(&world, "drain", r#","closed":"k3d-ha-server-1""#);
    let text = world.lab.fails(2, &["--lab", "ha", "add", "a row"]);
    for part in [
        "k3d-ha-server-2 is closed to new pods, by somebody else",
        "kubectl --context k3d-ha -n ha uncordon k3d-ha-server-2",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let calls = world.said("calls");
    assert!(calls.contains(" uncordon k3d-ha-server-1"), "{calls}");
    assert!(!calls.contains(" uncordon k3d-ha-server-2"), "{calls}");
    assert!(mark.exists(), "the lab is not whole");
}

#[test]
fn a_dry_run_is_printed_also_where_a_cut_off_scenario_leaves_nobody_to_ask() {
    let world = up("ha-silent");
    // The only server that is reached is cut off, and waits for the others.
    world.hook(
        "kubectl",
        "case \"$*\" in version*|config*) ;; *) exec sleep 600;; esac",
    );
    world.hook(
        "docker",
        "case \"$*\" in *'-S ATELIER-CUT'*) case \"$*\" in *server-1*) exit 0;; esac; exit 1;; esac",
    );
    let mark = left(&world, "partition", "");
    let shown = shell(&world, &["scenario", "primary-loss"]);
    let mut last = 0;
    for part in [
        "k3d cluster start ha",
        "docker exec k3d-ha-server-1 sh -c 'iptables -t mangle -D",
        "delete pod \"${PRIMARY:?}\"",
    ] {
        let at = shown
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in {shown}"));
        assert!(at >= last, "{part:?} is too early in {shown}");
        last = at;
    }
    left(&world, "drain", r#","closed":"k3d-ha-server-1""#);
    let shown = shell(&world, &["scenario", "primary-loss"]);
    assert!(shown.contains(" uncordon k3d-ha-server-1"), "{shown}");
    let calls = world.said("calls");
    for change in [
        "docker start",
        "k3d cluster start",
        "mangle -D",
        " uncordon ",
    ] {
        assert!(!calls.contains(change), "{change} in {calls}");
    }
    assert!(mark.exists());
}
