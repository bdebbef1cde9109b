//! Scenario 10: the lab that is built around a copy when everything else is gone.

use crate::copies::{SLOWLY, interrupt, messages};
use crate::support;

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::TestLab;

#[test]
fn everything_gone_but_a_copy() {
    let lab = TestLab::new("cluster-loss");
    let result = lab.json(&["scenario", "10"]);
    assert_eq!(result["scenario"], "cluster-loss");
    assert_eq!(result["passed"], true, "{result}");
    let count = support::agreed(&lab, &result);

    // Writing went on after the export: that is lost, and nothing else is.
    let copy = lab
        .root
        .join(result["run"].as_str().unwrap())
        .join("copy.tar");
    let manifest = Command::new("tar")
        .args(["xOf", copy.to_str().unwrap(), "manifest.json"])
        .output()
        .unwrap();
    let manifest: Value = serde_json::from_slice(&manifest.stdout).unwrap();
    let last = manifest["max_id"].as_i64().unwrap();
    let lost = count["lost_ids"].as_array().unwrap();
    assert!(!lost.is_empty(), "{result}");
    assert!(lost.iter().all(|id| id.as_i64().unwrap() > last), "{count}");
    assert!(result["rpo"]["seconds"].as_f64().unwrap() >= 1.0);
    let alone = result["rpo"]["snapshot_only_lost"].as_u64().unwrap();
    assert!(alone > result["rpo"]["lost"].as_u64().unwrap(), "{result}");
    let objectives = result["objectives"].as_array().unwrap();
    let names: Vec<&Value> = objectives.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["rpo_seconds", "rto_seconds"]);

    // There is a lab now that it would take.
    let said = lab.fails(2, &["scenario", "10"]);
    assert!(
        said.contains("every restore point and the journal"),
        "{said}"
    );

    // An objective of its own is held against it.
    lab.configure("rpo_seconds = 90\nrto_seconds = 180", "rpo_seconds = 0.5");
    let said = lab.fails(1, &["scenario", "cluster-loss", "--yes"]);
    assert!(said.contains("the objective is 0.5 s"), "{said}");
}

/// The whole disaster and its recovery as shell, from any folder.
#[test]
fn a_dry_run_of_a_cluster_loss_can_be_pasted() {
    let lab = TestLab::new("cluster-loss-pasted");
    lab.json(&["add", "kept"]);
    let here = std::env::temp_dir().join(format!("xtask-here-{}", std::process::id()));
    fs::create_dir_all(&here).unwrap();
    let mut show = lab.command(&["scenario", "10", "--dry-run"]);
    let output = show.current_dir(&here).output().unwrap();
    let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
    let shell = String::from_utf8(output.stdout).unwrap();
    let shell = shell.replace("cargo xtask", xtask);
    let mut pasted = Command::new("sh");
    pasted.args(["-exc", &shell]).current_dir(&here);
    let output = pasted.env("ATELIER_ROOT", &lab.root).output().unwrap();
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Nothing was there before."), "{said}");
    assert_eq!(messages(&lab), ["kept"]);
    fs::remove_dir_all(&here).unwrap();
}

/// A copy that comes back with a row less is no recovery.
#[test]
fn a_row_that_the_copy_had_and_the_lab_has_not_breaks_the_promise() {
    let lab = TestLab::new("cluster-loss-lossy");
    lab.edit(
        "app/pra/state/generations.py",
        "conn.execute(\"BEGIN IMMEDIATE\")\n",
        "conn.execute(\"BEGIN IMMEDIATE\")\n            \
         conn.execute(\"DELETE FROM events WHERE id = 5\")\n",
    );
    let said = lab.fails(1, &["scenario", "cluster-loss", "--yes"]);
    assert!(
        said.contains("missing: 1 row acknowledged before the export began"),
        "{said}"
    );
}

#[test]
fn a_cluster_loss_that_was_cut_off_says_how_to_go_on_and_goes_on() {
    let lab = TestLab::new("cluster-loss-interrupted");
    for message in ["one", "two"] {
        lab.json(&["add", message]);
    }
    let (reads, slowly) = SLOWLY;
    lab.edit("app/pra/recovery/copied.py", reads, slowly);
    let mut scenario = lab.spawn(&["scenario", "cluster-loss", "--yes"]);
    let building = lab.root.join(".lab/state/k8s-local");
    support::await_some("the lab to be built anew", || {
        let folder = lab.root.join(".lab/volumes/pra-data/new-g1");
        (building.exists() && folder.exists()).then_some(())
    });
    let pid = scenario.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    let log = lab.root.join("spawned.log");
    support::await_some("the lab to be put back", || {
        let said = fs::read_to_string(&log).unwrap();
        said.contains("after an interrupted adoption").then_some(())
    });
    // Not now.
    assert_eq!(interrupt(&mut scenario), Some(130));
    let said = fs::read_to_string(&log).unwrap();
    let next = said
        .lines()
        .find(|line| line.contains("next: cargo xtask adopt"));
    let copy = next.unwrap().split_whitespace().last().unwrap();
    assert!(fs::metadata(copy).unwrap().len() > 0, "{said}");

    // Any command does: here one that would write to an empty lab.
    lab.edit("app/pra/recovery/copied.py", slowly, reads);
    lab.json(&["add", "after"]);
    let found = messages(&lab);
    assert_eq!(found.last().unwrap(), "after");
    assert!(found.len() >= 50, "{found:?}");
    let count = lab.curl("/count")["count"].as_u64().unwrap();
    assert!(
        count >= 63,
        "{count} rows: two, the client's sixty, one more"
    );
    assert!(!building.exists());
    assert!(
        !lab.root
            .join(".lab/state/unfinished-scenario-local.json")
            .exists()
    );
}
