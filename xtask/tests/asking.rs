//! The ways in which the measuring client asks, against the real application on the local
//! engine.

use crate::support;

use serde_json::Value;
use support::TestLab;
use support::users::Users;

/// Everything that a replica has to hold for clients of both kinds.
#[test]
fn connections_are_kept_and_a_graceful_end_costs_no_request() {
    let lab = TestLab::new("asking-kept");
    let result = lab.json(&["scenario", "pod-crash", "--keep-alive"]);
    assert_eq!(result["passed"], true, "{result}");
    let client = &result["client"];
    assert_eq!(
        (&client["keep_alive"], &client["retry"]),
        (&true.into(), &false.into())
    );
    let requests = client["requests"].as_u64().unwrap();
    let opened = client["connections_opened"].as_u64().unwrap();
    assert!(opened < requests / 2, "{client}");
    let graceful = &result["kills"][1];
    assert_eq!(graceful["failed"], 0, "{result}");
    support::agreed(&lab, &result);

    // As is declared, where no option asks for it.
    lab.configure("keep_alive = false", "keep_alive = true");
    let result = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(result["client"]["keep_alive"], true, "{result}");
}

#[test]
fn writes_that_are_sent_again_leave_nothing_in_doubt() {
    let lab = TestLab::new("asking-again");
    let result = lab.json(&["scenario", "volume-loss", "--keep-alive", "--retry"]);
    assert_eq!(result["passed"], true, "{result}");
    let (client, verified) = (&result["client"], &result["verified"]);
    assert_eq!(client["failed"], 0, "{client}");
    assert!(client["retried"].as_u64().unwrap() > 5, "{client}");
    let sent = client["attempts"].as_u64().unwrap();
    assert!(sent > client["requests"].as_u64().unwrap(), "{client}");
    assert_eq!(verified["in_doubt"], 0);
    assert_eq!(verified["phantom"], 0);
    assert_eq!(verified["rows"], result["rpo"]["acknowledged"]);
    // Nobody got an error, and yet there was an outage, in which they waited.
    assert!(result["rto"]["seconds"].as_f64().unwrap() > 0.1, "{result}");
    assert!(result["lessons"].to_string().contains("Idempotency-Key"));
    support::agreed(&lab, &result);
}

/// A replica that is killed may have stored a write whose answer it takes with it: sent
/// again with its key, that is answered by what is there. Killed until that has happened.
#[test]
fn a_write_whose_answer_was_lost_is_not_written_twice() {
    let lab = TestLab::new("asking-replayed");
    lab.configure("rate = 60", "rate = 200");
    lab.json(&["setup"]);
    let users = Users::come(&lab, &["--keep-alive", "--retry"]);
    support::await_some("a write whose answer was lost", || {
        let status = lab.json(&["status"]);
        let mut pods = status["facts"]["pods"].as_array().unwrap().iter();
        let pod = pods.find(|pod| pod["ready"] == true)?;
        lab.xtask(&["local", "kill", pod["name"].as_str().unwrap(), "--force"]);
        users.ledger().contains("\"replayed\":true").then_some(())
    });
    let (_, seen) = users.leave(0);
    assert!(seen["client"]["replayed"].as_u64().unwrap() > 0);
    let verified = &seen["verified"];
    let wrong = ["phantom", "changed", "in_doubt", "reused_ids"];
    assert_eq!(
        wrong.map(|name| verified[name].clone()),
        [0, 0, 0, 0],
        "{seen}"
    );
    assert_eq!(
        (&seen["lost"], &seen["client"]["failed"]),
        (&0.into(), &0.into())
    );
    // Each of them once, and nothing else.
    assert_eq!(verified["rows"], seen["acknowledged"]);
    let messages = support::present(&lab).len();
    assert_eq!(seen["acknowledged"], messages);
}

/// By hand: a replica that dies is no matter, and rows that a restore takes away are told.
#[test]
fn what_users_see_while_something_is_done_by_hand_is_told() {
    let lab = TestLab::new("asking-measured");
    let taken = lab.json(&["backup"]);
    let point = taken["point"]["name"].as_str().unwrap().to_owned();
    let users = Users::come(&lab, &["--keep-alive", "--retry"]);
    let status = lab.json(&["status"]);
    let pod = status["facts"]["pods"][0]["name"].as_str().unwrap();
    lab.json(&["local", "kill", pod]);
    let (_, seen) = users.leave(0);
    let client = &seen["client"];
    assert_eq!(
        (&client["failed"], &client["retry"]),
        (&0.into(), &true.into())
    );
    assert_eq!(seen["lost"], 0, "{seen}");
    assert_eq!(seen["acknowledged"], client["requests"]);
    let rows = lab.curl("/count")["count"].clone();
    assert_eq!(seen["verified"]["rows"], rows);

    let users = Users::come(&lab, &[]);
    lab.json(&["restore", &point, "--yes"]);
    let (said, seen) = users.leave(1);
    assert!(seen["lost"].as_u64().unwrap() > 10, "{seen}");
    assert!(said.contains("not as they were promised"), "{said}");
    assert_eq!(seen["client"]["connections_opened"], asked(&seen["client"]));
}

/// How many requests there were, each with a connection of its own.
fn asked(client: &Value) -> u64 {
    let count = |name: &str| client[name].as_u64().unwrap();
    count("requests") + count("reads")
}
