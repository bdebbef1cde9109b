//! The course of every disaster of this lab: from a lab that can lose any one part, over
//! the loss, to one that can again, while a client writes. Nobody recovers anything.

use std::time::Duration;

use anyhow::{Context as _, Result};
use terms::lang::{Both, both};
use terms::{PhaseName, tr};

use super::aim::Aim;
use super::failover::{Failover, Told};
use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::kube::{Happened, Sighting};
use crate::marker::Marker;
use crate::measure::compare::Rows;
use crate::measure::downtime::{self, Downtime, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::result::{Moment, Rpo, Rto, ScenarioResult};
use crate::scenario::course::{ACKNOWLEDGED_AFTER, Course};
use crate::scenario::outcome::{self, Outcome};
use crate::scenario::run::{Run, SteadyState};
use crate::wait;

/// Puts things where they have to be.
type Prepare = fn(&Context, &dyn Engine) -> Result<()>;

/// What one disaster is made of.
pub struct Loss {
    /// Before the client writes: where everything has to be.
    pub prepare: Option<Prepare>,
    /// Each write is sent again until it is answered.
    pub retry: bool,
    /// Who is sent to the lost part has no answer until it is back: users are served again
    /// with the first write that is acknowledged elsewhere.
    pub one_side_stays_away: bool,
    /// It closes the primary's node to new pods.
    pub closes_node: bool,
    /// What breaks, in words and in deed.
    pub breaks: Both,
    pub strike: fn(&dyn Engine, &Aim) -> Result<()>,
    /// What brings the lost part back, where that is not the cluster's own doing: once
    /// everything is measured.
    pub heal: Option<Heal>,
    /// What there is to learn from it.
    pub lessons: fn(&Story) -> Vec<String>,
}

impl Loss {
    /// What most of them are.
    pub const OF_THE_PRIMARY: Self = Self {
        prepare: None,
        retry: false,
        one_side_stays_away: false,
        closes_node: false,
        breaks: both("disaster", "sinistre"),
        strike: |_, _| Ok(()),
        heal: None,
        lessons: |_| Vec::new(),
    };
}

pub struct Heal {
    pub words: Both,
    pub act: fn(&dyn Engine, &Aim) -> Result<()>,
}

/// What happened, for who explains it.
pub struct Story<'a> {
    pub aim: &'a Aim,
    /// The instance that takes writes since.
    pub successor: &'a str,
    pub result: &'a ScenarioResult,
    /// Whether the operator called it a switchover, where it said what it was.
    pub planned: Option<bool>,
    /// How long after the disaster the successor took writes, in seconds.
    pub promoted_after: Option<f64>,
    /// The operator that led once writes were acknowledged again.
    pub led_by: Option<&'a str>,
    /// Rows that were gone once the lost part was back.
    pub gone_again: usize,
}

/// A disaster and what came of it, in seconds of the ledger's clock.
struct Played {
    aim: Aim,
    successor: String,
    led_by: Option<String>,
    struck: f64,
    /// Where nothing had to be brought back: every part was there again.
    whole: Option<f64>,
    sightings: Vec<Sighting>,
    moments: Vec<Moment>,
}

/// How long the client goes on where a part stays away: what the cluster does about it
/// takes that long.
const AFTERMATH: Duration = Duration::from_secs(15);

pub fn play(loss: &Loss, run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    if let Some(prepare) = loss.prepare {
        prepare(run.ctx, engine)?;
    }
    let (steady, before) = run.begin(engine)?;
    let client = match loss.retry {
        true => run.retrying_client(&steady.url)?,
        false => run.client(&steady.url)?,
    };
    let (course, mark) = Course::begin_as_it_is(run, engine, client.ledger())?;
    let played = course_of(loss, course, &mark)?;
    let observed = client.finish()?;
    // Who asks a server that is cut off waits in vain, so nobody looks before it is back.
    let looked = match loss.one_side_stays_away {
        true => None,
        false => Some(Outcome::of(observed.clone(), before.clone(), engine)?),
    };
    if let Some(heal) = &loss.heal {
        bring_back(heal, run, engine, &played.aim)?;
    }
    let outcome = Outcome::shown(run, || Outcome::of(observed, before, engine))?;
    let gone_again = looked.map_or(0, |looked| missing(&looked.after, &outcome.after));
    let events = engine.replicated()?.happened()?;
    mark.done()?;
    run.steady_state(engine)?;
    let failover = failover(&outcome, &played, &events)?;
    let mut result = result(loss, run, engine, steady, &outcome, &played, &failover)?;
    result.break_promises((gone_again > 0).then(|| {
        tr!(
            "{gone_again} rows were gone again once the lost part had returned",
            "{gone_again} lignes avaient de nouveau disparu une fois la partie perdue revenue",
        )
    }));
    let story = Story {
        aim: &played.aim,
        successor: &played.successor,
        result: &result,
        planned: failover.planned,
        promoted_after: failover.promoted.map(|at| at - played.struck),
        led_by: played.led_by.as_deref(),
        gone_again,
    };
    result.lessons = (loss.lessons)(&story);
    Ok(result)
}

/// The same changes as [`play`] makes, shown only.
pub fn show(loss: &Loss, engine: &dyn Engine) -> Result<()> {
    let aim = Aim::shown(engine)?;
    (loss.strike)(engine, &aim)?;
    match &loss.heal {
        Some(heal) => (heal.act)(engine, &aim),
        None => Ok(()),
    }
}

fn course_of(loss: &Loss, course: Course, mark: &Marker) -> Result<Played> {
    let kube = course.engine.replicated()?;
    let aim = Aim {
        leader: kube.leading_operator().ok(),
        ..Aim::at_the_primary(&kube.topology()?)?
    };
    let witness = kube.witness()?;
    if loss.closes_node {
        mark.closes(&aim.node)?;
    }
    let struck = course.strike(mark, loss.breaks.text(), |_, engine| {
        (loss.strike)(engine, &aim)
    })?;
    let successor = succeeded(&course, &aim)?;
    let (run, engine, ledger) = (course.run, course.engine, course.ledger);
    let since = ledger.now();
    let step = run.ctx.ui.step(tr!(
        "service back through the URL",
        "service de retour par l'URL",
    ));
    run.acknowledged(engine, ledger, since, ACKNOWLEDGED_AFTER)?;
    step.done(tr!(
        "writes are acknowledged again",
        "les écritures sont de nouveau acquittées",
    ));
    // A server that is away may be the one that is asked: then nobody knows.
    let led_by = kube.leading_operator().ok();
    let whole = match loss.heal {
        None => Some(whole_again(&course)?),
        Some(_) => {
            wait::pause(AFTERMATH)?;
            None
        }
    };
    Ok(Played {
        sightings: witness.tell()?,
        aim,
        successor,
        led_by,
        struck: struck.began,
        whole,
        moments: course.into_moments(),
    })
}

/// Waits until another instance takes writes; says which.
fn succeeded(course: &Course, aim: &Aim) -> Result<String> {
    let step = course.run.ctx.ui.step(tr!(
        "another instance takes writes",
        "une autre instance accepte les écritures",
    ));
    let kube = course.engine.replicated()?;
    let successor = wait::until(wait::SUCCEEDED, || {
        // With a server that is lost, a look can be as well.
        let database = kube.topology().ok().map(|one| one.database);
        let next = database.filter(|one| one.primary != aim.primary && one.primary == one.target);
        Ok(next.map(|one| one.primary))
    })?;
    step.done(successor.clone());
    Ok(successor)
}

/// Waits until every part is there; returns when that was.
fn whole_again(course: &Course) -> Result<f64> {
    let step = course.run.ctx.ui.step(tr!(
        "every part there again",
        "toutes les parties de retour",
    ));
    wait_until_whole(course.engine)?;
    step.done(tr!("ready", "prêtes"));
    Ok(course.ledger.now())
}

pub fn wait_until_whole(engine: &dyn Engine) -> Result<()> {
    wait::until(wait::WHOLE_AGAIN, || {
        // While parts are away, a look can fail as well.
        let state = engine.facts().and_then(|facts| {
            let url = facts.url.unwrap_or_default();
            database::readable(engine).state(&url)
        });
        Ok(state
            .is_ok_and(|state| state.trouble.is_none())
            .then_some(()))
    })
}

/// Brings the lost part back.
fn bring_back(heal: &Heal, run: &Run, engine: &dyn Engine, aim: &Aim) -> Result<()> {
    run.pause(heal.words.text(), |_, engine| (heal.act)(engine, aim))?;
    let step = run.ctx.ui.step(heal.words.text());
    (heal.act)(engine, aim)?;
    wait_until_whole(engine)?;
    step.done(tr!("everything is there", "tout est là"));
    Ok(())
}

/// How many rows are not there any more, or not the same.
fn missing(before: &Rows, after: &Rows) -> usize {
    let gone = before.iter().filter(|(id, row)| after.get(id) != Some(row));
    gone.count()
}

fn failover(outcome: &Outcome, played: &Played, events: &[Happened]) -> Result<Failover> {
    let began = humantime::parse_rfc3339(&outcome.observed.began);
    Ok(Failover::of(&Told {
        old: &played.aim.primary,
        sightings: &played.sightings,
        events,
        began: began.with_context(|| {
            tr!(
                "reading when the client began",
                "lecture du moment où le client a commencé"
            )
        })?,
        struck: played.struck,
    }))
}

fn result(
    loss: &Loss,
    run: &Run,
    engine: &dyn Engine,
    steady: SteadyState,
    outcome: &Outcome,
    played: &Played,
    failover: &Failover,
) -> Result<ScenarioResult> {
    let (observed, after) = (&outcome.observed, &outcome.after);
    let failures = Failures::new(observed, &[played.struck]);
    let requests = &observed.requests;
    let mut downtime = Downtime::of(&failures.of[0], observed, after, played.struck);
    if let (Some(downtime), Some(promoted), true) =
        (&mut downtime, failover.promoted, loss.one_side_stays_away)
    {
        downtime.back = downtime::first_verified(requests, after, promoted);
    }
    let gone = downtime.map_or(played.struck, |one| one.began);
    let unreachable = outcome::unreachable_since(requests, gone);
    let rpo = Rpo::new(requests, &outcome.verdict, &[], unreachable);
    let rto = away(downtime, failover, observed.ended());
    let unseen = downtime.map(|one| {
        let back = one.back.unwrap_or(observed.ended());
        (one.began.min(unreachable), back)
    });
    let mut result = outcome.result(run, engine, steady, rpo, rto, unseen)?;
    result.insist_on_no_loss();
    if loss.retry {
        let failed = result.client.failed;
        result.break_promises((failed > 0).then(|| {
            tr!(
                "writes that failed although they were sent again: {failed}",
                "écritures en échec bien que renvoyées : {failed}",
            )
        }));
    }
    result.doubts.extend(failures.doubt());
    result.protected_seconds = played.whole.map(|at| milliseconds(at - gone));
    result.moments = moments(played, failover);
    Ok(result)
}

/// How long users were without service, by the phases of the failover; nothing where no
/// request failed.
fn away(downtime: Option<Downtime>, failover: &Failover, client_ended: f64) -> Rto {
    let Some(downtime) = downtime else {
        return Rto::new(0.0, &[]);
    };
    let mut ends = failover.phases();
    ends.push((PhaseName::Serving, downtime.back.unwrap_or(client_ended)));
    Rto {
        open: downtime.back.is_none(),
        ..Rto::new(downtime.began, &ends)
    }
}

/// What was done, and what the cluster did about it, in order.
fn moments(played: &Played, failover: &Failover) -> Vec<Moment> {
    let (old, new) = (&played.aim.primary, &played.successor);
    let told = [
        (
            failover.noticed,
            tr!(
                "the operator has noticed",
                "l'opérateur a constaté la perte"
            ),
        ),
        (
            failover.given_up,
            tr!(
                "{old} is given up, {new} is chosen",
                "{old} est abandonné, {new} est choisi",
            ),
        ),
        (
            failover.promoted,
            tr!("{new} takes writes", "{new} accepte les écritures"),
        ),
        (
            played.whole,
            tr!("every part is there again", "toutes les parties sont là"),
        ),
    ];
    let told = told.into_iter().filter_map(|(at, what)| {
        Some(Moment {
            at: milliseconds(at?),
            what,
        })
    });
    let mut all: Vec<Moment> = played.moments.iter().cloned().chain(told).collect();
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    all
}
