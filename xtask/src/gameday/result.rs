//! Counts what came of a game day.

use std::time::SystemTime;

use anyhow::{Context as _, Result};
use terms::{FaultName, PhaseName, tr};

use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::game::{Event, Game, Truth, What};
use crate::measure::compare::{Lost, Rows, seconds_lost};
use crate::measure::downtime::{self, Downtime, Failures};
use crate::measure::figures::{ClientFigures, milliseconds};
use crate::measure::ledger_file::{self, SoFar};
use crate::measure::result::{Moment, Rpo, Rto, Verified};
use crate::provenance;
use crate::scenario::outcome;

use super::client::RATE;
use super::excuse::Excuse;
use super::noticed::noticed;
use super::par::Par;
use super::score::{self, Played, Score};
use super::told::{Broke, GamedayResult, Told};
use super::{faults, lessons, verify};

/// A game that has ended: when that was typed, and what was still broken then.
pub struct Ended<'a> {
    pub game: &'a Game,
    pub truth: &'a Truth,
    pub at: String,
    pub broken: Vec<String>,
}

/// Compares once more, now that the client has ended, and counts.
pub fn make(ctx: &Context, engine: &dyn Engine, ended: Ended) -> Result<GamedayResult> {
    let (game, truth) = (ended.game, ended.truth);
    let ledger = ledger_file::read(&game.ledger(&ctx.workspace))?;
    anyhow::ensure!(ledger.closed, "the client of the game day was cut off");
    let before = verify::before(ctx, game)?;
    let recovered = ended.broken.is_empty();
    let after = match database::of(engine).dump() {
        // Where it was given up there may be nothing to read.
        Err(_) if !recovered => Rows::new(),
        after => after?,
    };
    let observed = &ledger.observed;
    let verdict = verify::compare(&before, &observed.requests, &after, game);
    let excuse = Excuse::of(game, truth, &ledger)?;
    let mut broken = ended.broken;
    if recovered {
        broken.extend(verify::told(&verdict, &excuse));
    }
    let clock = Clock::of(&ledger, game, truth, &ended.at)?;
    let events = game.events(&ctx.workspace);
    let struck = game.struck.as_deref().unwrap_or_default();
    let (noticed_at, noticed_by) = noticed(&events, struck, &ended.at);
    let noticed_at = ledger.at(noticed_at);
    let unreachable = outcome::unreachable_since(&observed.requests, clock.gone);
    let mut rpo = Rpo::new(&observed.requests, &verdict, &[], unreachable);
    let avoidable: Vec<Lost> = excuse.avoidable(&verdict.lost).cloned().collect();
    rpo.lost_unexcused = avoidable.len();
    let (of_game, from_before): (Vec<Lost>, Vec<Lost>) =
        (avoidable.iter().cloned()).partition(|one| one.sent.is_some());
    let avoidable_seconds = milliseconds(seconds_lost(&of_game, unreachable));
    let downtime = downtime(&ledger, &clock, truth, &after);
    let rto = Rto::of(
        &downtime,
        &[(PhaseName::Decided, noticed_at)],
        observed.ended(),
    );
    let protected = verified(&events).map(|at| ledger.at(at));
    let hints = count(&events, |what| matches!(what, What::Hint));
    let client = ClientFigures::new(observed, RATE);
    let runbook = Par::of(ctx, engine.name(), truth.protection, &truth.faults)?;
    let from_began = |at: f64| milliseconds((at - clock.began).max(0.0));
    let played = Played {
        recovered,
        protected: recovered,
        recovered_seconds: from_began(clock.ended),
        noticed_seconds: from_began(noticed_at),
        hint_seconds: score::hint_seconds(hints),
        runbook_seconds: runbook.seconds,
        avoidable_seconds,
        avoidable_share: from_before.len() as f64 / before.len().max(1) as f64,
    };
    let told = Told {
        level: game.level,
        teacher: game.teacher,
        seed: truth.seed,
        faults: broke(truth),
        noticed_seconds: played.noticed_seconds,
        noticed_by,
        diagnosis: diagnosis(&events),
        recovered_seconds: recovered.then_some(played.recovered_seconds),
        tries: count(&events, |what| matches!(what, What::Tried { .. })),
        hints,
        hint_seconds: played.hint_seconds,
        runbook,
        rows_before: before.len(),
        avoidable: avoidable.len(),
        avoidable_seconds,
        score: Score::of(&played),
    };
    let mut result = GamedayResult {
        scenario: terms::GAMEDAY,
        engine: engine.name(),
        protection: truth.protection,
        passed: broken.is_empty(),
        broken,
        doubts: client.doubts(RATE),
        objectives: Vec::new(),
        rpo,
        rto,
        client,
        verified: Verified::new(after.len(), &verdict),
        backups_resumed: engine.facts().is_ok_and(|facts| !facts.suspended),
        protected_seconds: protected.map(|at| milliseconds(at - downtime.began)),
        began: observed.began.clone(),
        moments: moments(&ledger, &clock, &told, &events),
        lessons: Vec::new(),
        commands: commands(&events),
        versions: provenance::collect(ctx, engine),
        simplifications: engine.simplifications(),
        run: format!(".lab/runs/{}", game.folder),
        gameday: told,
    };
    result.lessons = lessons::of(&result);
    Ok(result)
}

/// The moments of a game on the clock of the ledger.
struct Clock {
    began: f64,
    /// The disaster was complete.
    gone: f64,
    /// The last `done` was typed.
    ended: f64,
}

impl Clock {
    fn of(ledger: &SoFar, game: &Game, truth: &Truth, ended: &str) -> Result<Self> {
        let at = |wall: Option<&str>| -> Result<f64> {
            let wall = wall.context("the disaster has not happened")?;
            let wall = humantime::parse_rfc3339(wall).context("reading a moment of the game")?;
            Ok(ledger.at(wall))
        };
        Ok(Self {
            began: at(truth.began.as_deref())?,
            gone: at(game.struck.as_deref())?,
            ended: at(Some(ended))?,
        })
    }
}

/// As the client saw it; where rows were away though nothing failed, from the disaster until
/// it was verified that they are back.
fn downtime(ledger: &SoFar, clock: &Clock, truth: &Truth, after: &Rows) -> Downtime {
    let observed = &ledger.observed;
    let failures = Failures::new(observed, &[clock.began]);
    let seen = Downtime::of(&failures.of[0], observed, after, clock.gone);
    let unseen = truth.faults.contains(&FaultName::BadDelete);
    match seen {
        Some(seen) if !unseen => seen,
        _ => Downtime {
            began: seen.map_or(clock.began, |seen| seen.began.min(clock.began)),
            detected: seen.map_or(clock.gone, |seen| seen.detected),
            back: downtime::first_verified(&observed.requests, after, clock.ended),
        },
    }
}

pub fn broke(truth: &Truth) -> Vec<Broke> {
    let faults = faults::in_order(&truth.faults).into_iter();
    let broke = faults.map(|fault| Broke {
        name: fault.name,
        what: fault.broke.to_string(),
    });
    broke.collect()
}

/// When it was verified that all is well, a new restore point included.
fn verified(events: &[Event]) -> Option<SystemTime> {
    let mut events = events.iter().rev();
    let tried = events.find(|event| matches!(event.what, What::Tried { .. }))?;
    let well = tried.what == What::Tried { broken: 0 };
    well.then(|| humantime::parse_rfc3339(&tried.at).ok())?
}

fn count(events: &[Event], which: impl Fn(&What) -> bool) -> usize {
    events.iter().filter(|event| which(&event.what)).count()
}

fn diagnosis(events: &[Event]) -> Option<String> {
    let mut said = events.iter().filter_map(|event| match &event.what {
        What::Noticed { said } => said.clone(),
        _ => None,
    });
    said.next_back()
}

fn commands(events: &[Event]) -> Vec<String> {
    let typed = events.iter().filter_map(|event| match &event.what {
        What::Command { words } if !words.starts_with(terms::GAMEDAY) => {
            Some(format!("cargo xtask {words}"))
        }
        _ => None,
    });
    typed.collect()
}

/// For the timeline of the page.
fn moments(ledger: &SoFar, clock: &Clock, told: &Told, events: &[Event]) -> Vec<Moment> {
    let names: Vec<&str> = told.faults.iter().map(|one| one.name.word()).collect();
    let names = names.join(", ");
    let mut moments = vec![Moment {
        at: milliseconds(clock.began),
        what: tr!("disaster: {names}", "sinistre : {names}"),
    }];
    for event in events {
        let at = humantime::parse_rfc3339(&event.at).unwrap_or(SystemTime::UNIX_EPOCH);
        let at = milliseconds(ledger.at(at));
        if let Some(what) = said(&event.what).filter(|_| at >= clock.began) {
            moments.push(Moment { at, what });
        }
    }
    moments
}

fn said(what: &What) -> Option<String> {
    match what {
        What::Hint => Some(tr!("a hint is bought", "un indice est acheté")),
        What::Noticed { said } => {
            let said = said
                .as_ref()
                .map_or_else(String::new, |said| tr!(": {said}", " : {said}"));
            Some(tr!("noticed{said}", "constaté{said}"))
        }
        What::Command { words } if words.starts_with(terms::GAMEDAY) => None,
        What::Command { words } => Some(format!("cargo xtask {words}")),
        What::Changed { what, from, to } => Some(format!("{what}: {from} → {to}")),
        What::Ended { .. } => None,
        What::Tried { broken: 0 } => Some(tr!("done: recovered", "done : rétabli")),
        What::Tried { broken } => Some(tr!(
            "done: {broken} still broken",
            "done : {broken} encore en panne"
        )),
    }
}
