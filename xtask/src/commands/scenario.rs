//! `scenario`: cause a disaster, recover, and report.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;
use terms::Labelled;
use terms::lang::{Both, both, number};
use terms::tr;

use crate::commands::{report, scenario_all, setup};
use crate::context::Context;
use crate::engine;
use crate::exec::quote;
use crate::facts;
use crate::failure::Failure;
use crate::measure::attack::Attack;
use crate::measure::promise::yes_or_no;
use crate::measure::result::{FirstAlert, Rpo, ScenarioResult};
use crate::scenario::everything::attacked;
use crate::scenario::run::RunOptions;
use crate::scenario::{self, Scenario, healing, play, protection};

pub fn list(ctx: &Context) -> Result<()> {
    if ctx.ui.json() {
        let all = scenario::all(ctx.options.lab).iter().map(|one| {
            json!({"number": one.number, "name": one.name, "title": one.title,
                   "breaks": one.breaks, "holds": one.holds, "takes": one.takes,
                   "auto": one.heals(), "not_here": not_here(ctx, one),
                   "not_on": one.not_on().collect::<BTreeMap<_, _>>()})
        });
        return ctx.ui.document(&all.collect::<Vec<_>>());
    }
    for one in scenario::all(ctx.options.lab) {
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
        if one.heals() {
            ctx.ui.say(&tr!(
                "   without anybody: --auto, the servers restore by themselves",
                "   sans personne : --auto, les serveurs restaurent d'eux-mêmes",
            ));
        }
        if let Some(reason) = not_here(ctx, one) {
            ctx.ui.say(&tr!(
                "   not possible here: {reason}",
                "   impossible ici : {reason}",
            ));
        }
        for (engine, reason) in one.not_on() {
            ctx.ui.say(&tr!(
                "   not possible on {engine}: {reason}",
                "   impossible sur {engine} : {reason}",
            ));
        }
    }
    Ok(())
}

/// Why this lab would not come back from a disaster.
fn not_here(ctx: &Context, scenario: &Scenario) -> Option<String> {
    let possible = scenario.insist_on_a_way_back(ctx);
    possible.err().map(|error| error.to_string())
}

pub fn run(ctx: &Context, asked: &str, options: RunOptions) -> Result<()> {
    if asked == "all" {
        if options.auto {
            return Err(healing::refuse(asked));
        }
        return scenario_all::run(ctx, options);
    }
    play_and_tell(ctx, scenario::find(ctx.options.lab, asked)?, options).map(drop)
}

/// Plays one scenario and tells what came of it; `None` in a dry run.
///
/// # Errors
/// A promise was broken.
pub fn play_and_tell(
    ctx: &Context,
    scenario: &Scenario,
    options: RunOptions,
) -> Result<Option<ScenarioResult>> {
    let result = play_and_show(ctx, scenario, options)?;
    result.iter().try_for_each(insist_it_held)?;
    Ok(result)
}

/// The same, whatever came of it.
pub fn play_and_show(
    ctx: &Context,
    scenario: &Scenario,
    options: RunOptions,
) -> Result<Option<ScenarioResult>> {
    let _lock = ctx.lock(&format!("scenario {}", scenario.name))?;
    let engine = engine::select(ctx)?;
    scenario.insist_on(engine.name())?;
    scenario.insist_on_decider(options.operator_delay)?;
    scenario.insist_on_healing(options.auto)?;
    scenario.insist_on_a_way_back(ctx)?;
    play::insist_on_consent(ctx, engine.as_ref(), scenario)?;
    setup::ensure_as_declared(ctx, engine.as_ref())?;
    if options.auto {
        healing::turn_on(ctx, engine.as_ref())?;
    }
    if ctx.exec.dry_run() {
        scenario.show(ctx, engine.as_ref(), options.auto)?;
        return protection::put_back(ctx, engine.as_ref()).map(|()| None);
    }
    ctx.ui.note(&scenario.announced(engine.name()));
    let played = play::play(ctx, engine.as_ref(), scenario, options);
    let played = played.and_then(|result| {
        protection::put_back(ctx, engine.as_ref())?;
        Ok(result)
    });
    let result = played.map_err(|error| setup::put_back_after(ctx, engine.as_ref(), error))?;
    if let Some(page) = report::draw_if_ready(ctx, &ctx.workspace.root.join(&result.run)) {
        ctx.ui.note(&tr!(
            "The page of this run: {page}",
            "La page de cette exécution : {page}",
            page = page.display(),
        ));
    } else {
        ctx.ui.note(&tr!(
            "cargo xtask report draws the page of this run.",
            "cargo xtask report dessine la page de cette exécution.",
        ));
    }
    ctx.ui.timings();
    if ctx.ui.json() {
        ctx.ui.document(&result)?;
    } else {
        show(ctx, scenario, &result);
    }
    Ok(Some(result))
}

/// # Errors
/// A promise was broken.
pub fn insist_it_held(result: &ScenarioResult) -> Result<()> {
    if result.passed {
        return Ok(());
    }
    Err(Failure::promise(tr!(
        "{name} did not hold: {broken}",
        "{name} n'a pas tenu : {broken}",
        name = result.scenario,
        broken = result.broken_in_words(),
    ))
    .next(tr!(
        "look into {run}",
        "regardez dans {run}",
        run = quote(&result.run)
    ))
    .into())
}

/// What happened, in words and figures that a person can check.
fn show(ctx: &Context, scenario: &Scenario, result: &ScenarioResult) {
    let row = |name: Both, value: String| vec![name.into(), value];
    let mut rows = vec![
        row(both("promise", "promesse"), scenario.holds.to_string()),
        row(both("kept", "tenue"), yes_or_no(result.passed)),
        row(
            both("engine, protection", "moteur, protection"),
            format!("{}, {}", result.engine.label(), result.protection.label()),
        ),
        row(Both::same("RPO"), lost(&result.rpo)),
    ];
    rows.extend(snapshots_alone(&result.rpo).map(|(name, value)| row(name, value)));
    if !result.rpo.lost_ids.is_empty() {
        rows.push(row(
            both("lost rows", "lignes perdues"),
            ranges(&result.rpo.lost_ids),
        ));
    }
    let phases: Vec<String> = result
        .rto
        .phases
        .iter()
        .map(|phase| format!("{} {} s", phase.name.label(), number(phase.seconds)))
        .collect();
    let detail = if phases.is_empty() {
        String::new()
    } else {
        format!(" ({})", phases.join(", "))
    };
    let at_least = if result.rto.open {
        both("at least ", "au moins ").text()
    } else {
        ""
    };
    rows.push(row(
        Both::same("RTO"),
        format!("{at_least}{} s{detail}", number(result.rto.seconds)),
    ));
    rows.extend(result.attack.iter().flat_map(attacked));
    rows.extend(result.alert.as_ref().map(first_alert));
    for kill in &result.kills {
        rows.push(vec![
            tr!(
                "{how} end of {pod}",
                "fin {how} de {pod}",
                how = kill.how.label(),
                pod = kill.pod,
            ),
            tr!(
                "failed {sendings}: {failed}; replaced after {seconds} s",
                "{sendings} en échec : {failed} ; remplacée après {seconds} s",
                sendings = result.client.sendings(),
                failed = kill.failed,
                seconds = number(kill.replaced_seconds),
            ),
        ]);
    }
    let client = &result.client;
    rows.push(row(
        Both::same("client"),
        tr!(
            "{failures}; longest gap between acknowledgements {gap} s; \
             an outage shorter than {resolution} s can go unseen",
            "{failures} ; plus long intervalle entre deux \
             acquittements : {gap} s ; une panne de moins de {resolution} s peut passer inaperçue",
            failures = client.failures(),
            gap = number(client.longest_gap_seconds),
            resolution = number(client.resolution_seconds),
        ),
    ));
    rows.extend(
        client
            .asked()
            .map(|said| row(both("it asked", "ses demandes"), said)),
    );
    let verified = &result.verified;
    rows.push(row(
        both("rows compared", "lignes comparées"),
        tr!(
            "{rows} present, {phantom} phantom, {changed} changed, {doubt} in doubt",
            "présentes : {rows} ; fantômes : {phantom} ; modifiées : {changed} ; douteuses : \
             {doubt}",
            rows = verified.rows,
            phantom = verified.phantom,
            changed = verified.changed,
            doubt = verified.in_doubt,
        ),
    ));
    if let Some(seconds) = result.protected_seconds.map(number) {
        rows.push(row(
            both("protected again", "de nouveau protégé"),
            tr!(
                "{seconds} s after the first failed request",
                "{seconds} s après la première requête en échec",
            ),
        ));
    }
    if let Some(said) = facts::said_of(result.simplifications) {
        rows.push(row(
            both("simpler than a cluster", "plus simple qu'un cluster"),
            said,
        ));
    }
    rows.push(row(both("kept in", "conservé dans"), result.run.clone()));
    ctx.ui.table(&["", ""], &rows);
    for line in &result.lessons {
        ctx.ui.say(line);
    }
    for doubt in &result.doubts {
        ctx.ui.warn(doubt);
    }
}

/// What somebody took, on the volumes and of the copies.
fn attacked(attack: &Attack) -> [Vec<String>; 2] {
    let row = |name: Both, value: String| vec![name.into(), value];
    [
        row(
            both("attack on the volumes", "attaque des volumes"),
            attacked::volumes_in_words(&attack.volumes),
        ),
        row(
            both("attack on the copies", "attaque des copies"),
            attacked::copies_in_words(&attack.copies),
        ),
    ]
}

/// Who is on duty was told of it, and for how long.
fn first_alert(alert: &FirstAlert) -> Vec<String> {
    let resolved = match alert.resolved_seconds {
        None => both("not resolved yet", "pas encore résolue").into(),
        Some(seconds) if seconds < 0.0 => {
            let seconds = number(-seconds);
            tr!(
                "it ended {seconds} s before the recovery",
                "elle a pris fin {seconds} s avant la reprise",
            )
        }
        Some(seconds) => {
            let seconds = number(seconds);
            tr!(
                "resolved {seconds} s after the recovery",
                "résolue {seconds} s après la reprise",
            )
        }
    };
    let (name, fired) = (&alert.name, number(alert.fired_seconds));
    vec![
        both("first alert", "première alerte").into(),
        tr!(
            "{name}, {fired} s after the disaster; {resolved}",
            "{name}, {fired} s après le sinistre ; {resolved}",
        ),
    ]
}

/// What snapshots alone lose: as measured a moment after a backup that was taken
/// on purpose, and as computed for their schedule.
fn snapshots_alone(rpo: &Rpo) -> impl Iterator<Item = (Both, String)> {
    let alone = rpo.snapshots.as_ref();
    let measured = alone.filter(|alone| alone.snapshot_only_lost > 0);
    let measured = measured.map(|alone| {
        let age = alone.backup_age_seconds.map_or_else(String::new, |age| {
            let age = number(age);
            tr!(
                "; a backup had been taken on purpose {age} s before",
                " ; une sauvegarde avait été prise exprès {age} s avant",
            )
        });
        let value = tr!(
            "measured: {lost} rows, {seconds} s worth{age}",
            "mesuré : {lost} lignes, soit {seconds} s d'écritures{age}",
            lost = alone.snapshot_only_lost,
            seconds = number(alone.snapshot_only_seconds),
        );
        (both("snapshots alone", "points seuls"), value)
    });
    let computed = alone.and_then(|alone| alone.schedule.as_ref());
    let computed = computed.map(|schedule| {
        let value = tr!(
            "computed: {told}",
            "calculé : {told}",
            told = schedule.told()
        );
        (both("on their schedule", "selon leur calendrier"), value)
    });
    measured.into_iter().chain(computed)
}

/// The rows that were lost; those from before the run are told apart, since no ledger
/// has them.
fn lost(rpo: &Rpo) -> String {
    let of_run = rpo.lost - rpo.lost_from_before;
    let mut said = tr!(
        "{of_run} of {acknowledged} acknowledged rows lost",
        "lignes acquittées perdues : {of_run} sur {acknowledged}",
        acknowledged = rpo.acknowledged,
    );
    if rpo.lost_from_before > 0 {
        said.push_str(&tr!(
            ", and {before} from before the run",
            ", et {before} d'avant l'exécution",
            before = rpo.lost_from_before,
        ));
    }
    tr!(
        "{said}, {seconds} s worth",
        "{said}, soit {seconds} s d'écritures",
        seconds = number(rpo.seconds),
    )
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
