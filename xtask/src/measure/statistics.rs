//! The spread of a quantity over the runs of a drill.
//!
//! The interval for the median is the distribution-free one between two order
//! statistics (H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition,
//! section 7.1): a continuous population's median lies between the kth
//! smallest and the kth largest of n values with the probability that a
//! binomial(n, 1/2) variable falls into k..=n-k. Nothing is assumed about the
//! shape of recovery times, which is far from normal.

use serde::Serialize;
use terms::{LEAST_FOR_P95, Quantity, Unit};

/// What the interval should cover; few runs cover less, and say so.
const WANTED_COVERAGE: f64 = 0.95;
/// What "with 95 % confidence" leaves to chance.
const CHANCE: f64 = 0.05;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub name: Quantity,
    pub unit: Unit,
    pub n: usize,
    pub min: f64,
    pub median: f64,
    /// `None` where there are too few values for one that is not `max`.
    pub p95: Option<f64>,
    pub max: f64,
    pub median_low: f64,
    pub median_high: f64,
    /// The probability that the interval covers the median.
    pub coverage: f64,
}

impl Figure {
    /// `None` without values.
    pub fn of(name: Quantity, values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (k, coverage) = median_interval(n);
        Some(Self {
            name,
            unit: name.unit(),
            n,
            min,
            median: middle(&sorted),
            p95: (n >= LEAST_FOR_P95).then(|| sorted[rank(0.95, n)]),
            max,
            median_low: sorted[k - 1],
            median_high: sorted[n - k],
            // Rounded down: it covers no more than it says.
            coverage: (coverage * 10_000.0).floor() / 10_000.0,
        })
    }
}

/// `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| middle(&sorted))
}

/// Of an even number of them, halfway between the two in the middle.
fn middle(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
}

/// The place of a quantile among `n` sorted values: the smallest value that at
/// least this share does not exceed.
fn rank(quantile: f64, n: usize) -> usize {
    ((quantile * n as f64).ceil() as usize).clamp(1, n) - 1
}

/// The largest k whose interval still covers what is wanted, and its coverage;
/// the whole range where there are too few values.
fn median_interval(n: usize) -> (usize, f64) {
    let probabilities = fair_throws(n);
    // The probability of fewer than k successes.
    let mut below = probabilities[0];
    let mut best = (1, 1.0 - 2.0 * below);
    for k in 2..=n.div_ceil(2) {
        below += probabilities[k - 1];
        let coverage = 1.0 - 2.0 * below;
        if coverage < WANTED_COVERAGE {
            break;
        }
        best = (k, coverage);
    }
    (best.0, best.1.max(0.0))
}

/// The probabilities of 0 to n/2 successes in n fair throws.
///
/// From the middle outwards and relative to it: 0.5 to the nth is no number of
/// a computer's from 1,075 throws on, and what underflows out there is nothing.
fn fair_throws(n: usize) -> Vec<f64> {
    let middle = n / 2;
    let mut weights = vec![1.0; middle + 1];
    for k in (0..middle).rev() {
        weights[k] = weights[k + 1] * (k + 1) as f64 / (n - k) as f64;
    }
    let lower_half: f64 = weights.iter().sum();
    let both = if n.is_multiple_of(2) {
        2.0 * lower_half - weights[middle]
    } else {
        2.0 * lower_half
    };
    weights.iter().map(|weight| weight / both).collect()
}

/// With 95 % confidence, at most so large a share of all runs would fail where
/// `failed` of `n` did (Clopper and Pearson's upper bound).
pub fn failing_share(n: usize, failed: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // As many halvings as a fraction has digits.
    for _ in 0..f64::MANTISSA_DIGITS {
        let share = f64::midpoint(low, high);
        if at_most(failed, n, share) > CHANCE {
            low = share;
        } else {
            high = share;
        }
    }
    high
}

/// The probability that at most `failed` of `n` runs fail where this share of
/// all does.
fn at_most(failed: usize, n: usize, share: f64) -> f64 {
    if failed >= n {
        return 1.0;
    }
    let mut probability = (n as f64 * (-share).ln_1p()).exp();
    let mut sum = probability;
    for k in 0..failed {
        probability *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
        sum += probability;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_twenty_runs() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let figure = Figure::of(Quantity::RtoSeconds, &values).unwrap();
        assert_eq!((figure.min, figure.max, figure.median), (1.0, 20.0, 10.5));
        assert_eq!(figure.p95, Some(19.0));
        // As in the published tables: the 6th and the 15th, with 95.9 %.
        assert_eq!((figure.median_low, figure.median_high), (6.0, 15.0));
        assert_eq!(figure.coverage, 0.9586);
    }

    #[test]
    fn few_runs_cover_less_and_say_so() {
        let figure = Figure::of(Quantity::RtoSeconds, &[3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
        assert_eq!((figure.median_low, figure.median_high), (1.0, 5.0));
        assert_eq!(figure.coverage, 0.9375);
        let one = Figure::of(Quantity::RtoSeconds, &[3.0]).unwrap();
        assert_eq!((one.median, one.max, one.coverage), (3.0, 3.0, 0.0));
        assert!(Figure::of(Quantity::RtoSeconds, &[]).is_none());
    }

    /// The coverage is what it claims to be, also for a skewed quantity.
    #[test]
    fn the_interval_covers_the_median_as_often_as_it_says() {
        let mut draws = fastrand::Rng::with_seed(7);
        let median = 2.0_f64.ln();
        let covered = (0..4000).filter(|_| {
            let values: Vec<f64> = (0..20).map(|_| -(1.0 - draws.f64()).ln()).collect();
            let figure = Figure::of(Quantity::RtoSeconds, &values).unwrap();
            (figure.median_low..=figure.median_high).contains(&median)
        });
        let share = covered.count() as f64 / 4000.0;
        assert!((share - 0.9586).abs() < 0.012, "{share}");
    }

    /// The places and coverages as exact integers give them.
    #[test]
    fn the_interval_holds_for_any_number_of_runs() {
        let exact = [
            (1, 1, 0.0),
            (2, 1, 0.5),
            (6, 1, 0.96875),
            (1074, 505, 0.952_728_117_567),
            (1075, 505, 0.955_933_520_620),
            (1076, 506, 0.952_521_829_252),
            (5000, 2431, 0.950_684_141_896),
            (20_000, 9861, 0.951_487_538_404),
        ];
        for (n, k, coverage) in exact {
            let found = median_interval(n);
            assert_eq!(found.0, k, "{n} runs");
            assert!((found.1 - coverage).abs() < 1e-9, "{n} runs: {}", found.1);
        }
    }

    #[test]
    fn fewer_than_twenty_runs_have_no_95th_percentile_but_their_maximum() {
        let values: Vec<f64> = (1..=19).map(f64::from).collect();
        let figure = Figure::of(Quantity::RtoSeconds, &values).unwrap();
        assert_eq!((figure.p95, figure.max), (None, 19.0));
        let document = serde_json::to_value(&figure).unwrap();
        assert!(document["p95"].is_null() && document["max"] == 19.0);
    }

    #[test]
    fn the_failures_among_runs_bound_the_share_of_failing_ones() {
        // Exact integers give the same.
        let cases = [(20, 0, 0.139_108), (20, 1, 0.216_106), (20, 2, 0.282_619)];
        for (n, failed, share) in cases.into_iter().chain([(3, 1, 0.864_650), (1, 1, 1.0)]) {
            let found = failing_share(n, failed);
            assert!((found - share).abs() < 1e-6, "{failed} of {n}: {found}");
        }
        // As exact as for few: -ln(0.05) over a million.
        assert!((failing_share(1_000_000, 0) * 1e6 - 2.995_73).abs() < 1e-4);
    }
}
