//! The spread of a quantity over the runs of a drill.
//!
//! The interval for the median is the distribution-free one between two order
//! statistics (H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition,
//! section 7.1): a continuous population's median lies between the kth
//! smallest and the kth largest of n values with the probability that a
//! binomial(n, 1/2) variable falls into k..=n-k. Nothing is assumed about the
//! shape of recovery times, which is far from normal.

use serde::Serialize;

/// What the interval should cover; few runs cover less, and say so.
const WANTED_COVERAGE: f64 = 0.95;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub n: usize,
    pub min: f64,
    pub median: f64,
    pub p95: f64,
    pub max: f64,
    pub median_low: f64,
    pub median_high: f64,
    /// The probability that the interval covers the median.
    pub coverage: f64,
}

impl Figure {
    /// `None` without values.
    pub fn of(name: impl Into<String>, unit: &'static str, values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (k, coverage) = median_interval(n);
        Some(Self {
            name: name.into(),
            unit,
            n,
            min,
            median: (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0,
            p95: sorted[rank(0.95, n)],
            max,
            median_low: sorted[k - 1],
            median_high: sorted[n - k],
            coverage: (coverage * 10_000.0).round() / 10_000.0,
        })
    }
}

/// The place of a quantile among `n` sorted values: the smallest value that at
/// least this share does not exceed.
fn rank(quantile: f64, n: usize) -> usize {
    ((quantile * n as f64).ceil() as usize).clamp(1, n) - 1
}

/// The largest k whose interval still covers what is wanted, and its coverage;
/// the whole range where there are too few values.
fn median_interval(n: usize) -> (usize, f64) {
    // Below: the probability of fewer than k successes in n fair throws.
    let mut below = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut probability = below;
    let mut best = (1, 1.0 - 2.0 * below);
    for k in 2..=n.div_ceil(2) {
        probability *= (n - k + 2) as f64 / (k - 1) as f64;
        below += probability;
        let coverage = 1.0 - 2.0 * below;
        if coverage < WANTED_COVERAGE {
            break;
        }
        best = (k, coverage);
    }
    (best.0, best.1.max(0.0))
}

/// With 95 % confidence, at most so large a share of all runs would fail where
/// none of `n` did (Clopper and Pearson's upper bound for no failure).
pub fn failing_share(n: usize) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_twenty_runs() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let figure = Figure::of("rto", "s", &values).unwrap();
        assert_eq!((figure.min, figure.max, figure.median), (1.0, 20.0, 10.5));
        assert_eq!(figure.p95, 19.0);
        // As in the published tables: the 6th and the 15th, with 95.9 %.
        assert_eq!((figure.median_low, figure.median_high), (6.0, 15.0));
        assert_eq!(figure.coverage, 0.9586);
    }

    #[test]
    fn few_runs_cover_less_and_say_so() {
        let figure = Figure::of("rto", "s", &[3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
        assert_eq!((figure.median_low, figure.median_high), (1.0, 5.0));
        assert_eq!(figure.coverage, 0.9375);
        let one = Figure::of("rto", "s", &[3.0]).unwrap();
        assert_eq!((one.median, one.p95, one.coverage), (3.0, 3.0, 0.0));
        assert!(Figure::of("rto", "s", &[]).is_none());
    }

    /// The coverage is what it claims to be, also for a skewed quantity.
    #[test]
    fn the_interval_covers_the_median_as_often_as_it_says() {
        let mut draws = fastrand::Rng::with_seed(7);
        let median = 2.0_f64.ln();
        let covered = (0..4000).filter(|_| {
            let values: Vec<f64> = (0..20).map(|_| -(1.0 - draws.f64()).ln()).collect();
            let figure = Figure::of("rto", "s", &values).unwrap();
            (figure.median_low..=figure.median_high).contains(&median)
        });
        let share = covered.count() as f64 / 4000.0;
        assert!((share - 0.9586).abs() < 0.012, "{share}");
    }

    #[test]
    fn no_failure_in_twenty_runs_bounds_the_share_of_failing_ones() {
        assert!((failing_share(20) - 0.1391).abs() < 0.0001);
    }
}
