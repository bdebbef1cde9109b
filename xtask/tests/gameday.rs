//! Game days on the local engine, played by somebody who knows what users see, what the lab
//! shows, and the commands of the README: not what broke.

use crate::support;

use std::fs;

use serde_json::Value;
use support::{TestLab, await_some, said};

use crate::gameday_cut_off::{back, client, state};

/// Plays until it is over: looks, does what anybody would, and asks whether that was all.
fn play(lab: &TestLab) -> Value {
    for _ in 0..8 {
        recover(lab, &lab.json(&["gameday", "status"]));
        let output = lab.xtask(&["gameday", "done", "--json"]);
        let done: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
        if done["over"] != false {
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            return done;
        }
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(!done["broken"].as_array().unwrap().is_empty());
    }
    panic!("not recovered: {}", said(&lab.xtask(&["status"])));
}

fn recover(lab: &TestLab, game: &Value) {
    let status = lab.json(&["status"]);
    // Somebody looks for what fills a volume.
    for volume in ["pra-data", "pra-backup"] {
        let stray = lab.root.join(".lab/volumes").join(volume).join("ballast");
        if stray.exists() {
            fs::remove_file(stray).unwrap();
        }
    }
    if status["facts"]["wanted"] == 0 || status["facts"]["volumes"].as_array().unwrap().len() < 2 {
        lab.json(&["setup"]);
    }
    if status["facts"]["suspended"] == true {
        lab.json(&["local", "resume"]);
    }
    let symptoms = &game["symptoms"];
    let points = lab.json(&["restore", "--list"]);
    let largest = match status["application"]["protection"] == "snapshot" {
        true => Value::Null,
        false => lab.json(&["restore", "--log", "--largest"])["transactions"][0].clone(),
    };
    if points["points"].as_array().unwrap().is_empty() {
        lab.xtask(&["backup", "--new-volume"]);
    } else if largest["deleted"].as_u64() > Some(10) {
        let seq = largest["seq"].to_string();
        lab.json(&["restore", "--to-before", &seq, "--yes"]);
    } else if symptoms["writes"]["failed"].as_u64() > Some(0) {
        // What it restores where nothing is missing is what is there.
        lab.xtask(&["restore", "latest", "--yes"]);
    }
}

fn judged(lab: &TestLab, result: &Value) {
    assert_eq!(result["scenario"], "gameday");
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["backups_resumed"], true);
    // The client is another process.
    assert!(result["client"]["cpu_seconds"].is_null(), "{result}");
    let told = &result["gameday"];
    assert_eq!(told["avoidable"], 0, "{result}");
    assert_eq!(told["score"]["data"], 40, "{result}");
    let parts = ["data", "time", "noticed", "protected"];
    let sum: u64 = parts
        .iter()
        .map(|part| told["score"][part].as_u64().unwrap())
        .sum();
    assert_eq!(told["score"]["total"], sum);
    assert!(told["recovered_seconds"].as_f64() >= told["noticed_seconds"].as_f64());
    support::agreed(lab, result);
    // It is a run like others.
    let runs = lab.json(&["runs", "list"]);
    assert!(runs[0]["name"].as_str().unwrap().ends_with("-gameday"));
    assert_eq!(runs[0]["passed"], true);
    assert!(!state(lab).exists(), "it is over");
}

/// What was said before the end does not name what broke.
fn untold(lab: &TestLab, args: &[&str], faults: &[&str]) {
    let output = lab.xtask(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for fault in faults {
        assert!(!text.contains(fault), "{text}");
    }
    let sealed = fs::read_to_string(state(lab)).unwrap();
    assert!(faults.iter().all(|fault| !sealed.contains(fault)));
}

#[test]
fn every_single_fault_is_recovered_by_who_knows_the_symptoms_alone() {
    let lab = TestLab::new("gameday-one");
    lab.json(&["add", "from before"]);
    let faults = [
        "stopped",
        "volume-loss",
        "database-corrupt",
        "bad-delete",
        "foreign-delete",
        "backup-volume-loss",
        "data-full",
    ];
    for fault in faults {
        let truth = lab.root.join("truth.txt");
        let file = truth.to_str().unwrap();
        untold(
            &lab,
            &["gameday", "--fault", fault, "--truth", file],
            &[fault],
        );
        assert!(fs::read_to_string(&truth).unwrap().contains(fault));
        fs::remove_file(&truth).unwrap();
        let begun = lab.json(&["gameday", "status"]);
        let symptoms = &begun["symptoms"];
        let missing = symptoms["messages_now"].as_u64() < symptoms["messages_before"].as_u64();
        let failed = symptoms["writes"]["failed"].as_u64() > Some(0);
        assert!(failed || missing, "{fault}: {begun}");
        let result = play(&lab);
        assert_eq!(result["gameday"]["faults"][0]["name"], fault);
        assert_eq!(result["gameday"]["teacher"], true);
        judged(&lab, &result);
        assert!(client(&lab).is_empty(), "its client has ended");
    }
    assert_eq!(lab.json(&["status"])["facts"]["suspended"], false);
}

#[test]
fn two_faults_and_a_poisoned_backup_are_recovered_as_well() {
    let lab = TestLab::new("gameday-more");
    let games = [
        "backup-full,volume-loss",
        "backup-full,database-corrupt",
        "bad-delete,stopped",
        "backup-poisoned,volume-loss",
    ];
    for faults in games {
        lab.json(&["gameday", "--fault", faults]);
        let result = play(&lab);
        let level = if faults.contains("poisoned") { 3 } else { 2 };
        assert_eq!(result["gameday"]["level"], level);
        assert_eq!(result["gameday"]["faults"].as_array().unwrap().len(), 2);
        judged(&lab, &result);
    }
}

#[test]
fn a_game_is_drawn_hints_cost_and_what_is_still_broken_keeps_it_going() {
    let lab = TestLab::new("gameday-drawn");
    lab.json(&["setup"]);
    untold(
        &lab,
        &["gameday", "--seed", "1"],
        &["pra-data", "ballast", "DELETE"],
    );
    for args in [
        &["gameday"][..],
        &["scenario", "2"],
        &["drill"],
        &["reset", "--yes"],
    ] {
        let refused = lab.fails(2, args);
        assert!(refused.contains("cargo xtask gameday abort"), "{refused}");
    }
    let name = lab.json(&["runs", "list"])[0]["name"].clone();
    lab.fails(2, &["runs", "rm", name.as_str().unwrap(), "--yes"]);
    lab.json(&["gameday", "noticed", "something with the disk"]);
    let refused = lab.fails(1, &["gameday", "done"]);
    assert!(refused.contains("Still broken: "), "{refused}");
    for bought in 1..=3 {
        let told = lab.json(&["gameday", "hint"]);
        assert_eq!(told["hints"].as_array().unwrap().len(), bought);
    }
    lab.fails(2, &["gameday", "hint"]);
    let french = said(&lab.xtask(&["gameday", "status", "--lang", "fr"]));
    assert!(french.contains("Indice 3"), "{french}");

    let result = play(&lab);
    judged(&lab, &result);
    let told = &result["gameday"];
    assert_eq!((&told["seed"], &told["hints"]), (&1.into(), &3.into()));
    assert_eq!(told["hint_seconds"], 420.0);
    assert_eq!(told["noticed_by"], "said");
    assert_eq!(told["diagnosis"], "something with the disk");
    assert!(told["tries"].as_u64() >= Some(2));
    assert!(told["score"]["time"].as_u64() < Some(40), "{told}");
}

#[test]
fn rows_that_could_have_been_kept_are_missed_and_cost_points() {
    let lab = TestLab::new("gameday-lossy");
    lab.json(&["add", "from before"]);
    let old = lab.json(&["backup"])["point"]["name"].clone();
    lab.json(&["add", "also from before"]);
    lab.json(&["gameday", "--fault", "database-corrupt"]);
    lab.json(&["restore", old.as_str().unwrap(), "--yes"]);
    lab.json(&["local", "scale", "1"]);
    let fewer = lab.fails(1, &["gameday", "done"]);
    assert!(fewer.contains("1 of 2 replicas are ready"), "{fewer}");
    lab.json(&["local", "scale", "2"]);
    await_some("both replicas", || {
        (lab.json(&["status"])["facts"]["pods"]
            .as_array()?
            .iter()
            .filter(|pod| pod["ready"] == true)
            .count()
            == 2)
            .then_some(())
    });
    let output = lab.xtask(&["gameday", "done", "--json"]);
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        done["broken"][0]
            .as_str()
            .unwrap()
            .contains("could be had back")
    );
    let output = lab.xtask(&["gameday", "done", "--give-up", "--json"]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{result}");
    let told = &result["gameday"];
    assert!(told["avoidable"].as_u64() >= Some(20), "{result}");
    assert_eq!(result["rpo"]["lost_from_before"], 1);
    assert_eq!(told["rows_before"], 2);
    // One of two rows from before costs half of them, and those of the game more.
    assert!(told["score"]["data"].as_u64() < Some(20), "{told}");
    back(&lab, 2);
    assert!(support::present(&lab).contains("also from before"));
}

/// Without the journal what came after the last snapshot cannot be kept, and is no fault of
/// the player's.
#[test]
fn what_no_snapshot_had_is_not_held_against_the_player() {
    let lab = TestLab::new("gameday-snapshots");
    let setting = ["PRA_JOURNAL: required", "PRA_JOURNAL: \"off\""];
    lab.edit("k8s/05-config.yaml", setting[0], setting[1]);
    lab.json(&["add", "from before"]);
    for fault in ["volume-loss", "bad-delete"] {
        lab.json(&["gameday", "--fault", fault]);
        if fault == "bad-delete" {
            let points = lab.json(&["restore", "--list"]);
            // The newest one that has the rows; nobody takes one after the deletion.
            let latest = points["latest"].as_str().unwrap();
            lab.json(&["restore", latest, "--yes"]);
        }
        let result = play(&lab);
        assert_eq!(result["protection"], "snapshot");
        assert!(result["rpo"]["lost"].as_u64() > Some(0), "{result}");
        judged(&lab, &result);
    }
    assert!(support::present(&lab).contains("from before"));
}

#[test]
fn given_up_it_is_told_scored_and_put_back() {
    let lab = TestLab::new("gameday-given-up");
    lab.json(&["add", "from before"]);
    lab.json(&["gameday", "--fault", "bad-delete"]);
    let output = lab.xtask(&["gameday", "done", "--give-up", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["passed"], false);
    assert!(result["gameday"]["recovered_seconds"].is_null());
    assert_eq!(result["gameday"]["score"]["time"], 0, "{result}");
    assert!(result["rpo"]["lost"].as_u64() > Some(0));
    back(&lab, result["rpo"]["lost"].as_u64().unwrap());
    lab.fails(2, &["gameday", "status"]);
    lab.fails(2, &["gameday", "abort"]);
}

#[test]
fn what_goes_with_no_game_is_refused_before_anything_breaks() {
    let lab = TestLab::bare("gameday-refused");
    for args in [
        &["gameday", "--fault", "node-loss"][..],
        &["gameday", "--fault", "volume-loss,backup-volume-loss"],
        &["gameday", "--dry-run"],
        &["gameday", "status"],
        &["gameday", "done"],
    ] {
        lab.fails(2, args);
    }
    let mine = lab.root.join("mine.txt");
    fs::write(&mine, "mine").unwrap();
    let args = ["gameday", "--truth", mine.to_str().unwrap()];
    let refused = lab.fails(2, &args);
    assert!(refused.contains("is not overwritten"), "{refused}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert!(!lab.root.join(".lab/volumes").exists(), "no lab is needed");
}
