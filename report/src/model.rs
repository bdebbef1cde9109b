//! The documents that a run leaves behind: `result.json` of a scenario or of a
//! drill. Fields that an older run does not have are simply not shown.

mod gameday;

pub use gameday::Gameday;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use terms::{
    Death, EngineName, LEAST_FOR_P95, ObjectiveName, PhaseName, Protection, Quantity, Read,
    ScenarioName, Unit, tr,
};

/// What a folder under `.lab/runs/` holds.
#[derive(Debug)]
pub enum Document {
    Scenario(Box<Scenario>),
    Drill(Box<Drill>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scenario {
    pub scenario: Read<ScenarioName>,
    pub engine: Read<EngineName>,
    pub protection: Read<Protection>,
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
    pub engine: Read<EngineName>,
    pub protection: Read<Protection>,
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

/// A result that is there and cannot be drawn, and why.
#[derive(Debug)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// A folder with a result.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    pub name: String,
    pub document: Document,
}

impl Folder {
    /// Reads `result.json`; `None` where a run was cut off before it had one.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = path.join("result.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&file)
            .with_context(|| tr!("reading {file}", "lecture de {file}", file = file.display()))?;
        let document = parse(&text)
            .with_context(|| tr!("reading {file}", "lecture de {file}", file = file.display()))?;
        let name = path.file_name().unwrap_or_default();
        Ok(Some(Self {
            name: name.to_string_lossy().into_owned(),
            path: path.to_owned(),
            document,
        }))
    }

    /// When it began: as the document says it, else as the folder is named.
    pub fn began(&self) -> String {
        let said = match &self.document {
            Document::Scenario(scenario) => scenario.began.clone(),
            Document::Drill(drill) => drill.began.clone(),
        };
        said.unwrap_or_else(|| from_name(&self.name))
    }
}

/// The newest format that is understood; results from before it state none.
const FORMAT: u64 = 1;

fn parse(text: &str) -> Result<Document> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let format = value
        .get("format")
        .map_or(Some(0), serde_json::Value::as_u64);
    anyhow::ensure!(
        format.is_some_and(|format| format <= FORMAT),
        "{}",
        tr!(
            "it is of another format than this program knows: draw it with the version that made \
             it",
            "il est d'un autre format que celui de ce programme : dessinez-le avec la version qui \
             l'a fait"
        )
    );
    Ok(if value.get("groups").is_some() {
        Document::Drill(Box::new(serde_json::from_value(value)?))
    } else {
        Document::Scenario(Box::new(serde_json::from_value(value)?))
    })
}

/// `2026-11-22T05-54-33-123Z-volume-loss` began at `2026-11-22T05:54:33Z`.
fn from_name(name: &str) -> String {
    let Some((date, rest)) = name.split_once('T') else {
        return name.to_owned();
    };
    let time: Vec<&str> = rest.splitn(4, '-').take(3).collect();
    format!("{date}T{}Z", time.join(":"))
}

/// Every result under `runs`, oldest first, and those that cannot be read: one
/// of them says nothing of the others.
///
/// # Errors
/// Where the folder cannot be listed.
pub fn all(runs: &Path) -> Result<(Vec<Folder>, Vec<Unreadable>)> {
    let entries = std::fs::read_dir(runs).with_context(|| {
        tr!(
            "listing {folder}",
            "liste de {folder}",
            folder = runs.display(),
        )
    })?;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry
            .context(tr!("listing the runs", "liste des exécutions"))?
            .path();
        if !path.is_dir() {
            continue;
        }
        match Folder::read(&path) {
            Ok(folder) => found.extend(folder),
            Err(error) => unreadable.push(Unreadable::new(&path, &error)),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    unreadable.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((found, unreadable))
}

impl Unreadable {
    pub fn new(folder: &Path, error: &anyhow::Error) -> Self {
        let name = folder.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            why: format!("{error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_is_told_from_a_scenario() {
        let scenario = r#"{"scenario":"pod-crash","passed":true,"rto":{"seconds":0.5}}"#;
        let Document::Scenario(scenario) = parse(scenario).unwrap() else {
            panic!("a drill");
        };
        assert_eq!((scenario.passed, scenario.rto.seconds), (true, 0.5));
        assert_eq!(scenario.scenario, ScenarioName::PodCrash);
        let drill = parse(r#"{"groups":[]}"#).unwrap();
        assert!(matches!(drill, Document::Drill(_)));
    }

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

    /// One result with a word that is not known here must not stop the others.
    #[test]
    fn a_word_of_another_version_is_shown_as_it_is() {
        let text = r#"{"scenario":"meteor","engine":"podman","protection":"journal"}"#;
        let Document::Scenario(scenario) = parse(text).unwrap() else {
            panic!("a drill");
        };
        assert_eq!(scenario.scenario.to_string(), "meteor");
        assert_eq!(scenario.engine.to_string(), "podman");
        assert_eq!(scenario.protection, Protection::Journal);
    }

    #[test]
    fn the_folder_knows_when_it_began() {
        let name = "2026-11-22T05-54-33-123Z-drill";
        assert_eq!(from_name(name), "2026-11-22T05:54:33Z");
        assert_eq!(from_name("by-hand"), "by-hand");
    }
}
