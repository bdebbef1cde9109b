//! The ledger: every request of the measuring client, when it was sent, and
//! what came of it. Kept in memory and, line by line as it happens, in a file
//! (JSON lines, one `sent` and one `ended` line a request), so that it is
//! there even if we are not.
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

use super::observed::{Observed, Outcome, Read, Request, Seen};

/// A line of the file: borrowed where it is written, owned where it is read.
#[derive(Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line<Text, Sight, End> {
    Began {
        wall: String,
    },
    Sent {
        n: usize,
        due: f64,
        at: f64,
        message: Text,
    },
    Read {
        sent: f64,
        at: f64,
        seen: Sight,
    },
    Closed {
        at: f64,
        wall: String,
    },
    Ended {
        n: usize,
        at: f64,
        outcome: End,
    },
}

struct Inner {
    file: File,
    /// The first write of the ledger that failed: it would be incomplete.
    broken: Option<std::io::Error>,
    ended: Vec<Request>,
    reads: Vec<Read>,
    under_way: usize,
    sent: usize,
}

pub struct Ledger {
    start: Instant,
    wall: SystemTime,
    inner: Mutex<Inner>,
}

impl Ledger {
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let ledger = Self {
            start: Instant::now(),
            wall: SystemTime::now(),
            inner: Mutex::new(Inner {
                file,
                broken: None,
                ended: Vec::new(),
                reads: Vec::new(),
                under_way: 0,
                sent: 0,
            }),
        };
        let wall = shown(ledger.wall);
        ledger.lock().write(&Line::Began { wall });
        Ok(ledger)
    }

    /// Seconds since the run began.
    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub fn sent(&self, n: usize, due: f64, message: &str) -> f64 {
        let mut inner = self.lock();
        let at = self.now();
        inner.under_way += 1;
        inner.sent += 1;
        inner.write(&Line::Sent {
            n,
            due,
            at,
            message,
        });
        at
    }

    /// `times` are when it was due and when it was sent.
    pub fn ended(&self, n: usize, message: String, times: (f64, f64), outcome: Outcome) {
        let mut inner = self.lock();
        let at = self.now();
        inner.under_way -= 1;
        inner.write(&Line::Ended {
            n,
            at,
            outcome: &outcome,
        });
        inner.ended.push(Request {
            n,
            message,
            due: times.0,
            sent: times.1,
            ended: at,
            outcome,
        });
    }

    pub fn read(&self, sent: f64, seen: Seen) {
        let mut inner = self.lock();
        let at = self.now();
        inner.write(&Line::Read {
            sent,
            at,
            seen: &seen,
        });
        inner.reads.push(Read {
            sent,
            ended: at,
            seen,
        });
    }

    /// Requests sent and not yet ended.
    pub fn under_way(&self) -> usize {
        self.lock().under_way
    }

    /// When the first request, write or look, failed at or after `since`. Which
    /// one was sent first is known at the end alone: some hang.
    pub fn failed_since(&self, since: f64) -> Option<f64> {
        let inner = self.lock();
        let writes = inner.ended.iter().filter(|r| !r.acknowledged());
        let looks = inner.reads.iter().filter(|look| look.failed());
        let ended = writes.map(|r| r.ended).chain(looks.map(|look| look.ended));
        ended.filter(|ended| *ended >= since).min_by(f64::total_cmp)
    }

    /// Why the first write was refused that failed at or after `since`.
    pub fn first_refusal(&self, since: f64) -> Option<String> {
        let inner = self.lock();
        let ended = inner.ended.iter().filter(|r| r.ended >= since);
        let mut reasons = ended.filter_map(|r| match &r.outcome {
            Outcome::Failed { reason } => Some(reason.clone()),
            Outcome::Acknowledged { .. } => None,
        });
        reasons.next()
    }

    /// How many requests sent at or after `since` were acknowledged.
    pub fn acknowledged_since(&self, since: f64) -> usize {
        let inner = self.lock();
        let found = inner
            .ended
            .iter()
            .filter(|r| r.sent >= since && r.acknowledged());
        found.count()
    }

    /// Why the request failed that ended last; `None` where it did not fail.
    pub fn last_refusal(&self) -> Option<String> {
        match &self.lock().ended.last()?.outcome {
            Outcome::Failed { reason } => Some(reason.clone()),
            Outcome::Acknowledged { .. } => None,
        }
    }

    /// Everything, once the client's threads have ended; `cpu` is what they
    /// cost.
    ///
    /// # Errors
    /// Where a line could not be written, or a request never ended.
    pub fn close(&self, cpu: f64) -> Result<Observed> {
        let mut inner = self.lock();
        let wall = SystemTime::now();
        let at = self.now();
        inner.write(&Line::Closed {
            at,
            wall: shown(wall),
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
            cpu: Some(cpu),
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
        (Ledger::create(&path).unwrap(), path)
    }

    #[test]
    fn every_request_is_in_the_file_as_it_happens() {
        let (ledger, path) = ledger("file");
        let sent = ledger.sent(0, 0.0, "m0");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let outcome = Outcome::Acknowledged {
            id: 1,
            timestamp: "t".into(),
        };
        ledger.ended(0, "m0".into(), (0.0, sent), outcome);
        let text = std::fs::read_to_string(&path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "ended");
        assert_eq!(last["outcome"]["acknowledged"]["id"], 1);
        assert_eq!(ledger.close(0.0).unwrap().requests.len(), 1);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_request_that_never_ended_makes_the_ledger_incomplete() {
        let (ledger, path) = ledger("open");
        ledger.sent(0, 0.0, "m0");
        assert_eq!(ledger.under_way(), 1);
        assert!(ledger.close(0.0).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
