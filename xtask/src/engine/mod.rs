//! What a lab can be asked, whatever it runs on. Commands and scenarios are
//! written once, against [`Engine`].

pub mod choice;
pub mod k3d;
pub mod local;
mod serving;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::exec::{Cmd, Output, Piped};
use crate::failure::Failure;

pub use terms::{Death, EngineName};

pub use choice::{forget, remember, select};
pub use serving::{wait_until_answered, wait_until_ready};

/// The names of k8s/ that commands and scenarios speak of. A test compares
/// them with the manifests.
pub const DEPLOYMENT: &str = "flask";
pub const CRON_JOB: &str = "sqlite-backup";
pub const RESTORE_JOB: &str = "sqlite-restore";
pub const DATA_CLAIM: &str = "pra-data";
pub const BACKUP_CLAIM: &str = "pra-backup";

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
}

impl Facts {
    /// Replicas that get requests.
    pub fn ready(&self) -> usize {
        self.pods.iter().filter(|pod| pod.ready).count()
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

/// Whose words are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Speaker {
    /// The replicas of the application
    App,
    /// The jobs that take restore points: the newest
    Backup,
    /// The jobs that restore: the newest
    Restore,
}

/// There is no log of what was asked for.
fn nobody_spoke() -> anyhow::Error {
    Failure::usage("nothing of that kind has run yet")
        .next("cargo xtask status")
        .into()
}

/// Something that an engine makes easier for a lab than Kubernetes does.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Milder {
    pub what: &'static str,
    pub here: &'static str,
    pub on_a_cluster: &'static str,
}

/// The list in short; `None` where there is nothing to say.
pub fn said_of(milder: &[Milder]) -> Option<String> {
    let what: Vec<&str> = milder.iter().map(|one| one.what).collect();
    let said = || format!("{} (how: the page of cargo xtask report)", what.join(", "));
    (!what.is_empty()).then(said)
}

/// A place where the lab runs. Every method that changes something shows it as
/// shell, and does nothing else in a dry run.
pub trait Engine: Sync {
    /// As in `--engine` and in results.
    fn name(&self) -> EngineName;

    /// What it needs of this machine, beyond what every engine does.
    fn checks(&self) -> Vec<Check>;

    /// What keeps its figures from being a cluster's.
    fn milder(&self) -> &'static [Milder] {
        &[]
    }

    /// Names and versions of what it is made of; what does not answer is absent.
    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// # Errors
    /// Where the engine does not answer; a lab that is down is no error.
    fn facts(&self) -> Result<Facts>;

    /// Whether the lab itself has this port of the machine, up or not.
    fn holds_port(&self, port: u16) -> Result<bool>;

    /// Brings the whole lab up, from whatever is there: infrastructure,
    /// claims, application, schedule. Says what was already done. Returns when
    /// every replica is ready.
    fn up(&self) -> Result<()>;

    /// Removes the lab and everything that belongs to it, and nothing else.
    fn down(&self) -> Result<()>;

    /// `kubectl apply -f k8s/`: claims exist and the declared replicas are
    /// asked for again. Does not wait for them, and does not resume backups.
    fn apply(&self) -> Result<()>;

    /// What is declared and not in force, in words: what [`Engine::up`] would
    /// change. Of a lab that is up; changes nothing.
    fn pending(&self) -> Result<Vec<String>>;

    /// Asks for so many replicas; does not wait.
    fn scale(&self, replicas: u32) -> Result<()>;

    /// Suspends or resumes the backup schedule.
    fn suspend_backups(&self, suspend: bool) -> Result<()>;

    /// Ends and removes all jobs; returns when their processes are gone.
    fn delete_jobs(&self) -> Result<()>;

    /// Deletes a volume with everything on it; refused while pods use it.
    fn delete_volume(&self, claim: &str) -> Result<()>;

    /// Runs a job to its end under this name; a finished one of the same name
    /// is replaced. `None` in a dry run.
    fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>>;

    /// `python -m pra ARGS` with both volumes at hand, whether or not a
    /// replica runs. Read-only verbs.
    fn pra(&self, args: &[&str]) -> Result<Output>;

    /// `python -m pra ARGS` with both volumes at hand, whether or not a replica
    /// runs; the file is its standard input or output. `None` in a dry run.
    fn stream(&self, args: &[&str], file: Piped) -> Result<Option<Output>>;

    /// The command that prints the last lines of what pods wrote, and goes on
    /// with what they write, where it is to follow them.
    ///
    /// # Errors
    /// There is nothing of that kind.
    fn logs(&self, of: Speaker, lines: u32, follow: bool) -> Result<Cmd>;

    /// `python -c SCRIPT` where a replica runs, with its volumes and settings:
    /// the hand of an accident, or of an administrator. Returns what it
    /// printed; `None` in a dry run.
    fn python(&self, script: &str) -> Result<Option<String>>;

    /// Ends the node that holds the volumes, without warning; says which.
    ///
    /// # Errors
    /// The engine has no nodes.
    fn stop_node(&self) -> Result<String>;

    /// Starts every node that is stopped; returns when all are ready. None is
    /// where an engine has no nodes, or the lab is gone.
    fn start_nodes(&self) -> Result<()>;

    /// Forgets what was about to happen to a lab that is up and did not. The caller
    /// has the lab's lock.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses where the lab that answers is another checkout's.
    fn insist_on_ownership(&self) -> Result<()>;

    /// Makes one replica die; its replacement is the engine's own doing.
    fn kill(&self, pod: &str, death: Death) -> Result<()>;
}
