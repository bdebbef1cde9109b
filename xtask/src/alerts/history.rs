//! When alerts were raised and when they were resolved, as a Prometheus remembers it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::http;

/// `ALERTS{alertstate="firing"}`, as an address has it.
const FIRING: &str = "ALERTS%7Balertstate%3D%22firing%22%7D";

/// An alert that was raised while it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    pub name: String,
    pub severity: String,
    /// Seconds since 1970.
    pub at: f64,
    /// `None` where it is still raised.
    pub resolved: Option<f64>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// The alerts that began between two moments, the first one first: what was raised at the
/// first of them already is none of them. To the second, counted from that moment.
///
/// # Errors
/// There is no Prometheus, or one that has nothing of that time.
pub fn between(page: &str, from: f64, to: f64) -> Result<Vec<Raised>> {
    let asked = format!("query={FIRING}&start={from:.3}&end={to:.3}&step=1");
    let text = http::page(&format!("{page}/api/v1/query_range?{asked}"))?;
    read(&text, from, to)
}

/// The first and the last second of a time in which an alert was raised without a break.
type Stretch = (i64, i64);

/// Those that overlap, or follow each other without a second in between, as one; in order.
fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut all: Vec<Stretch> = Vec::new();
    for (first, last) in stretches {
        match all.last_mut() {
            Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => all.push((first, last)),
        }
    }
    all
}

fn read(text: &str, from: f64, to: f64) -> Result<Vec<Raised>> {
    let answer: Answer = serde_json::from_str(text).context("reading Prometheus' answer")?;
    // An alert about several things at once is one to whoever is told.
    let mut alerts: BTreeMap<(String, String), Vec<Stretch>> = BTreeMap::new();
    for series in answer.data.result {
        let label = |name: &str| series.metric.get(name).cloned().unwrap_or_default();
        let moments = series.values.iter();
        let seconds = moments.map(|(at, _)| (at - from).round() as i64);
        let began = alerts.entry((label("alertname"), label("severity")));
        let news = joined(seconds.map(|at| (at, at)).collect()).into_iter();
        began.or_default().extend(news.filter(|(at, _)| *at > 0));
    }
    let mut raised: Vec<Raised> = alerts
        .into_iter()
        .flat_map(|((name, severity), stretches)| {
            joined(stretches).into_iter().map(move |(first, last)| {
                let resolved = from + (last + 1) as f64;
                Raised {
                    name: name.clone(),
                    severity: severity.clone(),
                    at: from + first as f64,
                    resolved: (resolved <= to).then_some(resolved),
                }
            })
        })
        .collect();
    raised.sort_by(|one, other| {
        let rank = |one: &Raised| super::raised::rank(&one.severity);
        one.at
            .total_cmp(&other.at)
            .then(rank(one).cmp(&rank(other)))
    });
    Ok(raised)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_alert_since_a_moment_comes_first_with_its_end() {
        let from = 100.625;
        let series = |name: &str, severity: &str, seconds: &[u32]| {
            let at = |second: &u32| json!([from + f64::from(*second), "1"]);
            let values: Vec<_> = seconds.iter().map(at).collect();
            json!({"metric": {"alertname": name, "severity": severity}, "values": values})
        };
        let all = json!({"data": {"result": [
            series("ClockStepped", "warning", &[0, 1]),
            // Raised before, resolved, and raised again.
            series("Unprotected", "critical", &[0, 1, 10]),
            series("NeedsRestore", "critical", &[2, 3, 6]),
            series("NobodyIsServed", "critical", &[7, 8]),
            series("ReplicaLost", "info", &[7, 8, 9, 10]),
            series("VolumeFull", "critical", &[9]),
            series("VolumeFull", "critical", &[8, 9, 10]),
        ]}});
        let read = read(&all.to_string(), from, from + 10.5).unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    one.at - from,
                    one.resolved.map(|at| at - from),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("NeedsRestore", 2.0, Some(4.0)),
                ("NeedsRestore", 6.0, Some(7.0)),
                ("NobodyIsServed", 7.0, Some(9.0)),
                ("ReplicaLost", 7.0, None),
                ("VolumeFull", 8.0, None),
                ("Unprotected", 10.0, None),
            ]
        );
    }
}
