//! The state of a lab, as every engine reports it: replicas, volumes, jobs, and what
//! the engine does more simply than Kubernetes. Data alone.

pub mod monitoring;
pub mod offsite;
pub mod topology;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use terms::lang::{Both, both};
use terms::tr;

/// The lab as it stands. Read-only: asking changes nothing.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Facts {
    /// The lab is up: its infrastructure answers.
    pub running: bool,
    /// Where users reach the application.
    pub url: Option<String>,
    /// Replicas asked for.
    pub wanted: u32,
    pub pods: Vec<Pod>,
    pub schedule: String,
    pub suspended: bool,
    pub volumes: Vec<Volume>,
    pub jobs: Vec<Job>,
    /// Of a database that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,
}

/// Instances of a replicated database.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Instances {
    pub wanted: u32,
    pub ready: u32,
}

impl Facts {
    /// Replicas that get requests.
    pub fn ready(&self) -> usize {
        self.pods.iter().filter(|pod| pod.ready).count()
    }

    /// Every instance of the database is there, where it has several.
    pub fn database_is_whole(&self) -> bool {
        let whole = |one: Instances| one.wanted > 0 && one.ready >= one.wanted;
        self.instances.is_none_or(whole)
    }

    pub fn has_volume(&self, claim: &str) -> bool {
        self.volumes.iter().any(|volume| volume.claim == claim)
    }
}

/// One replica of the application.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Pod {
    /// Unique for the life of the lab: a replacement has another name.
    pub name: String,
    pub ready: bool,
    /// How often its process was started again.
    pub restarts: u32,
    /// It was asked to stop and has not ended yet.
    pub stopping: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Volume {
    pub claim: String,
    /// Where the data are, in the engine's terms: a folder, or node and path.
    pub place: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    pub state: JobState,
    /// Why it failed, where it did.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Running,
    Succeeded,
    Failed,
}

impl JobState {
    pub fn label(self) -> Both {
        match self {
            Self::Running => both("running", "en cours"),
            Self::Succeeded => both("succeeded", "réussi"),
            Self::Failed => both("failed", "échoué"),
        }
    }
}

/// What a job is made from.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum JobSource {
    /// The template of the backup cron job, run now.
    Backup,
    /// `pra/50-job-restore.yaml`, with environment values set anew.
    Restore { env: Vec<(String, String)> },
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct JobOutcome {
    pub succeeded: bool,
    /// Why it failed, where it did.
    pub reason: Option<String>,
    /// Everything its pods wrote; the verbs of `pra` end with one JSON line.
    pub log: String,
}

/// Which pods' logs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogSource {
    /// The replicas of the application
    App,
    /// The jobs that take restore points: the newest
    Backup,
    /// The jobs that restore: the newest
    Restore,
}

/// Something that an engine does more simply than Kubernetes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Simplification {
    pub what: Both,
    pub here: Both,
    pub on_a_cluster: Both,
}

/// The list in short; `None` where there is nothing to say.
pub fn said_of(simplifications: &[Simplification]) -> Option<String> {
    let what: Vec<&str> = simplifications.iter().map(|one| one.what.text()).collect();
    let said = || {
        tr!(
            "{what} (how: the page of cargo xtask report)",
            "{what} (comment : la page de cargo xtask report)",
            what = what.join(", "),
        )
    };
    (!what.is_empty()).then(said)
}
