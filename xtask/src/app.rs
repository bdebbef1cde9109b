//! The client of the `pra` package: its verbs, and the structs that its JSON documents
//! are parsed into.

mod answer;
mod status;

pub use answer::{Document, parse, refusal};
pub use status::{Room, Standby, Status, status};

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::{Deserialize, de::DeserializeOwned};
use terms::lang::{self, both};
use terms::{PointStatus, Read, tr};

use crate::context::Context;
use crate::engine::Engine;
use crate::exec::Cmd;
use crate::facts::JobSource;
use crate::measure::compare::{self, Rows};
use crate::names;
use crate::tools::python;
use answer::{complaint, job_document};

/// A restore point, as `pra points` lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Point {
    pub name: String,
    /// RFC 3339, UTC.
    pub created: String,
    pub age_seconds: f64,
    pub rows: Option<u64>,
    pub bytes: u64,
    pub status: Read<PointStatus>,
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
    /// Why records may be missing after its end.
    pub doubt: Option<String>,
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
    /// An earlier attempt of the same job had done it, and this is its answer.
    #[serde(default)]
    pub already: bool,
    /// What is known to be missing, and what may be.
    pub warnings: Vec<String>,
}

/// What a restore would do.
#[derive(Clone, Debug, Deserialize)]
pub struct Plan {
    pub point: Option<String>,
    pub replayed: u64,
    pub rows: u64,
    /// Rows compared with the current database; `None` where that cannot be read.
    pub gained: Option<u64>,
    pub lost: Option<u64>,
    pub changed: Option<u64>,
    /// Why what is there now cannot be read.
    pub unreadable: Option<String>,
    pub left_behind: Option<LeftBehind>,
    /// What would be missing, and what may be.
    pub warnings: Vec<String>,
    pub seconds: f64,
}

impl Plan {
    /// Whether rows that are there now would be lost or changed, or may be.
    pub fn takes_something(&self) -> bool {
        self.lost != Some(0) || self.changed != Some(0)
    }

    /// The plan as one sentence: rows gained, changed, lost.
    pub fn against(&self) -> String {
        let rows = lang::rows(self.rows);
        match (self.lost, self.changed, self.gained) {
            (Some(lost), Some(changed), Some(gained)) => tr!(
                "{rows}; of what is there now {lost} would be lost and {changed} changed, \
                 {gained} gained",
                "{rows} ; de ce qui est là, perdues : {lost}, modifiées : {changed}, \
                 gagnées : {gained}",
            ),
            _ => tr!(
                "{rows}; what is there now cannot be compared ({why})",
                "{rows} ; ce qui est là ne peut pas être comparé ({why})",
                why = self
                    .unreadable
                    .as_deref()
                    .unwrap_or(both("it cannot be read", "c'est illisible").text()),
            ),
        }
    }
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

/// What became of a write that had to be journaled.
#[derive(Clone, Debug, Deserialize)]
pub struct Proof {
    /// Its number; `None` where the settings want no journal.
    pub seq: Option<u64>,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => f.write_str(&tr!(
                "the journal took a write, transaction {seq}",
                "le journal a pris une écriture, la transaction {seq}",
            )),
            None => both(
                "there is no journal, as PRA_JOURNAL wants it",
                "il n'y a pas de journal, comme le veut PRA_JOURNAL",
            )
            .fmt(f),
        }
    }
}

/// Points that retention removes.
#[derive(Clone, Debug, Deserialize)]
pub struct Pruned {
    pub removed: Vec<String>,
}

pub fn points(engine: &dyn Engine) -> Result<Points> {
    Ok(document(engine, &["points", "--json"])?.value)
}

/// The catalogue as the package's own JSON, not parsed: it can hold thousands of
/// points.
pub fn points_as_text(engine: &dyn Engine) -> Result<String> {
    verb(engine, &["points", "--json"])
}

/// The newest transactions of the journal, or those that touched most rows.
pub fn log(engine: &dyn Engine, largest: bool, limit: u32) -> Result<Document<Log>> {
    let limit = limit.to_string();
    let mut args = vec!["log", "--json", "--limit", &limit];
    args.extend(largest.then_some("--largest"));
    document(engine, &args)
}

/// What restoring that target would gain and lose; changes nothing.
pub fn plan(engine: &dyn Engine, target: &str, force: bool) -> Result<Document<Plan>> {
    let mut args = vec!["restore", "--json", "--plan"];
    args.extend(force.then_some("--force"));
    args.extend(["--", target]);
    document(engine, &args)
}

/// Removes what retention no longer keeps, or only says what that would be.
pub fn prune(engine: &dyn Engine, dry_run: bool) -> Result<Document<Pruned>> {
    let mut args = vec!["prune", "--json"];
    args.extend(dry_run.then_some("--dry-run"));
    document(engine, &args)
}

/// What the application runs on: versions, kernel, file systems.
pub fn about(engine: &dyn Engine) -> Result<BTreeMap<String, String>> {
    Ok(document(engine, &["about", "--json"])?.value)
}

/// Whether a point is sound, after all of it was read.
///
/// # Errors
/// It could not be found out.
pub fn verifies(engine: &dyn Engine, name: &str) -> Result<bool> {
    #[derive(Deserialize)]
    struct Verified {
        ok: bool,
    }
    let output = engine.pra(&["verify", "--json", name])?;
    // Its exit code says the same, but so does that of a tool between us.
    match parse::<Verified>(&output.stdout, "verify") {
        Ok(said) => Ok(said.value.ok),
        Err(_) => Err(refusal(&output, "verify").into()),
    }
}

/// Every row, from one consistent read.
pub fn dump(engine: &dyn Engine) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump", "--json"])?)
}

/// Every row of a restore point.
pub fn dump_point(engine: &dyn Engine, name: &str) -> Result<Rows> {
    compare::parse_dump(&verb(engine, &["dump", "--json", "--point", name])?)
}

/// Takes a restore point now and returns it; `None` in a dry run.
pub fn backup(engine: &dyn Engine) -> Result<Option<Document<Taken>>> {
    let outcome = engine.run_job("backup-now", &JobSource::Backup)?;
    outcome
        .map(|outcome| job_document(&outcome, "backup"))
        .transpose()
}

/// The same in a replica instead of a job: nothing repeats it where it fails, and it
/// can take an option.
pub fn backup_with(engine: &dyn Engine, option: Option<&str>) -> Result<Document<Taken>> {
    let words = ["backup", "--json"].into_iter().chain(option);
    document(engine, &words.collect::<Vec<_>>())
}

/// Takes an empty backup volume in the place of one that was lost, with a first
/// point on it.
pub fn take_new_volume(engine: &dyn Engine) -> Result<Document<Taken>> {
    backup_with(engine, Some("--new-volume"))
}

/// Options of a restore that are off unless a person asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Restore a quarantined point, or across a gap of the journal, as well.
    pub force: bool,
    /// Restore into a data volume without identity although another one is in service.
    pub take_over: bool,
}

/// Restores a target (a point's name, `latest`, a moment, `before:SEQ`,
/// `undo`, `current`) and returns the package's report; `None` in a dry run.
pub fn restore(
    engine: &dyn Engine,
    target: &str,
    options: RestoreOptions,
) -> Result<Option<Document<Restored>>> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut env = vec![set("PRA_RESTORE_POINT", target)];
    if options.force {
        env.push(set("PRA_RESTORE_FORCE", "yes"));
    }
    if options.take_over {
        env.push(set("PRA_RESTORE_TAKE_OVER", "yes"));
    }
    let outcome = engine.run_job(names::RESTORE_JOB, &JobSource::Restore { env })?;
    outcome
        .map(|outcome| job_document(&outcome, "restore"))
        .transpose()
}

/// Writes a transaction that changes no row and finds it in the journal, as a
/// person would by `python -m pra prove`; `None` in a dry run.
///
/// # Errors
/// The next write would be refused, or not be protected.
pub fn prove(engine: &dyn Engine) -> Result<Option<Document<Proof>>> {
    // Without its exit code: its document says the same, and what it means.
    const PROVE: &str = r#"from pra.commands import cli; cli.main(["prove", "--json"])"#;
    let Some(said) = engine.python(PROVE)? else {
        return Ok(None);
    };
    match complaint(&said) {
        Some(complaint) => Err(complaint.into_failure("prove").into()),
        None => parse(&said, "prove").map(Some),
    }
}

/// `python -m pra ARGS` of the checkout, on this machine: for what needs neither
/// a lab nor a package.
pub fn on_this_machine(ctx: &Context, args: &[&str]) -> Result<Cmd> {
    let python = python::find(&ctx.exec, ctx.config.python.minimum())?.path;
    let cmd = Cmd::new(python.to_string_lossy())
        .args(["-m", "pra"])
        .args(args.iter().copied())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .cwd(ctx.workspace.root.join("app"));
    Ok(cmd)
}

fn document<T: DeserializeOwned>(engine: &dyn Engine, args: &[&str]) -> Result<Document<T>> {
    parse(&verb(engine, args)?, args[0])
}

fn verb(engine: &dyn Engine, args: &[&str]) -> Result<String> {
    let output = engine.pra(args)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(refusal(&output, args[0]).into())
}
