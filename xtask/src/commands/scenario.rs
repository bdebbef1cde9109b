//! `scenario`: cause a disaster, recover, and report.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;
use terms::tr;

use crate::commands::{report, scenario_all, setup};
use crate::context::Context;
use crate::engine;
use crate::exec::quote;
use crate::facts;
use crate::failure::Failure;
use crate::measure::result::{Rpo, ScenarioResult};
use crate::scenario::run::RunOptions;
use crate::scenario::{self, Scenario, play};

pub fn list(ctx: &Context) -> Result<()> {
    if ctx.ui.json() {
        let all = scenario::ALL.iter().map(|one| {
            json!({"number": one.number, "name": one.name, "title": one.title,
                   "breaks": one.breaks, "holds": one.holds, "takes": one.takes,
                   "not_on": one.not_on().collect::<BTreeMap<_, _>>()})
        });
        return ctx.ui.document(&all.collect::<Vec<_>>());
    }
    for one in scenario::ALL {
        ctx.ui.say(&tr!(
            "{number}  {name}: {title}",
            "{number}  {name} : {title}",
            number = one.number,
            name = one.name,
            title = one.title,
        ));
        ctx.ui.say(&tr!(
            "   breaks: {breaks}",
            "   casse : {breaks}",
            breaks = one.breaks
        ));
        ctx.ui.say(&tr!(
            "   must hold: {holds}",
            "   doit tenir : {holds}",
            holds = one.holds
        ));
        ctx.ui.say(&tr!(
            "   takes: {takes}",
            "   durée : {takes}",
            takes = one.takes
        ));
        for (engine, reason) in one.not_on() {
            ctx.ui.say(&tr!(
                "   not possible on {engine}: {reason}",
                "   impossible sur {engine} : {reason}",
            ));
        }
    }
    Ok(())
}

pub fn run(ctx: &Context, asked: &str, options: RunOptions) -> Result<()> {
    if asked == "all" {
        return scenario_all::run(ctx, options);
    }
    play_and_tell(ctx, scenario::find(asked)?, options).map(drop)
}

/// Plays one scenario and tells what came of it; `None` in a dry run.
pub fn play_and_tell(
    ctx: &Context,
    scenario: &Scenario,
    options: RunOptions,
) -> Result<Option<ScenarioResult>> {
    let _lock = ctx.lock(&format!("scenario {}", scenario.name))?;
    let engine = engine::select(ctx)?;
    scenario.insist_on(engine.name())?;
    scenario.insist_on_decider(options.operator_delay)?;
    play::insist_on_consent(ctx, engine.as_ref(), scenario)?;
    setup::ensure_as_declared(ctx, engine.as_ref())?;
    if ctx.exec.dry_run() {
        return scenario.show(ctx, engine.as_ref()).map(|()| None);
    }
    ctx.ui.note(&scenario.announced(engine.name()));
    let played = play::play(ctx, engine.as_ref(), scenario, options);
    let result = played.map_err(|error| setup::put_back_after(ctx, engine.as_ref(), error))?;
    if let Some(page) = report::draw_if_ready(ctx, &ctx.workspace.root.join(&result.run)) {
        ctx.ui
            .note(&format!("The page of this run: {}", page.display()));
    } else {
        ctx.ui
            .note("cargo xtask report draws the page of this run.");
    }
    ctx.ui.timings();
    if ctx.ui.json() {
        ctx.ui.document(&result)?;
    } else {
        show(ctx, scenario, &result);
    }
    if result.passed {
        return Ok(Some(result));
    }
    Err(Failure::promise(format!(
        "{} did not hold: {}",
        scenario.name,
        result.broken_in_words()
    ))
    .next(format!("look into {}", quote(&result.run)))
    .into())
}

/// What happened, in words and figures that a person can check.
fn show(ctx: &Context, scenario: &Scenario, result: &ScenarioResult) {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("promise", scenario.holds.to_string()),
        row("kept", if result.passed { "yes" } else { "NO" }.to_owned()),
        row(
            "engine, protection",
            format!("{}, {}", result.engine, result.protection),
        ),
        row("RPO", lost(&result.rpo)),
    ];
    rows.extend(snapshots_alone(&result.rpo).map(|(name, value)| row(name, value)));
    if !result.rpo.lost_ids.is_empty() {
        rows.push(row("lost rows", ranges(&result.rpo.lost_ids)));
    }
    let phases: Vec<String> = result
        .rto
        .phases
        .iter()
        .map(|phase| format!("{} {} s", phase.name, phase.seconds))
        .collect();
    let detail = if phases.is_empty() {
        String::new()
    } else {
        format!(" ({})", phases.join(", "))
    };
    let at_least = if result.rto.open { "at least " } else { "" };
    rows.push(row(
        "RTO",
        format!("{at_least}{} s{detail}", result.rto.seconds),
    ));
    for kill in &result.kills {
        rows.push(row(
            &format!("{} end of {}", kill.how, kill.pod),
            format!(
                "{} requests failed, replaced after {} s",
                kill.failed, kill.replaced_seconds
            ),
        ));
    }
    let client = &result.client;
    rows.push(row(
        "client",
        format!(
            "{} requests, {} failed, longest gap between acknowledgements {} s; an outage \
             shorter than {} s can go unseen",
            client.requests, client.failed, client.longest_gap_seconds, client.resolution_seconds
        ),
    ));
    let verified = &result.verified;
    rows.push(row(
        "rows compared",
        format!(
            "{} present, {} phantom, {} changed, {} in doubt",
            verified.rows, verified.phantom, verified.changed, verified.in_doubt
        ),
    ));
    if let Some(seconds) = result.protected_seconds {
        rows.push(row(
            "protected again",
            format!("{seconds} s after the first failed request"),
        ));
    }
    if let Some(said) = facts::said_of(result.simplifications) {
        rows.push(row("simpler than a cluster", said));
    }
    rows.push(row("kept in", result.run.clone()));
    ctx.ui.table(&["", ""], &rows);
    for line in &result.lessons {
        ctx.ui.say(line);
    }
    for doubt in &result.doubts {
        ctx.ui.warn(doubt);
    }
}

/// What snapshots alone lose: as measured a moment after a backup that was taken
/// on purpose, and as computed for their schedule.
fn snapshots_alone(rpo: &Rpo) -> impl Iterator<Item = (&'static str, String)> {
    let measured = (rpo.snapshot_only_lost > 0).then(|| {
        let age = rpo.backup_age_seconds.map_or_else(String::new, |age| {
            format!("; a backup had been taken on purpose {age} s before")
        });
        let value = format!(
            "measured: {} rows, {} s worth{age}",
            rpo.snapshot_only_lost, rpo.snapshot_only_seconds
        );
        ("snapshots alone", value)
    });
    let computed = rpo.schedule.as_ref().map(|schedule| {
        let value = format!("computed: {}", schedule.told());
        ("on their schedule", value)
    });
    measured.into_iter().chain(computed)
}

/// The rows that were lost; those from before the run are told apart, since no ledger
/// has them.
fn lost(rpo: &Rpo) -> String {
    let of_run = rpo.lost - rpo.lost_from_before;
    let mut said = format!("{of_run} of {} acknowledged rows lost", rpo.acknowledged);
    if rpo.lost_from_before > 0 {
        said.push_str(&format!(
            ", and {} from before the run",
            rpo.lost_from_before
        ));
    }
    format!("{said}, {} s worth", rpo.seconds)
}

/// Ids as ranges: 12-48, 50.
fn ranges(ids: &[i64]) -> String {
    let mut found: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *id => *last = *id,
            _ => found.push((*id, *id)),
        }
    }
    let shown = found.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn neighbouring_ids_become_a_range() {
        assert_eq!(ranges(&[3, 4, 5, 9, 11, 12]), "3-5, 9, 11-12");
        assert_eq!(ranges(&[]), "");
    }
}
