//! What the measuring client observed: its requests, its reads, its clocks.

use serde::{Deserialize, Serialize};

/// What came of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    /// When it was meant to be sent: what its user waited from.
    pub due: f64,
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

/// All observations of one run.
#[derive(Debug)]
pub struct Observed {
    /// In the order in which they ended.
    pub requests: Vec<Request>,
    pub reads: Vec<Read>,
    /// The wall clock at the beginning.
    pub began: String,
    /// How much farther the wall clock went than the monotonic one: it was set,
    /// or the machine slept.
    pub clock_stepped: f64,
    /// Processor time of the client itself, in seconds; `None` where that was another
    /// process, which left its ledger alone.
    pub cpu: Option<f64>,
}

impl Observed {
    /// When the last request had ended.
    pub fn ended(&self) -> f64 {
        let ended = self.requests.iter().map(|request| request.ended);
        ended.fold(0.0, f64::max)
    }
}

#[cfg(test)]
impl Observed {
    /// Observations of writes alone, for tests.
    pub fn of(requests: Vec<Request>) -> Self {
        Self {
            requests,
            reads: Vec::new(),
            began: String::new(),
            clock_stepped: 0.0,
            cpu: None,
        }
    }
}

/// The answer to one read.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    Count(u64),
    /// The ids of the newest rows.
    Newest(Vec<i64>),
    Failed(String),
}

/// One read, in seconds of the ledger's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub sent: f64,
    pub ended: f64,
    pub seen: Seen,
}

impl Read {
    pub fn failed(&self) -> bool {
        matches!(self.seen, Seen::Failed(_))
    }
}
