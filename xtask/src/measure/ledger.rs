//! The ledger: every request of the measuring client, when it was sent, and
//! what came of it. Kept in memory and, line by line as it happens, in a file
//! (JSON lines, one `sent` and one `ended` line a request, between them an `attempt` line
//! for each sending that is followed by another), so that it is there even if we are not.
//!
//! Times are seconds of a monotonic clock since the run began; the first and
//! the last line of the file give the wall clock beside it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::observed::{Attempt, Mode, Observed, Outcome, Read, Request, Seen};

/// A line of the file: borrowed where it is written, owned where it is read.
#[derive(Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line<Text, Sight, End> {
    Began {
        wall: String,
        #[serde(default)]
        mode: Mode,
    },
    Sent {
        n: usize,
        due: f64,
        at: f64,
        message: Text,
        #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
        key: Option<Text>,
    },
    /// A sending that failed and is followed by another.
    Attempt {
        n: usize,
        sent: f64,
        at: f64,
        reason: Text,
    },
    Read {
        sent: f64,
        at: f64,
        seen: Sight,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    Closed {
        at: f64,
        wall: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unanswered: Option<u64>,
        #[serde(default)]
        held_back: usize,
    },
    Ended {
        n: usize,
        at: f64,
        outcome: End,
        /// When the last attempt was sent, where it was not the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_sent: Option<f64>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
    },
}

/// What the measuring took, and where it fell short.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// Processor time of the client, in seconds.
    pub cpu: f64,
    /// Connections that were opened.
    pub opened: u64,
    /// Those of them that no answer came on.
    pub unanswered: u64,
    /// Writes that were late because of the client's own limit.
    pub held_back: usize,
}

struct Inner {
    file: File,
    /// The first write of the ledger that failed: it would be incomplete.
    broken: Option<std::io::Error>,
    ended: Vec<Request>,
    /// Attempts that were followed by others, in the order in which they failed.
    attempts: Vec<Attempt>,
    reads: Vec<Read>,
    under_way: usize,
    sent: usize,
}

pub struct Ledger {
    start: Instant,
    wall: SystemTime,
    mode: Mode,
    inner: Mutex<Inner>,
}

impl Ledger {
    pub fn create(path: &Path, mode: Mode) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let ledger = Self {
            start: Instant::now(),
            wall: SystemTime::now(),
            mode,
            inner: Mutex::new(Inner {
                file,
                broken: None,
                ended: Vec::new(),
                attempts: Vec::new(),
                reads: Vec::new(),
                under_way: 0,
                sent: 0,
            }),
        };
        let wall = shown(ledger.wall);
        ledger.lock().write(&Line::Began { wall, mode });
        Ok(ledger)
    }

    /// Seconds since the run began.
    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// The first sending of a write, with its key where it has one.
    pub fn sent(&self, n: usize, due: f64, message: &str, key: Option<&str>) -> f64 {
        let mut inner = self.lock();
        let at = self.now();
        inner.under_way += 1;
        inner.sent += 1;
        inner.write(&Line::Sent {
            n,
            due,
            at,
            message,
            key,
        });
        at
    }

    /// An attempt sent at `sent` failed, and there will be another.
    pub fn attempted(&self, n: usize, sent: f64, reason: String) -> Attempt {
        let mut inner = self.lock();
        let at = self.now();
        inner.write(&Line::Attempt {
            n,
            sent,
            at,
            reason: &reason,
        });
        let attempt = Attempt {
            sent,
            ended: at,
            reason,
        };
        inner.attempts.push(attempt.clone());
        attempt
    }

    /// A request has ended now, whatever its `ended` says.
    pub fn ended(&self, request: Request) {
        let mut inner = self.lock();
        let at = self.now();
        inner.under_way -= 1;
        inner.write(&Line::Ended {
            n: request.n,
            at,
            outcome: &request.outcome,
            last_sent: request.attempts.last_sent,
            replayed: request.attempts.replayed,
        });
        inner.ended.push(Request {
            ended: at,
            ..request
        });
    }

    /// `again`: it was asked twice.
    pub fn read(&self, sent: f64, seen: Seen, again: bool) {
        let mut inner = self.lock();
        let at = self.now();
        inner.write(&Line::Read {
            sent,
            at,
            seen: &seen,
            again,
        });
        inner.reads.push(Read {
            sent,
            ended: at,
            seen,
            again,
        });
    }

    /// Requests sent and not yet ended.
    pub fn under_way(&self) -> usize {
        self.lock().under_way
    }

    /// When the first request, write or look, failed at or after `since`, also where it was
    /// sent again. Which one was sent first is known at the end alone: some hang.
    pub fn failed_since(&self, since: f64) -> Option<f64> {
        let inner = self.lock();
        let writes = inner.ended.iter().filter(|r| !r.acknowledged());
        let looks = inner.reads.iter().filter(|look| look.failed());
        let attempts = inner.attempts.iter().map(|attempt| attempt.ended);
        let ended = writes.map(|r| r.ended).chain(looks.map(|look| look.ended));
        let ended = ended.chain(attempts);
        ended.filter(|ended| *ended >= since).min_by(f64::total_cmp)
    }

    /// Why the first write was refused that failed at or after `since`, also where it was
    /// sent again.
    pub fn first_refusal(&self, since: f64) -> Option<String> {
        let inner = self.lock();
        let refused = inner.refusals().filter(|(ended, _)| *ended >= since);
        let first = refused.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(first.1.to_owned())
    }

    /// How many requests sent at or after `since` were acknowledged.
    pub fn acknowledged_since(&self, since: f64) -> usize {
        let inner = self.lock();
        let found = inner
            .ended
            .iter()
            .filter(|r| r.last_sent() >= since && r.acknowledged());
        found.count()
    }

    /// Why the write failed that was answered last; `None` where it did not fail.
    pub fn last_refusal(&self) -> Option<String> {
        let inner = self.lock();
        let acknowledged = inner.ended.iter().filter(|r| r.acknowledged());
        let well = acknowledged.map(|r| r.ended).fold(0.0, f64::max);
        let refused = inner.refusals().filter(|(ended, _)| *ended > well);
        let last = refused.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(last.1.to_owned())
    }

    /// Everything, once the client's threads have ended.
    ///
    /// # Errors
    /// Where a line could not be written, or a request never ended.
    pub fn close(&self, toll: Toll) -> Result<Observed> {
        let mut inner = self.lock();
        let wall = SystemTime::now();
        let at = self.now();
        inner.write(&Line::Closed {
            at,
            wall: shown(wall),
            opened: Some(toll.opened),
            unanswered: Some(toll.unanswered),
            held_back: toll.held_back,
        });
        if let Err(error) = inner.file.sync_all() {
            inner.broken.get_or_insert(error);
        }
        if let Some(error) = inner.broken.take() {
            return Err(error).context("writing the ledger of requests: it is incomplete");
        }
        anyhow::ensure!(
            inner.under_way == 0 && inner.sent == inner.ended.len(),
            "the ledger is incomplete: {} requests sent, {} ended",
            inner.sent,
            inner.ended.len()
        );
        Ok(Observed {
            requests: std::mem::take(&mut inner.ended),
            reads: std::mem::take(&mut inner.reads),
            began: shown(self.wall),
            clock_stepped: seconds_between(self.wall, wall) - at,
            cpu: Some(toll.cpu),
            mode: self.mode,
            opened: Some(toll.opened),
            unanswered: Some(toll.unanswered),
            held_back: toll.held_back,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(wall: SystemTime) -> String {
    humantime::format_rfc3339_micros(wall).to_string()
}

/// Negative where the wall clock was set back.
pub(super) fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(passed) => passed.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    }
}

impl Inner {
    /// When writes failed and why, in no order; also those that were sent again.
    fn refusals(&self) -> impl Iterator<Item = (f64, &str)> {
        let ended = self.ended.iter().filter_map(|r| match &r.outcome {
            Outcome::Failed { reason, .. } => Some((r.ended, reason.as_str())),
            Outcome::Acknowledged { .. } => None,
        });
        let attempts = self.attempts.iter();
        ended.chain(attempts.map(|one| (one.ended, one.reason.as_str())))
    }

    /// Writes one line at once; a line is never buffered.
    fn write(&mut self, line: &Line<&str, &Seen, &Outcome>) {
        let written = serde_json::to_vec(line)
            .map_err(std::io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                self.file.write_all(&bytes)
            });
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(name: &str) -> (Ledger, std::path::PathBuf) {
        let file = format!("xtask-ledger-{name}-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(file);
        (Ledger::create(&path, Mode::default()).unwrap(), path)
    }

    #[test]
    fn every_request_is_in_the_file_as_it_happens() {
        let (ledger, path) = ledger("file");
        let sent = ledger.sent(0, 0.0, "m0", None);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let outcome = Outcome::Acknowledged {
            id: 1,
            timestamp: "t".into(),
        };
        ledger.ended(Request::of(0, "m0", (0.0, sent), outcome));
        let text = std::fs::read_to_string(&path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "ended");
        assert_eq!(last["outcome"]["acknowledged"]["id"], 1);
        assert_eq!(ledger.close(Toll::default()).unwrap().requests.len(), 1);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_request_that_never_ended_makes_the_ledger_incomplete() {
        let (ledger, path) = ledger("open");
        ledger.sent(0, 0.0, "m0", None);
        assert_eq!(ledger.under_way(), 1);
        assert!(ledger.close(Toll::default()).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
