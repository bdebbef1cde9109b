//! The lab `ha` with stand-ins for the tools: whose its cluster is, what it shows, what a
//! dry run prints, what is put back, and that the other lab has nothing to do with it.

use crate::support;

use std::fs;

use serde_json::Value;
use support::fake_ha::{cluster, objects, shell, up};
use support::fake_k3d::FakeWorld;
use support::said;

#[test]
fn a_cluster_that_is_somebody_elses_is_not_touched() {
    let world = up("ha-foreign");
    world.forget("owned");
    for words in [
        &["add", "a row"][..],
        &["teardown", "--yes"],
        &["scenario", "drain"],
    ] {
        let text = world.lab.fails(2, &[&["--lab", "ha"], words].concat());
        assert!(
            text.contains("the cluster ha is there, which was neither created nor adopted"),
            "{words:?}: {text}"
        );
    }
    let text = world.lab.fails(2, &["--lab", "ha", "setup"]);
    assert!(text.contains("Adopt it?"), "{text}");
    for call in [
        "k3d cluster delete",
        "k3d cluster create",
        "k3d cluster edit",
    ] {
        assert_eq!(world.calls(call), 0, "{call}");
    }
    let asked = world.said("calls");
    for change in [" delete pod ", " drain ", " apply ", " create configmap "] {
        assert!(!asked.contains(change), "{change} in {asked}");
    }
}

#[test]
fn the_nodes_are_those_of_the_file_and_the_port_is_that_of_lab_toml() {
    let world = FakeWorld::new("ha-create");
    world.lab.configure("port = 8083", "port = 28083");
    let shown = shell(&world, &["setup"]);
    let copy = ".lab/state/ha/k3d.yaml";
    for part in [
        "sed 's/:8083:30080$/:28083:30080/' ",
        &format!("{copy}\n"),
        "k3d cluster create ha --config ",
        "--runtime-label atelier-pra.owner=",
        "docker exec k3d-ha-server-2 ",
        "k3d image import -c ha ",
        "ansible/ha.yml",
        "kube_context=k3d-ha",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!shown.contains("kubectl delete"), "{shown}");
    assert_eq!(world.calls("k3d cluster create"), 0);
    // As the file says it, the file itself will do.
    world.lab.edit("ha/k3d.yaml", ":8083:30080", ":28083:30080");
    let shown = shell(&world, &["setup"]);
    assert!(shown.contains("/ha/k3d.yaml --image "), "{shown}");
    assert!(!shown.contains("sed "), "{shown}");
}

#[test]
fn it_shows_where_each_part_is_and_the_other_lab_does_not() {
    let world = up("ha-status");
    let text = said(&world.lab.xtask(&["--lab", "ha", "status"]));
    for part in [
        "k3d-ha-server-0 (zone-0): ready",
        "pg-2 on k3d-ha-server-1: ready, primary",
        "pg-1 on k3d-ha-server-0: ready, standby",
        "operator-0 on k3d-ha-server-1: ready",
        "3 of 3 instances ready; Cluster in healthy state",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("rollout restart"), "{text}");
    let status = world.lab.json(&["--lab", "ha", "status"]);
    assert_eq!(status["topology"]["database"]["primary"], "pg-2");
    assert_eq!(status["facts"]["instances"]["ready"], 3);
    let pra = world.lab.json(&["--engine", "k3d", "status"]);
    assert_eq!(pra["topology"], Value::Null, "{pra}");
    // A replica went away when its node was lost, and stayed there.
    let mut crowded = objects();
    let items = crowded["items"].as_array_mut().unwrap();
    let mut replicas = items
        .iter_mut()
        .filter(|one| one["metadata"]["name"] == "flask-2");
    replicas.next().unwrap()["spec"]["nodeName"] = "k3d-ha-server-0".into();
    world.set("objects", &crowded.to_string());
    let text = said(&world.lab.xtask(&["--lab", "ha", "status"]));
    for part in [
        "2 of 3 replicas are on k3d-ha-server-0",
        "kubectl --context k3d-ha -n ha rollout restart deployment/flask",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn each_lab_lists_its_own_scenarios() {
    let world = FakeWorld::new("ha-list");
    let names = |lab: &str| -> Vec<String> {
        let list = world.lab.json(&["--lab", lab, "scenario", "--list"]);
        let all = list.as_array().unwrap().iter();
        all.map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let ha = names("ha");
    assert_eq!(
        ha.join(" "),
        "pod-crash primary-loss volume-loss node-loss server-loss partition drain"
    );
    assert!(names("pra").contains(&"bad-delete".to_owned()));
    assert!(!names("pra").contains(&"drain".to_owned()));
    let text = world
        .lab
        .fails(2, &["--lab", "ha", "scenario", "bad-delete"]);
    assert!(
        text.contains("there is no scenario \"bad-delete\" in the lab ha"),
        "{text}"
    );
    assert!(
        text.contains("cargo xtask --lab ha scenario --list"),
        "{text}"
    );
    let text = world
        .lab
        .fails(2, &["--lab", "ha", "--engine", "local", "setup"]);
    for part in [
        "the lab ha is not possible on local",
        "cargo xtask --lab ha --engine k3d setup",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn each_disaster_is_shown_as_shell_that_finds_the_primary_itself() {
    let world = up("ha-dry");
    let kubectl = "kubectl --context k3d-ha -n ha ";
    let shown = shell(&world, &["scenario", "primary-loss"]);
    for part in [
        "PRIMARY=$(kubectl ",
        &format!("{kubectl}delete pod \"${{PRIMARY:?}}\" --wait=false --force --grace-period=0"),
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let shown = shell(&world, &["scenario", "volume-loss"]);
    assert!(
        shown.contains("delete persistentvolumeclaim \"${PRIMARY:?}\" --wait=false"),
        "{shown}"
    );
    let shown = shell(&world, &["scenario", "node-loss"]);
    assert!(shown.contains("docker kill \"${NODE:?}\""), "{shown}");
    assert!(shown.contains("k3d cluster start ha"), "{shown}");
    let shown = shell(&world, &["scenario", "partition"]);
    for part in [
        "OTHERS=$(kubectl ",
        "docker exec \"${NODE:?}\" sh -c 'set -e; iptables -t mangle -N ATELIER-CUT;",
        "\"${OTHERS:?}\"",
        "iptables -t mangle -X ATELIER-CUT",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let shown = shell(&world, &["scenario", "drain"]);
    let at = |words: &str| {
        let found = shown.find(words);
        found.unwrap_or_else(|| panic!("no {words:?} in {shown}"))
    };
    // An operator that is evicted with the primary would have to be replaced first.
    let moved = at("}=primary");
    assert!(at(" cordon \"${NODE:?}\"") < moved, "{shown}");
    // What the old primary has not sent before another one leads would be lost with its pod.
    let promoted = at("= \"${PRIMARY:?}\" ]; do sleep");
    let deleted = at("delete pod \"${PRIMARY:?}\"");
    assert!(promoted < deleted && deleted < moved, "{shown}");
    assert!(
        moved < at("drain \"${NODE:?}\" --ignore-daemonsets"),
        "{shown}"
    );
    assert!(shown.contains("uncordon \"${NODE:?}\""), "{shown}");
    for change in ["docker kill", "docker exec k3d-ha-server-1 sh -c set"] {
        assert_eq!(world.calls(change), 0, "{change}");
    }
    assert!(
        !world.said("calls").contains(" delete "),
        "a dry run deleted"
    );
}

#[test]
fn what_was_cut_off_is_put_back_by_the_next_command_of_this_lab_alone() {
    let world = up("ha-cut-off");
    // A node is stopped, one is cut off, one is closed; the first server that is asked
    // whose the cluster is says it, the next one has no majority and says nothing.
    let (before, stopped) = (
        cluster(),
        "k3d-ha-server-2\",\"role\":\"server\",\"State\":{\"Running\":true",
    );
    assert!(before.contains(stopped));
    world.set(
        "list",
        &before.replace(stopped, &stopped.replace("true", "false")),
    );
    world.set("cut", "");
    let closed = objects().to_string();
    let closed = closed.replacen(
        "\"spec\":{\"podCIDRs\":[\"10.42.0.0/24\"]",
        "\"spec\":{\"unschedulable\":true,\"podCIDRs\":[\"10.42.0.0/24\"]",
        1,
    );
    assert!(closed.contains("unschedulable"));
    world.set("objects", &closed);
    world.hook(
        "docker",
        "case \"$*\" in *'-S ATELIER-CUT'*) [ -e $S/cut ] && case \"$*\" in *server-1*) exit 0;; esac; exit 1;;\n\
         *'-X ATELIER-CUT'*) rm $S/cut; exit 0;;\n\
         'start k3d-ha-server-2') cp $S/whole $S/list; exit 0;; esac",
    );
    world.hook(
        "kubectl",
        "case \"$*\" in *' get configmap '*) [ ! -e $S/cut ] || [ ! -e $S/asked ] || exec sleep 60; touch $S/asked;;\n\
         *' uncordon k3d-ha-server-0') sed -i 's/\"unschedulable\":true,//' $S/objects; exit 0;;\n\
         *' get deployments,'*|*' get nodes,pods,'*) cat $S/objects; exit 0;;\n\
         *' get nodes '*) cat $S/nodes; exit 0;; esac",
    );
    let state = world.lab.root.join(".lab/state/ha");
    fs::create_dir_all(&state).unwrap();
    let mark = state.join("unfinished-scenario-k3d.json");
    fs::write(
        &mark,
        r#"{"scenario":"partition","since":"2026-11-28T00:00:00Z","closed":"k3d-ha-server-0"}"#,
    )
    .unwrap();
    let left = world.lab.json(&["--engine", "k3d", "status"])["left_half_way"].clone();
    assert_eq!(left, Value::Null, "it is not of that lab");
    let left = world.lab.json(&["--lab", "ha", "status"])["left_half_way"].clone();
    assert!(left.as_str().unwrap().contains("partition"), "{left}");

    // The stand-in has no application: what follows the nodes is awaited in vain.
    let mut adding = world.lab.spawn(&["--lab", "ha", "add", "a row"]);
    support::await_some("the node to be opened", || {
        let calls = world.said("calls");
        calls.contains(" uncordon k3d-ha-server-0").then_some(())
    });
    adding.kill().unwrap();
    adding.wait().unwrap();
    assert!(!world.has("cut"), "the network is still cut");
    assert_eq!(world.calls("docker start k3d-ha-server-2"), 1);
    assert!(mark.exists(), "it was not seen to be whole");
}

#[test]
fn what_makes_no_sense_there_is_refused_with_the_reason() {
    let world = up("ha-refused");
    for words in [
        &["restore", "latest"][..],
        &["backup"],
        &["undo"],
        &["prune"],
        &["export", "x.tar"],
        &["adopt", "x.tar"],
        &["gameday"],
        &["reset", "--yes"],
    ] {
        let text = world.lab.fails(2, &[&["--lab", "ha"], words].concat());
        let named = format!("the lab ha has no command {}: ", words[0]);
        assert!(text.contains(&named), "{words:?}: {text}");
    }
}

#[test]
fn no_docker_is_told_with_what_to_do_about_it() {
    let world = FakeWorld::new("ha-no-docker");
    world.hook("docker", "exit 1");
    for (words, part) in [
        (&["setup"][..], "systemctl start docker"),
        (&["--lang", "fr", "setup"], "le démon Docker ne répond pas"),
        (&["preflight"], "FAILED  docker"),
    ] {
        let mut command = world.lab.command(&[&["--lab", "ha"], words].concat());
        // A socket that exists would be waited for: Docker may be starting.
        let command = command.env("DOCKER_HOST", "unix:///nowhere");
        let output = command.output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{words:?}: {text}");
        assert!(text.contains(part), "{words:?}: {text}");
        assert!(!text.contains("--engine local"), "it is no way on: {text}");
    }
}

#[test]
fn a_drill_under_another_protection_is_refused_and_changes_neither_lab() {
    let world = up("ha-protection");
    let words = ["drill", "drain", "--protection", "snapshot,journal"];
    for more in [&["--dry-run"][..], &[]] {
        let words = [&["--lab", "ha"], &words[..], more].concat();
        let text = world.lab.fails(2, &words);
        assert!(text.contains("it has one protection"), "{text}");
    }
    let copy = world.lab.root.join(".lab/state/k8s-k3d");
    assert!(!copy.exists(), "it stands for k8s/ in the other lab");
    assert!(!world.has("calls"), "no tool has anything to do with that");
}
