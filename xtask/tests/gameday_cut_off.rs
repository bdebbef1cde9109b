//! Game days that are aborted, killed, or cut off while they begin or end: the lab is put
//! back, or what was played is counted.

use crate::support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::standin::signal;
use support::{TestLab, await_some, said};

pub(crate) fn state(lab: &TestLab) -> PathBuf {
    lab.root.join(".lab/state/gameday-local.json")
}

pub(crate) fn client(lab: &TestLab) -> Vec<String> {
    let mut all = lab.processes();
    all.retain(|line| line.contains("gameday client"));
    all
}

pub(crate) fn count(lab: &TestLab) -> u64 {
    lab.curl("/count")["count"].as_u64().unwrap()
}

#[test]
fn an_aborted_game_is_put_back_and_so_is_one_whose_client_was_killed() {
    let lab = TestLab::new("gameday-aborted");
    lab.json(&["add", "from before"]);
    let games = [
        "volume-loss",
        "bad-delete",
        "backup-full,database-corrupt",
        "backup-volume-loss",
        "foreign-delete",
    ];
    for faults in games {
        let before = count(&lab);
        lab.json(&["gameday", "--fault", faults]);
        let told = lab.json(&["gameday", "abort"]);
        assert_eq!(told["aborted"], true);
        assert_eq!(
            told["faults"].as_array().unwrap().len(),
            faults.split(',').count()
        );
        back(&lab, before);
    }

    let before = count(&lab);
    lab.json(&["gameday", "--fault", "database-corrupt,stopped"]);
    let process = client(&lab).remove(0);
    let pid = process.split_whitespace().next().unwrap();
    signal(pid, "-KILL");
    await_some("the client to be gone", || {
        client(&lab).is_empty().then_some(())
    });
    let refused = lab.fails(4, &["gameday", "done"]);
    assert!(refused.contains("gameday abort"), "{refused}");
    let status = said(&lab.xtask(&["status"]));
    assert!(status.contains("cargo xtask setup"), "{status}");
    lab.json(&["setup"]);
    back(&lab, before);
}

#[test]
fn one_that_is_interrupted_while_it_begins_leaves_nothing_broken() {
    let lab = TestLab::new("gameday-interrupted");
    lab.json(&["add", "from before"]);
    let mut begun = lab.spawn(&["gameday", "--fault", "volume-loss"]);
    let log = lab.root.join("spawned.log");
    let at = "the game day begins";
    await_some(at, || {
        fs::read_to_string(&log).unwrap().contains(at).then_some(())
    });
    let pid = begun.id().to_string();
    signal(&pid, "-INT");
    let code = begun.wait().unwrap().code();
    assert_eq!(code, Some(130), "{}", fs::read_to_string(&log).unwrap());
    back(&lab, 1);

    // A machine that restarts ends the client, the lab, and all else.
    lab.json(&["gameday", "--fault", "bad-delete"]);
    let folder = lab.json(&["runs", "list"])[0]["name"].clone();
    let process = client(&lab).remove(0);
    let pid = process.split_whitespace().next().unwrap();
    signal(pid, "-KILL");
    lab.json(&["local", "stop"]);
    // Also where somebody has removed what it had measured.
    let folder = lab.root.join(".lab/runs").join(folder.as_str().unwrap());
    fs::remove_file(folder.join("before.jsonl")).unwrap();
    lab.json(&["setup"]);
    back(&lab, 1);
    fs::write(state(&lab), "{").unwrap();
    let damaged = lab.fails(2, &["gameday", "status"]);
    assert!(damaged.contains("gameday abort"), "{damaged}");
    lab.json(&["gameday", "abort"]);
    back(&lab, 1);

    // And a lab that is removed takes its game with it.
    lab.json(&["gameday", "--fault", "stopped"]);
    lab.json(&["teardown", "--yes"]);
    assert!(client(&lab).is_empty() && !state(&lab).exists());
}

/// Without what was kept of it nothing says what broke, and the lab comes back all the same.
#[test]
fn one_that_cannot_be_read_any_more_is_put_back_as_far_as_that_goes() {
    let lab = TestLab::new("gameday-damaged");
    lab.json(&["add", "from before"]);
    for damage in [&b"{"[..], b"\xff\xfe"] {
        lab.json(&["gameday", "--fault", "volume-loss"]);
        let setup = said(&lab.xtask(&["setup"]));
        assert!(setup.contains("A game day goes on"), "{setup}");
        assert!(!setup.contains("scenario 2"), "{setup}");
        fs::write(state(&lab), damage).unwrap();
        for other in [&["gameday"][..], &["gameday", "done"], &["add", "x"]] {
            let refused = lab.fails(2, other);
            assert!(refused.contains("gameday abort"), "{refused}");
        }
        let status = lab.xtask(&["status"]);
        let told = said(&status);
        assert!(
            status.status.success() && told.contains("gameday abort"),
            "{told}"
        );
        let aborted = lab.json(&["gameday", "abort"]);
        assert!(aborted["faults"].is_null(), "{aborted}");
        back(&lab, 1);
    }
}

#[test]
fn one_whose_beginning_was_killed_has_broken_nothing_and_a_halted_client_can_be_left() {
    let lab = TestLab::new("gameday-killed");
    lab.json(&["add", "from before"]);
    let mut begun = lab.spawn(&["gameday", "--fault", "volume-loss"]);
    // It then waits until the client writes steadily, for seconds.
    let process = await_some("the client", || client(&lab).into_iter().next());
    begun.kill().unwrap();
    begun.wait().unwrap();
    let refused = lab.fails(2, &["gameday", "done"]);
    assert!(refused.contains("nothing had been broken"), "{refused}");
    assert!(refused.contains("gameday abort"), "{refused}");

    signal(process.split_whitespace().next().unwrap(), "-STOP");
    let aborted = lab.xtask(&["gameday", "abort"]);
    let told = said(&aborted);
    assert!(aborted.status.success(), "{told}");
    assert!(told.contains("Nothing had been broken yet"), "{told}");
    back(&lab, 1);
}

/// As before the game: every row is there, the client is gone, and a scenario holds.
pub(crate) fn back(lab: &TestLab, before: u64) {
    assert!(count(lab) >= before, "{} of {before} rows", count(lab));
    assert!(support::present(lab).contains("from before"));
    assert!(client(lab).is_empty());
    assert!(!state(lab).exists());
    let status = lab.json(&["status"]);
    assert_eq!(status["facts"]["suspended"], false, "{status}");
    assert!(status["left_half_way"].is_null(), "{status}");
    assert_eq!(lab.json(&["backup"])["point"]["status"], "verified");
}

/// As it is left by a `done` that was killed once it had ended the client.
#[test]
fn an_end_that_was_cut_off_is_counted_by_the_next_done() {
    let lab = TestLab::new("gameday-cut-off");
    lab.json(&["gameday", "--fault", "stopped"]);
    lab.json(&["setup"]);
    let process = client(&lab).remove(0);
    let pid = process.split_whitespace().next().unwrap();
    signal(pid, "-TERM");
    await_some("the client to be gone", || {
        client(&lab).is_empty().then_some(())
    });
    let game: Value = serde_json::from_slice(&fs::read(state(&lab)).unwrap()).unwrap();
    let folder = lab
        .root
        .join(".lab/runs")
        .join(game["folder"].as_str().unwrap());
    let record = folder.join("record.jsonl");
    let now = game["struck"].as_str().unwrap();
    let lines = format!(
        "{{\"at\":\"{now}\",\"event\":\"tried\",\"broken\":0}}\n\
         {{\"at\":\"{now}\",\"event\":\"ended\",\"typed\":\"{now}\",\"broken\":[]}}\n"
    );
    let before = fs::read_to_string(&record).unwrap_or_default();
    fs::write(&record, before + &lines).unwrap();

    for other in [&["scenario", "1"][..], &["gameday"]] {
        let refused = lab.fails(2, other);
        assert!(refused.contains("cargo xtask gameday done"), "{refused}");
    }
    // What else is done with the lab loses nothing of it.
    lab.json(&["setup"]);
    assert!(state(&lab).exists());
    let done = lab.json(&["gameday", "done"]);
    assert_eq!(done["passed"], true, "{done}");
    assert!(!state(&lab).exists() && folder.join("result.json").exists());
}
