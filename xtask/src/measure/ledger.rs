//! The ledger: every request of the measuring client, when it was sent, and
//! what came of it. Kept in memory and, line by line as it happens, in a file
//! (JSON lines, one `sent` and one `ended` line a request), so that it is
//! there even if we are not.
//!
//! Times are seconds of a monotonic clock since the run began; the first line
//! of the file gives the wall clock at that moment.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use serde::Serialize;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The application said that the row is stored, under this id.
    Acknowledged { id: i64, timestamp: String },
    /// Anything else: refused, cut off, no answer in time.
    Failed { reason: String },
}

/// One request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub n: usize,
    pub message: String,
    pub sent: f64,
    pub ended: f64,
    pub outcome: Outcome,
}

impl Request {
    pub fn acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged { .. })
    }
}

/// One row as the ledger knows it or the database shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub message: String,
    pub timestamp: String,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Began {
        wall: String,
    },
    Sent {
        n: usize,
        at: f64,
        message: &'a str,
    },
    Ended {
        n: usize,
        at: f64,
        outcome: &'a Outcome,
    },
}

struct Inner {
    file: File,
    /// The first write of the ledger that failed: it would be incomplete.
    broken: Option<std::io::Error>,
    ended: Vec<Request>,
    under_way: usize,
    sent: usize,
}

pub struct Ledger {
    start: Instant,
    inner: Mutex<Inner>,
}

impl Ledger {
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let ledger = Self {
            start: Instant::now(),
            inner: Mutex::new(Inner {
                file,
                broken: None,
                ended: Vec::new(),
                under_way: 0,
                sent: 0,
            }),
        };
        let wall = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        ledger.lock().write(&Line::Began { wall });
        Ok(ledger)
    }

    /// Seconds since the run began.
    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub fn sent(&self, n: usize, message: &str) -> f64 {
        let mut inner = self.lock();
        let at = self.now();
        inner.under_way += 1;
        inner.sent += 1;
        inner.write(&Line::Sent { n, at, message });
        at
    }

    pub fn ended(&self, n: usize, message: String, sent: f64, outcome: Outcome) {
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
            sent,
            ended: at,
            outcome,
        });
    }

    /// Requests sent and not yet ended.
    pub fn under_way(&self) -> usize {
        self.lock().under_way
    }

    /// The first request that was sent at or after `since` and failed.
    pub fn first_failure(&self, since: f64) -> Option<Request> {
        let inner = self.lock();
        let failures = inner
            .ended
            .iter()
            .filter(|r| r.sent >= since && !r.acknowledged());
        failures.min_by(|a, b| a.sent.total_cmp(&b.sent)).cloned()
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

    /// All requests, in the order in which they ended.
    ///
    /// # Errors
    /// Where a line could not be written, or a request never ended.
    pub fn close(self) -> Result<Vec<Request>> {
        let inner = self
            .inner
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = inner.broken {
            return Err(error).context("writing the ledger of requests: it is incomplete");
        }
        anyhow::ensure!(
            inner.under_way == 0 && inner.sent == inner.ended.len(),
            "the ledger is incomplete: {} requests sent, {} ended",
            inner.sent,
            inner.ended.len()
        );
        Ok(inner.ended)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes one line at once; a line is never buffered.
    fn write(&mut self, line: &Line<'_>) {
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
        let sent = ledger.sent(0, "m0");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let outcome = Outcome::Acknowledged {
            id: 1,
            timestamp: "t".into(),
        };
        ledger.ended(0, "m0".into(), sent, outcome);
        let text = std::fs::read_to_string(&path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "ended");
        assert_eq!(last["outcome"]["acknowledged"]["id"], 1);
        assert_eq!(ledger.close().unwrap().len(), 1);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_request_that_never_ended_makes_the_ledger_incomplete() {
        let (ledger, path) = ledger("open");
        ledger.sent(0, "m0");
        assert_eq!(ledger.under_way(), 1);
        assert!(ledger.close().is_err());
        std::fs::remove_file(path).unwrap();
    }
}
