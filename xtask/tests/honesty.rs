//! The measuring, measured end to end: labs whose application lies, whose
//! restore loses, or whose clocks stand still. The result has to say so, and a
//! count that shares no code with it has to agree.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{TestLab, standin};

/// A scenario whose promise is broken: exit 1, and the result all the same.
fn broken(lab: &TestLab, name: &str) -> Value {
    let mut command = lab.command(&["scenario", name]);
    let output = command.arg("--json").output().unwrap();
    let said = support::said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let result: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert_eq!(result["passed"], false, "{result}");
    result
}

/// The folder of a lab's only run.
fn run(lab: &TestLab) -> Option<PathBuf> {
    let runs = fs::read_dir(lab.root.join(".lab/runs")).ok()?;
    let mut runs = runs.map(|run| run.unwrap().path());
    runs.find(|run| run.is_dir())
}

/// What that run kept.
fn result(lab: &TestLab) -> Value {
    let text = fs::read_to_string(run(lab).unwrap().join("result.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(list: &Value) -> Vec<i64> {
    let list = list.as_array().unwrap().iter();
    list.map(|id| id.as_i64().unwrap()).collect()
}

/// Drops every tenth row, alters another, swaps the contents of two, and
/// doubles one.
const LOSSY: &str = r#"conn.execute("BEGIN IMMEDIATE")
            conn.execute("DELETE FROM events WHERE id % 10 = 3")
            conn.execute("UPDATE events SET message = message || '!' WHERE id % 10 = 5")
            conn.execute("CREATE TEMP TABLE was AS SELECT * FROM events WHERE id % 10 IN (8, 9)")
            other = "was.id = events.id + iif(events.id % 10 = 8, 1, -1)"
            conn.execute(
                f"UPDATE events SET (ts, message) = (SELECT ts, message FROM was WHERE {other})"
                f" WHERE id % 10 IN (8, 9) AND EXISTS (SELECT 1 FROM was WHERE {other})"
            )
            conn.execute(
                "INSERT INTO events(ts, message) SELECT ts, message FROM events WHERE id % 10 = 7"
            )"#;

#[test]
fn a_restore_that_drops_alters_reorders_and_doubles_is_found_out_row_by_row() {
    let lab = TestLab::new("lossy-restore");
    lab.edit(
        "app/pra/generations.py",
        r#"conn.execute("BEGIN IMMEDIATE")"#,
        LOSSY,
    );
    let result = broken(&lab, "volume-loss");
    let count = support::agreed(&lab, &result);
    let lost = ids(&result["rpo"]["lost_ids"]);
    assert!(lost.len() >= 6, "{result}");
    assert!(lost.iter().all(|id| id % 10 == 3), "{lost:?}");
    assert!(result["rpo"]["seconds"].as_f64().unwrap() > 0.0);
    let changed = ids(&count["changed_ids"]);
    for digit in [5, 8, 9] {
        assert!(changed.iter().any(|id| id % 10 == digit), "{changed:?}");
    }
    assert!(
        changed.iter().all(|id| [5, 8, 9].contains(&(id % 10))),
        "{changed:?}"
    );
    assert!(result["verified"]["phantom"].as_u64().unwrap() >= 6);
    let said = result["broken"].to_string();
    for kind in ["are lost", "another content", "nobody sent"] {
        assert!(said.contains(kind), "no {kind:?} in {said}");
    }
}

#[test]
fn an_application_that_acknowledges_without_storing_is_found_out() {
    let lab = TestLab::new("lying");
    lab.edit(
        "app/pra/events.py",
        "        identifier = self._database.write",
        r#"        if message.endswith("7"):
            number = 1_000_000 + int(message.rsplit("-", 1)[1])
            return {"timestamp": timestamp, "message": message, "id": number}
        identifier = self._database.write"#,
    );
    let result = broken(&lab, "volume-loss");
    support::agreed(&lab, &result);
    let lost = ids(&result["rpo"]["lost_ids"]);
    assert!(lost.len() >= 10, "{result}");
    assert!(lost.iter().all(|id| *id > 1_000_000), "{lost:?}");
    // Readers saw it too, long before the disaster.
    assert!(
        result["broken"].to_string().contains("could not be read"),
        "{result}"
    );
}

#[test]
fn a_clock_that_stands_still_in_the_application_is_said_and_no_figure_relies_on_it() {
    let lab = TestLab::new("still-clock");
    lab.edit(
        "app/pra/clock.py",
        "return time.time()",
        "return 1_795_500_000.0",
    );
    let result = lab.json(&["scenario", "volume-loss"]);
    support::agreed(&lab, &result);
    assert_eq!(result["rpo"]["lost"], 0, "{result}");
    assert!(result["rto"]["seconds"].as_f64().unwrap() > 0.0);
    let apart = result["client"]["application_clock_seconds"]
        .as_f64()
        .unwrap();
    assert!(apart > 1.0, "{result}");
    assert!(
        result["doubts"]
            .to_string()
            .contains("the application's clock"),
        "{result}"
    );
}

#[test]
fn a_client_that_stood_still_states_how_long_it_saw_nothing() {
    let lab = TestLab::new("still-client");
    lab.json(&["setup"]);
    let mut scenario = lab.spawn(&["scenario", "volume-loss"]);
    let mark = lab.root.join(".lab/state/unfinished-scenario-local.json");
    support::await_some("the client to write", || mark.exists().then_some(()));
    let signal = |name: &str| {
        let pid = scenario.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    signal("-STOP");
    // The fault itself, longer than any pause of a busy machine is asked to be.
    std::thread::sleep(Duration::from_millis(900));
    signal("-CONT");
    assert_eq!(scenario.wait().unwrap().code(), Some(0));
    let result = result(&lab);
    support::agreed(&lab, &result);
    assert!(
        result["client"]["resolution_seconds"].as_f64().unwrap() >= 0.85,
        "{result}"
    );
    assert!(
        result["doubts"]
            .to_string()
            .contains("can have gone unseen"),
        "{result}"
    );
}

/// Requests of a ledger that have ended, and how many of them failed.
fn ended(ledger: &Path) -> (usize, usize) {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    let ended = text.lines().filter(|line| line.contains(r#""ended""#));
    ended.fold((0, 0), |(all, failed), line| {
        (all + 1, failed + usize::from(line.contains(r#""failed""#)))
    })
}

/// Lets no write through until a bystander was refused; how long that was, and
/// whether the client saw it.
fn outage(lab: &TestLab, port: u16, ledger: &Path) -> (Duration, bool) {
    let away = lab.root.join(".lab/volumes/pra-data/away");
    let before = ended(ledger);
    support::await_some("an answered request", || {
        (ended(ledger).0 > before.0).then_some(())
    });
    let began = Instant::now();
    fs::write(&away, "").unwrap();
    let answer = standin::request(port, "/add?message=bystander");
    fs::remove_file(&away).unwrap();
    let lasted = began.elapsed();
    assert_eq!(answer, None, "an outage that let a write through");
    // The one that was under way, and one that was not.
    let during = ended(ledger).0;
    let after = support::await_some("two answers more", || {
        let now = ended(ledger);
        (now.0 >= during + 2).then_some(now)
    });
    (lasted, after.1 > before.1)
}

#[test]
fn an_outage_between_two_requests_is_shorter_than_what_the_result_says_can_go_unseen() {
    const PERIOD: Duration = Duration::from_millis(100);
    let lab = TestLab::new("unseen-outage");
    lab.configure("rate = 60", "rate = 10");
    lab.edit(
        "app/pra/events.py",
        "        identifier = self._database.write",
        r#"        if fileops.size(self._layout.data + "/away") is not None:
            raise NeedsRestore("adding an event", "away for a moment", "try again")
        identifier = self._database.write"#,
    );
    lab.json(&["setup"]);
    let port = standin::port(&lab);
    let mut scenario = lab.spawn(&["scenario", "volume-loss"]);
    let ledger = support::await_some("the client to write", || run(&lab)).join("ledger.jsonl");
    // One that met a request was no such outage; a busy machine makes some long.
    let unseen = support::await_some("an outage that no request met", || {
        let (lasted, seen) = outage(&lab, port, &ledger);
        (!seen && lasted < PERIOD).then_some(lasted)
    });
    assert_eq!(scenario.wait().unwrap().code(), Some(0));

    let result = result(&lab);
    support::agreed(&lab, &result);
    assert_eq!(result["verified"]["phantom"], 0, "{result}");
    let resolution = &result["client"]["resolution_seconds"];
    assert!(
        resolution.as_f64().unwrap() > unseen.as_secs_f64(),
        "{unseen:?} went unseen: {result}"
    );
    let said = fs::read_to_string(lab.root.join("spawned.log")).unwrap();
    let words = format!("an outage shorter than {resolution} s can go unseen");
    assert!(said.contains(&words), "no {words:?} in {said}");
}
