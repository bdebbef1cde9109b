//! The measuring, measured end to end: labs whose application lies, whose
//! restore loses, or whose clocks stand still. The result has to say so, and a
//! count that shares no code with it has to agree.

use crate::support;

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

/// Where the application stores an event.
const STORING: &str = "        timestamp, identifier = self._database.write";

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
        "app/pra/state/generations.py",
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
        "app/pra/events/sqlite.py",
        STORING,
        r#"        if message.endswith("7"):
            number = 1_000_000 + int(message.rsplit("-", 1)[1])
            said = clock.rfc3339(clock.now(), 3)
            return {"timestamp": said, "message": message, "id": number}
        timestamp, identifier = self._database.write"#,
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
        "app/pra/base/clock.py",
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
    support::await_some("the client to write", || {
        let ledger = run(&lab)?.join("ledger.jsonl");
        (ended(&ledger).0 > 0).then_some(())
    });
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

/// Writes are refused while this file of a lab is there.
const AWAY: &str = ".lab/volumes/pra-backup/away";

/// Brings such a lab up.
fn refuses_on_demand(lab: &TestLab) -> PathBuf {
    lab.edit(
        "app/pra/events/sqlite.py",
        STORING,
        r#"        if __import__("os").path.exists(self._layout.backup + "/away"):
            raise NeedsRestore("adding an event", "away for a moment", "try again")
        timestamp, identifier = self._database.write"#,
    );
    lab.json(&["setup"]);
    lab.root.join(AWAY)
}

/// Lets no write through until a bystander was refused; how long that was, and
/// whether the client saw it.
fn outage(lab: &TestLab, port: u16, ledger: &Path) -> (Duration, bool) {
    let away = lab.root.join(AWAY);
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
    refuses_on_demand(&lab);
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

/// As in the original workshop: no journal.
fn snapshots_alone(name: &str) -> TestLab {
    let lab = TestLab::new(name);
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_JOURNAL: required",
        "PRA_JOURNAL: \"off\"",
    );
    lab
}

#[test]
fn snapshots_may_lose_what_came_after_the_point_and_nothing_that_it_holds() {
    let lab = snapshots_alone("lossy-snapshot");
    for message in ["old", "older"] {
        lab.json(&["add", message]);
    }
    // Of those before the run one, and some that the point holds. Counted anew: the
    // application notices by itself where its own count does not fit.
    lab.edit(
        "app/pra/state/generations.py",
        r#"conn.execute("BEGIN IMMEDIATE")"#,
        r#"conn.execute("BEGIN IMMEDIATE")
            conn.execute("DELETE FROM events WHERE id BETWEEN 2 AND 9")
            rows = None"#,
    );
    let result = broken(&lab, "volume-loss");
    support::agreed(&lab, &result);
    assert_eq!(result["protection"], "snapshot");
    assert_eq!(result["rpo"]["lost_from_before"], 1, "{result}");
    assert_eq!(result["rpo"]["lost_unexcused"], 8, "{result}");
    assert!(result["rpo"]["lost"].as_u64().unwrap() > 8, "{result}");
    let said = result["broken"].to_string();
    for kind in [
        "missing: 1 row from before the run",
        "missing: 8 rows that the verified point",
    ] {
        assert!(said.contains(kind), "no {kind:?} in {said}");
    }
}

/// Waits until the restore of a running scenario has ended, and users are served.
fn await_service(lab: &TestLab) -> PathBuf {
    let log = lab.root.join("spawned.log");
    support::await_some("the restore to end", || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        said.contains("restore: done").then_some(())
    });
    let ledger = run(lab).unwrap().join("ledger.jsonl");
    let (all, failed) = ended(&ledger);
    support::await_some("an acknowledged write", || {
        let now = ended(&ledger);
        (now.0 - now.1 > all - failed + 3).then_some(())
    });
    ledger
}

#[test]
fn a_second_outage_after_the_restore_is_part_of_the_rto() {
    let lab = TestLab::new("second-outage");
    let away = refuses_on_demand(&lab);
    let mut scenario = lab.spawn(&["scenario", "volume-loss"]);
    let ledger = await_service(&lab);
    let before = ended(&ledger).1;
    fs::write(&away, "").unwrap();
    support::await_some("ten refusals", || {
        (ended(&ledger).1 >= before + 10).then_some(())
    });
    fs::remove_file(&away).unwrap();
    assert_eq!(scenario.wait().unwrap().code(), Some(0));
    let result = result(&lab);
    // Held against a count that knows of no phases.
    let count = support::agreed(&lab, &result);
    assert!(count["away"].as_f64().unwrap() > 0.0, "{count}");
    let serving = result["rto"]["phases"].as_array().unwrap().last().unwrap();
    assert!(serving["seconds"].as_f64().unwrap() > 0.1, "{result}");
}

#[test]
fn a_service_that_fails_to_the_end_of_the_run_is_not_back() {
    let lab = TestLab::new("no-service");
    let away = refuses_on_demand(&lab);
    let mut scenario = lab.spawn(&["scenario", "volume-loss"]);
    await_service(&lab);
    // Once writes were acknowledged for long enough to be called back.
    let log = lab.root.join("spawned.log");
    support::await_some("the service to be called back", || {
        let said = fs::read_to_string(&log).unwrap();
        said.contains("writes are acknowledged again").then_some(())
    });
    fs::write(&away, "").unwrap();
    assert_eq!(scenario.wait().unwrap().code(), Some(1));
    fs::remove_file(&away).unwrap();
    let result = result(&lab);
    assert_eq!(result["rto"]["open"], true, "{result}");
    assert!(
        result["broken"]
            .to_string()
            .contains("the service was not back"),
        "{result}"
    );
}
