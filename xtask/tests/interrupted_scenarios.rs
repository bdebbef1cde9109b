//! What a scenario left that was cut off, and what putting it back must not take:
//! rows that were written since, and the only copy of a database.

use crate::support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{TestLab, await_some, present, said};

fn mark(lab: &TestLab) -> PathBuf {
    lab.root.join(".lab/state/unfinished-scenario-local.json")
}

/// Leaves a mark as a scenario does that is killed.
fn leave(lab: &TestLab, scenario: &str, more: &str) {
    let text = format!(r#"{{"scenario":"{scenario}","since":"2026-01-01T00:00:00Z",{more}}}"#);
    fs::write(mark(lab), text).unwrap();
}

/// Plays a scenario with a person who takes long, and stops it as soon as it says
/// this; returns what was said.
fn interrupted(lab: &TestLab, scenario: &str, at: &str) -> String {
    let delay = ["--operator-delay", "60", "--yes"];
    let mut child = lab.spawn(&[&["scenario", scenario][..], &delay].concat());
    let log = lab.root.join("spawned.log");
    await_some(at, || {
        fs::read_to_string(&log).unwrap().contains(at).then_some(())
    });
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    let code = child.wait().unwrap().code();
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("the lab was put back"), "{text}");
    assert!(!mark(lab).exists(), "{text}");
    text
}

/// The messages that the client of the only run was told are kept, in order.
fn acknowledged(lab: &TestLab) -> Vec<String> {
    let folders = fs::read_dir(lab.root.join(".lab/runs")).unwrap();
    let folder = folders.map(|entry| entry.unwrap().path()).next().unwrap();
    let text = fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    let mut sent = std::collections::BTreeMap::new();
    let mut kept = Vec::new();
    for line in text.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else {
            // The last line of a run that was cut off.
            continue;
        };
        let number = entry["n"].as_u64();
        if entry["event"] == "sent" {
            sent.insert(number, entry["message"].as_str().unwrap().to_owned());
        } else if entry["event"] == "ended" && !entry["outcome"]["acknowledged"].is_null() {
            kept.push(sent[&number].clone());
        }
    }
    kept
}

fn without_journal(lab: &TestLab) {
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_JOURNAL: required",
        "PRA_JOURNAL: \"off\"",
    );
}

#[test]
fn a_destroyed_lab_is_built_around_its_copy_when_somebody_presses_ctrl_c() {
    let lab = TestLab::new("put-back-cluster");
    lab.json(&["add", "from before"]);
    let text = interrupted(&lab, "cluster-loss", "a person decides");
    assert!(text.contains("after an interrupted adoption"), "{text}");
    let found = present(&lab);
    assert!(found.contains("from before"), "{text}");
    // What was acknowledged before the export: sixty at least.
    assert!(found.len() > 60, "{} rows: {text}", found.len());
    lab.json(&["add", "after"]);

    // Also in the middle of the destruction itself.
    let text = interrupted(&lab, "cluster-loss", "stopping the supervisor");
    assert!(present(&lab).contains("after"), "{text}");
}

#[test]
fn a_copy_that_was_not_adopted_is_not_forgotten() {
    let lab = TestLab::new("put-back-copy");
    lab.json(&["add", "in the copy"]);
    let run = lab
        .root
        .join(".lab/runs/2026-01-01T00-00-00-000Z-cluster-loss");
    fs::create_dir_all(&run).unwrap();
    let copy = run.join("copy.tar");
    let name = copy.to_str().unwrap();
    lab.json(&["export", name]);
    lab.json(&["teardown", "--yes"]);
    lab.json(&["add", "of a stranger"]);
    leave(&lab, "cluster-loss", &format!(r#""copy":"{name}""#));

    let refused = lab.fails(2, &["setup"]);
    assert!(
        refused.contains(&format!("cargo xtask adopt {name}")),
        "{refused}"
    );
    let run = run.file_name().unwrap().to_str().unwrap();
    for lab_meant in ["pra", "ha"] {
        for words in [["runs", "rm", run], ["runs", "rm", "--keep=0"]] {
            let words = [&["--lab", lab_meant], &words[..], &["--yes"]].concat();
            let refused = lab.fails(2, &words);
            assert!(refused.contains(run), "{refused}");
        }
    }
    assert!(copy.exists() && mark(&lab).exists());

    // What was said does it.
    lab.json(&["adopt", name, "--yes"]);
    assert!(!mark(&lab).exists());
    assert_eq!(present(&lab), BTreeSet::from(["in the copy".to_owned()]));

    // And where the copy is in the lab already, nothing is to be done.
    lab.json(&["add", "since"]);
    leave(&lab, "cluster-loss", &format!(r#""copy":"{name}""#));
    lab.json(&["setup"]);
    assert!(!mark(&lab).exists() && present(&lab).contains("since"));
}

#[test]
fn a_copy_that_is_missing_is_said_with_what_to_do() {
    let lab = TestLab::bare("put-back-missing");
    fs::create_dir_all(lab.root.join(".lab/state")).unwrap();
    leave(&lab, "cluster-loss", r#""copy":"/nowhere/copy.tar""#);
    let refused = lab.fails(2, &["setup"]);
    for part in [
        "/nowhere/copy.tar",
        "cargo xtask adopt FILE",
        "cargo xtask teardown",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(mark(&lab).exists());
    assert!(
        !lab.root.join(".lab/volumes").exists(),
        "no lab is built in vain"
    );
}

#[test]
fn what_was_written_since_a_bad_delete_comes_back_with_the_rest() {
    let lab = TestLab::new("put-back-delete");
    lab.json(&["add", "from before"]);
    let text = interrupted(&lab, "bad-delete", "a person decides");
    let found = present(&lab);
    assert!(found.contains("from before"), "{text}");
    let missing: Vec<String> = acknowledged(&lab)
        .into_iter()
        .filter(|one| !found.contains(one))
        .collect();
    assert!(missing.is_empty(), "{missing:?}: {text}");
    assert!(text.contains("is kept as"), "{text}");

    // The same, cut off between its restore and what comes after that.
    lab.json(&["backup"]);
    lab.json(&["add", "since the backup"]);
    let listed = lab.json(&["restore", "--list"]);
    let point = listed["latest"].as_str().unwrap();
    let restored = lab.json(&["restore", point, "--yes"]);
    assert!(!present(&lab).contains("since the backup"));
    let safety = restored["restore"]["safety_point"].as_str().unwrap();
    let more = format!(r#""stage":"restored","safety_point":"{safety}""#);
    leave(&lab, "bad-delete", &more);
    lab.json(&["setup"]);
    assert!(present(&lab).contains("since the backup"));
}

#[test]
fn without_a_journal_a_bad_delete_is_put_back_as_well() {
    let lab = TestLab::new("put-back-delete-off");
    without_journal(&lab);
    lab.json(&["add", "from before"]);
    let text = interrupted(&lab, "bad-delete", "a person decides");
    let (found, kept) = (present(&lab), acknowledged(&lab));
    assert!(found.contains("from before"), "{text}");
    assert!(found.contains(kept.last().unwrap()), "{text}");
}

#[test]
fn a_database_that_nothing_broke_is_not_rolled_back() {
    let lab = TestLab::new("put-back-sound");
    without_journal(&lab);
    lab.json(&["add", "from before"]);
    let text = interrupted(&lab, "database-corrupt", "the client writes on, 1.0 s …");
    let found = present(&lab);
    let kept = acknowledged(&lab);
    assert!(kept.iter().all(|one| found.contains(one)), "{text}");

    // Nor one that the run itself had restored.
    lab.json(&["backup"]);
    lab.json(&["add", "since"]);
    leave(&lab, "database-corrupt", r#""stage":"restored""#);
    lab.json(&["setup"]);
    assert!(present(&lab).contains("since"));

    // Where it had struck, what is taken back is said, and kept.
    leave(&lab, "database-corrupt", r#""stage":"struck""#);
    let output = lab.xtask(&["setup"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(!present(&lab).contains("since"));
    let (_, name) = text.split_once("is kept as ").expect(&text);
    let name = name.split(':').next().unwrap();
    lab.json(&["restore", name, "--yes"]);
    assert!(present(&lab).contains("since"));
}
