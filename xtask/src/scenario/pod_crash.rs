//! Scenario 1, PCA: a replica dies, once without warning and once in an orderly
//! way, while a client writes. Nobody should notice.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::engine::{Death, Engine};
use crate::measure::figures::milliseconds;
use crate::measure::journey::Request;
use crate::measure::ledger::Ledger;
use crate::measure::result::{KillFigures, Moment, Rpo, Rto, ScenarioResult};
use crate::scenario::outcome::Outcome;
use crate::scenario::run::Run;
use crate::wait;

/// Acknowledgements before the first death and after each.
const ACKNOWLEDGED_BETWEEN: usize = 70;

/// One death, in seconds of the ledger's clock.
struct Killed {
    pod: String,
    how: &'static str,
    began: f64,
    /// The replica could not take a new request any more.
    ended: f64,
    replaced: f64,
    under_way: usize,
}

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let ledger = client.ledger();
    run.acknowledged(ledger, 0.0, ACKNOWLEDGED_BETWEEN)?;
    if run.how.draw.is_some() {
        run.wait_for_the_moment(Instant::now())?;
    }
    let killed = [
        kill_one(run, engine, ledger, Death::Hard)?,
        kill_one(run, engine, ledger, Death::Graceful)?,
    ];
    let moments = moments(&killed);
    let outcome = Outcome::settle(client, before, engine)?;
    run.steady_state(engine)?;
    let requests = &outcome.journey.requests;
    let kills = attribute(&killed, requests);
    let rpo = Rpo::new(requests, &outcome.verdict, &[], killed[0].began);
    let mut result = outcome.result(run, engine, steady, rpo, outage(&outcome), None)?;
    result.kills = kills;
    result.moments = moments;
    judge(&killed, requests, &mut result);
    result.lessons = lessons(&result);
    Ok(result)
}

fn moments(killed: &[Killed]) -> Vec<Moment> {
    let deaths = killed.iter().flat_map(|one| {
        [
            (one.began, format!("{} end of {}", one.how, one.pod)),
            (one.replaced, format!("{} is replaced", one.pod)),
        ]
    });
    let moment = |(at, what)| Moment {
        at: milliseconds(at),
        what,
    };
    deaths.map(moment).collect()
}

fn lessons(result: &ScenarioResult) -> Vec<String> {
    let failed: usize = result.kills.iter().map(|kill| kill.failed).sum();
    vec![
        format!(
            "Two replicas died; {failed} of {} requests failed. The service sends new connections \
             to ready replicas only, and started replacements by itself.",
            result.client.requests
        ),
        "A replica that is asked to stop is taken out of the service first and then finishes what \
         it has begun; one that is killed takes its unfinished requests with it."
            .to_owned(),
        "RPO: nothing can be lost here, with or without backups: the data are on the volume, not \
         in the pod. That is continuity (PCA), not recovery (PRA)."
            .to_owned(),
        "Look at: kubectl get pods (names and restarts), and the page of cargo xtask report."
            .to_owned(),
    ]
}

/// The same changes as [`play`] makes, shown only.
pub fn show(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let pods = engine.facts()?.pods;
    for (pod, death) in pods.iter().zip([Death::Hard, Death::Graceful]) {
        engine.kill(&pod.name, death)?;
    }
    Ok(())
}

fn kill_one(run: &Run, engine: &dyn Engine, ledger: &Ledger, death: Death) -> Result<Killed> {
    let how = match death {
        Death::Hard => "hard",
        Death::Graceful => "graceful",
    };
    let facts = engine.facts()?;
    let wanted = facts.wanted as usize;
    let victim = facts.pods.iter().find(|pod| pod.ready && !pod.stopping);
    let pod = victim
        .context("no replica is ready to be killed")?
        .name
        .clone();
    let words = format!("{how} end of replica {pod}");
    run.pause(&words, |_, engine| engine.kill(&pod, death))?;
    let step = run.ctx.ui.step(words);
    let under_way = ledger.under_way();
    let began = ledger.now();
    engine.kill(&pod, death)?;
    let ended = ledger.now();
    wait::until(wait::REPLICA_BACK, || {
        let facts = engine.facts()?;
        let gone = facts.pods.iter().all(|other| other.name != pod);
        Ok((gone && facts.ready() >= wanted).then_some(()))
    })?;
    let replaced = ledger.now();
    step.done("replaced, and ready");
    run.acknowledged(ledger, replaced, ACKNOWLEDGED_BETWEEN)?;
    Ok(Killed {
        pod,
        how,
        began,
        ended,
        replaced,
        under_way,
    })
}

/// Which failures belong to which death: those that ended after it began and
/// before the next one did.
fn attribute(killed: &[Killed], requests: &[Request]) -> Vec<KillFigures> {
    let figures = killed.iter().enumerate().map(|(index, one)| {
        let next = killed
            .get(index + 1)
            .map_or(f64::INFINITY, |next| next.began);
        let failed = requests
            .iter()
            .filter(|r| !r.acknowledged() && r.ended >= one.began && r.ended < next);
        KillFigures {
            pod: one.pod.clone(),
            how: one.how,
            failed: failed.count(),
            under_way: one.under_way,
            replaced_seconds: milliseconds(one.replaced - one.began),
        }
    });
    figures.collect()
}

/// The outage as the client saw it: none where no request failed.
fn outage(outcome: &Outcome) -> Rto {
    let failures = outcome
        .journey
        .requests
        .iter()
        .filter(|r| !r.acknowledged());
    let first = failures.min_by(|a, b| a.sent.total_cmp(&b.sent));
    let Some(first) = first else {
        return Rto::new(0.0, &[]);
    };
    let back = outcome
        .first_verified(first.sent)
        .map_or(first.ended, |r| r.ended);
    Rto::new(first.sent, &[("serving", back)])
}

/// None may fail for an orderly end; after a hard one only requests that were
/// already on their way to that replica.
fn judge(killed: &[Killed], requests: &[Request], result: &mut ScenarioResult) {
    if result.rpo.lost > 0 {
        result
            .broken
            .push(format!("{} acknowledged rows are missing", result.rpo.lost));
    }
    for (one, figures) in killed.iter().zip(&result.kills) {
        let late = requests.iter().filter(|request| {
            let failed = !request.acknowledged() && request.ended >= one.began;
            failed && request.sent > one.ended && request.sent < one.replaced
        });
        let late = late.count();
        if one.how == "graceful" && figures.failed > 0 {
            result.broken.push(format!(
                "{} requests failed although {} was asked to stop in an orderly way",
                figures.failed, one.pod
            ));
        } else if late > 0 {
            result.broken.push(format!(
                "{late} requests failed that were sent after {} had died",
                one.pod
            ));
        }
    }
    if result.client.failed > result.kills.iter().map(|kill| kill.failed).sum() {
        result
            .broken
            .push("requests failed although no replica was dying".into());
    }
    result.passed = result.broken.is_empty();
}
