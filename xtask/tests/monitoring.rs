//! `cargo xtask monitor` on the local engine, with the Prometheus of this machine: where there is
//! none, these tests say that they skip.

use crate::dashboards::{self, Query};
use crate::support;

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::standin::{signal, supervisor};
use support::{TestLab, await_some, said};

const PROGRAM: &str = "prometheus";

/// The lab, where it can be watched on this machine.
fn lab(name: &str) -> Option<TestLab> {
    if which::which(PROGRAM).is_err() {
        // Past the test's own capture, so that it is seen.
        let said = "SKIPPED: there is no prometheus on PATH (Debian: apt-get install prometheus)";
        let _ = writeln!(std::io::stderr(), "{said}");
        return None;
    }
    Some(TestLab::new(name))
}

/// The Prometheus that runs for a lab.
fn processes(lab: &TestLab) -> Vec<String> {
    let all = lab.processes().into_iter();
    let ours = all.filter(|line| line.contains("--storage.tsdb.path="));
    ours.map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

fn only_process(lab: &TestLab) -> String {
    let mut all = processes(lab);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// What a Prometheus answers, asked with a client that is not ours.
fn asked(page: &str, path: &str) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args(["-sf", "--max-time", "10", &format!("{page}{path}")]);
    let output = curl.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

fn is_ready(page: &str) -> Option<()> {
    asked(page, "/-/ready").map(drop)
}

fn monitoring(lab: &TestLab) -> Value {
    lab.json(&["status"])["monitoring"].take()
}

fn names_of_alerts(lab: &TestLab) -> Vec<String> {
    let status = lab.json(&["status"]);
    let alerts = status["alerts"].as_array().unwrap().iter();
    alerts
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether a Prometheus answers a query with a number: at this moment, or in the time since the
/// lab came up.
fn has_data(page: &str, query: &Query) -> bool {
    let mut curl = Command::new("curl");
    curl.args(["-sf", "--max-time", "10", "--get"]);
    curl.args(["--data-urlencode", &format!("query={}", query.expression)]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (from, to) = (now.as_secs() - 900, now.as_secs());
    let way = match query.instant {
        true => "query",
        false => "query_range",
    };
    if !query.instant {
        let course = [
            format!("start={from}"),
            format!("end={to}"),
            "step=5".to_owned(),
        ];
        curl.args(course.iter().flat_map(|one| ["--data-urlencode", one]));
    }
    let output = curl.arg(format!("{page}/api/v1/{way}")).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let series = answer["data"]["result"].as_array().into_iter().flatten();
    let of = |one: &Value| match query.instant {
        true => vec![one["value"].clone()],
        false => one["values"].as_array().cloned().unwrap_or_default(),
    };
    let mut values = series.flat_map(of);
    values.any(|value| value[1].as_str().is_some_and(|number| number != "NaN"))
}

/// Those that are new take an evaluation of their rules; those about users take users, whom
/// Prometheus has seen twice.
fn has_data_for_every_panel(page: &str, lab: &str) {
    for query in dashboards::queries() {
        let Query {
            place, expression, ..
        } = &query;
        let what = format!("data for {place}: {expression}");
        await_some(&what, || {
            asked(lab, "/count")?;
            has_data(page, &query).then_some(())
        });
    }
}

#[test]
fn a_lab_is_watched_until_somebody_ends_that() {
    let Some(lab) = lab("monitor-on") else { return };
    let on = lab.json(&["monitor"]);
    assert_eq!(
        (&on["status"], &on["engine"]),
        (&"on".into(), &"local".into())
    );
    let page = on["monitoring"]["prometheus"].as_str().unwrap();
    // Each replica is asked by itself, and by the rules of this lab.
    await_some("both replicas to answer", || {
        let targets = asked(page, "/api/v1/targets?state=active")?;
        (targets.matches("\"health\":\"up\"").count() == 2).then_some(())
    });
    let rules = asked(page, "/api/v1/rules").unwrap();
    assert!(rules.contains("NobodyIsServed"), "{rules}");
    assert_eq!(monitoring(&lab), on["monitoring"]);
    assert_eq!(monitoring(&lab)["parts"][0]["ready"], true);
    let text = said(&lab.xtask(&["status"]));
    assert!(text.contains(page), "{text}");

    // Once more is no second one. What a person is led to is there.
    let process = only_process(&lab);
    let text = said(&lab.xtask(&["monitor"]));
    let pages: Vec<&str> = text
        .split_whitespace()
        .filter(|word| word.contains(page))
        .collect();
    assert_eq!(pages.len(), 3, "{text}");
    for page in pages {
        assert!(asked(page, "").is_some(), "{page}");
    }
    assert_eq!(lab.json(&["monitor"])["monitoring"], on["monitoring"]);
    assert_eq!(only_process(&lab), process);

    let off = lab.json(&["monitor", "--off"]);
    assert_eq!(
        (&off["status"], &off["removed"]),
        (&"off".into(), &true.into())
    );
    assert_eq!(processes(&lab), Vec::<String>::new());
    let refused = lab.fails(2, &["monitor", "--dashboards"]);
    assert!(refused.contains("runs no Grafana"), "{refused}");
    assert!(!lab.root.join(".lab/state/monitoring").exists());
    assert_eq!(monitoring(&lab), Value::Null);
    assert!(is_ready(page).is_none());
    assert_eq!(lab.json(&["monitor", "--off"])["removed"], false);
    assert_eq!(
        lab.json(&["add", "the lab is as before"])["status"],
        "added"
    );
}

#[test]
fn a_prometheus_that_is_killed_is_started_again_and_one_that_keeps_ending_is_named() {
    let Some(lab) = lab("monitor-killed") else {
        return;
    };
    let on = lab.json(&["monitor"]);
    let page = on["monitoring"]["prometheus"].as_str().unwrap();
    let first = only_process(&lab);
    signal(&first, "-9");
    await_some("another Prometheus", || {
        let all = processes(&lab);
        all.iter().find(|one| **one != first).map(drop)
    });
    await_some("it to be ready", || is_ready(page));
    assert_eq!(monitoring(&lab), on["monitoring"]);

    // The first time it is started at once, from the second on after a while, which grows.
    let trouble = await_some("the supervisor to say why it does not run", || {
        for process in processes(&lab) {
            // It may be gone by itself.
            let _ = Command::new("kill").args(["-9", &process]).output();
        }
        let part = monitoring(&lab)["parts"][0].take();
        (part["ready"] == false).then(|| part["trouble"].as_str().map(str::to_owned))?
    });
    assert!(trouble.contains("signal: 9"), "{trouble}");
    await_some("it to be started once more", || is_ready(page));

    // What a supervisor leaves that is killed itself is not watched by two.
    let third = only_process(&lab);
    signal(&supervisor(&lab), "-9");
    lab.json(&["setup"]);
    await_some("what watches it to be taken over", || is_ready(page));
    assert_ne!(only_process(&lab), third);
    assert_eq!(monitoring(&lab), on["monitoring"]);

    lab.json(&["teardown", "--yes"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert!(!lab.root.join(".lab/state/monitoring").exists());
}

#[test]
fn a_disaster_is_told_by_an_alert_that_is_resolved_after_the_recovery() {
    let Some(lab) = lab("monitor-alert") else {
        return;
    };
    // The delay is a part of the RTO.
    lab.configure("rto_seconds = 30", "rto_seconds = 600");
    lab.json(&["monitor"]);
    // Longer than an alert takes to be due.
    let result = lab.json(&["scenario", "volume-loss", "--operator-delay", "30"]);
    assert_eq!(result["passed"], true, "{result}");
    let alert = &result["alert"];
    let name = alert["name"].as_str().unwrap_or_else(|| panic!("{result}"));
    // Which one is first is a matter of moments.
    let due = [
        "NobodyIsServed",
        "ReplicasBelowTwo",
        "NeedsRestore",
        "RequestsRefused",
    ];
    assert!(due.contains(&name), "{alert}");
    let fired = alert["fired_seconds"].as_f64().unwrap();
    let away =
        result["rto"]["began"].as_f64().unwrap() + result["rto"]["seconds"].as_f64().unwrap();
    let disaster = result["moments"][0]["at"].as_f64().unwrap();
    assert!(fired >= 0.0 && disaster + fired <= away, "{result}");
    // One about the last minute may take longer than a run waits for its end on a busy machine.
    let in_time = alert["resolved_seconds"].is_number();
    assert!(in_time || name == "RequestsRefused", "{alert}");
    let lessons = result["lessons"].to_string();
    assert!(
        lessons.contains(&format!("by the alert {name}")),
        "{lessons}"
    );
    let kept = lab.root.join(result["run"].as_str().unwrap());
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(kept.join("result.json")).unwrap()).unwrap();
    assert_eq!(kept["alert"], *alert);
    // Prometheus knows the run by its figures.
    let page = monitoring(&lab)["prometheus"].take();
    let (page, run) = (page.as_str().unwrap(), result["run"].as_str().unwrap());
    await_some("the figures of the run", || {
        let said = asked(page, "/api/v1/query?query=pra_run_rto_seconds")?;
        let said: Value = serde_json::from_str(&said).unwrap();
        let sample = &said["data"]["result"][0];
        let value: f64 = sample["value"][1].as_str()?.parse().unwrap();
        assert_eq!(value, result["rto"]["seconds"]);
        assert!(
            run.ends_with(sample["metric"]["run"].as_str().unwrap()),
            "{said}"
        );
        Some(())
    });
    let url = lab.json(&["status"])["facts"]["url"].take();
    has_data_for_every_panel(page, url.as_str().unwrap());
    await_some("status to have it resolved", || {
        (!names_of_alerts(&lab).iter().any(|one| one == name)).then_some(())
    });
    // What is forgotten here is forgotten there.
    lab.json(&["runs", "rm", "--keep", "0", "--yes"]);
    await_some("the figures to go with the run", || {
        let said = asked(page, "/api/v1/query?query=pra_run_rto_seconds")?;
        said.contains("\"result\":[]").then_some(())
    });
}

#[test]
fn a_backup_that_fails_is_told_until_one_is_made() {
    let Some(lab) = lab("monitor-backup") else {
        return;
    };
    // The schedule's next backup would be a success before anybody looked.
    lab.edit("k8s/40-cronjob-backup.yaml", "* * * * *", "0 0 1 1 *");
    let on = lab.json(&["monitor"]);
    let page = on["monitoring"]["prometheus"].as_str().unwrap();
    lab.json(&["backup"]);
    // As a job that asks for less than the volumes promise.
    let volumes = lab.root.join(".lab/volumes");
    let refused = Command::new(lab.root.join(".lab/venv/bin/python"))
        .args(["-m", "pra", "backup"])
        .current_dir(lab.root.join("app"))
        .env("PRA_DATA_DIR", volumes.join("pra-data"))
        .env("PRA_BACKUP_DIR", volumes.join("pra-backup"))
        .env("PRA_JOURNAL", "off")
        .output()
        .unwrap();
    assert!(!refused.status.success(), "{}", said(&refused));
    let is_raised = || Some(asked(page, "/api/v1/alerts")?.contains("BackupFailing"));
    await_some("the alert", || is_raised()?.then_some(()));
    lab.json(&["backup"]);
    await_some("it to be resolved", || (!is_raised()?).then_some(()));
}

#[test]
fn without_prometheus_nothing_is_watched_and_status_evaluates_by_itself() {
    let lab = TestLab::new("monitor-none");
    lab.json(&["setup"]);
    let output = lab
        .command(&["monitor"])
        .env("PATH", "/nonexistent")
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("there is no prometheus on PATH"));
    assert!(
        said(&output).contains("next: install it"),
        "{}",
        said(&output)
    );
    assert_eq!(monitoring(&lab), Value::Null);

    // A database that is gone is seen without anybody who watches.
    fs::remove_dir_all(lab.root.join(".lab/volumes/pra-data")).unwrap();
    fs::create_dir(lab.root.join(".lab/volumes/pra-data")).unwrap();
    await_some("the alert of status", || {
        let names = names_of_alerts(&lab);
        names.iter().any(|one| one == "NeedsRestore").then_some(())
    });
}

#[test]
fn a_lab_that_was_lost_as_a_whole_is_watched_again() {
    let Some(lab) = lab("monitor-lost") else {
        return;
    };
    lab.json(&["monitor"]);
    let lost = lab.json(&["scenario", "cluster-loss", "--yes"]);
    assert_eq!(lost["passed"], true, "{lost}");
    let page = monitoring(&lab)["prometheus"].take();
    let page = page.as_str().expect("nothing watches the new lab");
    is_ready(page).unwrap();
    only_process(&lab);
}
