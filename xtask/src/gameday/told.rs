//! The result of a game day: a run like others, with the truth and the score beside it.

use std::collections::BTreeMap;

use serde::Serialize;
use terms::{EngineName, FaultName, NoticedBy, Protection};

use crate::facts::Simplification;
use crate::measure::figures::ClientFigures;
use crate::measure::result::{Moment, Objective, Rpo, Rto, Verified};

use super::par::Par;
use super::score::Score;

/// The fields of a scenario's result, and what a game day adds.
#[derive(Debug, Serialize)]
pub struct GamedayResult {
    pub scenario: &'static str,
    pub engine: EngineName,
    pub protection: Protection,
    pub passed: bool,
    pub broken: Vec<String>,
    pub doubts: Vec<String>,
    pub objectives: Vec<Objective>,
    pub rpo: Rpo,
    pub rto: Rto,
    pub client: ClientFigures,
    pub verified: Verified,
    pub backups_resumed: bool,
    pub protected_seconds: Option<f64>,
    pub began: String,
    pub moments: Vec<Moment>,
    pub lessons: Vec<String>,
    /// What the player typed, as far as it takes the lab.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    #[serde(
        rename = "milder",
        skip_serializing_if = "<[Simplification]>::is_empty"
    )]
    pub simplifications: &'static [Simplification],
    pub run: String,
    pub gameday: Told,
}

/// What broke, how it was played, and what that is worth. Times from when the disaster
/// began.
#[derive(Debug, Serialize)]
pub struct Told {
    pub level: u8,
    pub teacher: bool,
    pub seed: u64,
    pub faults: Vec<Broke>,
    pub noticed_seconds: f64,
    pub noticed_by: NoticedBy,
    /// What the player took it for.
    pub diagnosis: Option<String>,
    /// Until the command that verified it; `None` where it was given up.
    pub recovered_seconds: Option<f64>,
    pub tries: usize,
    pub hints: usize,
    pub hint_seconds: f64,
    pub runbook: Par,
    /// Rows that were there before the game.
    pub rows_before: usize,
    /// Rows that were lost and could have been kept, and what those of the game are worth in
    /// seconds.
    pub avoidable: usize,
    pub avoidable_seconds: f64,
    pub score: Score,
}

#[derive(Debug, Serialize)]
pub struct Broke {
    pub name: FaultName,
    pub what: String,
}
