//! What was observed of a lab and of a repository: facts alone, no opinion of them.
//! [`super::judge`] makes points of these; a step that could not be reached is `None`.

use serde::Serialize;

/// How a job ended that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JobEnd {
    /// A pod of it ran: an object that was there already makes none.
    pub ran: bool,
    pub succeeded: bool,
    /// A container of it ended with an error, whatever became of the job.
    pub failed_once: bool,
    /// The last of what it wrote, or why there is none.
    pub said: String,
    pub seconds: f64,
}

/// An answer of a route, as far as it is one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    pub path: &'static str,
    /// Why it is not what was announced; `None` where it is.
    pub wrong: Option<String>,
}

/// `/status` beside what is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Look {
    /// Why there is no answer in JSON.
    pub failed: Option<String>,
    /// The three keys of the exercise that it has.
    pub keys: Vec<&'static str>,
    pub count: Option<u64>,
    pub last_backup_file: Option<String>,
    pub backup_age_seconds: Option<f64>,
    /// The rows of the database at that moment.
    pub rows: u64,
    /// The newest file of the backup volume, and its age by the volume's own clock.
    pub newest: Option<String>,
    pub age: Option<f64>,
    /// What it may be told as: from before the request to after it, and from the end of
    /// the copy or from its beginning.
    pub age_between: Option<(f64, f64)>,
}

/// `/status`, several times.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StatusFacts {
    pub at_first: Look,
    pub after_a_write: Look,
    /// With the modification time of the newest file set an hour back, as a copy or
    /// a tool would change it.
    pub touched: Option<Look>,
    pub after_the_kill: Option<Look>,
    /// The pods of the application mount the claim of the backups.
    pub mounts_backup: bool,
}

/// A copy on the backup volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CopyFacts {
    pub file: String,
    pub by_schedule: bool,
    /// Why it is no sound database; `None` where it is one.
    pub unsound: Option<String>,
    pub rows: u64,
    /// Rows that had been acknowledged before the copy was asked for, and are not
    /// in it.
    pub missing: u64,
}

/// The backups.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BackupFacts {
    /// As the cluster has it.
    pub schedule: String,
    /// How long the first backup of the schedule's own was waited for.
    pub first_after: Option<f64>,
    /// Waited in vain for one so long.
    pub waited: Option<f64>,
    pub copies: Vec<CopyFacts>,
    /// Requests a second while copies were taken.
    pub load: f64,
    /// It is copied with `cp` and the like, which can catch a database halfway
    /// through a transaction.
    pub plain_copy: bool,
}

/// What became of a backup whose database was out of reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BrokenSource {
    pub job: JobEnd,
    /// A new file appeared all the same.
    pub new_file: Option<String>,
}

/// Rows after a restore, beside those of the point.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Restored {
    pub job: JobEnd,
    /// The point that was meant.
    pub point: String,
    /// Rows that the point has, or that were acknowledged up to it.
    pub expected: u64,
    /// Of those, absent from the database.
    pub missing: u64,
    /// In the database, and not in the point.
    pub beyond: u64,
    /// Why the database cannot be read.
    pub unsound: Option<String>,
    /// Whether users get those rows through the URL.
    pub served: bool,
    /// In all rows, how many had been acknowledged before the disaster and are gone.
    pub lost: u64,
    /// From the disaster to the first answer with the rows.
    pub seconds: f64,
}

/// How a point is chosen in a repository.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "way", rename_all = "lowercase")]
pub enum Choice {
    /// This variable of the job's container.
    Variable { name: String, file: String },
    /// This text in the job's file stands for the point.
    Placeholder { text: String, file: String },
    /// Something that a person has to follow: a script, a text.
    ByHand { files: Vec<String> },
    /// The jobs take the newest, or a fixed one.
    Nothing,
}

/// An older point, chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    pub choice: Choice,
    /// `None` where it could not be tried.
    pub restored: Option<Restored>,
}

/// The restore, a second time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Twice {
    /// What the repository has for it: `generateName`, a script that deletes.
    pub procedure: Option<String>,
    pub first: JobEnd,
    pub second: JobEnd,
}

/// A pod that was killed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Killed {
    /// Until the service answered again.
    pub seconds: f64,
    /// Rows acknowledged before, and absent after.
    pub missing: u64,
    pub rows: u64,
}

/// All that was observed of a lab of the first workshop.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LabFacts {
    /// What ran, in words: the engine and how it was deployed.
    pub place: String,
    /// Why nothing could be observed.
    pub not_deployed: Option<String>,
    /// Where the observation ended before its end.
    pub stopped: Option<String>,
    pub routes: Vec<Route>,
    pub status: Option<StatusFacts>,
    pub killed: Option<Killed>,
    pub backups: Option<BackupFacts>,
    pub broken_source: Option<BrokenSource>,
    pub loss: Option<Restored>,
    pub chosen: Option<Chosen>,
    pub twice: Option<Twice>,
    /// What this kind of lab cannot show, by the item's name.
    pub beyond: Vec<(&'static str, String)>,
    pub remarks: Vec<String>,
}
