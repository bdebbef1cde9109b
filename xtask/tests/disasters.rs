//! The disasters beyond the first two, one after the other on one lab: each
//! leaves it as it found it, and each is held against an independent count.

use crate::support;

use std::process::Command;

use serde_json::Value;
use support::TestLab;

fn play(lab: &TestLab, name: &str) -> Value {
    play_with(lab, name, &[])
}

fn play_with(lab: &TestLab, name: &str, options: &[&str]) -> Value {
    let result = lab.json(&[&["scenario", name], options].concat());
    assert_eq!(result["scenario"], name);
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["backups_resumed"], true);
    assert!(result["protected_seconds"].as_f64().unwrap() > 0.0);
    assert!(result["rto"]["seconds"].as_f64().unwrap() > 0.0);
    assert!(result["lessons"].as_array().unwrap().len() >= 3);
    // A line that was broken in the source is one sentence for its reader.
    assert!(!lessons(&result).contains("  "), "{result}");
    // Writing went on after the backup, so snapshots alone lose something,
    // unless the database was not touched at all.
    let alone = result["rpo"]["snapshot_only_lost"].as_u64().unwrap();
    let untouched = ["backup-volume-loss", "disk-full"].contains(&name);
    assert_eq!(alone == 0, untouched, "{result}");

    support::agreed(lab, &result);
    assert_eq!(result["rpo"]["lost"], 0, "{result}");
    result
}

fn lessons(result: &Value) -> String {
    result["lessons"].to_string()
}

#[test]
fn every_disaster_is_recovered_from_on_the_same_lab() {
    let lab = TestLab::new("disasters");
    let corrupt = play(&lab, "database-corrupt");
    assert!(corrupt["client"]["failed"].as_u64().unwrap() > 0);

    let deleted = play(&lab, "bad-delete");
    let phases = deleted["rto"]["phases"].as_array().unwrap();
    assert_eq!(phases[0]["name"], "detected");

    let foreign = play(&lab, "foreign-delete");
    assert!(lessons(&foreign).contains("The first DELETE was refused"));
    assert!(foreign["client"]["failed"].as_u64().unwrap() > 0);

    let poisoned = play(&lab, "backup-poisoned");
    assert!(lessons(&poisoned).contains("passed over"), "{poisoned}");
    let rebuilt = play(&lab, "backup-volume-loss");
    assert!(
        lessons(&rebuilt).contains("the new protection"),
        "{rebuilt}"
    );
    let points = lab.json(&["restore", "--list"]);
    let verified = points["points"].as_array().unwrap().iter();
    let verified = verified.filter(|point| point["status"] == "verified");
    assert!(verified.count() >= 2, "{points}");

    let full = play(&lab, "disk-full");
    for volume in ["pra-backup", "pra-data"] {
        assert!(
            lessons(&full).contains(&format!("s for {volume}")),
            "{full}"
        );
        assert!(
            !lab.root
                .join(".lab/volumes")
                .join(volume)
                .join("ballast")
                .exists()
        );
    }
    assert!(full["client"]["failed"].as_u64().unwrap() > 0, "{full}");

    let killed = play(&lab, "restore-killed");
    assert!(lessons(&killed).contains("killed on its way"), "{killed}");
}

/// Only the exported copy is left; what it holds comes back, and what came later is counted.
#[test]
fn both_volumes_come_back_from_an_exported_copy() {
    let lab = TestLab::new("both-volumes");
    lab.json(&["add", "from before"]);
    let refused = lab.fails(2, &["scenario", "both-volumes-loss"]);
    assert!(
        refused.contains("takes from this lab for good"),
        "{refused}"
    );
    let result = lab.json(&["scenario", "both-volumes-loss", "--yes"]);
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["backups_resumed"], true);
    support::agreed(&lab, &result);
    let lost = result["rpo"]["lost"].as_u64().unwrap();
    let alone = result["rpo"]["snapshot_only_lost"].as_u64().unwrap();
    assert!(lost > 0 && lost < alone, "{result}");
    assert_eq!(result["rpo"]["lost_from_before"], 0, "{result}");
}

/// A dry run shows the disaster as shell and does nothing of it.
#[test]
fn a_dry_run_shows_every_disaster_and_changes_nothing() {
    let lab = TestLab::new("disasters-shown");
    lab.json(&["add", "still there"]);
    let names = lab.json(&["scenario", "--list"]);
    let names = names.as_array().unwrap().iter();
    let mut shown = 0;
    // What has nowhere to come back from has a test with copies elsewhere.
    let possible = |one: &&Value| one["not_on"]["local"].is_null() && one["not_here"].is_null();
    for name in names.filter(possible) {
        let name = name["name"].as_str().unwrap();
        let output = lab.xtask(&["scenario", name, "--dry-run"]);
        let said = support::said(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        assert!(said.lines().count() >= 2, "{name}: {said}");
        shown += 1;
    }
    assert!(shown >= 9, "{shown} scenarios");
    assert_eq!(lab.curl("/count")["count"], 1);
}

#[test]
fn a_full_volume_is_said_by_status_and_an_interrupted_scenario_makes_room_again() {
    let lab = TestLab::new("disk-full-interrupted");
    lab.json(&["setup"]);
    let mut scenario = lab.spawn(&["scenario", "disk-full"]);
    // One look: the volume has room again soon.
    let said = support::await_some("the volume to be full", || {
        let said = support::said(&lab.xtask(&["status"]));
        said.contains("pra-backup is full").then_some(said)
    });
    assert!(said.contains("of 1024.0, FULL"), "{said}");
    assert!(said.contains("backups fail"), "{said}");
    let pid = scenario.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupted.unwrap().success());
    assert_eq!(scenario.wait().unwrap().code(), Some(130));

    assert_eq!(lab.json(&["add", "after the repair"])["status"], "added");
    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["volumes"]["backup"]["full"], false);
    assert_eq!(status["facts"]["suspended"], false);
}

#[test]
fn a_disaster_that_nobody_can_cause_here_says_why() {
    let lab = TestLab::bare("disasters-unavailable");
    for command in ["scenario", "drill"] {
        let said = lab.fails(2, &[command, "node-loss"]);
        assert!(
            said.contains("node-loss is not possible on local"),
            "{said}"
        );
    }
    assert!(!lab.root.join(".lab/volumes").exists(), "no lab is needed");
    let listed = support::said(&lab.xtask(&["scenario", "--list"]));
    assert!(listed.contains("not possible on local: "), "{listed}");
}

/// The servers restore by themselves for the runs that want that, and for no other.
#[test]
fn a_lost_volume_comes_back_without_anybody() {
    let lab = TestLab::new("healing");
    let setting = || {
        let copy = lab.root.join(".lab/state/k8s-local");
        assert!(
            !copy.exists(),
            "the declarations stand for themselves again"
        );
        lab.curl("/status")["auto_restore"].clone()
    };
    let result = play_with(&lab, "volume-loss", &["--auto"]);
    assert_eq!(result["auto"], true);
    let phases = result["rto"]["phases"].as_array().unwrap();
    let names: Vec<&Value> = phases.iter().map(|phase| &phase["name"]).collect();
    assert_eq!(names, ["detected", "provisioned", "restored", "serving"]);
    assert!(lessons(&result).contains("With --auto nobody's time"));
    assert_eq!(setting(), Value::Null);
    let by_hand = play(&lab, "volume-loss");
    assert!(by_hand.get("auto").is_none());
    assert!(lessons(&by_hand).contains("No person's time"));

    let drill = lab.json(&["drill", "--auto", "--runs", "2", "--interval", "2"]);
    assert_eq!(drill["passed"], true, "{drill}");
    let groups = drill["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert!(groups[0].get("auto").is_none());
    assert_eq!(groups[1]["auto"], true);
    let runs = |group: &Value| group["runs"].as_array().unwrap().clone();
    for (ordinary, alone) in runs(&groups[0]).iter().zip(&runs(&groups[1])) {
        assert_eq!(ordinary["moment_seconds"], alone["moment_seconds"]);
        assert_eq!(alone["lost"], 0, "{alone}");
    }
    assert_eq!(setting(), Value::Null);

    for other in ["pod-crash", "all"] {
        let said = lab.fails(2, &["scenario", other, "--auto"]);
        assert!(said.contains("a lost data volume alone"), "{said}");
    }
    let said = lab.fails(2, &["drill", "--auto", "--protection", "snapshot"]);
    assert!(
        said.contains("does not go with --protection snapshot"),
        "{said}"
    );
    let shown = support::said(&lab.xtask(&["scenario", "2", "--auto", "--dry-run"]));
    assert!(shown.contains("PRA_AUTO_RESTORE=latest"), "{shown}");
    assert!(!shown.contains("pra restore"), "{shown}");

    // What the lab would not bring back by itself is not taken from it.
    let (required, less) = ("PRA_JOURNAL: required", "PRA_JOURNAL: best-effort");
    lab.edit("k8s/05-config.yaml", required, less);
    lab.json(&["setup"]);
    lab.json(&["add", "still here"]);
    for command in [
        &["scenario", "2", "--auto"][..],
        &["drill", "volume-loss", "--auto", "--runs", "1"],
    ] {
        let said = lab.fails(2, command);
        assert!(said.contains("this lab runs with best-effort"), "{said}");
        assert!(said.contains("05-config.yaml"), "{said}");
    }
    assert!(lab.curl("/consultation").to_string().contains("still here"));
    assert_eq!(setting(), Value::Null);
}
