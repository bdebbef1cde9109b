//! Scenario 10: the cluster is gone with both of its volumes. What is left is a
//! copy that was exported before, and this machine.

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::app::{self, Restored};
use crate::context::Context;
use crate::copy;
use crate::engine::Engine;
use crate::exec::quote;
use crate::failure::{self, Failure};
use crate::measure::client::Client;
use crate::measure::compare::{self, Lost, Rows};
use crate::measure::figures::milliseconds;
use crate::measure::journey::Request;
use crate::measure::result::{Moment, Rpo, Rto, ScenarioResult};
use crate::scenario::course::Course;
use crate::scenario::mark::Mark;
use crate::scenario::outage;
use crate::scenario::outcome::{self, Outcome};
use crate::scenario::run::Run;
use crate::wait;

/// Acknowledgements on the new lab, so that the service is really back.
const ACKNOWLEDGED_AFTER: usize = 60;

const DISASTER: &str = "disaster: the whole lab is destroyed, both volumes included";
const REBUILD: &str = "lab built anew, serving nobody yet";
const ADOPT: &str = "exported copy adopted";
const OPEN: &str = "application started";

/// Moments in seconds of the ledger's clock.
struct Played {
    /// The export began: what was acknowledged by then has to come back.
    exported: f64,
    gone: f64,
    first_failure: Request,
    provisioned: f64,
    restored: f64,
    report: Restored,
    protected: f64,
    moments: Vec<Moment>,
}

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let step = run.ctx.ui.step("steady state");
    let steady = run.steady_state(engine)?;
    let before = app::dump(engine)?;
    step.done("all replicas ready");

    let client = run.client(&steady.url)?;
    let file = run.folder.join("copy.tar");
    let played = course(run, engine, &client, &file)?;

    let step = run.ctx.ui.step("rows compared with the client's ledger");
    let outcome = Outcome::settle(client, before, engine)?;
    step.done(format!("{} rows", outcome.after.len()));
    run.steady_state(engine)?;

    let requests = &outcome.journey.requests;
    let first = &played.first_failure;
    let serving = outcome
        .first_verified(outcome.last_failure(played.restored, first.sent.max(played.gone)))
        .context("no write after the disaster was acknowledged and is there")?
        .ended;
    let rto = Rto::new(
        first.sent,
        &[
            ("detected", first.ended),
            ("provisioned", played.provisioned),
            ("restored", played.restored),
            ("serving", serving),
        ],
    );
    let unreachable = outcome::unreachable_since(requests, played.gone);
    let without_copy = everything(&outcome, played.gone);
    let rpo = Rpo::new(requests, &outcome.verdict, &without_copy, unreachable);
    let outage = (first.sent.min(unreachable), serving);
    let missing = missing(&outcome.verdict.lost, played.exported);
    let mut result = outcome.result(run, engine, steady, rpo, rto, Some(outage))?;
    if missing > 0 {
        result.broken.push(format!(
            "{missing} rows are missing that were acknowledged before the export began"
        ));
        result.passed = false;
    }
    result.protected_seconds = Some(milliseconds(played.protected - first.sent));
    result.lessons = lessons(&result, &played.report, &file);
    result.moments = played.moments;
    Ok(result)
}

/// The same changes as [`play`] makes, shown only. The lab is still there, so
/// what builds it anew is shown as the one command that does.
pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // Whole, since what is pasted may change its folder on the way.
    let file = std::path::absolute("copy.tar").context("reading the current folder")?;
    copy::export(ctx, engine, &file)?;
    engine.down()?;
    let adopt = format!("cargo xtask adopt {}", quote(&file.to_string_lossy()));
    ctx.exec.change(&adopt);
    Ok(())
}

fn course(run: &Run, engine: &dyn Engine, client: &Client, file: &Path) -> Result<Played> {
    let ledger = client.ledger();
    let exported = Cell::new(0.0);
    let export = |ctx: &Context, engine: &dyn Engine| {
        exported.set(ledger.now());
        copy::export(ctx, engine, file).map(|_| ())
    };
    let (course, mut unfinished) = Course::begin(run, engine, ledger, "exported copy", export)?;
    unfinished.comes_back_from(file)?;
    recover(&course, client, unfinished, file)
        .map(|played| Played {
            exported: exported.get(),
            moments: course.into_moments(),
            ..played
        })
        .map_err(|error| {
            let kind = failure::kind(&error);
            let said = "the recovery was not ended; the exported copy is there";
            let next = format!("cargo xtask adopt {}", file.display());
            error.context(Failure::new(kind, said).next(next))
        })
}

fn recover(course: &Course, client: &Client, unfinished: Mark, file: &Path) -> Result<Played> {
    let (run, engine, ledger) = (course.run, course.engine, course.ledger);
    let struck = course.act(DISASTER, |_, engine| engine.down())?;
    let noticed = || Ok(ledger.first_failure(struck.began));
    let first_failure = wait::until(wait::FAILURE_NOTICED, noticed)?;
    let provisioned = course.act(REBUILD, copy::up_closed)?.ended;
    // Where lab.toml leaves the port open, the new lab has another one.
    client.follow(&engine.facts()?.url.context("the new lab has no URL")?);
    let restored = course.act(ADOPT, |_, engine| copy::adopt(engine, file))?;
    let report = restored.value.context("a scenario has no dry run")?.value;
    let opened = course.act(OPEN, copy::open)?.ended;

    let step = run.ctx.ui.step("service back through the URL");
    run.acknowledged(ledger, opened, ACKNOWLEDGED_AFTER)?;
    step.done("writes are acknowledged again");

    let protected = course.act(outage::PROTECT, outage::protect)?.ended;
    unfinished.done()?;
    Ok(Played {
        exported: 0.0,
        gone: struck.ended,
        first_failure,
        provisioned,
        restored: restored.ended,
        report,
        protected,
        moments: Vec::new(),
    })
}

/// How many of the lost rows the copy had to hold.
fn missing(lost: &[Lost], exported: f64) -> usize {
    let promised = |lost: &&Lost| lost.acknowledged.is_none_or(|at| at <= exported);
    lost.iter().filter(promised).count()
}

/// What would have been lost without the copy: snapshots and journal went with
/// the cluster.
fn everything(outcome: &Outcome, gone: f64) -> Vec<Lost> {
    let requests = outcome.journey.requests.iter();
    let earlier: Vec<Request> = requests.filter(|r| r.ended <= gone).cloned().collect();
    compare::compare(&outcome.before, &earlier, &Rows::new()).lost
}

/// Adopts the copy of a run that was cut off, onto a lab that has nothing yet.
pub fn carry_on(engine: &dyn Engine, copy: &Path, url: &str) -> Result<()> {
    let status = app::status(url)?;
    if status.needs_restore || status.count == 0 {
        copy::adopt(engine, copy)?;
    }
    Ok(())
}

fn lessons(result: &ScenarioResult, report: &Restored, file: &Path) -> Vec<String> {
    let rpo = &result.rpo;
    let phases = result.rto.phases.iter();
    let longest = phases.max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let longest = longest.map_or_else(String::new, |phase| {
        format!("; most of it was {:?}, {} s", phase.name, phase.seconds)
    });
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    vec![
        format!(
            "RTO: users were without service for {} s{longest}. A whole lab had to be built before \
             any data could come back.",
            result.rto.seconds
        ),
        format!(
            "Both volumes were gone, and with them every snapshot and the journal: {} rows would \
             have been lost without a copy elsewhere. {} came back from {name}.",
            rpo.snapshot_only_lost, report.rows
        ),
        format!(
            "RPO: {} of {} acknowledged rows were lost, {} s worth: they came after the copy. The \
             age of the newest copy is what losing a cluster costs; exporting more often lowers it.",
            rpo.lost, rpo.acknowledged, rpo.seconds
        ),
        "Look at: cargo xtask export --help, and ask where your own copies are kept.".to_owned(),
    ]
}
