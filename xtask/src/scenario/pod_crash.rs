//! Scenario 1, PCA: a replica dies, once without warning and once in an orderly
//! way, while a client writes. Nobody should notice.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::measure::downtime::{Downtime, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::ledger::Ledger;
use crate::measure::result::{KillFigures, Moment, Rpo, Rto, ScenarioResult};
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outcome::Outcome;
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;
use crate::wait;
use terms::lang::both;
use terms::{Death, Labelled, ScenarioName, tr};

pub const SCENARIO: Scenario = Scenario {
    number: 1,
    name: ScenarioName::PodCrash,
    title: both("PCA: the pod dies", "PCA : le pod meurt"),
    breaks: both(
        "one replica is killed without warning, then one is asked to stop",
        "une réplique est tuée sans préavis, puis une autre est priée de s'arrêter",
    ),
    holds: both(
        "the service answers all along; no acknowledged row is missing",
        "le service répond sans interruption ; aucune ligne acquittée ne manque",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: true,
    takes_for_good: None,
    way: Way::Own {
        play,
        show,
        strike: None,
    },
    repair: Repair::WHERE_MISSING,
};

/// Acknowledgements before the first death and after each.
const ACKNOWLEDGED_BETWEEN: usize = 70;

/// One death, in seconds of the ledger's clock.
struct Killed {
    pod: String,
    how: Death,
    began: f64,
    /// The replica could not take a new request any more.
    ended: f64,
    replaced: f64,
    under_way: usize,
}

fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    play_and_tell(run, engine, of_this_lab)
}

/// As [`play`]; ends with lessons of the lab's own.
pub fn play_and_tell(
    run: &Run,
    engine: &dyn Engine,
    own: fn() -> [String; 2],
) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let ledger = client.ledger();
    run.acknowledged(engine, ledger, 0.0, ACKNOWLEDGED_BETWEEN)?;
    if run.options.draw.is_some() {
        run.wait_for_the_moment(Instant::now())?;
    }
    let killed = [
        kill_one(run, engine, ledger, Death::Hard)?,
        kill_one(run, engine, ledger, Death::Graceful)?,
    ];
    let moments = moments(&killed);
    let outcome = Outcome::compare(client, before, engine)?;
    run.steady_state(engine)?;
    let failures = Failures::new(&outcome.observed, &killed.each_ref().map(|one| one.began));
    let requests = &outcome.observed.requests;
    let rpo = Rpo::new(requests, &outcome.verdict, &[], killed[0].began);
    let rto = longest_outage(&failures, &outcome);
    let mut result = outcome.result(run, engine, steady, rpo, rto, None)?;
    result.kills = figures(&killed, &failures);
    result.moments = moments;
    judge(&killed, &failures, &mut result);
    result.lessons = lessons(&result);
    result.lessons.extend(own());
    Ok(result)
}

fn moments(killed: &[Killed]) -> Vec<Moment> {
    let deaths = killed.iter().flat_map(|one| {
        [
            (
                one.began,
                tr!(
                    "{how} end of {pod}",
                    "fin {how} de {pod}",
                    how = one.how.label(),
                    pod = one.pod,
                ),
            ),
            (
                one.replaced,
                tr!("{pod} is replaced", "{pod} est remplacée", pod = one.pod),
            ),
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
    let client = &result.client;
    vec![
        tr!(
            "Two replicas died; failed {sendings}: {failed} of {all}. The service sends new \
             connections to ready replicas only, and started replacements by itself.",
            "Deux répliques sont mortes ; {sendings} en échec : {failed} sur {all}. Le service \
             n'envoie de nouvelles connexions qu'aux répliques prêtes, et les remplaçantes ont \
             démarré d'elles-mêmes.",
            sendings = client.sendings(),
            all = client.attempts,
        ),
        tr!(
            "A replica that is asked to stop is taken out of the service first and then finishes \
             what it has begun; one that is killed takes its unfinished requests with it.",
            "Une réplique priée de s'arrêter est d'abord retirée du service, puis elle termine ce \
             qu'elle a commencé ; une réplique tuée emporte avec elle ses requêtes inachevées.",
        ),
    ]
}

/// What the lab of the recovery adds.
fn of_this_lab() -> [String; 2] {
    [
        tr!(
            "RPO: nothing can be lost here, with or without backups: the data are on the volume, \
             not in the pod. That is continuity (PCA), not recovery (PRA).",
            "RPO : rien ne peut être perdu ici, avec ou sans sauvegardes : les données sont sur \
             le volume, pas dans le pod. C'est de la continuité (PCA), pas de la reprise (PRA).",
        ),
        tr!(
            "Look at: cargo xtask status (names and restarts), and the page of cargo xtask report.",
            "À regarder : cargo xtask status (noms et redémarrages), et la page de cargo xtask \
             report.",
        ),
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
    let facts = engine.facts()?;
    let wanted = facts.wanted as usize;
    let victim = facts.pods.iter().find(|pod| pod.ready && !pod.stopping);
    let pod = victim
        .with_context(|| {
            tr!(
                "no replica is ready to be killed",
                "aucune réplique n'est prête à être tuée"
            )
        })?
        .name
        .clone();
    let how = death.label();
    let words = tr!(
        "{how} end of replica {pod}",
        "fin {how} de la réplique {pod}"
    );
    run.pause(&words, |_, engine| engine.kill(&pod, death).map(drop))?;
    let step = run.ctx.ui.step(&words);
    let under_way = ledger.under_way();
    let began = ledger.now();
    run.progress.disaster(began);
    run.progress.moment(began, &words);
    let dying = engine.kill(&pod, death)?;
    let ended = ledger.now() + dying;
    wait::until(wait::REPLICA_BACK, || {
        let facts = engine.facts()?;
        let gone = facts.pods.iter().all(|other| other.name != pod);
        Ok((gone && facts.ready() >= wanted).then_some(()))
    })?;
    let replaced = ledger.now();
    step.done(tr!("replaced, and ready", "remplacée, et prête"));
    run.acknowledged(engine, ledger, replaced, ACKNOWLEDGED_BETWEEN)?;
    Ok(Killed {
        pod,
        how: death,
        began,
        ended,
        replaced,
        under_way,
    })
}

fn figures(killed: &[Killed], failures: &Failures) -> Vec<KillFigures> {
    let each = killed.iter().zip(&failures.of);
    let figures = each.map(|(one, failed)| {
        let writes = failed.iter().filter(|failure| failure.write).count();
        KillFigures {
            pod: one.pod.clone(),
            how: one.how,
            failed: writes,
            reads_failed: failed.len() - writes,
            under_way: one.under_way,
            replaced_seconds: milliseconds(one.replaced - one.began),
        }
    });
    figures.collect()
}

/// The longer one of the outages after each death, as the client saw them: none
/// where no request failed.
fn longest_outage(failures: &Failures, outcome: &Outcome) -> Rto {
    let (observed, after) = (&outcome.observed, &outcome.after);
    let times = failures.of.iter().filter_map(|failed| {
        let downtime = Downtime::of(failed, observed, after, 0.0)?;
        Some(Rto::of(&downtime, &[], observed.ended()))
    });
    let longest = times.max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    longest.unwrap_or_else(|| Rto::new(0.0, &[]))
}

/// No request may fail when a replica is asked to stop; when one is killed, only those
/// that were under way. Later failures count, however late.
fn judge(killed: &[Killed], failures: &Failures, result: &mut ScenarioResult) {
    result.break_promises(broken(killed, failures));
    result.insist_on_no_loss();
}

fn broken(killed: &[Killed], failures: &Failures) -> Vec<String> {
    let each = killed.iter().zip(&failures.of);
    let mut broken: Vec<String> = each
        .filter_map(|(one, failed)| {
            let late = failed.iter().filter(|failure| failure.sent > one.ended);
            match (one.how, failed.len(), late.count()) {
                (Death::Graceful, count @ 1.., _) => Some(tr!(
                    "requests that failed although {pod} was asked to stop in an orderly way: {count}",
                    "requêtes en échec bien que {pod} ait été priée de s'arrêter : {count}",
                    pod = one.pod,
                )),
                (_, _, late @ 1..) => Some(tr!(
                    "requests that failed and were sent after {pod} had died: {late}",
                    "requêtes en échec qui avaient été envoyées après la mort de {pod} : {late}",
                    pod = one.pod,
                )),
                _ => None,
            }
        })
        .collect();
    if !failures.before.is_empty() {
        broken.push(tr!(
            "requests failed although no replica was dying",
            "des requêtes ont échoué alors qu'aucune réplique ne mourait",
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::downtime::Failure;

    fn killed(how: Death, began: f64) -> Killed {
        Killed {
            pod: format!("flask-{how}"),
            how,
            began,
            ended: began + 0.1,
            replaced: began + 1.0,
            under_way: 1,
        }
    }

    fn said(of: [&[f64]; 2]) -> Vec<String> {
        let failures = of.map(|sent| {
            let failures = sent.iter().map(|sent| Failure {
                sent: *sent,
                ended: sent + 0.05,
                write: true,
            });
            failures.collect()
        });
        let failures = Failures {
            before: Vec::new(),
            of: failures.to_vec(),
        };
        broken(
            &[killed(Death::Hard, 2.0), killed(Death::Graceful, 6.0)],
            &failures,
        )
    }

    #[test]
    fn only_what_was_on_its_way_to_a_killed_replica_may_fail() {
        assert!(said([&[1.99, 2.05], &[]]).is_empty());
        let late = said([&[1.99, 2.5], &[]]);
        assert_eq!(
            late,
            ["requests that failed and were sent after flask-hard had died: 1"]
        );
        assert_eq!(said([&[], &[6.05]]).len(), 1);
    }

    #[test]
    fn a_failure_long_after_the_replacement_counts() {
        // The replica was replaced at 3.0.
        let late = said([&[4.5, 5.0], &[]]);
        assert_eq!(
            late,
            ["requests that failed and were sent after flask-hard had died: 2"]
        );
    }
}
