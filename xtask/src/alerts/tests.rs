//! The rules evaluated here against what `promtool test rules` says of them: the same states,
//! the same alerts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::expression::{Condition, Moment};
use super::rules::{self, Rule};
use super::series::{Sample, series};

const RULES: &str = include_str!("../../../monitoring/rules/rules.yaml");
const TESTS: &str = include_str!("../../../monitoring/rules/tests.yaml");

fn seconds(text: &str) -> u64 {
    humantime::parse_duration(text).unwrap().as_secs()
}

/// The values of a series in promtool's words: `1`, `_x3`, `stale`, `0x9`, `5-1x4`.
fn values(text: &str) -> Vec<Option<f64>> {
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        let (value, times) = word.split_once('x').unwrap_or((word, ""));
        let times: usize = times.parse().unwrap_or(0);
        if value == "stale" || value == "_" {
            all.extend(vec![None; times.max(1)]);
            continue;
        }
        let sign = value[1..].find(['+', '-']).map(|at| at + 1);
        let (start, step) = value.split_at(sign.unwrap_or(value.len()));
        let start: f64 = start.parse().unwrap();
        let step: f64 = step.parse().unwrap_or(0.0);
        all.extend((0..=times).map(|n| Some(start + step * n as f64)));
    }
    all
}

fn at(test: &Value, second: u64) -> Moment {
    let interval = seconds(test["interval"].as_str().unwrap());
    let all = test["input_series"].as_array().unwrap().iter();
    let samples = all.filter_map(|one| {
        let (labels, _) = series(&format!("{} ", one["series"].as_str().unwrap())).unwrap();
        let values = values(one["values"].as_str().unwrap());
        let value = *values.get((second / interval) as usize)?;
        Some(Sample {
            labels,
            value: value?,
        })
    });
    Moment {
        now: second as f64,
        samples: samples.collect(),
    }
}

/// It holds now and did so at each look of as long as the rule wants.
fn fires(rule: &Rule, test: &Value, second: u64) -> bool {
    let pending = rule.pending.as_secs();
    let mut looks = (second.saturating_sub(pending)..=second).step_by(5);
    second >= pending && looks.all(|look| !rule.condition.evaluate(&at(test, look)).is_empty())
}

#[test]
fn they_say_what_promtool_says() {
    let rules = rules::parse(RULES).unwrap();
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let tests: Value = serde_norway::from_str(TESTS).unwrap();
    let mut seen = BTreeSet::new();
    for test in tests["tests"].as_array().unwrap() {
        let name = test["name"].as_str().unwrap();
        for asked in test["promql_expr_test"].as_array().unwrap() {
            let time = asked["eval_time"].as_str().unwrap();
            let expected = asked["exp_samples"].as_array().unwrap().iter();
            let expected = expected.map(|one| {
                let labels = one["labels"].as_str().unwrap();
                labels.split('"').nth(1).unwrap()
            });
            let expected: BTreeSet<&str> = expected.filter(|one| names.contains(one)).collect();
            let fire = rules.iter().filter(|rule| fires(rule, test, seconds(time)));
            let fired: BTreeSet<&str> = fire.map(|rule| rule.name.as_str()).collect();
            assert_eq!(fired, expected, "{name}, at {time}");
            seen.extend(fired.iter().map(|one| (*one).to_owned()));
        }
    }
    let untested: Vec<_> = names.iter().filter(|one| !seen.contains(**one)).collect();
    assert!(untested.is_empty(), "no test raises {untested:?}");
}

#[test]
fn what_is_more_than_this_moment_is_refused() {
    for more in [
        "rate(pra_http_requests_total[1m]) > 0",
        "max(pra_rows offset 1m) > 0",
        "sum(pra_rows) > 0",
        "up < 1",
        "max(pra_points{state=~\"ver.*\"}) > 0",
        "max(pra_rows) > 0 unless max(pra_needs_restore)",
        "predict_linear(pra_volume_free_bytes[15m], 60) < 0",
        "pra_rows >= 1",
    ] {
        assert!(Condition::parse(more).is_err(), "{more} is taken");
    }
}
