//! Requests a second, from what replicas have counted. One address leads to all of them, so
//! each answer may be another one's: they are told apart by the moment at which they started.

use std::collections::HashMap;

use crate::alerts::{NAME, Sample};

/// Who was not heard for longer has gone; looks at a slow lab are seconds apart.
const FORGOTTEN: f64 = 60.0;
/// What is asked of an application to watch it: none of these is a user's.
const WATCHING: [&str; 4] = ["/metrics", "/status", "/health", "/ready"];

/// What the replicas of a lab said when they were heard last.
#[derive(Debug, Default)]
pub struct Rates {
    /// By the moment of their start, in thousandths.
    replicas: HashMap<u64, Counted>,
}

#[derive(Debug)]
struct Counted {
    at: f64,
    total: f64,
    /// Between the two last times.
    rate: Option<f64>,
}

/// Requests a second of all replicas that were heard lately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub requests: f64,
    pub replicas: usize,
}

impl Rates {
    /// One of them answered, `at` seconds after some beginning.
    pub fn hear(&mut self, samples: &[Sample], at: f64) {
        let Some(started) = value(samples, "process_start_time_seconds") else {
            return;
        };
        let total = requests(samples);
        let before = self.replicas.get(&((started * 1e3) as u64));
        let rate = before.and_then(|before| {
            let took = at - before.at;
            // What counts less than before is somebody else.
            (took > 0.0 && total >= before.total).then(|| (total - before.total) / took)
        });
        let counted = Counted { at, total, rate };
        self.replicas.insert((started * 1e3) as u64, counted);
    }

    /// What is known at a moment at which so many are ready: those that were heard last;
    /// `None` where nobody was heard twice.
    pub fn at(&mut self, now: f64, ready: usize) -> Option<Rate> {
        self.replicas.retain(|_, one| now - one.at <= FORGOTTEN);
        let mut newest: Vec<&Counted> = self.replicas.values().collect();
        newest.sort_by(|one, other| other.at.total_cmp(&one.at));
        newest.truncate(ready);
        let known: Vec<f64> = newest.iter().filter_map(|one| one.rate).collect();
        (!known.is_empty()).then(|| Rate {
            requests: known.iter().sum(),
            replicas: known.len(),
        })
    }
}

fn requests(samples: &[Sample]) -> f64 {
    let of_users = |one: &&Sample| {
        let route = one.labels.get("route").map(String::as_str);
        named(one, "pra_http_requests_total") && !WATCHING.contains(&route.unwrap_or_default())
    };
    samples.iter().filter(of_users).map(|one| one.value).sum()
}

fn named(sample: &Sample, name: &str) -> bool {
    sample.labels.get(NAME).is_some_and(|one| one == name)
}

/// The value of the only series of that name.
pub fn value(samples: &[Sample], name: &str) -> Option<f64> {
    let found = samples.iter().find(|one| named(one, name));
    found.map(|one| one.value)
}

/// A label of the only series of that name.
pub fn label<'a>(samples: &'a [Sample], name: &str, label: &str) -> Option<&'a str> {
    let found = samples.iter().find(|one| named(one, name))?;
    found.labels.get(label).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::samples;

    fn said(started: f64, added: u32, watched: u32) -> Vec<Sample> {
        samples(&format!(
            "process_start_time_seconds {started}\n\
             pra_http_requests_total{{route=\"/add\",method=\"POST\",status=\"200\"}} {added}\n\
             pra_http_requests_total{{route=\"/metrics\",method=\"GET\",status=\"200\"}} {watched}\n"
        ))
    }

    #[test]
    fn replicas_that_answer_in_turn_are_summed_up() {
        let mut rates = Rates::default();
        rates.hear(&said(100.01, 500, 7), 0.0);
        rates.hear(&said(100.02, 90, 7), 0.1);
        assert_eq!(rates.at(0.2, 2), None);
        rates.hear(&said(100.01, 530, 99), 1.0);
        let one = Rate {
            requests: 30.0,
            replicas: 1,
        };
        assert_eq!(rates.at(1.0, 2), Some(one));
        rates.hear(&said(100.02, 110, 99), 1.1);
        let both = rates.at(1.2, 2).unwrap();
        assert_eq!(both.replicas, 2);
        assert!((both.requests - 50.0).abs() < 1e-6, "{both:?}");
        // One of them is gone, and the other one was heard since.
        let one = rates.at(1.2, 1).unwrap();
        assert!((one.requests - 20.0).abs() < 1e-6, "{one:?}");
        // Nobody answers any more.
        assert_eq!(rates.at(90.0, 2), None);
    }

    #[test]
    fn who_counts_less_than_before_is_somebody_else() {
        let mut rates = Rates::default();
        rates.hear(&said(100.01, 500, 0), 0.0);
        rates.hear(&said(100.01, 3, 0), 1.0);
        assert_eq!(rates.at(1.0, 2), None);
    }
}
