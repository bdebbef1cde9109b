//! Scenarios and drills that somebody stops half-way: the lab is put back, and
//! what was measured until then is kept.

use crate::support;

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{TestLab, await_in, await_said, await_some};

/// A lab with a row, whose restores take a while: a scenario can be caught
/// without its database.
fn slow_to_restore(name: &str) -> TestLab {
    let lab = TestLab::new(name);
    lab.json(&["add", "before the disaster"]);
    lab.edit(
        "pra/50-job-restore.yaml",
        "command: [python, -m, pra, restore, --json]",
        "command: [sh, -c, 'sleep 1; exec python -m pra restore --json']",
    );
    lab
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

fn await_the_loss(lab: &TestLab) {
    await_some("the disaster to begin", || mark(lab).exists().then_some(()));
    await_some("the volume to be deleted", || {
        let gone = !lab.root.join(".lab/volumes/pra-data/app.db").exists();
        gone.then_some(())
    });
}

fn mark(lab: &TestLab) -> std::path::PathBuf {
    lab.root.join(".lab/state/unfinished-scenario-local.json")
}

/// Nothing is left of the disaster, and everything from before is there.
fn check_the_lab(lab: &TestLab) {
    assert!(!mark(lab).exists());
    let status = lab.json(&["status"]);
    assert_eq!(status["facts"]["suspended"], false);
    assert_eq!(status["application"]["unprotected"], Value::Null);
    assert!(
        status["application"]["count"].as_u64().unwrap() > 1,
        "{status}"
    );
    assert_eq!(lab.json(&["add", "after the repair"])["status"], "added");
    assert_eq!(lab.curl("/consultation")[0]["message"], "after the repair");
}

#[test]
fn ctrl_c_puts_the_lab_back_before_the_command_ends() {
    let lab = slow_to_restore("interrupt");
    let mut scenario = lab.spawn(&["scenario", "2"]);
    await_the_loss(&lab);
    signal(&scenario, "-INT");
    assert_eq!(scenario.wait().unwrap().code(), Some(130));
    let said = fs::read_to_string(lab.root.join("spawned.log")).unwrap();
    assert!(said.contains("the lab was put back"), "{said}");
    assert!(!mark(&lab).exists(), "{said}");
    let database = lab.root.join(".lab/volumes/pra-data/app.db");
    assert!(database.exists(), "the next command has nothing to do");
    check_the_lab(&lab);
}

#[test]
fn a_second_ctrl_c_leaves_it_to_the_next_command() {
    let lab = slow_to_restore("interrupt-twice");
    let mut scenario = lab.spawn(&["scenario", "2"]);
    await_the_loss(&lab);
    signal(&scenario, "-INT");
    await_said(&lab.root.join("spawned.log"), "putting the lab back");
    signal(&scenario, "-INT");
    assert_eq!(scenario.wait().unwrap().code(), Some(130));
    assert!(mark(&lab).exists());
    lab.json(&["setup"]);
    check_the_lab(&lab);
}

#[test]
fn a_scenario_that_was_killed_is_put_back_by_the_next_command() {
    let lab = slow_to_restore("killed");
    let mut scenario = lab.spawn(&["scenario", "2"]);
    await_the_loss(&lab);
    signal(&scenario, "-KILL");
    assert_eq!(scenario.wait().unwrap().code(), None);
    assert!(mark(&lab).exists());
    let said = support::said(&lab.xtask(&["status"]));
    for part in ["volume-loss", "left half-way", "next: cargo xtask setup"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    lab.json(&["setup"]);
    assert_eq!(lab.json(&["status"])["left_half_way"], Value::Null);
    check_the_lab(&lab);
}

/// A restore that fails by itself is none that was killed, and what is left then is
/// a person's to look at first.
#[test]
fn an_experiment_that_fails_says_what_it_leaves_and_how_to_go_on() {
    let lab = TestLab::new("failed-experiment");
    lab.json(&["add", "before the disaster"]);
    let job = "pra/50-job-restore.yaml";
    let (sound, broken) = ("[python, -m, pra, restore, --json]", "[\"false\"]");
    lab.edit(job, sound, broken);
    lab.edit(job, "backoffLimit: 2", "backoffLimit: 0");
    let said = lab.fails(4, &["scenario", "restore-killed"]);
    for part in [
        "failed by itself before it could be killed",
        "left half-way, in the middle of its disaster",
        "cargo xtask setup puts the lab back",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    lab.edit(job, broken, sound);
    lab.json(&["setup"]);
    check_the_lab(&lab);
}

#[test]
fn ctrl_c_ends_a_pause_between_two_parts() {
    let lab = TestLab::new("step");
    lab.json(&["setup"]);
    let log = lab.root.join("step.log");
    let file = fs::File::create(&log).unwrap();
    let mut step = lab.command(&["scenario", "volume-loss", "--step"]);
    // Nobody types anything.
    step.stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(file);
    let mut scenario = step.spawn().unwrap();
    await_said(&log, "[Enter] goes on");
    signal(&scenario, "-INT");
    let code = await_some("the end", || scenario.try_wait().unwrap());
    assert_eq!(code.code(), Some(130));
    check_the_lab(&lab);
}

#[test]
fn nobody_to_go_on_stops_before_anything_is_broken() {
    let lab = TestLab::new("step-nobody");
    lab.json(&["add", "before the disaster"]);
    // Standard input is /dev/null.
    let output = lab.xtask(&["scenario", "volume-loss", "--step"]);
    let said = support::said(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("nobody can press Enter"), "{said}");
    assert!(said.contains("nothing had been broken yet"), "{said}");
    check_the_lab(&lab);
}

#[test]
fn step_by_step_shows_each_part_and_goes_through() {
    let lab = TestLab::new("steps");
    let mut step = lab.command(&["scenario", "volume-loss", "--step", "--json"]);
    let mut scenario = step
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A reader who always goes on.
    let enter = "\n".repeat(20);
    std::io::Write::write_all(&mut scenario.stdin.take().unwrap(), enter.as_bytes()).unwrap();
    let output = scenario.wait_with_output().unwrap();
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    for shown in [
        "local scale 0",
        "delete-volume pra-data",
        "local apply",
        "job restore",
        "job backup",
    ] {
        assert!(stderr.contains(shown), "no {shown:?} in {stderr}");
    }
    // One document and nothing else, which says why its times are what they are.
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        result["doubts"]
            .to_string()
            .contains("paused for its reader"),
        "{result}"
    );
    support::agreed(&lab, &result);
}

/// What it had changed is the protection alone, and that is put back to the end.
#[test]
fn a_drill_that_is_stopped_before_its_disaster_leaves_the_declared_protection_in_force() {
    let lab = TestLab::new("drill-stopped-early");
    lab.json(&["add", "before the drill"]);
    let mut drill = lab.spawn(&["drill", "--interval", "60", "--protection", "snapshot"]);
    await_said(&lab.root.join("spawned.log"), "Run 1 of");
    signal(&drill, "-INT");
    assert_eq!(drill.wait().unwrap().code(), Some(130));
    let status = lab.json(&["status"]);
    assert_eq!(status["left_half_way"], Value::Null, "{status}");
    assert_eq!(status["application"]["protection"], "journal", "{status}");
    assert_eq!(status["facts"]["suspended"], false, "{status}");
    assert_eq!(status["application"]["unprotected"], Value::Null);
    assert_eq!(lab.json(&["add", "after the drill"])["status"], "added");
}

#[test]
fn a_drill_that_is_stopped_keeps_what_it_has() {
    let lab = TestLab::new("drill-stopped");
    lab.configure("rto_seconds = 30", "rto_seconds = 0.001");
    // Restores wait while this file is there: the second run cannot end before it is
    // stopped, however busy the machine is.
    let hold = lab.root.join("hold");
    // From the volume, since this checkout may be anywhere, also where the pods have a folder.
    let held = "command: [sh, -c, 'while [ -e \"$PRA_BACKUP_DIR\"/../../../hold ]; do sleep 0.1; \
                done; exec python -m pra restore --json']";
    lab.edit(
        "pra/50-job-restore.yaml",
        "command: [python, -m, pra, restore, --json]",
        held,
    );
    let words = ["drill", "--runs", "50", "--interval", "1", "--seed", "3"];
    let compare = ["--protection", "snapshot"];
    let mut drill = lab.spawn(&[&words[..], &compare].concat());
    let log = lab.root.join("spawned.log");
    await_said(&log, "restore: done");
    fs::write(&hold, "").unwrap();
    await_in(&log, "the second disaster", |said| {
        said.contains("Run 2 of") && said.matches("disaster: ").count() >= 3
    });
    signal(&drill, "-INT");
    await_said(&log, "the lab is put back");
    fs::remove_file(&hold).unwrap();
    assert_eq!(drill.wait().unwrap().code(), Some(130));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("rto_seconds is missed"), "{said}");
    let folders = fs::read_dir(lab.root.join(".lab/runs")).unwrap();
    let mut folders = folders.map(|entry| entry.unwrap().path());
    let kept = folders.find(|path| path.to_string_lossy().ends_with("-drill"));
    let text = fs::read_to_string(kept.unwrap().join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    let runs = result["groups"][0]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{result}");
    // The one under way is in no figure, and not passed over either.
    assert_eq!(result["groups"][0]["cut_off"], 1, "{result}");
    assert!(said.contains("1 run was begun and not ended"), "{said}");
    // One run has no 95th percentile: it is the maximum, and called so.
    let figures = result["groups"][0]["figures"].as_array().unwrap();
    assert!(figures.iter().all(|one| one["p95"].is_null()), "{result}");
    assert!(said.contains("= max"), "{said}");
    assert!(
        result["cut_off"].as_str().unwrap().contains("interrupted"),
        "{result}"
    );
    assert_eq!(
        result["commands"][0],
        "cargo xtask drill volume-loss --runs 50 --protection snapshot --interval 1 --seed 3"
    );
    // The declared protection is in force again.
    assert!(!lab.root.join(".lab/state/k8s-local").exists());
    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["protection"], "journal");
    check_the_lab(&lab);
}

#[test]
fn a_recovery_without_anybody_that_is_stopped_leaves_no_lab_that_restores_by_itself() {
    let lab = TestLab::new("interrupt-auto");
    // So that it can be caught without its database.
    lab.edit(
        "k8s/20-deployment.yaml",
        "command: [python, -m, pra, serve]",
        "command: [sh, -c, 'sleep 1; exec python -m pra serve']",
    );
    lab.json(&["add", "before the disaster"]);
    for (way, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let mut scenario = lab.spawn(&["scenario", "2", "--auto"]);
        await_the_loss(&lab);
        signal(&scenario, way);
        assert_eq!(scenario.wait().unwrap().code(), code);
        lab.json(&["setup"]);
        check_the_lab(&lab);
        assert!(!lab.root.join(".lab/state/k8s-local").exists(), "{way}");
        assert_eq!(lab.curl("/status")["auto_restore"], Value::Null, "{way}");
    }
}
