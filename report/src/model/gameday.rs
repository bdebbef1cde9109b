//! What a game day adds to the result of a run.

use serde::Deserialize;
use terms::{FaultName, NoticedBy, ParSource, Read};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Gameday {
    pub level: u64,
    pub teacher: bool,
    pub seed: u64,
    pub faults: Vec<Broke>,
    pub noticed_seconds: f64,
    pub noticed_by: Read<NoticedBy>,
    pub diagnosis: Option<String>,
    /// `None` where it was given up.
    pub recovered_seconds: Option<f64>,
    pub tries: u64,
    pub hints: u64,
    pub hint_seconds: f64,
    pub runbook: Par,
    pub avoidable: u64,
    pub score: Score,
}

impl Gameday {
    /// What broke, by name.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.faults.iter().map(|one| one.name.to_string()).collect();
        names.join(", ")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Broke {
    pub name: Read<FaultName>,
    pub what: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Par {
    pub seconds: f64,
    pub source: Read<ParSource>,
    pub runs: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Score {
    pub data: u64,
    pub time: u64,
    pub noticed: u64,
    pub protected: u64,
    pub total: u64,
}
