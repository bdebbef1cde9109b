//! Moments brought back: what is refused, what comes back, and what has to hold
//! before that is called a recovery.

mod support;

use std::fs;

use support::{TestLab, said};

#[test]
fn restore_points_are_listed_restored_and_refused() {
    let lab = TestLab::new("restore");
    lab.json(&["add", "kept"]);
    let point = lab.json(&["backup"])["point"].clone();
    let name = point["name"].as_str().unwrap();
    assert_eq!(point["rows"], 1);
    lab.json(&["add", "written after the backup"]);

    let listed = lab.json(&["restore", "--list"]);
    assert_eq!(listed["latest"], name);
    assert_eq!(listed["points"][0]["status"], "verified");

    let restored = lab.json(&["restore", name]);
    assert_eq!(restored["restore"]["rows"], 1);
    assert_eq!(restored["backup"]["point"]["status"], "verified");
    assert_eq!(restored["proof"]["status"], "journaled", "{restored}");
    let rows = lab.curl("/consultation");
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["message"], "kept");

    for bad in ["../app-1.db", "app-1", "--help.db"] {
        lab.fails(2, &["restore", "--", bad]);
    }
    for command in [
        &["restore", "app-1.db"][..],
        &["restore", "app-1.db", "--plan"],
    ] {
        let said = lab.fails(2, command);
        assert!(said.contains("there is no point app-1.db"), "{said}");
    }
    // What is there and may not be used is a broken promise, and no wrong use.
    let file = lab.root.join(".lab/volumes/pra-backup").join(name);
    let bytes = fs::metadata(&file).unwrap().len();
    fs::write(&file, vec![0; bytes as usize]).unwrap();
    for command in [&["restore", name][..], &["restore", name, "--plan"]] {
        let said = lab.fails(1, command);
        assert!(said.contains("SHA-256"), "{said}");
    }
    assert_eq!(lab.curl("/count")["count"], 1);
}

#[test]
fn a_moment_before_a_transaction_is_found_planned_restored_and_undone() {
    let lab = TestLab::new("moments");
    for message in ["one", "two", "three"] {
        lab.json(&["add", message]);
    }
    let log = lab.json(&["restore", "--log"]);
    let last = &log["transactions"][0];
    assert_eq!(last["added"], 1);
    let seq = last["seq"].to_string();

    let plan = lab.json(&["restore", "--to-before", &seq, "--plan"]);
    assert_eq!(
        (&plan["rows"], &plan["lost"]),
        (&2.into(), &1.into()),
        "{plan}"
    );
    let shown = said(&lab.xtask(&["restore", "--to-before", &seq, "--plan"]));
    let behind = format!("Writes left behind: 1, transactions {seq} to {seq};");
    assert!(shown.contains(&behind), "{shown}");
    assert_eq!(lab.curl("/count")["count"], 3, "a plan changed something");

    lab.json(&["restore", "--to-before", &seq]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "two");
    lab.json(&["undo"]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "three");

    let moment = log["transactions"][1]["time"].as_str().unwrap();
    lab.json(&["restore", "--to", moment]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "two");
    lab.fails(2, &["restore", "--to", "yesterday"]);
    for command in [&["restore"][..], &["restore", "--plan"]] {
        let said = lab.fails(2, &[command, &["--to-before", "999"]].concat());
        assert!(said.contains("no transaction 999"), "{said}");
        let said = lab.fails(2, &[command, &["--to", "2001-01-01T00:00:00Z"]].concat());
        assert!(said.contains("before all that is kept"), "{said}");
    }

    let kept = lab.json(&["restore", "--list"])["points"]
        .as_array()
        .unwrap()
        .len();
    let removed = lab.json(&["prune", "--dry-run"]);
    assert!(removed["removed"].is_array());
    assert_eq!(
        lab.json(&["restore", "--list"])["points"]
            .as_array()
            .unwrap()
            .len(),
        kept
    );
    lab.json(&["prune"]);
}

#[test]
fn the_proof_that_writes_are_journaled_leaves_the_data_alone() {
    let lab = TestLab::new("proven");
    for message in ["one", "two"] {
        lab.json(&["add", message]);
    }
    let number = |log: &serde_json::Value| log["transactions"][0]["seq"].as_u64().unwrap();
    let restored = lab.json(&["restore", "latest"]);
    let proof = &restored["proof"];
    let log = lab.json(&["restore", "--log"]);
    assert_eq!(proof["seq"], number(&log), "{restored} {log}");
    let touched = ["added", "changed", "deleted"].map(|key| &log["transactions"][0][key]);
    assert_eq!(touched, [0, 0, 0].map(serde_json::Value::from).each_ref());
    assert_eq!(lab.curl("/count")["count"], 2);
    assert_eq!(lab.json(&["add", "three"])["id"], 3);
    // It can be replayed as any other.
    lab.json(&["restore", "latest"]);
    assert_eq!(lab.curl("/count")["count"], 3);
}

#[test]
fn a_restore_behind_which_nothing_is_journaled_is_no_recovery() {
    let lab = TestLab::new("unproven");
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_JOURNAL: required",
        "PRA_JOURNAL: best-effort",
    );
    lab.json(&["add", "one"]);
    lab.json(&["restore", "latest"]);
    // Only who begins a segment finds out: the next write does.
    lab.edit(
        "app/pra/segments.py",
        "    size = max(SIZE,",
        "    raise OSError(5, 'Input/output error')\n    size = max(SIZE,",
    );
    let said = lab.fails(1, &["restore", "latest"]);
    assert!(said.contains("proving that writes are journaled"), "{said}");
    assert_eq!(lab.curl("/count")["count"], 1);
}
