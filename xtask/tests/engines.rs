//! One checkout with a lab on each engine: what is done on one of them leaves
//! the other's state alone.

use crate::support;

use std::fs;

use support::fake_k3d::FakeWorld;
use support::said;

#[test]
fn a_teardown_on_one_engine_forgets_nothing_of_the_other() {
    let world = FakeWorld::new("two-engines");
    let state = world.lab.root.join(".lab/state");
    // A lab on the local engine in the middle of a scenario, and under another
    // protection than the declared one.
    fs::create_dir_all(state.join("k8s-local")).unwrap();
    fs::write(state.join("engine"), "local\n").unwrap();
    for entry in fs::read_dir(world.lab.root.join("k8s")).unwrap() {
        let entry = entry.unwrap();
        let copy = state.join("k8s-local").join(entry.file_name());
        if entry.path().is_file() {
            fs::copy(entry.path(), copy).unwrap();
        }
    }
    fs::write(state.join("unfinished-scenario-local.json"), "{}").unwrap();
    let kept = ["unfinished-scenario-local.json", "k8s-local"];
    fs::write(state.join("unfinished-scenario-k3d.json"), "{}").unwrap();

    let output = world.lab.xtask(&["--engine", "k3d", "teardown", "--yes"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let next = "cargo xtask --engine local teardown";
    assert!(text.contains(next), "{text}");
    for file in kept {
        assert!(state.join(file).exists(), "{file} was forgotten");
    }
    assert!(!state.join("unfinished-scenario-k3d.json").exists());
    // Docker answers, yet the lab stays on its engine.
    assert_eq!(world.lab.json(&["status"])["engine"], "local");

    world.lab.json(&["--engine", "local", "teardown", "--yes"]);
    assert_eq!(world.lab.json(&["status"])["engine"], "k3d");
}

#[test]
fn the_command_that_comes_next_names_the_engine_that_was_asked_for() {
    let world = FakeWorld::new("named-engine");
    let state = world.lab.root.join(".lab/state");
    fs::create_dir_all(&state).unwrap();
    let status = || said(&world.lab.xtask(&["--engine", "local", "status"]));
    for (chosen_last, next) in [
        ("", "next: cargo xtask --engine local setup"),
        ("k3d\n", "next: cargo xtask --engine local setup"),
        // It is meant without being named.
        ("k3d\nlocal\n", "next: cargo xtask setup"),
    ] {
        fs::write(state.join("engine"), chosen_last).unwrap();
        let said = status();
        assert!(said.contains(next), "{chosen_last:?}: {said}");
    }
    // Also in what can be pasted.
    fs::write(state.join("engine"), "k3d\n").unwrap();
    let words = ["--engine", "local", "backup", "--accept", "--dry-run"];
    let output = world.lab.xtask(&words);
    let shell = String::from_utf8_lossy(&output.stdout).into_owned();
    let command = "cargo xtask --engine local backup --accept";
    assert!(shell.contains(command), "{}", said(&output));
}

#[test]
fn the_engine_that_was_chosen_last_is_the_one_that_is_meant() {
    let world = FakeWorld::new("last-engine");
    let state = world.lab.root.join(".lab/state");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("engine"), "local\nk3d\n").unwrap();
    assert_eq!(world.lab.json(&["status"])["engine"], "k3d");
    world.lab.json(&["teardown", "--yes"]);
    assert_eq!(world.lab.json(&["status"])["engine"], "local");
    let engines = fs::read_to_string(state.join("engine")).unwrap();
    assert_eq!(engines, "local\n");
}

#[test]
fn an_import_is_refused_on_an_engine_that_has_no_image() {
    let world = FakeWorld::new("no-image");
    let output = world.lab.xtask(&["--engine", "local", "import"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("not possible on local: "), "{text}");
    let asked = world.calls("k3d ");
    assert_eq!(asked, 0, "k3d was asked");
}
