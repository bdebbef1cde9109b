//! Downtime as users saw it: from the failed writes and reads of the client.

use super::compare::Rows;
use super::observed::{Observed, Outcome, Request};
use terms::tr;

/// A request that failed, in seconds of the ledger's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    pub sent: f64,
    pub ended: f64,
    /// A write; else a read.
    pub write: bool,
}

/// Every failure of a run, by which disaster it belongs to.
#[derive(Debug, PartialEq)]
pub struct Failures {
    /// Those that had ended before any disaster began.
    pub before: Vec<Failure>,
    /// In the order of the disasters.
    pub of: Vec<Vec<Failure>>,
}

impl Failures {
    /// `began` are the moments at which the disasters began, in their order.
    ///
    /// A failure belongs to the first disaster that it met on its way, from its
    /// sending to its end, and otherwise to the last one before it: however
    /// long after the recovery it comes.
    pub fn new(observed: &Observed, began: &[f64]) -> Self {
        let mut found = Self {
            before: Vec::new(),
            of: vec![Vec::new(); began.len()],
        };
        for failure in all(observed) {
            let next = |n: usize| began.get(n + 1).copied().unwrap_or(f64::INFINITY);
            let disaster =
                (0..began.len()).find(|n| failure.ended >= began[*n] && failure.sent < next(*n));
            match disaster {
                Some(n) => found.of[n].push(failure),
                None => found.before.push(failure),
            }
        }
        found
    }

    /// What failures without a disaster say about the run.
    pub fn doubt(&self) -> Option<String> {
        let count = self.before.len();
        (count > 0).then(|| {
            tr!(
                "requests that failed before the disaster: {count}; the state was not a steady one",
                "requêtes en échec avant le sinistre : {count} ; l'état n'était pas stable",
            )
        })
    }
}

/// Also of writes that were sent again and answered then: their user waited.
fn all(observed: &Observed) -> impl Iterator<Item = Failure> {
    let attempts = observed.requests.iter().flat_map(|r| &r.attempts.failed);
    let attempts = attempts.map(|attempt| Failure {
        sent: attempt.sent,
        ended: attempt.ended,
        write: true,
    });
    let writes = observed.requests.iter().filter(|r| !r.acknowledged());
    let writes = writes.map(|r| Failure {
        sent: r.last_sent(),
        ended: r.ended,
        write: true,
    });
    let writes = attempts.chain(writes);
    let looks = observed.reads.iter().filter(|look| look.failed());
    writes.chain(looks.map(|look| Failure {
        sent: look.sent,
        ended: look.ended,
        write: false,
    }))
}

/// The time without service after one disaster, in seconds of the ledger's
/// clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Downtime {
    /// The first request that failed was sent: it may hang for longer than
    /// others that fail at once.
    pub began: f64,
    /// A request had failed, for the first time.
    pub detected: f64,
    /// The first write sent since the last failure was acknowledged that is
    /// really there; `None` where there was none until the client ended.
    pub back: Option<f64>,
}

impl Downtime {
    /// `None` where nothing failed. The service is not back before `gone`, when
    /// the disaster was complete, whatever was acknowledged until then.
    pub fn of(failures: &[Failure], observed: &Observed, after: &Rows, gone: f64) -> Option<Self> {
        let sent = || failures.iter().map(|failure| failure.sent);
        let began = sent().reduce(f64::min)?;
        let last = sent().fold(gone, f64::max);
        let ended = failures.iter().map(|failure| failure.ended);
        Some(Self {
            began,
            detected: ended.fold(f64::INFINITY, f64::min),
            back: first_verified(&observed.requests, after, last),
        })
    }
}

/// When the first write sent at or after `since` was acknowledged whose row is
/// really there.
pub fn first_verified(requests: &[Request], after: &Rows, since: f64) -> Option<f64> {
    let verified = requests.iter().filter(|request| {
        let Outcome::Acknowledged { id, .. } = request.outcome else {
            return false;
        };
        let row = after.get(&id);
        request.last_sent() >= since && row.is_some_and(|row| row.message == request.message)
    });
    verified.map(|request| request.ended).reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::{Attempts, Read, Row, Seen};

    /// A write a second from 0 on, answered after 0.1 s; those of `failed` fail.
    fn observed(count: u32, failed: &[u32]) -> (Observed, Rows) {
        let mut rows = Rows::new();
        let requests = (0..count).map(|n| {
            let message = format!("m{n}");
            let outcome = if failed.contains(&n) {
                Outcome::failed("cut off")
            } else {
                let row = Row {
                    message: message.clone(),
                    timestamp: "t".into(),
                };
                rows.insert(i64::from(n), row);
                Outcome::Acknowledged {
                    id: i64::from(n),
                    timestamp: "t".into(),
                }
            };
            Request {
                n: n as usize,
                message,
                due: f64::from(n),
                sent: f64::from(n),
                ended: f64::from(n) + 0.1,
                outcome,
                attempts: Attempts::default(),
            }
        });
        let requests = requests.collect();
        (Observed::of(requests), rows)
    }

    fn downtime(observed: &Observed, after: &Rows, disaster: f64, gone: f64) -> Downtime {
        let failures = Failures::new(observed, &[disaster]);
        Downtime::of(&failures.of[0], observed, after, gone).unwrap()
    }

    #[test]
    fn nothing_that_failed_is_no_downtime() {
        let (observed, rows) = observed(5, &[]);
        let failures = Failures::new(&observed, &[2.0]);
        assert_eq!(Downtime::of(&failures.of[0], &observed, &rows, 2.0), None);
    }

    #[test]
    fn a_second_outage_after_the_restore_counts() {
        let (observed, rows) = observed(12, &[3, 4, 8]);
        let found = downtime(&observed, &rows, 2.5, 5.0);
        let expected = Downtime {
            began: 3.0,
            detected: 3.1,
            back: Some(9.1),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_service_that_fails_to_the_end_is_not_back() {
        let (observed, rows) = observed(8, &[3, 4, 7]);
        assert_eq!(downtime(&observed, &rows, 2.5, 5.0).back, None);
    }

    #[test]
    fn a_request_that_hangs_starts_the_clock_at_its_sending() {
        let (mut observed, rows) = observed(10, &[2, 4]);
        // Sent before the disaster, and given up long after the next one failed.
        observed.requests[2].ended = 7.0;
        let found = downtime(&observed, &rows, 2.5, 5.0);
        assert_eq!((found.began, found.detected), (2.0, 4.1));
    }

    #[test]
    fn an_acknowledgement_without_its_row_does_not_end_it() {
        let (observed, mut rows) = observed(8, &[3]);
        rows.remove(&5);
        assert_eq!(downtime(&observed, &rows, 2.5, 4.5).back, Some(6.1));
    }

    #[test]
    fn acknowledgements_before_the_disaster_was_complete_do_not_end_it() {
        let (observed, rows) = observed(8, &[3]);
        assert_eq!(downtime(&observed, &rows, 2.5, 5.5).back, Some(6.1));
    }

    #[test]
    fn looks_that_fail_are_downtime_too() {
        let (mut observed, rows) = observed(12, &[3]);
        let look = |sent: f64, seen: Seen| Read {
            sent,
            ended: sent + 0.1,
            seen,
            again: false,
        };
        let failed = || Seen::Failed("HTTP 500".into());
        observed.reads = vec![
            look(1.0, Seen::Count(1)),
            look(2.7, failed()),
            look(7.5, failed()),
            look(9.0, Seen::Count(9)),
        ];
        let found = downtime(&observed, &rows, 2.5, 4.0);
        let expected = Downtime {
            began: 2.7,
            detected: 2.8000000000000003,
            back: Some(8.1),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn each_failure_belongs_to_one_disaster() {
        let (mut observed, _) = observed(12, &[0, 3, 5, 7, 11]);
        // Under way when the first disaster began, given up after the second.
        observed.requests[3].ended = 9.0;
        let failures = Failures::new(&observed, &[3.05, 6.5]);
        let sent = |some: &[Failure]| some.iter().map(|one| one.sent).collect::<Vec<_>>();
        assert_eq!(sent(&failures.before), [0.0]);
        assert_eq!(sent(&failures.of[0]), [3.0, 5.0]);
        assert_eq!(sent(&failures.of[1]), [7.0, 11.0]);
        assert!(failures.doubt().unwrap().contains("disaster: 1;"));
        assert_eq!(Failures::new(&observed, &[0.0]).doubt(), None);
    }
}
