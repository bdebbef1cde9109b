//! What the measuring client saw, and how far its figures can be trusted.

use std::time::UNIX_EPOCH;
use terms::lang::number;
use terms::tr;

use serde::Serialize;

use super::observed::{Mode, Observed, Outcome, Request};

#[derive(Debug, Serialize)]
pub struct ClientFigures {
    #[serde(flatten)]
    pub mode: Mode,
    /// Writes, however often each was sent.
    pub requests: usize,
    /// Those that were not acknowledged in the end.
    pub failed: usize,
    /// Those of them that the application would not have, now or later.
    pub refused: usize,
    /// Sendings of all of them.
    pub attempts: usize,
    /// Those that failed: their users waited, whatever came of the next one.
    pub attempts_failed: usize,
    /// Writes that were sent more than once.
    pub retried: usize,
    /// Writes that an earlier sending had stored already, as the application said.
    pub replayed: usize,
    /// Connections that were opened; `None` where the ledger does not say.
    pub connections_opened: Option<u64>,
    /// Those of them that no answer came on, as in an outage.
    pub connections_unanswered: Option<u64>,
    /// Between one acknowledgement and the next, the first request and the first
    /// acknowledgement, the last acknowledgement and the last answer.
    pub longest_gap_seconds: f64,
    /// The longest time in which nothing was sent: an outage as short as that
    /// can have gone unseen.
    pub resolution_seconds: f64,
    /// Requests that were sent later than one period after their moment.
    pub late: usize,
    /// Those of them that waited for a place among the requests under way: the client's own
    /// limit.
    pub held_back: usize,
    pub reads: usize,
    pub reads_failed: usize,
    /// Reads that were asked for again at once, since their kept connection had gone dead.
    pub reads_again: usize,
    /// Processor time that the client itself used.
    pub cpu_seconds: Option<f64>,
    /// How far wall clock and monotonic clock came apart.
    pub clock_stepped_seconds: f64,
    /// How far the application's clock and the client's came apart, at least.
    pub application_clock_seconds: f64,
}

impl ClientFigures {
    /// `rate` is what was asked of the client, in requests a second.
    pub fn new(observed: &Observed, rate: u32) -> Self {
        let requests = &observed.requests;
        let period = 1.0 / f64::from(rate);
        let late = requests.iter().filter(|r| r.sent - r.due > period);
        let again = requests.iter().map(|r| r.attempts.failed.len());
        let again: Vec<usize> = again.filter(|count| *count > 0).collect();
        let failed = requests.iter().filter(|r| !r.acknowledged()).count();
        let failed_before = again.iter().sum::<usize>();
        Self {
            mode: observed.mode,
            attempts: requests.len() + failed_before,
            attempts_failed: failed + failed_before,
            retried: again.len(),
            replayed: requests.iter().filter(|r| r.attempts.replayed).count(),
            connections_opened: observed.opened,
            connections_unanswered: observed.unanswered,
            requests: requests.len(),
            refused: requests.iter().filter(|r| r.refused()).count(),
            failed,
            longest_gap_seconds: milliseconds(longest_gap(requests)),
            resolution_seconds: milliseconds(longest_pause(requests)),
            late: late.count(),
            held_back: observed.held_back,
            reads: observed.reads.len(),
            reads_failed: observed.reads.iter().filter(|look| look.failed()).count(),
            reads_again: observed.reads.iter().filter(|look| look.again).count(),
            cpu_seconds: observed.cpu.map(milliseconds),
            clock_stepped_seconds: milliseconds(observed.clock_stepped),
            application_clock_seconds: milliseconds(clocks_apart(requests)),
        }
    }

    /// What these figures say about the measuring itself.
    pub fn doubts(&self, rate: u32) -> Vec<String> {
        let mut doubts = Vec::new();
        let period = 1.0 / f64::from(rate);
        if self.resolution_seconds > COARSE_PERIODS * period {
            doubts.push(tr!(
                "the client sent nothing for {seconds} s: an outage as short as that can have \
                 gone unseen",
                "le client n'a rien envoyé pendant {seconds} s : une panne aussi courte a pu \
                 passer inaperçue",
                seconds = number(self.resolution_seconds),
            ));
        }
        doubts.extend(self.on_late(rate));
        if self.clock_stepped_seconds.abs() > CLOCK_TOLERANCE {
            doubts.push(tr!(
                "the clocks came apart by {seconds} s: one was set, or the machine slept",
                "les horloges se sont écartées de {seconds} s : l'une a été réglée, ou la machine \
                 a dormi",
                seconds = number(self.clock_stepped_seconds),
            ));
        }
        if self.application_clock_seconds > CLOCK_TOLERANCE {
            doubts.push(tr!(
                "the application's clock and the client's came apart by {seconds} s at least: the \
                 times of rows, of restore points and of restore --to are off by as much",
                "les horloges de l'application et du client se sont écartées d'au moins {seconds} \
                 s : les heures des lignes, des points de restauration et de restore --to sont \
                 fausses d'autant",
                seconds = number(self.application_clock_seconds),
            ));
        }
        doubts
    }
}

impl ClientFigures {
    /// Why requests were sent late, where more than one in a hundred was: each reason where
    /// it is one of that many.
    fn on_late(&self, rate: u32) -> Vec<String> {
        let counts = |late: usize| late * 100 > self.requests;
        let requests = self.requests;
        let busy = self.late.saturating_sub(self.held_back);
        let held_back = counts(self.held_back).then(|| {
            tr!(
                "{late} of {requests} requests were sent late: the client had as many under way \
                 as it can have, so many of its users waited for an answer; measure with a lower \
                 rate ([client] of lab.toml, {rate} a second)",
                "{late} requêtes sur {requests} ont été envoyées en retard : le client en avait \
                 autant en cours qu'il le peut, tant ses utilisateurs attendaient une réponse ; \
                 mesurez avec un débit plus faible ([client] de lab.toml, {rate} par seconde)",
                late = self.held_back,
            )
        });
        let busy = counts(busy).then(|| {
            tr!(
                "{busy} of {requests} requests were sent late: this machine was too busy for \
                 {rate} a second",
                "{busy} requêtes sur {requests} ont été envoyées en retard : cette machine était \
                 trop occupée pour {rate} par seconde",
            )
        });
        held_back.into_iter().chain(busy).collect()
    }
}

/// How far the clock that wrote the rows' times came apart from the client's.
///
/// Each of those times lies between its request and its answer, so it bounds
/// the offset of the clocks from both sides, however slow the answer was; where
/// no offset fits all of them, the clocks did not go alike (the idea of
/// Marzullo's algorithm).
fn clocks_apart(requests: &[Request]) -> f64 {
    let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
    for request in requests {
        let Outcome::Acknowledged { timestamp, .. } = &request.outcome else {
            continue;
        };
        let Ok(time) = humantime::parse_rfc3339(timestamp) else {
            continue;
        };
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = time.as_secs_f64();
        least = least.max(time - request.ended);
        most = most.min(time - request.sent);
    }
    (least - most).max(0.0)
}

/// A gap of more than so many periods is no jitter of a busy machine.
const COARSE_PERIODS: f64 = 10.0;
/// More than time synchronisation does within a run.
const CLOCK_TOLERANCE: f64 = 0.25;

/// Between one request and the next, by when they were sent.
fn longest_pause(requests: &[Request]) -> f64 {
    longest(requests.iter().map(|request| request.sent))
}

/// Between two writes that were acknowledged, or one and an end of the client, in seconds.
pub fn longest_gap(requests: &[Request]) -> f64 {
    let answered = requests.iter().filter(|request| request.acknowledged());
    let first = requests.iter().map(|request| request.sent);
    let last = requests.iter().map(|request| request.ended);
    let ends = [first.reduce(f64::min), last.reduce(f64::max)];
    longest(
        answered
            .map(|one| one.ended)
            .chain(ends.into_iter().flatten()),
    )
}

fn longest(moments: impl Iterator<Item = f64>) -> f64 {
    let mut moments: Vec<f64> = moments.collect();
    moments.sort_by(f64::total_cmp);
    let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.fold(0.0, f64::max)
}

/// Rounded to milliseconds.
pub fn milliseconds(seconds: f64) -> f64 {
    // Zero has no sign in a report.
    (seconds * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::Attempts;

    #[test]
    fn the_gap_is_between_acknowledgements_whatever_their_order() {
        let at = |ended: f64, ok: bool| Request {
            n: 0,
            message: String::new(),
            due: ended,
            sent: ended,
            ended,
            outcome: if ok {
                Outcome::Acknowledged {
                    id: 1,
                    timestamp: String::new(),
                }
            } else {
                Outcome::failed("")
            },
            attempts: Attempts::default(),
        };
        let requests = vec![at(1.0, true), at(5.0, true), at(3.0, false), at(2.0, true)];
        let figures = ClientFigures::new(&Observed::of(requests), 1);
        assert_eq!(figures.longest_gap_seconds, 3.0);
        assert_eq!((figures.requests, figures.failed), (4, 1));
        assert!(figures.doubts(1).is_empty(), "{:?}", figures.doubts(1));

        // Nothing acknowledged at either end is a gap too.
        let late = vec![at(1.0, false), at(6.0, true), at(7.0, true)];
        let figures = ClientFigures::new(&Observed::of(late), 1);
        assert_eq!(figures.longest_gap_seconds, 5.0);
        let open = vec![at(1.0, true), at(2.0, true), at(9.0, false)];
        let figures = ClientFigures::new(&Observed::of(open), 1);
        assert_eq!(figures.longest_gap_seconds, 7.0);
    }

    #[test]
    fn a_pause_of_the_client_itself_is_said() {
        let sent = |at: f64| Request {
            n: 0,
            message: String::new(),
            due: at,
            sent: at,
            ended: at,
            outcome: Outcome::failed(""),
            attempts: Attempts::default(),
        };
        let figures = ClientFigures::new(&Observed::of(vec![sent(1.0), sent(1.5), sent(3.0)]), 100);
        assert_eq!(figures.resolution_seconds, 1.5);
        assert!(figures.doubts(100)[0].contains("nothing for 1.5 s"));
    }

    /// The machine is not blamed for what the client cannot do, nor the other way round.
    #[test]
    fn who_made_requests_late_is_said() {
        let late = |n: u32| Request {
            n: n as usize,
            due: f64::from(n),
            sent: f64::from(n) + 1.5,
            ..Request::of(0, "", (0.0, 0.0), Outcome::failed(""))
        };
        let mut observed = Observed::of((0..10).map(late).collect());
        let doubts = |observed: &Observed| ClientFigures::new(observed, 1).doubts(1);
        let said = doubts(&observed);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("10 of 10") && said[0].contains("too busy"));
        observed.held_back = 10;
        let said = doubts(&observed);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("10 of 10") && said[0].contains("as it can have"));
        assert!(said[0].contains("lower rate"), "{said:?}");
        observed.held_back = 4;
        let said = doubts(&observed);
        assert!(said[0].starts_with("4 of 10") && said[1].starts_with("6 of 10"));
    }

    #[test]
    fn clocks_that_come_apart_are_said() {
        let mut observed = Observed::of(Vec::new());
        observed.clock_stepped = -3.0;
        let doubts = ClientFigures::new(&observed, 60).doubts(60);
        assert!(doubts[0].contains("apart by -3 s"), "{doubts:?}");
    }

    #[test]
    fn a_clock_of_the_application_that_stands_still_or_steps_is_said() {
        let row = |sent: f64, ended: f64, clock: &str| Request {
            n: 0,
            message: String::new(),
            due: sent,
            sent,
            ended,
            outcome: Outcome::Acknowledged {
                id: 1,
                timestamp: format!("2026-11-24T10:00:{clock}Z"),
            },
            attempts: Attempts::default(),
        };
        let apart = |requests: Vec<Request>| {
            let figures = ClientFigures::new(&Observed::of(requests), 1);
            (figures.application_clock_seconds, figures.doubts(1).len())
        };
        // Another offset and slow answers are no disagreement.
        let slow = vec![row(1.0, 3.0, "11.000"), row(4.0, 4.1, "13.950")];
        assert_eq!(apart(slow), (0.0, 0));
        let still = vec![row(1.0, 1.1, "11.000"), row(4.0, 4.1, "11.000")];
        assert_eq!(apart(still), (2.9, 1));
        let stepped = vec![row(1.0, 1.1, "11.000"), row(2.0, 2.1, "42.000")];
        assert_eq!(apart(stepped), (29.9, 1));
    }
}
