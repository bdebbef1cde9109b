//! Encrypted copies elsewhere, as `cargo xtask offsite` makes, reads and proves them.

use crate::copies::messages;
use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{TestLab, copied};

/// A folder beside the lab, which stands for a disk, as the place of its copies.
pub(crate) fn disk(lab: &TestLab) -> PathBuf {
    let disk = lab.root.with_extension("disk");
    // Of an earlier run that was killed.
    let _ = fs::remove_dir_all(&disk);
    fs::create_dir_all(&disk).unwrap();
    lab.configure("to = \"off\"", &format!("to = {disk:?}"));
    disk
}

/// The processes that copy, by their numbers.
fn shippers(lab: &TestLab) -> Vec<String> {
    let all = lab.processes();
    let ours = all.iter().filter(|one| one.contains("offsite ship"));
    ours.map(|one| one.split_whitespace().next().unwrap().to_owned())
        .collect()
}

fn keep_key(from: &TestLab, to: &TestLab) {
    let key = ".lab/keys/offsite.key";
    fs::create_dir_all(to.root.join(".lab/keys")).unwrap();
    fs::copy(from.root.join(key), to.root.join(key)).unwrap();
}

/// Every file below a folder, by its path.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn a_key_is_made_once_and_outlives_the_lab() {
    let lab = TestLab::new("offsite-key");
    let made = lab.json(&["offsite", "keygen"]);
    assert_eq!(made["status"], "made");
    let key = lab.root.join(".lab/keys/offsite.key");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key), mode(key.parent().unwrap())), (0o600, 0o700));
    let before = fs::read_to_string(&key).unwrap();
    assert!(before.contains("AGE-SECRET-KEY-1"));
    let public = made["public"].as_str().unwrap();
    assert!(public.starts_with("age1"), "{public}");

    let again = lab.json(&["offsite", "keygen"]);
    assert_eq!(
        (&again["status"], &again["public"]),
        (&"kept".into(), &public.into())
    );
    let said = support::said(&lab.xtask(&["offsite", "keygen"]));
    assert!(
        said.contains(public) && !said.contains("AGE-SECRET"),
        "{said}"
    );
    lab.json(&["add", "kept"]);
    lab.json(&["teardown", "--yes"]);
    assert_eq!(fs::read_to_string(&key).unwrap(), before);
}

#[test]
fn what_is_pushed_into_a_folder_is_listed_and_proven_and_its_damage_told() {
    let lab = TestLab::new("offsite-folder");
    let said = lab.fails(2, &["offsite", "list"]);
    assert!(said.contains("names no place"), "{said}");
    let disk = disk(&lab);
    let said = lab.fails(2, &["offsite", "push"]);
    assert!(said.contains("next: cargo xtask offsite keygen"), "{said}");
    lab.json(&["offsite", "keygen"]);
    let nothing = serde_json::json!([]);
    assert_eq!(lab.json(&["offsite", "list"])["histories"], nothing);
    lab.json(&["add", "the first secret message"]);
    lab.json(&["backup"]);
    lab.json(&["add", "the second secret message"]);
    let pushed = lab.json(&["offsite", "push"]);
    assert_eq!(pushed["status"], "pushed", "{pushed}");
    assert_eq!(pushed["points"].as_array().unwrap().len(), 1);
    // What is there already is not sent again, and the lab's own copying has no more to do.
    copied(&lab);
    assert_eq!(lab.json(&["offsite", "push"])["objects"], 0);

    let listed = lab.json(&["offsite", "list"]);
    assert_eq!(listed["histories"][0]["points"][0], pushed["points"][0]);
    let objects = files(&disk);
    assert!(objects.len() > 3, "{objects:?}");
    for file in &objects {
        let content = fs::read(file).unwrap();
        let message = b"secret message";
        let readable = content.windows(message.len()).any(|part| part == message);
        assert!(!readable, "{} is not encrypted", file.display());
    }
    let verified = lab.json(&["offsite", "verify", "--all"]);
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["latest"]["rows"], 2);

    // Another key, none at all, one flipped bit.
    let other = lab.root.join("other.key");
    let key = lab.root.join(".lab/keys/offsite.key");
    fs::rename(&key, &other).unwrap();
    let said = lab.fails(2, &["offsite", "verify"]);
    assert!(said.contains("--identity FILE"), "{said}");
    fs::remove_file(key.with_extension("pub")).unwrap();
    lab.json(&["offsite", "keygen"]);
    let said = lab.fails(1, &["offsite", "verify"]);
    assert!(said.contains("encrypted for another key"), "{said}");
    let identity = other.to_str().unwrap();
    lab.json(&["offsite", "verify", "--identity", identity]);
    let chunk = objects
        .iter()
        .find(|file| file.to_string_lossy().contains("/chunks/"));
    let chunk = chunk.unwrap();
    let mut content = fs::read(chunk).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(chunk, content).unwrap();
    let said = lab.fails(1, &["offsite", "verify", "--all", "--identity", identity]);
    let name = chunk.file_name().unwrap().to_string_lossy();
    assert!(said.contains("damaged") && said.contains(&*name), "{said}");

    // A disk that is not mounted is no new place.
    fs::rename(&disk, disk.with_extension("away")).unwrap();
    let said = lab.fails(2, &["offsite", "push"]);
    assert!(said.contains("mount the disk"), "{said}");
    assert!(!disk.exists());
    fs::remove_dir_all(disk.with_extension("away")).unwrap();
}

#[test]
fn a_place_that_is_none_is_refused_without_repeating_it() {
    let lab = TestLab::bare("offsite-wrong");
    lab.configure("to = \"off\"", "to = \"s3://me:hidden@bucket\"");
    let said = lab.fails(2, &["offsite", "list"]);
    assert!(
        said.contains("lab.toml, line ") && said.contains("offsite.to"),
        "{said}"
    );
    assert!(!said.contains("hidden"), "{said}");
}

/// With the copies and the key, and nothing else of the lab that was lost.
#[test]
fn a_lab_copies_by_itself_and_comes_back_on_another_machine() {
    let lab = TestLab::new("offsite-ship");
    let disk = disk(&lab);
    let said = lab.fails(2, &["setup"]);
    assert!(said.contains("next: cargo xtask offsite keygen"), "{said}");
    assert!(!lab.root.join(".lab/volumes").exists(), "nothing was begun");
    lab.json(&["offsite", "keygen"]);
    lab.json(&["add", "one"]);
    copied(&lab);
    let between = lab.json(&["add", "two"])["timestamp"].clone();
    copied(&lab);
    let shipping = lab.json(&["status"])["offsite"].clone();
    assert_eq!(shipping["place"], disk.to_str().unwrap());
    assert_eq!(shipping["running"], true, "{shipping}");
    let shown = support::said(&lab.xtask(&["status"]));
    assert!(
        shown.contains("copies elsewhere") && shown.contains(" s behind"),
        "{shown}"
    );

    // Killed, it goes on; and it is the only one.
    let first = shippers(&lab);
    assert_eq!(first.len(), 1, "{first:?}");
    let killed = Command::new("kill").args(["-9", &first[0]]).status();
    assert!(killed.unwrap().success());
    lab.json(&["add", "three"]);
    copied(&lab);
    let second = shippers(&lab);
    assert!(second.len() == 1 && second != first, "{second:?}");
    lab.json(&["teardown", "--yes"]);
    assert_eq!(shippers(&lab), [""; 0]);
    assert!(!lab.root.join(".lab/volumes").exists());

    let other = TestLab::new("offsite-other-machine");
    other.configure("to = \"off\"", &format!("to = {disk:?}"));
    let said = other.fails(2, &["adopt", "offsite:latest"]);
    assert!(said.contains("--identity FILE"), "{said}");
    keep_key(&lab, &other);
    let adopted = other.json(&["adopt", "offsite:latest"]);
    assert_eq!(adopted["adopted"]["rows"], 3, "{adopted}");
    assert_eq!(adopted["adopted"]["safety_point"], Value::Null);
    assert_eq!(messages(&other), ["one", "two", "three"]);
    // Nobody finds the database in clear afterwards.
    let left = fs::read_dir(other.root.join(".lab")).unwrap();
    let parts = left.filter(|one| {
        let name = one.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".part")
    });
    assert_eq!(parts.count(), 0);

    // The new lab copies too, under a name of its own.
    other.json(&["add", "four"]);
    copied(&other);
    let history = other.json(&["offsite", "push"])["history"].clone();
    let listed = other.json(&["offsite", "list"]);
    assert_eq!(listed["histories"].as_array().unwrap().len(), 2, "{listed}");
    let said = other.fails(2, &["adopt", "offsite:latest"]);
    assert!(said.contains("several histories"), "{said}");
    let all = listed["histories"].as_array().unwrap().iter();
    let mut others = all.filter(|one| one["history"] != history);
    let first = others.next().unwrap()["history"]
        .as_str()
        .unwrap()
        .to_owned();
    let moment = between.as_str().unwrap();
    let adopt = [
        "adopt",
        "offsite:latest",
        "--history",
        &first,
        "--to",
        moment,
    ];
    let said = other.fails(2, &adopt);
    assert!(said.contains("would be lost"), "{said}");
    let adopted = other.json(&[&adopt[..], &["--yes"]].concat());
    assert!(adopted["adopted"]["safety_point"].is_string(), "{adopted}");
    assert_eq!(messages(&other), ["one", "two"]);
    let said = other.fails(2, &["adopt", "offsite:app-1.db", "--to", moment]);
    assert!(said.contains("offsite:latest alone"), "{said}");

    // Turned off, nothing copies any more, and what is there stays.
    other.configure(&format!("to = {disk:?}"), "to = \"off\"");
    other.json(&["setup"]);
    support::await_some("the copying to end", || {
        shippers(&other).is_empty().then_some(())
    });
    assert_eq!(other.json(&["status"])["offsite"], Value::Null);
    assert!(!files(&disk).is_empty());
    fs::remove_dir_all(&disk).unwrap();
}

/// By the rules of the lab, and not without somebody's yes.
#[test]
fn copies_that_are_not_kept_any_more_go() {
    let lab = TestLab::new("offsite-prune");
    let disk = disk(&lab);
    lab.json(&["offsite", "keygen"]);
    for number in 0..4 {
        lab.json(&["add", &number.to_string()]);
        lab.json(&["backup"]);
        lab.json(&["offsite", "push"]);
    }
    let points = |lab: &TestLab| {
        let listed = lab.json(&["offsite", "list"]);
        listed["histories"][0]["points"].as_array().unwrap().len()
    };
    let before = points(&lab);
    assert!(before >= 4, "{before}");
    let nothing = lab.json(&["offsite", "prune"]);
    assert_eq!(nothing["points"], serde_json::json!([]), "{nothing}");
    // As it is declared, whatever runs.
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_KEEP_LAST: \"60\"",
        "PRA_KEEP_LAST: \"2\"",
    );
    let shown = lab.xtask(&["offsite", "prune", "--dry-run"]);
    let shell = String::from_utf8(shown.stdout.clone()).unwrap();
    assert!(shown.status.success(), "{}", support::said(&shown));
    assert!(
        shell.contains("-m pra offsite prune") && shell.contains("PRA_KEEP_LAST=2"),
        "{shell}"
    );
    let said = lab.fails(2, &["offsite", "prune"]);
    assert!(said.contains("This removes copies in"), "{said}");
    assert_eq!(points(&lab), before);
    let pruned = lab.json(&["offsite", "prune", "--yes"]);
    assert_eq!(
        pruned["points"].as_array().unwrap().len(),
        before - 2,
        "{pruned}"
    );
    assert_eq!(points(&lab), 2);
    let sampled = lab.json(&["offsite", "verify", "--sample", "3"]);
    assert_eq!(sampled["latest"]["rows"], 4, "{sampled}");
    assert!(sampled["proven"].as_f64().unwrap() > 0.0, "{sampled}");
    let said = support::said(&lab.xtask(&["offsite", "verify", "--sample", "0"]));
    assert!(said.contains("is noted beside the copies"), "{said}");
    let torn = support::said(&lab.xtask(&["teardown", "--yes"]));
    assert!(
        torn.contains(&format!("stay in {}", disk.display())),
        "{torn}"
    );
    fs::remove_dir_all(&disk).unwrap();
}

/// What a cluster loss costs a lab that copies: no more than what it said it was behind.
#[test]
fn everything_gone_but_copies_elsewhere() {
    let lab = TestLab::new("offsite-cluster-loss");
    let disk = disk(&lab);
    lab.json(&["offsite", "keygen"]);
    for turn in 0..2 {
        let result = lab.json(&["scenario", "cluster-loss", "--yes"]);
        assert_eq!(result["passed"], true, "{turn}: {result}");
        support::agreed(&lab, &result);
        let lost = result["rpo"]["seconds"].as_f64().unwrap();
        assert!(lost <= 10.0, "{result}");
        let limit = &result["objectives"][0];
        assert_eq!(
            (&limit["name"], limit["limit"].as_f64()),
            (&"rpo_seconds".into(), Some(10.0))
        );
        let told = result["lessons"].to_string();
        assert!(told.contains("the copies elsewhere were"), "{told}");
        // Not from the file that was exported before the disaster, which lacks more.
        let run = lab.root.join(result["run"].as_str().unwrap());
        assert!(run.join("elsewhere.tar").is_file() && run.join("copy.tar").is_file());
    }
    // Where the key is kept elsewhere, nothing is broken that could not come back.
    let key = lab.root.join(".lab/keys/offsite.key");
    let kept = lab.root.join("kept.key");
    fs::rename(&key, &kept).unwrap();
    let text = fs::read_to_string(&kept).unwrap();
    let public = text
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "));
    let recipients = format!("recipients = [{:?}]", public.unwrap());
    lab.configure("recipients = []", &recipients);
    for scenario in ["cluster-loss", "both-volumes-loss"] {
        let said = lab.fails(2, &["scenario", scenario, "--yes"]);
        assert!(said.contains("private key"), "{said}");
    }
    fs::rename(&kept, &key).unwrap();
    lab.configure(&recipients, "recipients = []");
    // Each lab has copies of its own there.
    copied(&lab);
    let listed = lab.json(&["offsite", "list"]);
    assert_eq!(listed["histories"].as_array().unwrap().len(), 3, "{listed}");
    lab.json(&["teardown", "--yes"]);
    fs::remove_dir_all(&disk).unwrap();
}

/// A lab that says that it is hardly behind, and is, does not pass.
#[test]
fn copies_that_lack_what_they_promise_break_the_promise() {
    let lab = TestLab::new("offsite-promise");
    let disk = disk(&lab);
    lab.json(&["offsite", "keygen"]);
    lab.configure("rpo_seconds = 10", "rpo_seconds = 80000");
    // What is written after the first copy stays behind, and nobody says so.
    lab.edit(
        "app/pra/state/copied.py",
        "lag = round(clock.now() - self.covered, 3)",
        "lag = 0.0",
    );
    let seconds = "PRA_OFFSITE_SECONDS: \"5\"";
    lab.edit(
        "k8s/05-config.yaml",
        seconds,
        "PRA_OFFSITE_SECONDS: \"80000\"",
    );
    let said = lab.fails(1, &["scenario", "cluster-loss", "--yes"]);
    assert!(said.contains("were said to be no further behind"), "{said}");
    lab.json(&["teardown", "--yes"]);
    fs::remove_dir_all(&disk).unwrap();
}
