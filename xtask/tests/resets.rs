//! `reset`: the lab as after `setup`, whatever it held, and whenever it was cut off.

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::{Value, json};
use support::{TestLab, await_some, said};

/// No backup by itself while a test looks.
fn quiet(lab: &TestLab) {
    lab.edit("k8s/40-cronjob-backup.yaml", "* * * * *", "0 0 29 2 *");
}

/// A lab with rows, a point and a history of two timelines.
fn used(name: &str) -> TestLab {
    let lab = TestLab::new(name);
    quiet(&lab);
    lab.json(&["add", "one"]);
    lab.json(&["add", "two"]);
    lab.json(&["restore", "latest", "--yes"]);
    lab
}

fn check_as_after_setup(lab: &TestLab) {
    assert!(!mark(lab).exists());
    let status = lab.json(&["status"]);
    let (facts, app) = (&status["facts"], &status["application"]);
    assert_eq!(status["left_half_way"], Value::Null);
    assert_eq!(facts["pods"].as_array().unwrap().len(), 2, "{facts}");
    assert_eq!(facts["suspended"], false);
    assert_eq!(facts["jobs"], json!([]));
    assert_eq!((&app["count"], &app["points"]), (&json!(0), &json!(0)));
    assert_eq!(app["notices"], json!([]));
    let log = lab.json(&["restore", "--log"]);
    assert_eq!(log["transactions"], json!([]), "{log}");
    let added = lab.json(&["add", "the first row"]);
    assert_eq!(added["id"], 1, "ids begin anew");
    let log = lab.json(&["restore", "--log"]);
    assert_eq!(log["transactions"][0]["timeline"], 1, "{log}");
    assert_eq!(lab.json(&["backup"])["point"]["status"], "verified");
}

fn mark(lab: &TestLab) -> PathBuf {
    lab.root.join(".lab/state/unfinished-reset-local.json")
}

/// How far a reset came; `None` where no mark is there.
fn stage(lab: &TestLab) -> Option<String> {
    let text = fs::read_to_string(mark(lab)).ok()?;
    let mark: Value = serde_json::from_str(&text).unwrap();
    Some(mark["stage"].as_str().unwrap().to_owned())
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_lab_that_was_used_is_as_after_setup() {
    let lab = used("reset");
    let before = lab.json(&["status"]);
    let run = fs::read_dir(lab.root.join(".lab/runs")).unwrap().count();
    let done = lab.json(&["reset", "--yes"]);
    let held = &before["application"];
    assert_eq!(done["deleted"]["rows"], 2);
    assert!(done["deleted"]["points"].as_u64() >= held["points"].as_u64());
    let url = &before["facts"]["url"];
    assert_eq!(&done["url"], url, "the place is the same");
    check_as_after_setup(&lab);
    let runs = fs::read_dir(lab.root.join(".lab/runs")).unwrap().count();
    assert_eq!(runs, run, "results stay");
}

#[test]
fn it_says_what_goes_and_does_nothing_without_a_yes() {
    let lab = used("reset-asks");
    let said = lab.fails(2, &["reset"]);
    assert!(said.contains("This deletes 2 rows, "), "{said}");
    let french = lab.fails(2, &["--lang", "fr", "reset"]);
    assert!(french.contains("Cela supprime 2 lignes, "), "{french}");
    assert_eq!(lab.curl("/count")["count"], 2);
    assert!(!mark(&lab).exists());
    let shown = lab.xtask(&["reset", "--dry-run"]);
    let shell = String::from_utf8(shown.stdout).unwrap();
    let told = String::from_utf8(shown.stderr).unwrap();
    assert!(told.contains("This deletes 2 rows, "), "{told}");
    assert_eq!(lab.curl("/count")["count"], 2);
    assert!(!mark(&lab).exists());

    // Pasted, it does the same.
    let shell = shell.replace(
        "cargo xtask",
        concat!("'", env!("CARGO_BIN_EXE_xtask"), "'"),
    );
    let mut pasted = Command::new("bash");
    pasted.args(["-exc", &shell]).env("ATELIER_ROOT", &lab.root);
    let output = pasted.current_dir(&lab.root).output().unwrap();
    assert!(output.status.success(), "{}", support::said(&output));
    lab.json(&["setup"]);
    check_as_after_setup(&lab);
}

/// Killed at any step, it is over for the next command: as before where nothing was
/// deleted, and as after `setup` from then on.
#[test]
fn whenever_it_is_killed_the_next_command_puts_the_lab_right() {
    let lab = used("reset-killed");
    let volume = |claim: &str| lab.root.join(".lab/volumes").join(claim).exists();
    let begun = || stage(&lab).is_some();
    let deleting = || stage(&lab).is_some_and(|stage| stage != "begun");
    let data_gone = || !volume("pra-data");
    let backup_gone = || !volume("pra-backup");
    let made_anew = || deleting() && volume("pra-data") && volume("pra-backup");
    let moments: [(&str, &dyn Fn() -> bool); 5] = [
        ("the reset to begin", &begun),
        ("the deletion to begin", &deleting),
        ("the data to be gone", &data_gone),
        ("the points to be gone", &backup_gone),
        ("the volumes to be made anew", &made_anew),
    ];
    let (mut taken_back, mut completed) = (0, 0);
    for (what, reached) in moments {
        lab.json(&["add", "before the reset"]);
        let before = lab.curl("/count")["count"].clone();
        let mut reset = lab.spawn(&["reset", "--yes"]);
        await_some(what, || {
            let over = reset.try_wait().unwrap().is_some();
            (reached() || over).then_some(())
        });
        kill(&mut reset);
        let left = stage(&lab);
        if left.is_some() {
            let said = lab.json(&["status"])["left_half_way"].clone();
            assert!(said.as_str().unwrap().contains("a reset of "), "{said}");
        }
        lab.json(&["setup"]);
        if left.as_deref() == Some("begun") {
            taken_back += 1;
            assert_eq!(lab.curl("/count")["count"], before, "{what}");
            let status = lab.json(&["status"]);
            assert_eq!(status["facts"]["suspended"], false);
            assert_eq!(status["application"]["unprotected"], Value::Null);
            assert!(!mark(&lab).exists());
        } else {
            completed += 1;
            check_as_after_setup(&lab);
        }
    }
    assert!(taken_back >= 1, "no kill came before the deletion");
    assert!(completed >= 1, "no kill came after it began");
}

/// What was begun with a yes is not ended over what somebody has done since.
#[test]
fn a_reset_is_not_ended_over_an_application_that_somebody_started() {
    let lab = used("reset-taken");
    lab.json(&["local", "scale", "0"]);
    let text =
        r#"{"since":"2026-11-30T00:00:00Z","stage":"deleting","replicas":2,"suspended":true}"#;
    fs::write(mark(&lab), text).unwrap();
    lab.json(&["local", "scale", "2"]);
    let output = lab.xtask(&["setup"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("the lab is left as it is"), "{text}");
    assert!(!mark(&lab).exists());
    assert_eq!(lab.curl("/count")["count"], 2);
    assert_eq!(lab.json(&["status"])["facts"]["suspended"], true);
}

#[test]
fn a_supervisor_that_was_killed_does_not_keep_a_reset_from_being_ended() {
    let lab = used("reset-supervisor");
    lab.json(&["local", "scale", "0"]);
    lab.json(&["local", "suspend"]);
    let text =
        r#"{"since":"2026-11-30T00:00:00Z","stage":"deleting","replicas":2,"suspended":false}"#;
    fs::write(mark(&lab), text).unwrap();
    support::standin::signal(&support::standin::supervisor(&lab), "-9");
    lab.json(&["reset", "--yes"]);
    check_as_after_setup(&lab);
}

#[test]
fn a_scenario_that_has_to_come_back_from_a_copy_is_not_passed_over() {
    let lab = used("reset-copy");
    let copy = lab.root.join(".lab/runs/2026-run/copy.tar");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let exported = copy.display().to_string();
    lab.json(&["export", &exported]);
    let unfinished = lab.root.join(".lab/state/unfinished-scenario-local.json");
    let left = json!({"scenario": "cluster-loss", "since": "2026-11-30T00:00:00Z",
                      "stage": "struck", "copy": exported});
    fs::write(&unfinished, left.to_string()).unwrap();
    let text = lab.fails(2, &["reset", "--yes"]);
    assert!(text.contains("has to come back from"), "{text}");
    assert_eq!(lab.curl("/count")["count"], 2);

    // One that needs no copy is over with what it had broken.
    let left = json!({"scenario": "volume-loss", "since": "2026-11-30T00:00:00Z",
                      "stage": "struck"});
    fs::write(&unfinished, left.to_string()).unwrap();
    lab.json(&["reset", "--yes"]);
    assert!(!unfinished.exists());
    check_as_after_setup(&lab);
}

#[test]
fn the_image_workshop_has_nothing_to_reset_but_a_persons_page() {
    let lab = TestLab::bare("reset-image");
    let text = lab.fails(2, &["--lab", "image", "reset"]);
    assert!(text.contains("git checkout -- "), "{text}");
    let text = lab.fails(2, &["--lab", "image", "--lang", "fr", "reset"]);
    assert!(text.contains("votre page"), "{text}");
}

#[test]
fn a_lab_that_is_not_there_is_brought_up() {
    let lab = TestLab::new("reset-absent");
    quiet(&lab);
    let done = lab.json(&["reset"]);
    assert_eq!(
        (&done["status"], &done["deleted"]),
        (&json!("reset"), &Value::Null)
    );
    check_as_after_setup(&lab);
}
