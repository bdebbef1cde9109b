//! What the lab can be asked through the `pra` package: restore points, rows,
//! the state of protection. The shapes of its JSON documents have their home
//! here.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::engine::{Engine, JobOutcome, JobSource};
use crate::failure::Failure;
use crate::http;
use crate::measure::compare::{self, Rows};

/// A restore point, as `pra points` lists it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Point {
    pub name: String,
    /// RFC 3339, UTC.
    pub created: String,
    pub age_seconds: f64,
    pub rows: Option<u64>,
    pub max_id: Option<i64>,
    pub bytes: u64,
    /// `verified`, `quarantined`, `foreign`, `damaged` or `safety`.
    pub status: String,
    pub reason: Option<String>,
    /// Whatever else the package says of it.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// The catalogue, newest first.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Points {
    pub points: Vec<Point>,
    /// The name of the latest verified one.
    pub latest: Option<String>,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// The answer of `/status`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    pub count: u64,
    pub last_backup_file: Option<String>,
    pub backup_age_seconds: Option<f64>,
    pub protection: String,
    pub needs_restore: bool,
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

pub fn points(engine: &dyn Engine) -> Result<Points> {
    let said = verb(engine, &["points", "--json"])?;
    parse(&said, "points")
}

/// Every row, from one consistent read.
pub fn dump(engine: &dyn Engine) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump"])?)
}

/// Every row of a restore point.
pub fn dump_point(engine: &dyn Engine, name: &str) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump", "--point", name])?)
}

pub fn status(url: &str) -> Result<Status> {
    let body = http::get_ok(url, "/status", &[])?;
    serde_json::from_value(body).context("reading the application's status")
}

/// Takes a restore point now and returns it; `None` in a dry run.
pub fn backup(engine: &dyn Engine) -> Result<Option<Point>> {
    #[derive(Deserialize)]
    struct Taken {
        point: Point,
    }
    let outcome = engine.run_job("backup-now", &JobSource::Backup)?;
    let taken = outcome.map(|outcome| job_document::<Taken>(&outcome, "backup"));
    Ok(taken.transpose()?.map(|taken| taken.point))
}

/// Restores `point` (a name or `latest`) and returns the package's report;
/// `None` in a dry run.
pub fn restore(engine: &dyn Engine, point: &str, force: bool) -> Result<Option<Value>> {
    let mut env = vec![("PRA_RESTORE_POINT".to_owned(), point.to_owned())];
    if force {
        env.push(("PRA_RESTORE_FORCE".to_owned(), "1".to_owned()));
    }
    let source = JobSource::Restore { env };
    let outcome = engine.run_job(crate::engine::RESTORE_JOB, &source)?;
    outcome
        .map(|outcome| job_document(&outcome, "restore"))
        .transpose()
}

fn verb(engine: &dyn Engine, args: &[&str]) -> Result<String> {
    let output = engine.pra(args)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = complaint(&output.stdout).unwrap_or_else(|| Complaint {
        error: output.stderr.trim().to_owned(),
        next: None,
    });
    Err(said.into_failure(args[0]).into())
}

/// What the package says when it refuses or fails.
#[derive(Deserialize)]
struct Complaint {
    error: String,
    next: Option<String>,
}

impl Complaint {
    fn into_failure(self, verb: &str) -> Failure {
        let failure = Failure::promise(format!("`pra {verb}` failed: {}", self.error));
        failure.next(self.next.unwrap_or_else(|| "cargo xtask status".into()))
    }
}

fn complaint(text: &str) -> Option<Complaint> {
    serde_json::from_str(document_line(text)?).ok()
}

/// The document of a job that succeeded; what it said where it did not.
fn job_document<T: DeserializeOwned>(outcome: &JobOutcome, verb: &str) -> Result<T> {
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
    });
    Err(said.into_failure(verb).into())
}

/// The last line that is a JSON object: a pod's log mixes it with messages.
fn document_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| line.starts_with('{') && line.ends_with('}'))
}

fn parse<T: DeserializeOwned>(text: &str, verb: &str) -> Result<T> {
    serde_json::from_str(text.trim()).with_context(|| format!("reading the answer of `pra {verb}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

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
        let value: Value = job_document(&outcome(true, log), "backup").unwrap();
        assert_eq!(value["a"], 1);
    }

    #[test]
    fn a_failed_job_says_what_the_package_said() {
        let log = "noise\n{\"status\":\"error\",\"error\":\"no space\",\"next\":\"prune\"}\n";
        let error = job_document::<Value>(&outcome(false, log), "backup").unwrap_err();
        assert_eq!(kind(&error), Kind::Promise);
        assert!(error.to_string().contains("no space"), "{error}");
        assert_eq!(next(&error), Some("prune"));
    }

    #[test]
    fn a_job_that_died_without_a_word_shows_its_log() {
        let error = job_document::<Value>(&outcome(false, "Traceback"), "restore").unwrap_err();
        assert!(error.to_string().contains("Traceback"), "{error}");
    }
}
