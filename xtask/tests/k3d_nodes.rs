//! The nodes of k3d, with stand-ins for the tools: what the lab sets on them,
//! and what it makes of one that was stopped.

use crate::support;

use std::fs;
use std::net::TcpListener;

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

/// The load balancer goes on listening, on the lab's own port.
#[test]
fn a_server_that_was_stopped_is_started_behind_its_load_balancer() {
    let world = FakeWorld::new("fake-server-stopped");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let whole = world.whole().replace("18080", &port.to_string());
    world.set("whole", &whole);
    let (balancer, server) = whole.split_once("k3d-pra-server-0").unwrap();
    let server = server.replace("true", "false");
    world.set("list", &format!("{balancer}k3d-pra-server-0{server}"));
    world.own();
    world.lab.configure("port = 0", &format!("port = {port}"));
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments'*) echo 'Unable to connect: EOF' >&2; exit 1;; esac",
    );
    let output = world.lab.xtask(&["preflight", "--engine", "k3d"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains(&format!("{port}, in use by this lab")),
        "{text}"
    );
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.calls("k3d cluster start pra"), 1);

    // Nobody of ours has it where the load balancer is stopped too.
    world.set("list", &whole.replace("true", "false"));
    let said = world.lab.fails(3, &["preflight", "--engine", "k3d"]);
    assert!(said.contains(&format!("port {port} is in use")), "{said}");
}

/// A cluster that is slow to answer is not one that is down.
#[test]
fn a_cluster_that_runs_is_asked_again() {
    let world = FakeWorld::new("fake-busy");
    world.set("list", &world.whole());
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments'*) \
         if [ ! -e $S/asked ]; then touch $S/asked; echo 'TLS handshake timeout' >&2; exit 1; fi;; \
         esac",
    );
    let facts = world.lab.json(&["status", "--engine", "k3d"]);
    assert_eq!(facts["facts"]["running"], true, "{facts}");
    assert_eq!(
        world.calls("kubectl --context k3d-pra -n pra get deployments,"),
        2
    );
}

/// The cluster was removed by hand after a loss of its node was cut off.
#[test]
fn without_a_cluster_there_is_no_node_to_start() {
    let world = FakeWorld::new("fake-no-node");
    let state = world.lab.root.join(".lab/state");
    fs::create_dir_all(&state).unwrap();
    let mark = r#"{"scenario":"node-loss","since":"2026-11-28T00:00:00Z"}"#;
    fs::write(state.join("unfinished-scenario-k3d.json"), mark).unwrap();
    // What comes after that is not the matter here.
    world.hook("docker", "case \"$*\" in info*) exit 1;; esac");
    let mut setup = world.lab.command(&["setup", "--engine", "k3d", "--yes"]);
    // A daemon whose socket is there is waited for.
    setup.env("DOCKER_HOST", "unix:///nowhere");
    let output = setup.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("Docker"), "{said}");
    assert!(!said.contains("there is no cluster pra"), "{said}");
}
