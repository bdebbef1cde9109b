//! The documents that a run leaves behind: `result.json` of a scenario or of a
//! drill. Fields that an older run does not have are simply not shown.

mod folder;
mod gameday;

pub use folder::{Document, Folder, Unreadable, all};
pub use gameday::Gameday;

use std::collections::BTreeMap;

use serde::Deserialize;
use terms::{
    Death, EngineName, LEAST_FOR_P95, LabName, ObjectiveName, PhaseName, Protection, Quantity,
    Read, ScenarioName, Unit,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scenario {
    pub scenario: Read<ScenarioName>,
    #[serde(default = "the_only_lab")]
    pub lab: Read<LabName>,
    pub engine: Read<EngineName>,
    pub protection: Read<Protection>,
    /// The lab restored by itself, and nobody did.
    pub auto: bool,
    pub passed: bool,
    pub broken: Vec<String>,
    /// What limits how far the figures can be trusted.
    pub doubts: Vec<String>,
    pub rpo: Rpo,
    pub rto: Rto,
    pub client: Client,
    pub verified: Verified,
    pub backups_resumed: bool,
    pub protected_seconds: Option<f64>,
    pub kills: Vec<Kill>,
    pub began: Option<String>,
    /// The first alert about the disaster, where something watched the lab.
    pub alert: Option<FirstAlert>,
    /// What somebody took, where the disaster was an attack.
    pub attack: Option<Attack>,
    pub moments: Vec<Moment>,
    pub objectives: Vec<Objective>,
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    #[serde(rename = "milder")]
    pub simplifications: Vec<Simplification>,
    pub lessons: Vec<String>,
    pub draw: Option<Draw>,
    pub gameday: Option<Gameday>,
}

/// Of results that do not name their lab: there was one.
fn the_only_lab() -> Read<LabName> {
    Read::Known(LabName::Pra)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attack {
    pub volumes: Encrypted,
    pub copies: Emptied,
}

/// What became of the volumes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Encrypted {
    pub files: u64,
    pub points: u64,
}

/// What became of the copies elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Emptied {
    pub objects: u64,
    pub overwritten: u64,
    pub removed: u64,
    pub versions: u64,
    pub versions_removed: u64,
    pub versions_refused: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FirstAlert {
    pub name: String,
    /// From the disaster until it was raised.
    pub fired_seconds: f64,
    /// From the recovery until it was resolved, where it was.
    pub resolved_seconds: Option<f64>,
}

/// How a drill came by the moment of the disaster.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Draw {
    pub seed: u64,
    /// Which of its draws, from 1.
    pub number: u64,
    pub moment_seconds: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rpo {
    pub acknowledged: u64,
    pub lost: u64,
    /// How many of the lost rows were there before the run.
    pub lost_from_before: u64,
    pub seconds: f64,
    pub snapshot_only_lost: u64,
    pub snapshot_only_seconds: f64,
    /// How old the backup was that the run had taken on purpose.
    pub backup_age_seconds: Option<f64>,
    pub schedule: Option<Schedule>,
}

/// What snapshots alone lose on their schedule: computed, not measured.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Schedule {
    pub interval_seconds: f64,
    pub expected: Loss,
    pub worst: Loss,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Loss {
    pub lost: u64,
    pub seconds: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rto {
    pub seconds: f64,
    /// On the ledger's clock; older runs have it from the ledger itself.
    pub began: Option<f64>,
    /// How long the recovery was put off for a person who decides.
    pub operator_delay_seconds: Option<f64>,
    pub phases: Vec<Phase>,
    /// The service was not back when the client ended.
    pub open: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Phase {
    pub name: Read<PhaseName>,
    pub seconds: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Client {
    pub requests: u64,
    pub failed: u64,
    pub longest_gap_seconds: f64,
    /// An outage as short as that can have gone unseen.
    pub resolution_seconds: Option<f64>,
    pub late: Option<u64>,
    pub cpu_seconds: Option<f64>,
    pub reads: Option<u64>,
    pub reads_failed: Option<u64>,
    pub reads_again: u64,
    pub keep_alive: bool,
    pub retry: bool,
    pub attempts: u64,
    pub attempts_failed: u64,
    pub retried: u64,
    pub replayed: u64,
    pub connections_opened: Option<u64>,
    pub connections_unanswered: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Verified {
    pub rows: u64,
    pub phantom: u64,
    pub changed: u64,
    pub in_doubt: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Kill {
    pub pod: String,
    pub how: Read<Death>,
    pub failed: u64,
    pub replaced_seconds: f64,
}

/// Something that happened, on the ledger's clock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Moment {
    pub at: f64,
    pub what: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Objective {
    pub name: Read<ObjectiveName>,
    pub limit: f64,
    pub measured: f64,
    pub met: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Drill {
    pub began: Option<String>,
    pub passed: bool,
    pub missed: Vec<String>,
    pub doubts: Vec<String>,
    /// What ended it before its time.
    pub cut_off: Option<String>,
    pub seed: u64,
    /// How the moments were drawn, in words.
    pub moments: String,
    pub groups: Vec<Group>,
    pub comparison: Vec<String>,
    pub notes: Vec<String>,
    pub versions: BTreeMap<String, String>,
    #[serde(rename = "milder")]
    pub simplifications: Vec<Simplification>,
    pub commands: Vec<String>,
}

/// Something that an engine does more simply than Kubernetes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Simplification {
    pub what: String,
    pub here: String,
    pub on_a_cluster: String,
}

/// The runs of one scenario under one protection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Group {
    pub scenario: Read<ScenarioName>,
    #[serde(default = "the_only_lab")]
    pub lab: Read<LabName>,
    pub engine: Read<EngineName>,
    pub protection: Read<Protection>,
    pub auto: bool,
    pub runs: Vec<DrillRun>,
    /// Runs that were begun and not ended, and are in no figure.
    pub cut_off: usize,
    pub figures: Vec<Figure>,
    pub objectives: Vec<Objective>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DrillRun {
    pub run: String,
    pub number: u64,
    /// Seconds after the backup.
    pub moment_seconds: f64,
    pub passed: bool,
    pub lost: u64,
    pub rpo_seconds: f64,
    pub rto_seconds: f64,
}

/// The spread of one measured quantity over the runs of a group.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Figure {
    pub name: Read<Quantity>,
    pub unit: Read<Unit>,
    pub n: usize,
    pub min: f64,
    pub median: f64,
    /// Of fewer than [`LEAST_FOR_P95`] runs it is their maximum; older results
    /// state that as if it were one.
    pub p95: Option<f64>,
    pub max: f64,
    /// Interval for the median and the coverage that it really has.
    pub median_low: f64,
    pub median_high: f64,
    pub coverage: f64,
}

impl Figure {
    /// The 95th percentile, where there is one beside the maximum.
    pub fn p95(&self) -> Option<f64> {
        self.p95.filter(|_| self.n >= LEAST_FOR_P95)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_95th_percentile_of_few_runs_is_not_taken_for_one() {
        let figure = |n: usize| -> Figure {
            let text = format!(r#"{{"n":{n},"p95":3.0,"max":3.0}}"#);
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!((figure(19).p95(), figure(20).p95()), (None, Some(3.0)));
        let none: Figure = serde_json::from_str(r#"{"n":2,"p95":null,"max":3.0}"#).unwrap();
        assert_eq!(none.p95(), None);
    }
}
