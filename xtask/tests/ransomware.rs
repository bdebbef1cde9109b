//! Scenario 13: whoever has the lab's credentials takes all but what a bucket's lock keeps.

use crate::copies::messages;
use crate::offsite_store::has_store;
use crate::support;

use std::fs;
use std::process::Command;

use serde_json::json;
use support::{TestLab, copied};

fn lab_with_store(name: &str) -> TestLab {
    let lab = TestLab::new(name);
    lab.configure("to = \"off\"", "to = \"embedded\"");
    lab.json(&["offsite", "keygen"]);
    lab
}

#[test]
fn all_is_back_from_the_versions_that_a_lock_keeps() {
    if !has_store() {
        return;
    }
    let lab = lab_with_store("ransomware");
    lab.json(&["add", "from before"]);
    let shown = lab.xtask(&["scenario", "13", "--dry-run"]);
    let shell = String::from_utf8(shown.stdout.clone()).unwrap();
    assert!(shown.status.success(), "{}", support::said(&shown));
    let read = Command::new("sh").args(["-nc", &shell]).output().unwrap();
    assert!(read.status.success(), "{}", support::said(&read));
    assert!(shell.contains("--history \"${HISTORY:?}\""), "{shell}");
    let said = lab.fails(2, &["scenario", "ransomware"]);
    assert!(
        said.contains("but the versions that its lock keeps"),
        "{said}"
    );
    assert_eq!(messages(&lab), ["from before"]);

    let result = lab.json(&["scenario", "ransomware", "--yes"]);
    assert_eq!(result["passed"], true, "{result}");
    support::agreed(&lab, &result);
    assert!(support::present(&lab).contains("from before"));
    let figure = |part: &str, name: &str| result["attack"][part][name].as_u64().unwrap();
    assert!(figure("volumes", "files") > 10, "{result}");
    assert!(figure("volumes", "points") >= 1, "{result}");
    let objects = figure("copies", "objects");
    assert!(objects >= 5, "{result}");
    for all in ["overwritten", "removed"] {
        assert_eq!(figure("copies", all), objects, "{result}");
    }
    assert_eq!(figure("copies", "listed"), 0, "{result}");
    assert_eq!(figure("copies", "versions_removed"), 0, "{result}");
    let versions = figure("copies", "versions");
    assert_eq!(figure("copies", "versions_refused"), versions, "{result}");
    assert_eq!(figure("copies", "rules_changed"), 0, "{result}");
    assert!(result["rpo"]["seconds"].as_f64().unwrap() <= 10.0);
    let limit = &result["objectives"][0];
    assert_eq!(limit["limit"].as_f64(), Some(10.0), "{result}");
    let told = result["lessons"].to_string();
    assert!(told.contains("refused to remove"), "{told}");
    assert!(!told.contains("  "), "{told}");

    // Nothing of it was forgotten by what it came back as.
    copied(&lab);
    let listed = lab.json(&["offsite", "list"]);
    // What was deleted is told as well, since its versions are what came back.
    let mut hidden: Vec<bool> = Vec::new();
    for one in listed["histories"].as_array().unwrap() {
        hidden.push(one["hidden"].as_bool().unwrap());
    }
    hidden.sort_unstable();
    assert_eq!(hidden, [false, true], "{listed}");
    lab.json(&["teardown", "--copies", "--yes"]);
}

/// Cut off between the volumes and the rest, it leaves a lab that no restore can mend.
#[test]
fn a_lab_that_was_encrypted_when_somebody_presses_ctrl_c_is_built_around_its_copy() {
    if !has_store() {
        return;
    }
    let lab = lab_with_store("ransomware-interrupted");
    lab.json(&["add", "from before"]);
    let mut child = lab.spawn(&["scenario", "ransomware", "--yes"]);
    let note = lab.root.join(".lab/volumes/pra-data/READ-ME.txt");
    support::await_some("the volumes to be encrypted", || {
        note.exists().then_some(())
    });
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = fs::read_to_string(lab.root.join("spawned.log")).unwrap();
    assert!(
        text.contains("after it had encrypted the volumes"),
        "{text}"
    );
    assert!(text.contains("the lab was put back"), "{text}");
    let found = support::present(&lab);
    assert!(found.contains("from before") && found.len() > 60, "{text}");
    lab.json(&["teardown", "--copies", "--yes"]);
}

/// A database that nobody could ask may be a good one.
#[test]
fn a_lab_that_cannot_be_asked_is_not_taken_for_an_encrypted_one() {
    let lab = TestLab::new("ransomware-unasked");
    lab.json(&["add", "from before"]);
    let copy = lab.root.join("copy.tar");
    lab.json(&["export", copy.to_str().unwrap()]);
    lab.json(&["add", "not in the copy"]);
    let left = json!({"scenario": "ransomware", "since": "2026-12-01T00:00:00Z",
        "stage": "struck", "copy": copy});
    let mark = lab.root.join(".lab/state/unfinished-scenario-local.json");
    fs::write(&mark, left.to_string()).unwrap();
    let begins = "import sys\n";
    let fails = "import sys\nif 'dump' in sys.argv: sys.exit(4)\n";
    lab.edit("app/pra/__main__.py", begins, fails);
    let said = lab.fails(4, &["setup"]);
    assert!(said.contains("cannot be told"), "{said}");
    assert!(lab.root.join(".lab/volumes/pra-data/app.db").exists());
    lab.edit("app/pra/__main__.py", fails, begins);
    lab.json(&["setup"]);
    assert_eq!(messages(&lab), ["from before", "not in the copy"]);
}

/// Where the copies would not survive, nothing is broken, nor asked.
#[test]
fn what_would_not_come_back_is_refused_before_anything_is_broken() {
    let lab = TestLab::new("ransomware-refused");
    lab.json(&["add", "kept"]);
    let refused = |part: &str| {
        let said = lab.fails(2, &["scenario", "ransomware", "--yes"]);
        assert!(said.contains(part), "{said}");
        let said = lab.fails(2, &["drill", "ransomware", "--runs", "1", "--yes"]);
        assert!(said.contains(part), "{said}");
        assert_eq!(messages(&lab), ["kept"]);
    };
    refused("names no place for any");
    let listed = support::said(&lab.xtask(&["scenario", "--list"]));
    assert!(listed.contains("not possible here: ransomware"), "{listed}");
    let disk = lab.root.with_extension("disk");
    let _ = fs::remove_dir_all(&disk);
    fs::create_dir_all(&disk).unwrap();
    lab.configure("to = \"off\"", &format!("to = {disk:?}"));
    lab.json(&["offsite", "keygen"]);
    refused("nothing in the folder");
    lab.configure(&format!("to = {disk:?}"), "to = \"embedded\"");
    let key = lab.root.join(".lab/keys/offsite.key");
    fs::rename(&key, key.with_extension("away")).unwrap();
    refused("cargo xtask offsite keygen");
    let left = lab.root.join(".lab/state/unfinished-scenario-local.json");
    assert!(!left.exists());
    fs::remove_dir_all(&disk).unwrap();
}

/// A bucket of the same store, versioned and without a lock, loses everything to the lab.
#[test]
fn a_bucket_without_a_lock_is_refused_before_anything_is_broken() {
    if !has_store() {
        return;
    }
    let lab = lab_with_store("ransomware-unlocked");
    lab.json(&["add", "kept"]);
    let place = lab.json(&["status"])["offsite"]["place"].clone();
    let place = place.as_str().unwrap().to_owned();
    let owner = lab.root.join(".lab/offsite/owner.credentials");
    // The store is kept by another lab, since this one stops to run it.
    let other = TestLab::new("ransomware-unlocked-other");
    fs::create_dir_all(other.root.join(".lab/keys")).unwrap();
    let key = ".lab/keys/offsite.key";
    fs::copy(lab.root.join(key), other.root.join(key)).unwrap();
    let mut python = Command::new(lab.root.join(".lab/venv/bin/python"));
    python.env("AWS_SHARED_CREDENTIALS_FILE", &owner);
    let endpoint = place.rsplit_once("endpoint=").unwrap().1;
    let made = python.args(["-c", MAKE_BUCKET, endpoint]).output().unwrap();
    assert!(made.status.success(), "{}", support::said(&made));
    let place = place.replace("s3://copies", "s3://open");
    other.configure("to = \"off\"", &format!("to = {place:?}"));
    other.configure("credentials = \"\"", &format!("credentials = {owner:?}"));
    other.json(&["add", "kept too"]);
    let said = other.fails(2, &["scenario", "ransomware", "--yes"]);
    assert!(
        said.contains("nothing was broken: the bucket has no object lock"),
        "{said}"
    );
    assert_eq!(messages(&other), ["kept too"]);
    assert_eq!(
        other.json(&["offsite", "list"])["histories"][0]["points"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    other.json(&["teardown", "--yes"]);
    lab.json(&["teardown", "--copies", "--yes"]);
}

const MAKE_BUCKET: &str = r#"
import sys, boto3
from botocore.config import Config
options = Config(s3={"addressing_style": "path"})
store = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", config=options)
store.create_bucket(Bucket="open")
"#;
