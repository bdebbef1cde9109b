//! `export` and `adopt`: a copy outside the lab.

use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::TestLab;

/// A file beside the lab: its folder may go.
fn beside(lab: &TestLab, name: &str) -> PathBuf {
    let path = lab.root.with_extension(name);
    // Of an earlier run that was killed.
    let _ = fs::remove_file(&path);
    path
}

/// What takes a copy in, and the same with time to be cut off.
pub(crate) const SLOWLY: (&str, &str) = (
    "for piece in copy.database():",
    "__import__('time').sleep(60)\n        for piece in copy.database():",
);

pub(crate) fn messages(lab: &TestLab) -> Vec<String> {
    let rows = lab.curl("/consultation");
    let messages = rows.as_array().unwrap().iter();
    let mut found: Vec<String> = messages
        .map(|row| row["message"].as_str().unwrap().to_owned())
        .collect();
    found.reverse();
    found
}

fn sha256(path: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

pub(crate) fn interrupt(child: &mut std::process::Child) -> Option<i32> {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    child.wait().unwrap().code()
}

#[test]
fn a_copy_outlives_the_lab_and_comes_back_to_a_new_one() {
    let lab = TestLab::new("copies");
    for message in ["one", "two", "three"] {
        lab.json(&["add", message]);
    }
    let file = beside(&lab, "tar");
    let name = file.to_str().unwrap();
    let exported = lab.json(&["export", name]);
    assert_eq!(exported["status"], "exported");
    assert_eq!(exported["rows"], 3);
    assert_eq!(exported["sha256"], sha256(&file).as_str());
    let found = fs::metadata(&file).unwrap();
    assert_eq!(exported["bytes"], found.len());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    // Anybody's tar can read it.
    let listed = Command::new("tar").args(["tf", name]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed, "manifest.json\napp.db\n");

    lab.json(&["add", "after the copy"]);
    lab.json(&["teardown", "--yes"]);
    assert!(!lab.root.join(".lab/volumes").exists());

    let adopted = lab.json(&["adopt", name]);
    assert_eq!(adopted["adopted"]["rows"], 3);
    // Nobody could write to an empty database before the copy was there.
    assert_eq!(adopted["adopted"]["safety_point"], Value::Null);
    assert_eq!(adopted["backup"]["point"]["status"], "verified");
    assert_eq!(messages(&lab), ["one", "two", "three"]);
    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["unprotected"], Value::Null);
    assert_eq!(status["facts"]["wanted"], 2);
    assert!(!lab.root.join(".lab/state/k8s-local").exists());

    // Protected for real: the volume goes, and everything comes back.
    let added = lab.json(&["add", "on the new lab"]);
    assert_eq!(added["id"], 4);
    let result = lab.json(&["scenario", "volume-loss"]);
    assert_eq!(result["rpo"]["lost"], 0, "{result}");
    support::agreed(&lab, &result);
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_copy_takes_the_place_of_what_is_there_only_after_a_yes() {
    let lab = TestLab::new("copies-in-place");
    lab.json(&["add", "kept"]);
    let file = beside(&lab, "tar");
    let name = file.to_str().unwrap();
    lab.json(&["export", name]);
    let told = support::said(&lab.xtask(&["adopt", name, "--plan"]));
    assert!(
        told.contains("No row that is there now would be lost"),
        "{told}"
    );
    assert!(!told.contains("Transactions left behind"), "{told}");
    // Nothing would be lost, so nothing is asked.
    lab.json(&["adopt", name]);

    lab.json(&["add", "later"]);
    let plan = lab.json(&["adopt", name, "--plan"]);
    assert_eq!((&plan["lost"], &plan["gained"]), (&1.into(), &0.into()));
    let told = support::said(&lab.xtask(&["adopt", name, "--plan"]));
    let left = &plan["left_behind"];
    assert_eq!(
        (&left["transactions"], &left["first_seq"]),
        (&1.into(), &left["last_seq"])
    );
    let named = format!(
        "Transactions left behind: 1 (transaction {});",
        left["first_seq"]
    );
    assert!(told.contains(&named), "{told}");
    let said = lab.fails(2, &["adopt", name]);
    assert!(said.contains("1 would be lost"), "{said}");
    assert_eq!(messages(&lab), ["kept", "later"]);

    let adopted = lab.json(&["adopt", name, "--yes"]);
    assert!(adopted["adopted"]["safety_point"].is_string(), "{adopted}");
    assert_eq!(messages(&lab), ["kept"]);
    lab.json(&["undo"]);
    assert_eq!(messages(&lab), ["kept", "later"]);

    // An older copy is not written over by accident.
    let before = fs::read(&file).unwrap();
    let said = lab.fails(2, &["export", name]);
    assert!(said.contains("would be replaced"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(lab.json(&["export", name, "--yes"])["rows"], 2);

    // A damaged one is a broken promise, and so is a database that is gone.
    let mut damaged = fs::read(&file).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, damaged).unwrap();
    for command in [&["adopt", name][..], &["adopt", name, "--plan"]] {
        lab.fails(1, command);
    }
    assert_eq!(messages(&lab), ["kept", "later"]);
    fs::remove_file(lab.root.join(".lab/volumes/pra-data/app.db")).unwrap();
    let said = lab.fails(1, &["export", name, "--yes"]);
    assert!(said.contains("app.db is gone"), "{said}");
    assert!(said.contains("or cargo xtask restore latest"), "{said}");
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_copy_that_is_not_whole_is_refused_before_anything_is_touched() {
    let lab = TestLab::bare("copies-damaged");
    let file = beside(&lab, "tar");
    let name = file.to_str().unwrap();
    let said = lab.fails(2, &["adopt", name]);
    assert!(said.contains("No such file"), "{said}");
    for (content, code, words) in [
        (&b"hello"[..], 2, "no file that export wrote"),
        (b"", 2, "no file that export wrote"),
        (b"manifest.json\0", 1, "cut off"),
    ] {
        fs::write(&file, content).unwrap();
        let said = lab.fails(code, &["adopt", name]);
        assert!(said.contains(words), "{said}");
    }
    let said = lab.fails(2, &["adopt", lab.root.to_str().unwrap()]);
    assert!(said.contains("is not a file"), "{said}");
    assert!(
        !lab.root.join(".lab/volumes").exists(),
        "no lab was brought up"
    );
    fs::remove_file(&file).unwrap();
}

#[test]
fn where_no_copy_can_be_written_none_is_begun() {
    let lab = TestLab::bare("copies-nowhere");
    let nowhere = lab.root.join("no/such/folder/copy.tar");
    let said = lab.fails(2, &["export", nowhere.to_str().unwrap()]);
    assert!(said.contains("mkdir -p"), "{said}");
    let said = lab.fails(2, &["export", lab.root.to_str().unwrap()]);
    assert!(said.contains("is a folder"), "{said}");
    assert!(!lab.root.join(".lab/volumes").exists());
}

/// No half file ever has the name of a copy.
#[test]
fn an_export_that_does_not_end_well_leaves_no_file() {
    let lab = TestLab::new("copies-cut-off");
    lab.json(&["add", "kept"]);
    let folder = lab.root.join("kept");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("copy.tar");
    // Of a name that nobody else would use, in the same folder.
    let begun = || {
        let all = fs::read_dir(file.parent().unwrap()).unwrap();
        let all = all.map(|entry| entry.unwrap());
        let ours = |name: &str| name.starts_with(".atelier-pra-") && name.ends_with(".part");
        let mut parts = all.filter(|entry| ours(&entry.file_name().to_string_lossy()));
        parts.any(|part| part.metadata().is_ok_and(|found| found.len() > 0))
    };
    let name = file.to_str().unwrap();

    let writes = "out.write(_header(_DATABASE, content[\"bytes\"], content))";
    let slowly = "out.flush(); import time; time.sleep(60)";
    lab.edit("app/pra/points/archive.py", writes, slowly);
    let mut export = lab.spawn(&["export", name]);
    support::await_some("the copy to begin", || begun().then_some(()));
    assert!(!file.exists());
    assert_eq!(interrupt(&mut export), Some(130));
    assert!(!file.exists() && !begun());

    // It ends without an error, and yet not whole: reading it back finds that.
    lab.edit("app/pra/points/archive.py", slowly, "return");
    let said = lab.fails(1, &["export", name]);
    assert!(said.contains("cut off"), "{said}");
    assert!(!file.exists() && !begun());

    lab.edit(
        "app/pra/points/archive.py",
        "return\n    digest",
        &format!("{writes}\n    digest"),
    );
    assert_eq!(lab.json(&["export", name])["rows"], 1);
    fs::remove_file(&file).unwrap();
}

/// Cut off between building the lab and having the data: the same command again.
#[test]
fn an_adoption_that_was_cut_off_is_carried_on() {
    let lab = TestLab::new("copies-again");
    lab.json(&["add", "kept"]);
    let file = beside(&lab, "tar");
    let name = file.to_str().unwrap();
    lab.json(&["export", name]);
    lab.json(&["teardown", "--yes"]);

    let (reads, slowly) = SLOWLY;
    lab.edit("app/pra/recovery/copied.py", reads, slowly);
    let mut adopt = lab.spawn(&["adopt", name]);
    support::await_some("the copy to be taken in", || {
        let begun = lab.root.join(".lab/volumes/pra-data/new-g1").exists();
        begun.then_some(())
    });
    assert_eq!(interrupt(&mut adopt), Some(130));
    lab.edit("app/pra/recovery/copied.py", slowly, reads);
    lab.json(&["adopt", name]);
    assert_eq!(messages(&lab), ["kept"]);
    assert_eq!(lab.json(&["status"])["facts"]["wanted"], 2);
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_dry_run_of_both_can_be_pasted() {
    let lab = TestLab::new("copies-pasted");
    lab.json(&["add", "kept"]);
    let file = beside(&lab, "tar");
    let name = file.to_str().unwrap();
    let shell = |args: &[&str]| {
        let output = lab.xtask(&[args, &["--dry-run"]].concat());
        let said = support::said(&output);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let paste = |shell: &str| {
        let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
        let shell = shell.replace("cargo xtask", xtask);
        let mut pasted = Command::new("sh");
        pasted.args(["-exc", &shell]).env("ATELIER_ROOT", &lab.root);
        pasted.current_dir(&lab.root);
        let output = pasted.output().unwrap();
        assert!(output.status.success(), "{}", support::said(&output));
    };
    let export = shell(&["export", name]);
    assert!(!file.exists(), "a dry run wrote a file");
    paste(&export);
    lab.json(&["add", "later"]);
    let adopt = shell(&["adopt", name]);
    assert_eq!(lab.curl("/count")["count"], 2);
    paste(&adopt);
    assert_eq!(messages(&lab), ["kept"]);
    fs::remove_file(&file).unwrap();
}
