//! Moments brought back: what is refused, what comes back, and what has to hold
//! before that is called a recovery.

use crate::support;

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

    let said = lab.fails(2, &["restore", name]);
    let asked = "1 row; of what is there now 1 would be lost";
    assert!(said.contains(asked) && said.contains("--yes"), "{said}");
    assert_eq!(
        lab.curl("/count")["count"],
        2,
        "a restore acted without a yes"
    );
    let restored = lab.json(&["restore", name, "--yes"]);
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
    // What was passed over is told to who reads no document.
    let listed = lab.json(&["restore", "--list"]);
    let name = listed["latest"].as_str().unwrap();
    let file = lab.root.join(".lab/volumes/pra-backup").join(name);
    let bytes = fs::metadata(&file).unwrap().len();
    fs::write(&file, vec![0; bytes as usize]).unwrap();
    let shown = support::said(&lab.xtask(&["restore", "latest", "--yes"]));
    let passed_over = format!("warning: {name} was passed over: the file's SHA-256");
    assert!(shown.contains(&passed_over), "{shown}");
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
    let behind = format!("Transactions left behind: 1 (transaction {seq});");
    assert!(shown.contains(&behind), "{shown}");
    let shown = said(&lab.xtask(&["restore", "current", "--plan"]));
    let taken = "start from the database on the data volume, as it is,";
    assert!(shown.contains(taken), "{shown}");
    assert_eq!(lab.curl("/count")["count"], 3, "a plan changed something");

    lab.json(&["restore", "--to-before", &seq, "--yes"]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "two");
    // It only gives rows back, so there is nothing to ask.
    lab.json(&["undo"]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "three");
    lab.json(&["undo", "--yes"]);
    lab.json(&["undo"]);

    let moment = log["transactions"][1]["time"].as_str().unwrap();
    lab.json(&["restore", "--to", moment, "--yes"]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "two");
    lab.fails(2, &["restore", "--to", "yesterday"]);
    let plan = lab.json(&["restore", "--to", "0 s ago", "--plan"]);
    assert_eq!(plan["rows"], 2, "{plan}");
    for command in [&["restore"][..], &["restore", "--plan"]] {
        let said = lab.fails(2, &[command, &["--to-before", "999"]].concat());
        assert!(said.contains("no transaction 999"), "{said}");
        let said = lab.fails(2, &[command, &["--to", "2001-01-01T00:00:00Z"]].concat());
        assert!(said.contains("before all that is kept"), "{said}");
        let said = lab.fails(
            2,
            &[command, &["--to", "2099-01-01T00:00:00+01:00"]].concat(),
        );
        assert!(
            said.contains("yet to come: the journal reaches to"),
            "{said}"
        );
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
fn a_job_whose_pod_dies_behind_the_swap_restores_once() {
    let lab = TestLab::new("tried-again");
    for message in ["one", "two", "three"] {
        lab.json(&["add", message]);
    }
    lab.json(&["restore", "--to-before", "3", "--yes"]);
    assert_eq!(lab.curl("/count")["count"], 2);
    lab.edit(
        "app/pra/recovery/restore.py",
        "    volumes.drop_replaced(where)\n    work.timer",
        "    import os\n    died = f'{where.backup}/died'\n    if not os.path.exists(died):\n        \
         open(died, 'x').close()\n        os._exit(137)\n    \
         volumes.drop_replaced(where)\n    work.timer",
    );
    let undone = lab.json(&["undo", "--yes"]);
    assert!(lab.root.join(".lab/volumes/pra-backup/died").exists());
    assert_eq!(undone["restore"]["already"], true, "{undone}");
    assert_eq!(undone["restore"]["rows"], 3, "{undone}");
    assert_eq!(lab.curl("/count")["count"], 3);
    // The next one is another request.
    assert_eq!(lab.json(&["undo", "--yes"])["restore"]["already"], false);
    assert_eq!(lab.curl("/count")["count"], 2);
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
        "app/pra/journal/segments.py",
        "    size = max(SIZE,",
        "    raise OSError(5, 'Input/output error')\n    size = max(SIZE,",
    );
    let said = lab.fails(1, &["restore", "latest"]);
    assert!(said.contains("proving that writes are journaled"), "{said}");
    assert_eq!(lab.curl("/count")["count"], 1);
}

/// What a drill does with the lab is no reason to wait for a mere look at it.
#[test]
fn looking_at_points_and_journal_waits_for_nobody() {
    let lab = TestLab::new("looking");
    lab.json(&["add", "one"]);
    let lock = fs::File::open(lab.root.join(".lab/state/lock")).unwrap();
    lock.lock().unwrap();
    assert!(lab.json(&["restore", "--list"])["points"].is_array());
    let log = lab.json(&["restore", "--log"]);
    assert_eq!(log["transactions"][0]["added"], 1);
    lab.json(&["status"]);
    lock.unlock().unwrap();

    lab.json(&["teardown", "--yes"]);
    lock.lock().unwrap();
    let said = lab.fails(4, &["restore", "--list"]);
    assert!(said.contains("teardown` (process"), "{said}");
}

#[test]
fn a_database_that_cannot_be_read_is_replaced_only_after_a_yes() {
    let lab = TestLab::new("unreadable");
    lab.json(&["add", "one"]);
    lab.json(&["backup"]);
    lab.json(&[
        "local",
        "python",
        "import glob, os\nfor p in glob.glob(os.environ['PRA_DATA_DIR'] + '/g*/app.db*'):\n \
         size = os.path.getsize(p)\n open(p, 'r+b').write(b'x' * size)",
    ]);
    let said = lab.fails(2, &["restore", "latest"]);
    assert!(said.contains("cannot be compared"), "{said}");
    let restored = lab.json(&["restore", "latest", "--yes"]);
    assert_eq!(restored["restore"]["rows"], 1);
}
