//! Results as the task runner writes them, and what every page must be.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use terms::lang::Lang;

/// A folder for runs that is empty when a test begins.
pub fn runs(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("report")
        .join(name);
    // Left by an earlier run of the tests.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn keep(runs: &Path, name: &str, result: &Value, ledger: Option<&str>) -> PathBuf {
    let folder = runs.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("result.json"), result.to_string()).unwrap();
    if let Some(ledger) = ledger {
        fs::write(folder.join("ledger.jsonl"), ledger).unwrap();
    }
    folder
}

/// A load of `rate` requests a second with an outage.
pub fn ledger(count: usize, rate: f64, outage: std::ops::Range<f64>) -> String {
    let mut text = "{\"event\":\"began\",\"wall\":\"2026-11-22T05:54:33Z\"}\n".to_owned();
    for n in 0..count {
        let due = n as f64 / rate;
        let wait = 0.004 + 0.02 * ((n * 7919) % 101) as f64 / 101.0;
        let outcome = if outage.contains(&due) {
            json!({"failed": {"reason": "Connection refused <os error 111>"}})
        } else {
            json!({"acknowledged": {"id": n + 1, "timestamp": "2026-11-22T05:54:33Z"}})
        };
        let message = format!("m{n}");
        let sent = json!({"event": "sent", "n": n, "at": due, "due": due, "message": message});
        let ended = json!({"event": "ended", "n": n, "at": due + wait, "outcome": outcome});
        writeln!(text, "{sent}\n{ended}").unwrap();
    }
    text
}

pub fn result(passed: bool, lost: u64, rto: f64) -> Value {
    let phase = |name: &str, share: f64| json!({"name": name, "seconds": share * rto});
    json!({
        "scenario": "volume-loss", "engine": "local", "protection": "snapshot", "passed": passed,
        "broken": if passed { json!([]) } else { json!(["17 <rows> are lost"]) },
        "rpo": {"acknowledged": 700, "lost": lost, "lost_ids": [], "seconds": 1.2,
                "snapshot_only_lost": lost, "snapshot_only_seconds": 1.2, "backup_age_seconds": 1.05,
                "schedule": {"interval_seconds": 60.0, "backup_seconds": 0.1, "rate": 60.0,
                             "expected": {"lost": 1806, "seconds": 30.1},
                             "worst": {"lost": 3606, "seconds": 60.1},
                             "at_this_moment": {"lost": 900, "seconds": 15.0}}},
        "rto": {"seconds": rto, "operator_delay_seconds": 0.75, "phases": [
            phase("detected", 0.1), phase("provisioned", 0.2),
            phase("restored", 0.5), phase("serving", 0.2)]},
        "client": {"requests": 900, "failed": 200, "longest_gap_seconds": rto},
        "verified": {"rows": 700, "phantom": 0, "changed": 0, "in_doubt": 1},
        "backups_resumed": true, "protected_seconds": 4.5, "run": ".lab/runs/x",
        "moments": [{"at": 5.0, "what": "pra-data deleted"}, {"at": 7.5, "what": "service back"}],
        "commands": ["kubectl -n pra delete pvc pra-data"], "versions": {"xtask": "0.1.0", "sqlite": "3.50.4"},
        "milder": [{"what": "stopping", "here": "at once", "on_a_cluster": "after <preStop>"}],
        "objectives": [{"name": "rto_seconds", "limit": 30, "measured": rto, "met": true}],
        "lessons": ["The volume was lost and came back."],
        "doubts": ["the client sent nothing for <1> s"],
        "draw": {"seed": 4711, "number": 3, "moment_seconds": 12.5},
    })
}

pub fn group(protection: &str, rpo: f64) -> Value {
    let run = |n: u32| {
        let share = f64::from(n) / 19.0;
        json!({"run": format!(".lab/runs/r{n}"), "number": n, "moment_seconds": share * 60.0,
               "passed": n != 7, "lost": (rpo * share * 60.0) as u64,
               "rpo_seconds": rpo * share, "rto_seconds": 2.0 + share})
    };
    let figure = |name: &str, unit: &str, low: f64, high: f64| {
        json!({"name": name, "unit": unit, "n": 20, "min": low, "median": (low + high) / 2.0,
               "p95": high * 0.95, "max": high, "median_low": low + (high - low) * 0.4,
               "median_high": low + (high - low) * 0.6, "coverage": 0.959})
    };
    json!({"scenario": "volume-loss", "engine": "local", "protection": protection,
           "runs": (0..20).map(run).collect::<Vec<_>>(),
           "figures": [figure("lost", "rows", 0.0, rpo * 60.0),
                       figure("rpo_seconds", "s", 0.0, rpo),
                       figure("rto_seconds", "s", 2.0, 3.0)],
           "objectives": [{"name": "rto_seconds", "limit": 2.9, "measured": 3.0, "met": false}]})
}

pub fn drill() -> Value {
    let mut few = group("journal", 0.0);
    few["cut_off"] = json!(1);
    for figure in few["figures"].as_array_mut().unwrap() {
        figure["n"] = json!(3);
    }
    json!({"began": "2026-11-22T06:00:00Z", "passed": false, "missed": ["rto_seconds: 3 s"],
           "seed": 42, "moments": "Drawn uniformly over the backup interval of 60 s.",
           "groups": [group("snapshot", 55.0), few],
           "doubts": ["run 3: 9 of 90 requests were sent late"], "cut_off": "interrupted",
           "commands": ["cargo xtask drill --seed 42"],
           "comparison": ["With the journal nothing was lost."],
           "milder": [{"what": "volumes", "here": "folders", "on_a_cluster": "provisioned"}],
           "notes": ["No person's time is in an RTO here."]})
}

/// What makes a page stand alone and speak to everyone.
pub fn check_page(html: &str) {
    check_page_in(Lang::English, html);
}

pub fn check_page_in(lang: Lang, html: &str) {
    let tag = lang.tag();
    assert!(html.starts_with(&format!("<!DOCTYPE html><html lang=\"{tag}\">")));
    for active in [
        "<script",
        "@import",
        "src=\"http",
        "href=\"http",
        "url(http",
    ] {
        assert!(!html.contains(active), "it runs or fetches: {active}");
    }
    let drawings = html.matches("<svg").count();
    assert_eq!(
        drawings,
        html.matches("role=\"img\" aria-labelledby").count()
    );
    assert_eq!(drawings, html.matches("<title id=").count());
    assert_eq!(drawings, html.matches("<desc id=").count());
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    // Who hears the page tells its tables apart by these.
    let regions = html.split("role=\"region\" aria-label=\"").skip(1);
    let mut names: Vec<&str> = regions.filter_map(|rest| rest.split('"').next()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two tables of the same name: {names:?}");
}
