//! The measuring, measured end to end: labs whose application lies, whose
//! restore loses, or whose clocks stand still. The result has to say so, and a
//! count that shares no code with it has to agree.

mod support;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::TestLab;

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
    let mark = lab.root.join(".lab/state/unfinished-scenario.json");
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
    let runs = std::fs::read_dir(lab.root.join(".lab/runs")).unwrap();
    let run = runs.map(|run| run.unwrap().path()).find(|run| run.is_dir());
    let text = std::fs::read_to_string(run.unwrap().join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
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
