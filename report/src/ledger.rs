//! The ledger of a run, read once or while it grows: every request of the measuring client, when
//! it was due, sent and answered, and what came of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    Failed,
    /// The ledger ends before the request does.
    Open,
}

/// One write, in seconds since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When it was meant to be sent: what its user waited from.
    pub due: f64,
    pub ended: f64,
    pub fate: Fate,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order of their first sending.
    pub requests: Vec<Request>,
    /// Sendings that failed and were followed by others, each as a request of its moment.
    attempts: Vec<Request>,
    /// The most frequent reasons of failures, with how often each was given.
    pub reasons: Vec<(String, usize)>,
    pub end: f64,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Sent {
        n: u64,
        at: f64,
        due: Option<f64>,
    },
    Ended {
        n: u64,
        at: f64,
        #[serde(borrow)]
        outcome: Outcome<'a>,
        /// When the last attempt was sent, where it was not the first.
        last_sent: Option<f64>,
    },
    /// A sending that failed and was followed by another.
    Attempt {
        sent: f64,
        at: f64,
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Acknowledged {},
    Failed {
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
}

const REASONS_SHOWN: usize = 8;

/// Reads `ledger.jsonl`.
pub fn read(path: &Path) -> Result<Ledger> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("reading {}", path.display()))
}

fn parse(text: &str) -> Result<Ledger> {
    let mut reader = Reader::default();
    let last = text.lines().count();
    for (number, line) in text.lines().enumerate() {
        let line = match serde_json::from_str(line) {
            Ok(line) => line,
            // A run that was cut off may leave half a line at the end.
            Err(_) if number + 1 == last => continue,
            Err(error) => return Err(error).with_context(|| format!("line {}", number + 1)),
        };
        reader.take(line)?;
    }
    Ok(reader.end())
}

/// A ledger that is being read, line by line.
#[derive(Debug, Default)]
struct Reader {
    ledger: Ledger,
    /// Where each request stands in it.
    places: HashMap<u64, usize>,
    reasons: HashMap<String, usize>,
}

impl Reader {
    fn take(&mut self, line: Line<'_>) -> Result<()> {
        let ledger = &mut self.ledger;
        match line {
            Line::Sent { n, at, due } => {
                self.places.insert(n, ledger.requests.len());
                ledger.end = ledger.end.max(at);
                ledger.requests.push(Request {
                    due: due.unwrap_or(at),
                    ended: at,
                    fate: Fate::Open,
                });
            }
            Line::Ended {
                n,
                at,
                outcome,
                last_sent,
            } => {
                let place = self.places.get(&n);
                let place = place.with_context(|| format!("request {n} ended unsent"))?;
                let request = &mut ledger.requests[*place];
                request.ended = at;
                ledger.end = ledger.end.max(at);
                request.fate = match outcome {
                    Outcome::Acknowledged {} => Fate::Acknowledged,
                    Outcome::Failed { reason } => {
                        *self.reasons.entry(reason.into_owned()).or_default() += 1;
                        // Its earlier attempts stand at moments of their own.
                        request.due = last_sent.unwrap_or(request.due);
                        Fate::Failed
                    }
                };
            }
            Line::Attempt { sent, at, reason } => {
                ledger.end = ledger.end.max(at);
                ledger.attempts.push(Request {
                    due: sent,
                    ended: at,
                    fate: Fate::Failed,
                });
                *self.reasons.entry(reason.into_owned()).or_default() += 1;
            }
            Line::Other => {}
        }
        Ok(())
    }

    fn end(self) -> Ledger {
        let mut reasons: Vec<_> = self.reasons.into_iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons.truncate(REASONS_SHOWN);
        Ledger {
            reasons,
            ..self.ledger
        }
    }
}

/// The ledger of a run that goes on: each look reads what was written since the one before.
#[derive(Debug, Default)]
pub struct Growing {
    file: Option<File>,
    /// A line that is being written.
    rest: Vec<u8>,
    reader: Reader,
}

impl Growing {
    /// The ledger as far as it is written; without reasons. Empty where there is none yet.
    pub fn look(&mut self, path: &Path) -> &Ledger {
        if self.file.is_none() {
            self.file = File::open(path).ok();
        }
        if let Some(file) = &mut self.file {
            // What could not be read is there at the next look.
            let _ = file.read_to_end(&mut self.rest);
        }
        if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
            let whole: Vec<u8> = self.rest.drain(..=end).collect();
            for line in whole.split(|byte| *byte == b'\n') {
                // The page of the finished run tells of a line that is none.
                let line = std::str::from_utf8(line).unwrap_or_default();
                if let Ok(line) = serde_json::from_str(line) {
                    let _ = self.reader.take(line);
                }
            }
        }
        &self.reader.ledger
    }
}

impl Ledger {
    /// Every write where it was due, and beside them every attempt that failed where it was
    /// sent: an outage is there though each write was answered in the end.
    pub fn sendings(&self) -> Vec<Request> {
        let all = self.requests.iter().chain(&self.attempts);
        all.copied().collect()
    }

    /// How many sendings failed.
    pub fn failures(&self) -> usize {
        self.failed().count()
    }

    /// When the first sending that failed was due.
    pub fn first_failure(&self) -> Option<f64> {
        self.failed().map(|r| r.due).reduce(f64::min)
    }

    /// Whether writes that failed were sent again.
    pub fn sends_again(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let all = self.requests.iter();
        all.filter(|one| one.fate == Fate::Acknowledged).count()
    }

    /// Every sending that failed, in no order.
    pub fn failed(&self) -> impl Iterator<Item = &Request> {
        let all = self.requests.iter().chain(&self.attempts);
        all.filter(|one| one.fate == Fate::Failed)
    }
}

/// For the tests of what is made of one.
#[cfg(test)]
pub fn parsed(text: &str) -> Result<Ledger> {
    parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"event":"began","wall":"2026-11-22T05:54:33Z"}
{"event":"sent","n":0,"due":0.0,"at":0.01,"message":"m0"}
{"event":"sent","n":1,"at":0.02,"message":"m1"}
{"event":"read","at":0.02,"count":7}
{"event":"ended","n":1,"at":0.05,"outcome":{"failed":{"reason":"cut \"off\""}}}
{"event":"ended","n":0,"at":0.06,"outcome":{"acknowledged":{"id":1,"timestamp":"t"}}}
"#;

    #[test]
    fn requests_are_paired_with_their_ends() {
        let ledger = parse(TEXT).unwrap();
        let [first, second] = ledger.requests[..] else {
            panic!("{ledger:?}");
        };
        assert_eq!((first.due, first.ended), (0.0, 0.06));
        assert_eq!(first.fate, Fate::Acknowledged);
        assert_eq!(second.fate, Fate::Failed);
        assert_eq!(ledger.reasons, [("cut \"off\"".to_owned(), 1)]);
        assert_eq!(ledger.first_failure(), Some(0.02));
    }

    #[test]
    fn attempts_that_were_followed_by_others_failed_at_moments_of_their_own() {
        let attempt = r#"{"event":"attempt","n":2,"sent":0.1,"at":0.2,"reason":"refused"}"#;
        let sent = r#"{"event":"sent","n":2,"due":0.1,"at":0.1,"message":"m2","key":"k-2"}"#;
        let ledger = parse(&format!("{TEXT}{sent}\n{attempt}\n")).unwrap();
        assert_eq!(ledger.requests[2].fate, Fate::Open);
        assert!(ledger.reasons.contains(&("refused".to_owned(), 1)));
        assert_eq!((ledger.requests.len(), ledger.sendings().len()), (3, 4));
        assert_eq!(ledger.failures(), 2);
        let answered = r#"{"event":"ended","n":2,"at":0.4,"last_sent":0.3,"outcome":{"acknowledged":{"id":2,"timestamp":"t"}}}"#;
        let ledger = parse(&format!("{sent}\n{attempt}\n{answered}\n")).unwrap();
        assert_eq!((ledger.first_failure(), ledger.failures()), (Some(0.1), 1));
        // Its user waited from its moment on.
        assert_eq!(
            (ledger.requests[0].due, ledger.requests[0].ended),
            (0.1, 0.4)
        );
        let given_up = r#"{"event":"ended","n":2,"at":0.4,"last_sent":0.3,"outcome":{"failed":{"reason":"refused"}}}"#;
        let ledger = parse(&format!("{sent}\n{attempt}\n{given_up}\n")).unwrap();
        let mut failed: Vec<f64> = ledger.failed().map(|one| one.due).collect();
        failed.sort_by(f64::total_cmp);
        assert_eq!(failed, [0.1, 0.3]);
    }

    #[test]
    fn a_ledger_that_grows_is_read_as_far_as_it_is_written() {
        let path = std::env::temp_dir().join(format!("report-growing-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut growing = Growing::default();
        assert_eq!(growing.look(&path).requests.len(), 0);
        // Cut anywhere, also within a line and within a character.
        let mut written = Vec::new();
        for byte in TEXT.replace("m0", "é").bytes() {
            written.push(byte);
            std::fs::write(&path, &written).unwrap();
            growing.look(&path);
        }
        let ledger = growing.look(&path);
        assert_eq!((ledger.requests.len(), ledger.acknowledged()), (2, 1));
        assert_eq!((ledger.failures(), ledger.end), (1, 0.06));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn half_a_line_is_a_cut_off_run_at_the_end_and_damage_elsewhere() {
        let sent = r#"{"event":"sent","n":2,"at":1.0,"message":"m2"}"#;
        let ledger = parse(&format!("{TEXT}{sent}\n{{\"ev")).unwrap();
        assert_eq!(ledger.requests[2].fate, Fate::Open);
        let error = parse(&format!("{{\"ev\n{TEXT}")).unwrap_err();
        assert_eq!(error.to_string(), "line 1");
    }
}
