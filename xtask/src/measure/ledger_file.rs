//! Reading the ledger of another process, also while that still writes it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::ledger::{Line, seconds_between};
use super::observed::{Attempt, Attempts, Mode, Observed, Outcome, Read, Request, Seen};

/// A ledger as far as it is written.
pub struct SoFar {
    pub observed: Observed,
    /// Sent and not yet answered, as requests that have no answer.
    under_way: Vec<Request>,
    /// Its client has ended in an orderly way.
    pub closed: bool,
    began: SystemTime,
}

/// What a request says that has no answer yet.
const NO_ANSWER: &str = "no answer yet";

/// # Errors
/// It is not there, or a line of it is no line of a ledger; the last one may be cut
/// off, since it may be being written.
pub fn read(path: &Path) -> Result<SoFar> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("reading {}", path.display()))
}

fn parse(text: &str) -> Result<SoFar> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut sent = BTreeMap::new();
    let mut observed = Observed {
        requests: Vec::new(),
        reads: Vec::new(),
        began: String::new(),
        clock_stepped: 0.0,
        cpu: None,
        mode: Mode::default(),
        opened: None,
        unanswered: None,
        held_back: 0,
    };
    let mut began = UNIX_EPOCH;
    let mut closed = false;
    for (number, line) in whole.lines().enumerate() {
        let line: Line<String, Seen, Outcome> =
            serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
        match line {
            Line::Began { wall, mode } => {
                began = moment(&wall)?;
                observed.began = wall;
                observed.mode = mode;
            }
            Line::Sent {
                n,
                due,
                at,
                message,
                ..
            } => {
                let outcome = Outcome::failed(NO_ANSWER);
                let request = Request {
                    n,
                    message,
                    due,
                    sent: at,
                    ended: f64::INFINITY,
                    outcome,
                    attempts: Attempts::default(),
                };
                sent.insert(n, request);
            }
            Line::Attempt {
                n,
                sent: from,
                at,
                reason,
            } => {
                let request = sent.get_mut(&n).with_context(unsent(number, n))?;
                request.attempts.failed.push(Attempt {
                    sent: from,
                    ended: at,
                    reason,
                });
            }
            Line::Ended {
                n,
                at,
                outcome,
                last_sent,
                replayed,
            } => {
                let mut request = sent.remove(&n).with_context(unsent(number, n))?;
                request.ended = at;
                request.outcome = outcome;
                request.attempts.last_sent = last_sent;
                request.attempts.replayed = replayed;
                observed.requests.push(request);
            }
            Line::Read {
                sent,
                at,
                seen,
                again,
            } => observed.reads.push(Read {
                sent,
                ended: at,
                seen,
                again,
            }),
            Line::Closed {
                at,
                wall,
                opened,
                unanswered,
                held_back,
            } => {
                observed.opened = opened;
                observed.unanswered = unanswered;
                observed.held_back = held_back;
                observed.clock_stepped = seconds_between(began, moment(&wall)?) - at;
                closed = true;
            }
        }
    }
    anyhow::ensure!(!observed.began.is_empty(), "it has no beginning yet");
    Ok(SoFar {
        observed,
        under_way: sent.into_values().collect(),
        closed,
        began,
    })
}

fn unsent(line: usize, n: usize) -> impl FnOnce() -> String {
    move || format!("line {}: request {n} was never sent", line + 1)
}

fn moment(wall: &str) -> Result<SystemTime> {
    humantime::parse_rfc3339(wall).with_context(|| format!("{wall:?} is no moment"))
}

impl SoFar {
    /// A moment of the wall clock on the clock of the ledger.
    pub fn at(&self, wall: SystemTime) -> f64 {
        seconds_between(self.began, wall)
    }

    /// Every request as it stood at a moment: what was not answered by then may be in
    /// the database, and has not been promised.
    pub fn as_of(&self, at: f64) -> Vec<Request> {
        let ended = self.observed.requests.iter().cloned();
        let all = ended.chain(self.under_way.iter().cloned());
        all.map(|request| {
            if request.ended <= at {
                return request;
            }
            Request {
                outcome: Outcome::failed(NO_ANSWER),
                ..request
            }
        })
        .collect()
    }

    /// The attempts that have failed, whether they were followed by others or will be.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        let all = self.observed.requests.iter().chain(&self.under_way);
        all.flat_map(|request| &request.attempts.failed)
    }

    /// How many requests sent at or after a moment were acknowledged, and how many failed.
    pub fn since(&self, at: f64) -> (usize, usize) {
        let requests = self.observed.requests.iter();
        let sent = requests.filter(|one| one.last_sent() >= at);
        let (acknowledged, failed): (Vec<_>, Vec<_>) = sent.partition(|one| one.acknowledged());
        (acknowledged.len(), failed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::ledger::{Ledger, Toll};

    fn acknowledged(id: i64) -> Outcome {
        Outcome::Acknowledged {
            id,
            timestamp: "t".into(),
        }
    }

    /// Another process reads what the client writes, and both agree.
    #[test]
    fn a_ledger_is_read_as_it_was_written_also_before_it_is_closed() {
        let name = format!("xtask-ledger-of-another-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        let ledger = Ledger::create(&path, Mode::default()).unwrap();
        let first = ledger.sent(0, 0.0, "m0", None);
        ledger.sent(1, 0.1, "m1", None);
        ledger.ended(Request::of(0, "m0", (0.0, first), acknowledged(7)));
        ledger.read(0.2, Seen::Count(1), false);

        let so_far = read(&path).unwrap();
        assert!(!so_far.closed);
        assert_eq!(so_far.observed.requests.len(), 1);
        assert_eq!(so_far.since(0.0), (1, 0));
        let all = so_far.as_of(f64::INFINITY);
        assert_eq!(all.len(), 2, "also the one without an answer");
        // An answer that came later was no promise yet.
        let earlier = so_far.as_of(first);
        assert!(earlier.iter().all(|one| !one.acknowledged()));

        ledger.ended(Request::of(1, "m1", (0.1, 0.2), acknowledged(8)));
        let closed = ledger.close(Toll::default()).unwrap();
        let whole = read(&path).unwrap();
        assert!(whole.closed);
        for (read, written) in whole.observed.requests.iter().zip(&closed.requests) {
            assert_eq!(read.outcome, written.outcome);
            assert!((read.ended - written.ended).abs() < 1e-6);
        }
        assert_eq!(whole.observed.requests.len(), 2);
        assert_eq!(whole.observed.reads[0].seen, closed.reads[0].seen);
        assert_eq!(whole.observed.began, closed.began);
        let later = moment(&closed.began).unwrap() + std::time::Duration::from_millis(2500);
        assert!((whole.at(later) - 2.5).abs() < 0.001);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out_and_a_damaged_one_is_told() {
        let began = r#"{"event":"began","wall":"2026-11-30T00:00:00Z"}"#;
        let cut = format!("{began}\n{{\"event\":\"sent\",\"n\":0");
        assert!(parse(&cut).unwrap().as_of(9.0).is_empty());
        let damaged = format!("{began}\nnonsense\n");
        let error = parse(&damaged).err().unwrap();
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        assert!(parse("").is_err());
    }
}
