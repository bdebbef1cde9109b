//! Scenario 2, PRA: the volume with the database is deleted, and the lab comes
//! back from its restore points.

use anyhow::{Context as _, Result};

use crate::app;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::measure::compare;
use crate::measure::ledger::{Ledger, Request};
use crate::measure::result::{ClientFigures, Rpo, Rto, ScenarioResult, Verified, milliseconds};
use crate::scenario::repair;
use crate::scenario::run::{Outcome, Run};
use crate::wait;

/// Acknowledgements before the disaster (so that there is something to lose)
/// and after it (so that the service is really back).
const ACKNOWLEDGED_BEFORE: usize = 60;
const ACKNOWLEDGED_AFTER: usize = 60;

/// Moments of the run, in seconds of the ledger's clock, and the point that
/// brought the data back.
struct Played {
    /// The volume was gone.
    deleted: f64,
    first_failure: Request,
    provisioned: f64,
    restored: f64,
    point: String,
    /// A new verified backup existed.
    protected: f64,
}

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let step = run.ctx.ui.step("steady state, and a verified backup");
    let steady = run.steady_state(engine)?;
    let before = app::dump(engine)?;
    run.verified_backup(engine)?;
    step.done("all replicas ready");

    let client = run.client(&steady.url)?;
    let played = disaster_and_recovery(run, engine, client.ledger())?;

    let step = run.ctx.ui.step("rows compared with the client's ledger");
    let outcome = Outcome::settle(client, &before, engine)?;
    let kept = app::dump_point(engine, &played.point)?;
    // What was acknowledged after the recovery was never the snapshot's to keep.
    let until = |request: &&Request| request.ended <= played.deleted;
    let earlier: Vec<Request> = outcome.requests.iter().filter(until).cloned().collect();
    let snapshot_only = compare::compare(&before, &earlier, &kept).lost;
    step.done(format!("{} rows", outcome.after.len()));

    let backups_resumed = !engine.facts()?.suspended;
    let serving = outcome
        .first_verified(played.first_failure.sent)
        .context("no write after the disaster was acknowledged and is there")?
        .ended;
    let disaster = unreachable_since(&outcome.requests, played.deleted);
    let rto = Rto::new(
        played.first_failure.sent,
        &[
            ("detected", played.first_failure.ended),
            ("provisioned", played.provisioned),
            ("restored", played.restored),
            ("serving", serving),
        ],
    );
    let mut result = ScenarioResult {
        scenario: run.scenario,
        engine: engine.name(),
        protection: steady.protection,
        passed: true,
        broken: outcome.broken(),
        rpo: Rpo::new(
            &outcome.requests,
            &outcome.verdict,
            &snapshot_only,
            disaster,
        ),
        rto,
        client: ClientFigures::new(&outcome.requests),
        verified: Verified::new(outcome.after.len(), &outcome.verdict),
        backups_resumed,
        protected_seconds: Some(milliseconds(played.protected - played.first_failure.sent)),
        kills: Vec::new(),
        run: run.shown_folder(),
    };
    judge(run, &mut result);
    Ok(result)
}

/// From steady writing to steady writing, with the loss of the volume between.
fn disaster_and_recovery(run: &Run, engine: &dyn Engine, ledger: &Ledger) -> Result<Played> {
    let ui = &run.ctx.ui;
    let step = ui.step("the client writes");
    run.acknowledged(ledger, 0.0, ACKNOWLEDGED_BEFORE)?;
    step.done(format!("{ACKNOWLEDGED_BEFORE} acknowledged"));

    let unfinished = repair::begin(&run.ctx.lab, run.scenario)?;
    let step = ui.step("disaster: application stopped, volume deleted");
    let began = ledger.now();
    destroy(run.ctx, engine)?;
    let deleted = ledger.now();
    step.done("pra-data is gone");

    let first_failure = wait::until(wait::FAILURE_NOTICED, || Ok(ledger.first_failure(began)))?;
    let step = ui.step("infrastructure recreated");
    engine.apply()?;
    wait::until(wait::PODS_EXIST, || {
        let facts = engine.facts()?;
        let there =
            facts.has_volume(engine::DATA_CLAIM) && facts.pods.len() >= facts.wanted as usize;
        Ok(there.then_some(()))
    })?;
    let provisioned = ledger.now();
    step.done("volume and replicas exist again");

    let step = ui.step("restore job");
    let report = app::restore(engine, "latest", false)?.context("a scenario has no dry run")?;
    let restored = ledger.now();
    let report = report.value;
    let point = report.point.context("the restore began with no point")?;
    step.done(format!(
        "{point}, {} transactions replayed",
        report.replayed
    ));

    let step = ui.step("service back through the URL");
    run.acknowledged(ledger, restored, ACKNOWLEDGED_AFTER)?;
    wait::until(wait::APP_READY, || {
        let facts = engine.facts()?;
        Ok((facts.ready() >= facts.wanted as usize).then_some(()))
    })?;
    step.done("writes are acknowledged again");

    let step = ui.step("backups resumed, new verified backup");
    engine.suspend_backups(false)?;
    let fresh = run.verified_backup(engine)?;
    let protected = ledger.now();
    step.done(&fresh.name);
    unfinished.done()?;
    Ok(Played {
        deleted,
        first_failure,
        provisioned,
        restored,
        point,
        protected,
    })
}

/// The workshop's disaster, in its order.
fn destroy(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.scale(0)?;
    engine.suspend_backups(true)?;
    engine.delete_jobs()?;
    if !ctx.exec.dry_run() {
        wait::until(wait::APP_STOPPED, || {
            Ok(engine.facts()?.pods.is_empty().then_some(()))
        })?;
    }
    engine.delete_volume(engine::DATA_CLAIM)
}

/// The same changes as [`play`] makes, shown only.
pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    app::backup(engine)?;
    destroy(ctx, engine)?;
    engine.apply()?;
    app::restore(engine, "latest", false)?;
    engine.suspend_backups(false)?;
    app::backup(engine)?;
    Ok(())
}

/// The moment when the data became unreachable for writing: the last
/// acknowledgement before the volume was gone.
fn unreachable_since(requests: &[Request], deleted: f64) -> f64 {
    let answered = requests.iter().filter(|request| request.acknowledged());
    let before = answered
        .map(|request| request.ended)
        .filter(|ended| *ended <= deleted);
    before.fold(0.0, f64::max)
}

/// Holds the figures against the objectives.
fn judge(run: &Run, result: &mut ScenarioResult) {
    let objectives = &run.ctx.config.objectives;
    if result.protection == "journal" && result.rpo.lost > 0 {
        result.broken.push(format!(
            "{} acknowledged rows are lost; with the journal none may be",
            result.rpo.lost
        ));
    }
    if result.rpo.seconds > objectives.rpo_seconds() {
        result.broken.push(format!(
            "{} s of acknowledged writes are lost; the objective is {} s",
            result.rpo.seconds,
            objectives.rpo_seconds()
        ));
    }
    if result.rto.seconds > objectives.rto_seconds() {
        result.broken.push(format!(
            "the service was away for {} s; the objective is {} s",
            result.rto.seconds,
            objectives.rto_seconds()
        ));
    }
    if !result.backups_resumed {
        result.broken.push("backups are still suspended".into());
    }
    result.passed = result.broken.is_empty();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::ledger::Outcome::{Acknowledged, Failed};

    #[test]
    fn the_data_are_unreachable_from_the_last_answer_before_the_deletion() {
        let at = |ended: f64, ok: bool| Request {
            n: 0,
            message: String::new(),
            sent: ended,
            ended,
            outcome: if ok {
                Acknowledged {
                    id: 1,
                    timestamp: String::new(),
                }
            } else {
                Failed {
                    reason: String::new(),
                }
            },
        };
        let requests = [at(1.0, true), at(2.0, true), at(2.5, false), at(5.0, true)];
        assert_eq!(unreachable_since(&requests, 3.0), 2.0);
    }
}
