//! Copies elsewhere while their disk or their key is somewhere else.

use crate::copies::messages;
use crate::offsite::disk;
use crate::support;

use std::fs;

use support::{TestLab, copied, said};

/// What was kept apart is not replaced by another one.
#[test]
fn a_key_that_is_kept_elsewhere_stays_the_one_that_copies_are_made_for() {
    let lab = TestLab::new("offsite-key-away");
    let public = lab.json(&["offsite", "keygen"])["public"].clone();
    let key = lab.root.join(".lab/keys/offsite.key");
    fs::rename(&key, lab.root.join("stick")).unwrap();
    let again = lab.json(&["offsite", "keygen"]);
    assert_eq!(again["status"], "kept-elsewhere");
    assert_eq!(again["public"], public);
    let said = support::said(&lab.xtask(&["offsite", "keygen"]));
    assert!(said.contains("no longer in"), "{said}");
    assert!(!key.exists());

    disk(&lab);
    lab.json(&["add", "kept"]);
    copied(&lab);
    let stick = lab.root.join("stick");
    let verify = ["offsite", "verify", "--identity", stick.to_str().unwrap()];
    assert_eq!(lab.json(&verify)["ok"], true);

    // Lost, it is made anew where somebody says so.
    fs::remove_file(key.with_extension("pub")).unwrap();
    let other = lab.json(&["offsite", "keygen"]);
    assert_eq!(other["status"], "made");
    assert_ne!(other["public"], public);
}

/// Not for want of a disk is a lab left down.
#[test]
fn a_lab_whose_disk_is_away_comes_up_and_says_that_nothing_is_copied() {
    let lab = TestLab::new("offsite-disk-away");
    let (disk, away) = (disk(&lab), lab.root.join("away"));
    lab.json(&["offsite", "keygen"]);
    lab.json(&["add", "one"]);
    copied(&lab);
    fs::rename(&disk, &away).unwrap();
    lab.json(&["setup"]);
    lab.json(&["restore", "latest", "--yes"]);
    lab.json(&["add", "two"]);
    support::await_some("status to say that nothing is copied", || {
        let said = support::said(&lab.xtask(&["status"]));
        said.contains("not there").then_some(())
    });
    let said = lab.fails(2, &["offsite", "push"]);
    assert!(said.contains("mount the disk"), "{said}");
    assert!(!disk.exists(), "nobody makes what is not mounted");
    fs::rename(&away, &disk).unwrap();
    copied(&lab);
    assert_eq!(messages(&lab), ["one", "two"]);

    // A lab that begins to copy there is refused.
    lab.json(&["teardown", "--yes"]);
    fs::rename(&disk, &away).unwrap();
    let said = lab.fails(2, &["setup"]);
    assert!(said.contains("mount the disk"), "{said}");
}

/// What a bucket has would be read by nobody if each half of it were for another key.
#[test]
fn other_recipients_are_refused_until_somebody_begins_anew() {
    let lab = TestLab::new("offsite-recipients");
    disk(&lab);
    let first = lab.json(&["offsite", "keygen"])["public"].clone();
    lab.json(&["add", "one"]);
    copied(&lab);
    let keys = lab.root.join(".lab/keys");
    fs::rename(&keys, lab.root.join("first-keys")).unwrap();
    lab.json(&["offsite", "keygen"]);
    lab.json(&["setup"]);
    lab.json(&["add", "two"]);
    support::await_some("status to say that nothing is copied", || {
        let said = support::said(&lab.xtask(&["status"]));
        said.contains("FAILING").then_some(())
    });
    let said = lab.fails(1, &["offsite", "push"]);
    assert!(
        said.contains("for other keys than recipients of [offsite]"),
        "{said}"
    );
    assert!(said.contains("cargo xtask offsite push --anew"), "{said}");
    lab.configure("recipients = []", &format!("recipients = [{first}]"));
    lab.json(&["setup"]);
    copied(&lab);
    let key = lab.root.join("first-keys/offsite.key");
    let verify = ["offsite", "verify", "--identity", key.to_str().unwrap()];
    assert_eq!(lab.json(&verify)["latest"]["rows"], 2);
}

/// With the disk and a key on a stick, and nothing else.
#[test]
fn whoever_adopts_with_a_key_of_their_own_has_copies_made_for_it() {
    let lab = TestLab::new("offsite-stick");
    let disk = disk(&lab);
    let public = lab.json(&["offsite", "keygen"])["public"].clone();
    // An earlier version kept the private half alone.
    let kept = lab.root.join(".lab/keys/offsite.pub");
    fs::remove_file(&kept).unwrap();
    lab.json(&["add", "one"]);
    assert!(kept.exists(), "the private one may be moved now");
    copied(&lab);
    let own = lab.json(&["offsite", "list"])["histories"][0].clone();
    assert_eq!(own["own"], true, "{own}");
    let key = lab.root.join(".lab/keys/offsite.key");
    let key = key.to_str().unwrap();

    let other = TestLab::new("offsite-stick-other");
    let said = other.fails(2, &["offsite", "push"]);
    assert!(said.contains("names no place"), "{said}");
    assert!(
        !other.root.join(".lab/volumes").exists(),
        "nothing was begun"
    );
    other.configure("to = \"off\"", &format!("to = {disk:?}"));
    let adopt = ["adopt", "offsite:latest", "--identity", key];
    let planned = other.json(&[&adopt[..], &["--plan"]].concat());
    assert_eq!(planned["rows"], 1, "{planned}");
    assert!(
        !other.root.join(".lab/volumes").exists(),
        "nothing was begun"
    );
    let proofs = disk.join(own["history"].as_str().unwrap()).join("proofs");
    let proofs = || fs::read_dir(&proofs).map_or(0, Iterator::count);
    let before = proofs();
    other.xtask(&["offsite", "verify", "--identity", key, "--dry-run"]);
    assert_eq!(proofs(), before, "a dry run proves nothing");
    other.json(&["offsite", "verify", "--identity", key]);
    assert_eq!(proofs(), before + 1, "and a run does");
    let said = other.fails(2, &["adopt", "offsite:app-1.db", "--identity", key]);
    assert!(said.contains("cargo xtask offsite list"), "{said}");
    other.json(&adopt);
    let kept = other.json(&["offsite", "keygen"]);
    assert_eq!(kept["status"], "kept-elsewhere");
    assert_eq!(kept["public"], public);
    copied(&other);
    assert_eq!(messages(&other), ["one"]);
}

/// What copies all the time and who pushes by hand do it for the same keys, or not at all.
#[test]
fn with_other_keys_nothing_is_added_and_what_is_begun_anew_each_of_them_opens() {
    let lab = TestLab::new("offsite-keys");
    disk(&lab);
    let own = lab.json(&["offsite", "keygen"])["public"].clone();
    lab.json(&["add", "one"]);
    copied(&lab);
    let holder = TestLab::new("offsite-keys-holder");
    let other = holder.json(&["offsite", "keygen"])["public"].clone();
    lab.configure("recipients = []", &format!("recipients = [{own}, {other}]"));
    let refused = said(&lab.xtask(&["offsite", "push"]));
    assert!(refused.contains("other keys"), "{refused}");
    let begun = lab.json(&["offsite", "push", "--anew"])["history"].clone();
    lab.json(&["add", "two"]);
    copied(&lab);
    for root in [&lab.root, &holder.root] {
        let key = root.join(".lab/keys/offsite.key");
        let words = ["offsite", "verify", "--history", begun.as_str().unwrap()];
        let verified = lab.json(&[&words[..], &["--identity", key.to_str().unwrap()]].concat());
        assert_eq!(verified["latest"]["rows"], 2, "{verified}");
    }
}
