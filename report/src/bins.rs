//! Requests grouped into time bins for drawing. A bin counts acknowledged and failed
//! requests apart, so that a plot can show one failure among many successes.

use crate::ledger::{Fate, Request};

/// The requests of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bin {
    pub from: f64,
    pub acknowledged: usize,
    /// Failed, or without an answer when the ledger ends.
    pub failed: usize,
    /// How long the acknowledged ones took, from when they were due.
    pub fastest: f64,
    pub median: f64,
    pub slowest: f64,
}

/// A stretch of time cut into bins of equal width.
#[derive(Debug)]
pub struct Bins {
    pub from: f64,
    /// The end of the stretch and of its last bin, which is between 0.5 and 1.5 widths
    /// long.
    pub to: f64,
    pub width: f64,
    pub bins: Vec<Bin>,
}

impl Bins {
    /// Cuts `from..to` into exactly `count` bins.
    pub fn exactly(requests: &[Request], from: f64, to: f64, count: usize) -> Self {
        let width = ((to - from) / count as f64).max(f64::MIN_POSITIVE);
        Self::cut(requests, from, to, width, count)
    }

    /// Cuts `from..to` into at most `most` bins of a round width.
    pub fn round(requests: &[Request], from: f64, to: f64, most: usize) -> Self {
        let width = round_width((to - from) / most as f64);
        // No sliver at the end: one request in it would look like hundreds a second.
        let count = (((to - from) / width).round() as usize).max(1);
        Self::cut(requests, from, to, width, count)
    }

    fn cut(requests: &[Request], from: f64, to: f64, width: f64, count: usize) -> Self {
        let mut bins = vec![Bin::default(); count];
        let mut waits: Vec<Vec<f64>> = vec![Vec::new(); count];
        for (index, bin) in bins.iter_mut().enumerate() {
            bin.from = from + width * index as f64;
        }
        for request in requests {
            // The very end of the stretch belongs to its last bin; rounding
            // may put it a hair beyond.
            if request.due < from || request.due > to + width * 1e-6 {
                continue;
            }
            let index = (((request.due - from) / width) as usize).min(count - 1);
            if request.fate == Fate::Acknowledged {
                bins[index].acknowledged += 1;
                waits[index].push(request.ended - request.due);
            } else {
                bins[index].failed += 1;
            }
        }
        for (bin, waits) in bins.iter_mut().zip(&mut waits) {
            waits.sort_by(f64::total_cmp);
            if let (Some(first), Some(last)) = (waits.first(), waits.last()) {
                bin.fastest = *first;
                bin.median = waits[(waits.len() - 1) / 2];
                bin.slowest = *last;
            }
        }
        Self {
            from,
            to,
            width,
            bins,
        }
    }

    /// Where a bin ends.
    pub fn end(&self, bin: &Bin) -> f64 {
        let is_last = self.bins.last().is_some_and(|last| last.from <= bin.from);
        if is_last {
            self.to
        } else {
            bin.from + self.width
        }
    }
}

/// The next 1, 2 or 5 times a power of ten, from a tenth of a second on.
fn round_width(wanted: f64) -> f64 {
    let mut width = 0.1;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if width >= wanted {
            break;
        }
        width *= factor;
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(due: f64, fate: Fate) -> Request {
        Request {
            due,
            ended: due + 0.01,
            fate,
        }
    }

    #[test]
    fn one_failure_among_a_hundred_thousand_is_still_there() {
        let mut requests: Vec<Request> = (0..100_000)
            .map(|n| request(f64::from(n) / 200.0, Fate::Acknowledged))
            .collect();
        requests[77_777].fate = Fate::Failed;
        for count in [1, 7, 240, 900] {
            let bins = Bins::exactly(&requests, 0.0, 499.995, count);
            let failed: usize = bins.bins.iter().map(|bin| bin.failed).sum();
            let all: usize = bins.bins.iter().map(|bin| bin.acknowledged).sum();
            assert_eq!((failed, all), (1, 99_999), "{count} bins");
        }
    }

    #[test]
    fn widths_are_round_and_the_number_of_bins_is_bounded() {
        for (span, most) in [(10.0, 100), (13.7, 120), (3600.0, 240), (0.5, 100)] {
            let bins = Bins::round(&[], 0.0, span, most);
            assert!(bins.bins.len() <= most, "{span}: {}", bins.bins.len());
        }
        assert_eq!(Bins::round(&[], 0.0, 90.0, 100).width, 1.0);
        assert_eq!(Bins::round(&[], 0.0, 3600.0, 240).width, 20.0);
    }

    /// 60 requests a second are 60 in every bin, also in the last one, and what
    /// comes after the stretch is not in it.
    #[test]
    fn the_last_bin_shows_the_same_rate_as_the_others() {
        let requests: Vec<Request> = (0..3600)
            .map(|n| request(f64::from(n) / 60.0, Fate::Acknowledged))
            .collect();
        for to in [12.504, 12.5, 12.749, 12.751, 12.999, 0.004] {
            let bins = Bins::round(&requests, 0.0, to, 100);
            let last = bins.bins.last().unwrap();
            let rate = last.acknowledged as f64 / (bins.end(last) - last.from);
            let one = 1.0 / (bins.end(last) - last.from);
            assert!((rate - 60.0).abs() <= one + 1e-6, "to {to}: {rate}");
        }
    }

    #[test]
    fn a_bin_knows_its_slowest_request() {
        let mut slow = request(0.5, Fate::Acknowledged);
        slow.ended = 3.5;
        let bins = Bins::exactly(&[slow, request(0.6, Fate::Acknowledged)], 0.0, 1.0, 1);
        assert_eq!(bins.bins[0].slowest, 3.0);
        assert!(bins.bins[0].median < 0.011);
    }
}
