//! What a benchmark says: a median, and what it is held against.

use serde::Serialize;

use crate::measure::figures::milliseconds;

/// Repetitions of what takes seconds; the median is quoted.
pub const RUNS: usize = 3;

#[derive(Serialize)]
pub struct Figure {
    pub what: String,
    /// Median of the runs.
    pub value: f64,
    pub unit: String,
    pub runs: Vec<f64>,
    /// What it is held against, and the share of it.
    pub against: Option<String>,
    pub ratio: Option<f64>,
    pub target: String,
}

impl Figure {
    /// The median of some runs, in seconds.
    pub fn of_runs(what: &str, runs: Vec<f64>, target: &str) -> Self {
        let runs: Vec<f64> = runs.into_iter().map(milliseconds).collect();
        Self {
            what: what.to_owned(),
            value: median(&runs),
            unit: "s".to_owned(),
            runs,
            against: None,
            ratio: None,
            target: target.to_owned(),
        }
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
