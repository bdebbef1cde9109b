//! The figures of past runs, as Prometheus reads them: recording rules whose values are
//! constants, since what was measured does not change any more. The names are those of
//! docs/monitoring.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use terms::LabName;

use super::{folders, name_of};
use crate::measure::result_file;

/// The newest ones: each takes a dozen series.
const MOST: usize = 100;
/// They are evaluated as seldom as a reader does not notice: they do not change.
const EVERY: &str = "15s";

type Labels = BTreeMap<&'static str, String>;

/// What a result says of a run; those of drills have no time of recovery of their own.
#[derive(Deserialize)]
struct Past {
    #[serde(default = "the_only_lab")]
    lab: String,
    /// Or `gameday`.
    scenario: String,
    engine: String,
    protection: String,
    #[serde(default)]
    auto: bool,
    passed: bool,
    began: Option<String>,
    rpo: Rpo,
    rto: Rto,
    alert: Option<FirstAlert>,
    #[serde(default)]
    objectives: Vec<Objective>,
}

/// Of results that do not name their lab: there was one.
fn the_only_lab() -> String {
    LabName::Pra.to_string()
}

#[derive(Deserialize)]
struct Rpo {
    lost: f64,
    seconds: f64,
}

#[derive(Deserialize)]
struct Rto {
    seconds: f64,
    /// It never ended: the time says when the run did.
    #[serde(default)]
    open: bool,
    #[serde(default)]
    phases: Vec<Phase>,
}

#[derive(Deserialize)]
struct Phase {
    name: String,
    seconds: f64,
}

#[derive(Deserialize)]
struct FirstAlert {
    name: String,
    fired_seconds: f64,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
    limit: f64,
}

/// The newest runs of a lab below a folder of runs, as a file of rules; one whose result is
/// none, or of an older format, is left out.
///
/// # Errors
/// The folder cannot be listed.
pub fn rules(runs: &Path, lab: LabName) -> Result<String> {
    let all = folders(runs)?.into_iter().rev();
    let of_the_lab = all.filter_map(|folder| {
        let text = fs::read_to_string(folder.join(result_file::FILE)).ok()?;
        let past: Past = serde_json::from_str(&text).ok()?;
        (past.lab == lab.to_string()).then(|| (name_of(&folder), past))
    });
    let newest: Vec<(String, Past)> = of_the_lab.take(MOST).collect();
    let count = rule("pra_runs", newest.len() as f64, Labels::new());
    let told = newest.iter().flat_map(|(run, past)| past.rules(run));
    let rules: Vec<Value> = std::iter::once(count).chain(told).collect();
    let group = json!({"name": "past-runs", "interval": EVERY, "rules": rules});
    serde_norway::to_string(&json!({"groups": [group]})).context("spelling out rules")
}

impl Past {
    fn rules(&self, run: &str) -> Vec<Value> {
        let labels = self.labels(run);
        let one = |name, value| rule(name, value, labels.clone());
        let with = |name, value, label, said: &str| {
            let mut labels = labels.clone();
            labels.insert(label, said.to_owned());
            rule(name, value, labels)
        };
        let mut all = vec![
            one("pra_run_rpo_seconds", self.rpo.seconds),
            one("pra_run_rpo_rows", self.rpo.lost),
            one("pra_run_passed", f64::from(u8::from(self.passed))),
        ];
        if !self.rto.open {
            all.push(one("pra_run_rto_seconds", self.rto.seconds));
        }
        let began = self.began.as_deref().and_then(since_1970);
        all.extend(began.map(|at| one("pra_run_timestamp_seconds", at)));
        let objectives = self.objectives.iter().map(|objective| {
            let Objective { name, limit } = objective;
            with("pra_run_objective", *limit, "objective", name)
        });
        all.extend(objectives);
        let phases = self.rto.phases.iter();
        all.extend(phases.map(|phase| {
            let Phase { name, seconds } = phase;
            with("pra_run_phase_seconds", *seconds, "phase", name)
        }));
        let alert = self.alert.iter();
        all.extend(alert.map(|alert| {
            let seconds = alert.fired_seconds;
            with("pra_run_alert_seconds", seconds, "alert", &alert.name)
        }));
        all
    }

    fn labels(&self, run: &str) -> Labels {
        Labels::from([
            ("run", run.to_owned()),
            ("scenario", self.scenario.clone()),
            ("engine", self.engine.clone()),
            ("protection", self.protection.clone()),
            ("auto", self.auto.to_string()),
        ])
    }
}

fn rule(name: &str, value: f64, labels: Labels) -> Value {
    json!({"record": name, "expr": format!("vector({value})"), "labels": labels})
}

fn since_1970(moment: &str) -> Option<f64> {
    let moment = humantime::parse_rfc3339_weak(moment).ok()?;
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> Value {
        json!({
            "format": 1, "lab": "pra", "scenario": "volume-loss", "engine": "local",
            "protection": "journal", "passed": true, "began": "2026-11-29T23:48:15.240Z",
            "rpo": {"lost": 0, "seconds": 0.0},
            "rto": {"seconds": 4.785, "phases": [{"name": "restored", "seconds": 2.859}]},
            "alert": {"name": "NeedsRestore", "severity": "critical", "fired_seconds": 7.0},
            "objectives": [{"name": "rto_seconds", "limit": 30.0, "measured": 4.785, "met": true}],
        })
    }

    /// The rules of a folder with these results, newest last.
    fn told(name: &str, results: &[Value]) -> Vec<Value> {
        let runs = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&runs);
        for (number, result) in results.iter().enumerate() {
            let folder = runs.join(format!("2026-11-01T00-00-00-{number:03}Z-volume-loss"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(result_file::FILE), result.to_string()).unwrap();
        }
        let text = rules(&runs, LabName::Pra).unwrap();
        let _ = fs::remove_dir_all(&runs);
        let file: Value = serde_norway::from_str(&text).unwrap();
        file["groups"][0]["rules"].as_array().unwrap().clone()
    }

    fn values(rules: &[Value], name: &str) -> Vec<String> {
        let of = rules.iter().filter(|rule| rule["record"] == name);
        of.map(|rule| rule["expr"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_run_is_told_by_its_figures_and_its_labels() {
        let rules = told("figures", &[result()]);
        let one = |name: &str| values(&rules, name).concat();
        assert_eq!(one("pra_runs"), "vector(1)");
        assert_eq!(one("pra_run_rto_seconds"), "vector(4.785)");
        assert_eq!(one("pra_run_rpo_rows"), "vector(0)");
        assert_eq!(one("pra_run_passed"), "vector(1)");
        assert_eq!(one("pra_run_timestamp_seconds"), "vector(1795996095.24)");
        assert_eq!(one("pra_run_objective"), "vector(30)");
        let labels = |name: &str| {
            let rule = rules.iter().find(|rule| rule["record"] == name);
            rule.unwrap()["labels"].clone()
        };
        let shared = json!({"run": "2026-11-01T00-00-00-000Z-volume-loss", "auto": "false",
            "scenario": "volume-loss", "engine": "local", "protection": "journal"});
        assert_eq!(labels("pra_run_rto_seconds"), shared);
        assert_eq!(labels("pra_run_phase_seconds")["phase"], "restored");
        assert_eq!(labels("pra_run_alert_seconds")["alert"], "NeedsRestore");
    }

    #[test]
    fn other_labs_drills_and_what_is_no_result_are_left_out() {
        let mut other = result();
        other["lab"] = "ha".into();
        let mut game = result();
        game["scenario"] = terms::GAMEDAY.into();
        let drill = json!({"passed": true, "groups": []});
        let rules = told("others", &[other, drill, json!("broken"), game]);
        assert_eq!(values(&rules, "pra_runs"), ["vector(1)"]);
        assert_eq!(rules[1]["labels"]["scenario"], terms::GAMEDAY);
        assert_eq!(values(&told("none", &[]), "pra_runs"), ["vector(0)"]);
    }

    #[test]
    fn an_outage_that_did_not_end_has_no_time_of_recovery() {
        let mut open = result();
        open["rto"]["open"] = true.into();
        let rules = told("open", &[open]);
        assert_eq!(values(&rules, "pra_runs"), ["vector(1)"]);
        assert!(values(&rules, "pra_run_rto_seconds").is_empty());
    }

    #[test]
    fn of_many_runs_the_newest_are_told() {
        let mut all = vec![result(); MOST];
        all.push(result());
        all[0]["rto"]["seconds"] = 1.0.into();
        let rtos = values(&told("many", &all), "pra_run_rto_seconds");
        assert_eq!(rtos.len(), MOST);
        assert!(!rtos.contains(&"vector(1)".to_owned()));
    }
}
