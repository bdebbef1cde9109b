//! A supervisor that is gone or frozen is said to be, by whoever waits for its lab.

use crate::support;

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use support::standin::{signal, supervisor};
use support::{TestLab, await_said, await_some, said};

/// Far below what these commands waited for in vain.
const SOON: Duration = Duration::from_secs(30);

/// Kills the supervisor, and returns what the command that waits for its lab says then.
fn left_alone(lab: &TestLab, mut waiting: Child) -> String {
    signal(&supervisor(lab), "-9");
    let start = Instant::now();
    let ended = waiting.wait().unwrap();
    let text = fs::read_to_string(lab.root.join("spawned.log")).unwrap();
    assert_eq!(ended.code(), Some(4), "{text}");
    assert!(start.elapsed() < SOON, "{text}");
    text
}

#[test]
fn who_waits_for_replicas_learns_that_their_supervisor_is_gone() {
    let lab = TestLab::new("life-setup");
    let deployment = "k8s/20-deployment.yaml";
    lab.edit(deployment, "[python, -m, pra, serve]", "[sleep, '600']");
    let setup = lab.spawn(&["setup"]);
    await_said(
        &lab.root.join("spawned.log"),
        "waiting for the application …",
    );
    await_some("the supervisor to answer", || {
        let facts = lab.xtask(&["local", "facts"]);
        said(&facts).contains("running: true").then_some(())
    });
    let text = left_alone(&lab, setup);
    assert!(text.contains("the supervisor is gone"), "{text}");
    assert!(text.contains("next: cargo xtask setup"), "{text}");
}

#[test]
fn a_scenario_ends_with_the_supervisor_and_the_next_command_puts_the_lab_back() {
    let lab = TestLab::new("life-scenario");
    // The client is at it for a quarter of a minute.
    lab.configure("rate = 60", "rate = 4");
    lab.json(&["add", "before"]);
    let scenario = lab.spawn(&["scenario", "2"]);
    await_said(&lab.root.join("spawned.log"), "the client writes …");
    let text = left_alone(&lab, scenario);
    let gone = [
        "the supervisor is gone",
        "the supervisor ended",
        "no supervisor runs",
    ];
    assert!(gone.iter().any(|said| text.contains(said)), "{text}");
    lab.json(&["setup"]);
    assert!(lab.curl("/count")["count"].as_u64().unwrap() >= 1);
}

#[test]
fn a_supervisor_that_is_stopped_is_named_with_what_continues_it() {
    let lab = TestLab::new("life-frozen");
    lab.json(&["add", "before"]);
    let frozen = supervisor(&lab);
    signal(&frozen, "-STOP");
    let start = Instant::now();
    let text = lab.fails(5, &["status"]);
    let took = start.elapsed();
    signal(&frozen, "-CONT");
    assert!(took < SOON, "{took:?}");
    assert!(
        text.contains(&format!("next: kill -CONT {frozen}")),
        "{text}"
    );
    assert_eq!(lab.json(&["status"])["application"]["count"], 1);

    signal(&frozen, "-STOP");
    let start = Instant::now();
    lab.json(&["local", "stop"]);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(lab.processes(), Vec::<String>::new());
}
