//! `scenario all`: every disaster that is possible here, one after the other.

use anyhow::Result;
use serde::Serialize;
use terms::lang::{Both, both, number};
use terms::{ScenarioName, tr};

use crate::commands::setup;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::failure::{self, Failure, Kind};
use crate::measure::promise::yes_or_no;
use crate::measure::result::ScenarioResult;
use crate::scenario::run::RunOptions;
use crate::scenario::{self, Scenario, play};

/// What came of all of them.
#[derive(Serialize, Default)]
struct All {
    passed: bool,
    results: Vec<ScenarioResult>,
    /// Those that could not be played to their end.
    failed: Vec<NotPlayed>,
    /// Those that the engine does not have, or that this lab would not come back from.
    not_possible: Vec<NotPlayed>,
}

/// A scenario without a result, and why.
#[derive(Serialize)]
struct NotPlayed {
    scenario: ScenarioName,
    reason: String,
}

pub fn run(ctx: &Context, options: RunOptions) -> Result<()> {
    let _lock = ctx.lock("scenario all")?;
    let engine = engine::select(ctx)?;
    for scenario in scenario::all(ctx.options.lab) {
        if hindrance(ctx, engine.as_ref(), scenario).is_none() {
            play::insist_on_consent(ctx, engine.as_ref(), scenario)?;
        }
    }
    setup::ensure_as_declared(ctx, engine.as_ref())?;
    let mut all = All::default();
    for scenario in scenario::all(ctx.options.lab) {
        if let Some(error) = hindrance(ctx, engine.as_ref(), scenario) {
            all.not_possible.push(left(scenario, &error));
        } else if ctx.exec.dry_run() {
            scenario.show(ctx, engine.as_ref(), false)?;
        } else {
            play(ctx, engine.as_ref(), scenario, options, &mut all)?;
        }
    }
    if ctx.exec.dry_run() {
        return Ok(());
    }
    finish(ctx, all)
}

/// Why one of them cannot be had here: on this engine, or as the lab is declared.
fn hindrance(ctx: &Context, engine: &dyn Engine, scenario: &Scenario) -> Option<anyhow::Error> {
    let possible = scenario.insist_on(engine.name());
    let possible = possible.and_then(|()| scenario.insist_on_a_way_back(ctx));
    possible.err()
}

/// One of them. What stops it is noted, and the lab put back for the next.
fn play(
    ctx: &Context,
    engine: &dyn Engine,
    scenario: &Scenario,
    options: RunOptions,
    all: &mut All,
) -> Result<()> {
    ctx.ui.note(&scenario.announced(engine.name()));
    let options = RunOptions {
        operator_delay: options.operator_delay.filter(|_| !scenario.by_itself),
        ..options
    };
    match play::play(ctx, engine, scenario, options) {
        Ok(result) => all.results.push(result),
        Err(error) if failure::kind(&error) == Kind::Interrupted => {
            return Err(setup::put_back_after(ctx, engine, error));
        }
        Err(error) => {
            ctx.ui.warn(&format!("{}: {error:#}", scenario.name));
            all.failed.push(left(scenario, &error));
            setup::ensure_up(ctx, engine)?;
        }
    }
    Ok(())
}

fn left(scenario: &Scenario, error: &anyhow::Error) -> NotPlayed {
    NotPlayed {
        scenario: scenario.name,
        reason: format!("{error:#}"),
    }
}

fn finish(ctx: &Context, mut all: All) -> Result<()> {
    all.passed = all.failed.is_empty() && all.results.iter().all(|result| result.passed);
    if ctx.ui.json() {
        ctx.ui.document(&all)?;
    } else {
        tell(ctx, &all);
    }
    let broken = all.results.iter().filter(|result| !result.passed);
    let broken: Vec<&str> = broken.map(|result| result.scenario.word()).collect();
    let failed: Vec<&str> = all.failed.iter().map(|left| left.scenario.word()).collect();
    judge(&broken, &failed)
}

/// The error of the whole series: a broken promise goes before a scenario that failed
/// to run.
fn judge(broken: &[&str], failed: &[&str]) -> Result<()> {
    if !broken.is_empty() {
        let said = tr!(
            "promises were broken in {names}",
            "des promesses n'ont pas été tenues : {names}",
            names = broken.join(", "),
        );
        return Err(Failure::promise(said).next("cargo xtask runs list").into());
    }
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let said = tr!(
        "not played to the end: {names}",
        "pas joués jusqu'au bout : {names}",
        names = failed.join(", "),
    );
    let next = format!("cargo xtask scenario {first}");
    Err(Failure::tool(said).next(next).into())
}

const HEADERS: [Both; 5] = [
    both("scenario", "scénario"),
    both("kept", "tenu"),
    both("lost", "perdues"),
    Both::same("RTO (s)"),
    both("why", "pourquoi"),
];

fn tell(ctx: &Context, all: &All) {
    let played = all.results.iter().map(|result| {
        vec![
            result.scenario.to_string(),
            yes_or_no(result.passed),
            result.rpo.lost.to_string(),
            number(result.rto.seconds),
            result.broken_in_words(),
        ]
    });
    let without = |kept: Both| {
        move |one: &NotPlayed| {
            let reason = one.reason.clone();
            vec![
                one.scenario.to_string(),
                kept.into(),
                String::new(),
                String::new(),
                reason,
            ]
        }
    };
    let failed = all.failed.iter().map(without(both("failed", "échec")));
    let impossible = all.not_possible.iter().map(without(Both::same("-")));
    let rows: Vec<_> = played.chain(failed).chain(impossible).collect();
    ctx.ui.table(&HEADERS.map(Both::text), &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_counts_for_more_than_a_failed_experiment() {
        let code =
            |broken: &[&str], failed: &[&str]| failure::kind(&judge(broken, failed).unwrap_err());
        assert_eq!(code(&["a"], &["b"]), Kind::Promise);
        assert_eq!(code(&[], &["b"]), Kind::Tool);
        judge(&[], &[]).unwrap();
    }
}
