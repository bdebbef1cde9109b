//! What the lab can be asked through the `pra` package: restore points, rows,
//! the state of protection. The shapes of its JSON documents have their home
//! here.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::engine::{self, Engine, JobOutcome, JobSource};
use crate::exec::Output;
use crate::failure::{self, Failure, Kind};
use crate::http;
use crate::measure::compare::{self, Rows};

/// A document of the package: what it means to us, and the very text, with
/// whatever else it says, for `--json`.
#[derive(Clone, Debug)]
pub struct Said<T> {
    pub value: T,
    pub text: String,
}

/// A restore point, as `pra points` lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Point {
    pub name: String,
    /// RFC 3339, UTC.
    pub created: String,
    pub age_seconds: f64,
    pub rows: Option<u64>,
    pub bytes: u64,
    /// `verified`, `quarantined`, `foreign`, `damaged` or `safety`.
    pub status: String,
    pub reason: Option<String>,
}

/// The catalogue, newest first.
#[derive(Clone, Debug, Deserialize)]
pub struct Points {
    pub points: Vec<Point>,
    /// The name of the latest verified one.
    pub latest: Option<String>,
    pub journal: Option<Reach>,
}

/// From when to when any moment can be restored, RFC 3339.
#[derive(Clone, Debug, Deserialize)]
pub struct Reach {
    pub from: Option<String>,
    pub to: Option<String>,
    /// Why the journal reaches no further, where it is damaged.
    pub damage: Option<String>,
}

/// A backup that was taken.
#[derive(Clone, Debug, Deserialize)]
pub struct Taken {
    pub point: Point,
}

/// A restore that was done.
#[derive(Clone, Debug, Deserialize)]
pub struct Restored {
    /// The point it began with; `None` where the journal alone sufficed.
    pub point: Option<String>,
    pub rows: u64,
    /// Transactions of the journal that were replayed onto it.
    pub replayed: u64,
    pub safety_point: Option<String>,
}

/// What a restore would do.
#[derive(Clone, Debug, Deserialize)]
pub struct Plan {
    pub point: Option<String>,
    pub replayed: u64,
    pub rows: u64,
    pub gained: u64,
    pub lost: u64,
    pub changed: u64,
    pub left_behind: Option<LeftBehind>,
    pub seconds: f64,
}

/// The writes of the current timeline that the restored database would lack.
#[derive(Clone, Debug, Deserialize)]
pub struct LeftBehind {
    pub first_seq: u64,
    pub last_seq: u64,
    pub transactions: u64,
}

/// A transaction of the journal.
#[derive(Clone, Debug, Deserialize)]
pub struct Transaction {
    pub seq: u64,
    pub time: String,
    pub timeline: u64,
    pub added: u64,
    pub changed: u64,
    pub deleted: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    pub transactions: Vec<Transaction>,
}

/// Points that retention removes.
#[derive(Clone, Debug, Deserialize)]
pub struct Pruned {
    pub removed: Vec<String>,
}

/// The answer of `/status`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    pub count: u64,
    pub last_backup_file: Option<String>,
    pub backup_age_seconds: Option<f64>,
    pub protection: String,
    pub needs_restore: bool,
    /// The room on the volumes, `data` and `backup`.
    #[serde(default)]
    pub volumes: BTreeMap<String, Room>,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// The room on a volume, in bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Room {
    /// What it is held to; `None` where only its file system limits it.
    pub size: Option<u64>,
    pub used: u64,
    pub free: u64,
    /// It cannot take what comes next: a write, or a point and the journal.
    pub full: bool,
}

impl Status {
    /// The room on the volume of a claim.
    pub fn room(&self, claim: &str) -> Option<&Room> {
        let name = match claim {
            engine::DATA_CLAIM => "data",
            engine::BACKUP_CLAIM => "backup",
            _ => return None,
        };
        self.volumes.get(name)
    }
}

pub fn points(engine: &dyn Engine) -> Result<Points> {
    Ok(document(engine, &["points", "--json"])?.value)
}

/// The catalogue as the package says it: thousands of points are handed on
/// without being taken apart.
pub fn points_as_said(engine: &dyn Engine) -> Result<String> {
    verb(engine, &["points", "--json"])
}

/// The newest transactions of the journal, or those that touched most rows.
pub fn log(engine: &dyn Engine, largest: bool, limit: u32) -> Result<Said<Log>> {
    let limit = limit.to_string();
    let mut args = vec!["log", "--json", "--limit", &limit];
    args.extend(largest.then_some("--largest"));
    document(engine, &args)
}

/// What restoring that target would gain and lose; changes nothing.
pub fn plan(engine: &dyn Engine, target: &str, force: bool) -> Result<Said<Plan>> {
    let mut args = vec!["restore", "--json", "--plan"];
    args.extend(force.then_some("--force"));
    args.extend(["--", target]);
    document(engine, &args)
}

/// Removes what retention no longer keeps, or only says what that would be.
pub fn prune(engine: &dyn Engine, dry_run: bool) -> Result<Said<Pruned>> {
    let mut args = vec!["prune", "--json"];
    args.extend(dry_run.then_some("--dry-run"));
    document(engine, &args)
}

/// Every row, from one consistent read.
pub fn dump(engine: &dyn Engine) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump", "--json"])?)
}

/// Every row of a restore point.
pub fn dump_point(engine: &dyn Engine, name: &str) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump", "--json", "--point", name])?)
}

pub fn status(url: &str) -> Result<Status> {
    let body = http::get_ok(url, "/status", &[])?;
    serde_json::from_value(body).context("reading the application's status")
}

/// Takes a restore point now and returns it; `None` in a dry run.
pub fn backup(engine: &dyn Engine) -> Result<Option<Said<Taken>>> {
    let outcome = engine.run_job("backup-now", &JobSource::Backup)?;
    outcome
        .map(|outcome| job_document(&outcome, "backup"))
        .transpose()
}

/// The same in a replica, without a job: what must not be tried again and
/// again, and what needs a word more.
pub fn backup_with(engine: &dyn Engine, option: Option<&str>) -> Result<Said<Taken>> {
    let words = ["backup", "--json"].into_iter().chain(option);
    document(engine, &words.collect::<Vec<_>>())
}

/// Takes an empty backup volume in the place of one that was lost, with a first
/// point on it.
pub fn take_new_volume(engine: &dyn Engine) -> Result<Said<Taken>> {
    backup_with(engine, Some("--new-volume"))
}

/// Restores a target (a point's name, `latest`, a moment, `before:SEQ`,
/// `undo`) and returns the package's report; `None` in a dry run.
pub fn restore(engine: &dyn Engine, target: &str, force: bool) -> Result<Option<Said<Restored>>> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut env = vec![set("PRA_RESTORE_POINT", target)];
    if force {
        env.push(set("PRA_RESTORE_FORCE", "yes"));
    }
    let outcome = engine.run_job(engine::RESTORE_JOB, &JobSource::Restore { env })?;
    outcome
        .map(|outcome| job_document(&outcome, "restore"))
        .transpose()
}

fn document<T: DeserializeOwned>(engine: &dyn Engine, args: &[&str]) -> Result<Said<T>> {
    parse(&verb(engine, args)?, args[0])
}

fn verb(engine: &dyn Engine, args: &[&str]) -> Result<String> {
    let output = engine.pra(args)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(refusal(&output, args[0]).into())
}

/// Why a verb that did not succeed did not: its document, or its words.
pub fn refusal(output: &Output, verb: &str) -> Failure {
    let words = || in_words(&output.stderr, output.status.code());
    complaint(&output.stdout)
        .unwrap_or_else(words)
        .into_failure(verb)
}

/// What the package says where nobody asked for a document. The exit code is
/// its own only where it said something: it may never have begun.
fn in_words(said: &str, code: Option<i32>) -> Complaint {
    const ITS_WORDS: &str = "pra: ";
    let said = said.trim();
    let its_own = said.lines().any(|line| line.starts_with(ITS_WORDS));
    let (error, next) = said
        .rsplit_once("\nnext: ")
        .map_or((said, None), |(error, next)| {
            let next = next.lines().next().unwrap_or_default();
            (error, Some(next.to_owned()))
        });
    Complaint {
        error: error.trim_start_matches(ITS_WORDS).to_owned(),
        next,
        exit_code: code.filter(|_| its_own),
    }
}

/// What the package says when it refuses or fails.
#[derive(Deserialize)]
struct Complaint {
    error: String,
    next: Option<String>,
    /// None where it ended without saying how.
    exit_code: Option<i32>,
}

impl Complaint {
    fn into_failure(self, verb: &str) -> Failure {
        let kind = self.exit_code.map_or(Kind::Tool, Kind::of_pra);
        let failure = Failure::new(kind, format!("`pra {verb}` failed: {}", self.error));
        failure.next(
            self.next
                .map_or_else(|| "cargo xtask status".into(), |next| failure::typed(&next)),
        )
    }
}

fn complaint(text: &str) -> Option<Complaint> {
    serde_json::from_str(document_line(text)?).ok()
}

/// The document of a job that succeeded; what it said where it did not.
fn job_document<T: DeserializeOwned>(outcome: &JobOutcome, verb: &str) -> Result<Said<T>> {
    if outcome.succeeded {
        let line = document_line(&outcome.log).unwrap_or_default();
        return parse(line, verb);
    }
    let said = complaint(&outcome.log).unwrap_or_else(|| Complaint {
        error: [
            outcome.reason.as_deref().unwrap_or("the job failed"),
            outcome.log.trim(),
        ]
        .join("\n"),
        next: None,
        exit_code: None,
    });
    Err(said.into_failure(verb).into())
}

/// The last line that is a JSON object: a pod's log mixes it with messages.
fn document_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| line.starts_with('{') && line.ends_with('}'))
}

/// Reads a document of the package.
pub fn parse<T: DeserializeOwned>(text: &str, verb: &str) -> Result<Said<T>> {
    let text = text.trim();
    let value = serde_json::from_str(text)
        .with_context(|| format!("reading the answer of `pra {verb}`"))?;
    Ok(Said {
        value,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{kind, next};

    fn outcome(succeeded: bool, log: &str) -> JobOutcome {
        JobOutcome {
            succeeded,
            reason: None,
            log: log.to_owned(),
        }
    }

    #[test]
    fn the_document_is_found_between_messages() {
        let log = "starting\n{\"a\":1}\nbye\n";
        let said: Said<Value> = job_document(&outcome(true, log), "backup").unwrap();
        assert_eq!(said.value["a"], 1);
        assert_eq!(said.text, "{\"a\":1}");
    }

    #[test]
    fn a_failed_job_says_what_the_package_said() {
        for (code, meaning) in [
            (1, Kind::Promise),
            (2, Kind::Usage),
            (4, Kind::Tool),
            (5, Kind::Timeout),
        ] {
            let said = format!(r#"{{"error":"no space","next":"prune","exit_code":{code}}}"#);
            let log = format!("noise\n{said}\n");
            let error = job_document::<Value>(&outcome(false, &log), "backup").unwrap_err();
            assert_eq!(kind(&error), meaning, "{code}");
            assert!(error.to_string().contains("no space"), "{error}");
            assert_eq!(next(&error), Some("prune"));
        }
    }

    #[test]
    fn words_on_standard_error_are_a_complaint_too() {
        let words = "pra: exporting: no database\nnext: python -m pra restore latest\n";
        let said = in_words(words, Some(1));
        assert_eq!(said.error, "exporting: no database");
        assert_eq!(said.next.as_deref(), Some("python -m pra restore latest"));
        // What kubectl adds is no part of the command that comes next.
        let words = "pra: a: b\nnext: c\ncommand terminated with exit code 2";
        let said = in_words(words, Some(2));
        assert_eq!(said.next.as_deref(), Some("c"));
        assert_eq!(kind(&said.into_failure("export").into()), Kind::Usage);
        // An exit code that is not the package's says nothing of promises.
        let said = in_words("Killed", Some(1));
        assert_eq!(said.error, "Killed");
        assert_eq!(kind(&said.into_failure("export").into()), Kind::Tool);
    }

    #[test]
    fn a_job_that_died_without_a_word_shows_its_log() {
        let error = job_document::<Value>(&outcome(false, "Traceback"), "restore").unwrap_err();
        assert!(error.to_string().contains("Traceback"), "{error}");
        assert_eq!(kind(&error), Kind::Tool);
    }
}
