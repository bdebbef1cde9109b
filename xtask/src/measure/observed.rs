//! What the measuring client observed: its requests, its reads, its clocks.

use serde::{Deserialize, Serialize};

pub use crate::config::Mode;

/// What came of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The application said that the row is stored, under this id.
    Acknowledged { id: i64, timestamp: String },
    /// Anything else: refused, cut off, no answer in time.
    Failed {
        reason: String,
        /// The application said that it will not have it, now or later; else it is given up,
        /// and may be there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
    },
}

impl Outcome {
    /// Of a write that nobody refused.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            refused: false,
        }
    }
}

/// A sending of a write that was not the last one.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub sent: f64,
    pub ended: f64,
    pub reason: String,
}

/// What was done for a write beyond its first sending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    /// Those that failed before the last one.
    pub failed: Vec<Attempt>,
    /// When the last one was sent, where it was not the first.
    pub last_sent: Option<f64>,
    /// The application had stored it at an earlier attempt, and said so.
    pub replayed: bool,
}

/// One request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub n: usize,
    pub message: String,
    /// When it was meant to be sent: what its user waited from.
    pub due: f64,
    /// For the first time.
    pub sent: f64,
    pub ended: f64,
    pub outcome: Outcome,
    pub attempts: Attempts,
}

impl Request {
    /// Sent once, and ending now; `times` are when it was due and when it was sent.
    pub fn of(n: usize, message: &str, times: (f64, f64), outcome: Outcome) -> Self {
        Self {
            n,
            message: message.to_owned(),
            due: times.0,
            sent: times.1,
            ended: times.1,
            outcome,
            attempts: Attempts::default(),
        }
    }

    /// When the attempt was sent that decided it.
    pub fn last_sent(&self) -> f64 {
        self.attempts.last_sent.unwrap_or(self.sent)
    }

    pub fn acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged { .. })
    }

    /// For good.
    pub fn refused(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { refused: true, .. })
    }
}

/// One row as the ledger knows it or the database shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub message: String,
    pub timestamp: String,
}

/// All observations of one run.
#[derive(Clone, Debug)]
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
    pub mode: Mode,
    /// Connections that were opened; `None` where the ledger does not say.
    pub opened: Option<u64>,
    /// Those of them that no answer came on, as in an outage.
    pub unanswered: Option<u64>,
    /// Writes that were sent late because as many requests were under way as the client can
    /// have.
    pub held_back: usize,
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
            mode: Mode::default(),
            opened: None,
            unanswered: None,
            held_back: 0,
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
    /// It was asked again at once, since a kept connection had gone dead before any
    /// byte of an answer.
    pub again: bool,
}

impl Read {
    pub fn failed(&self) -> bool {
        matches!(self.seen, Seen::Failed(_))
    }
}
