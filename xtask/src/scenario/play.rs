//! Playing a scenario, from the question that it asks first to the result that is
//! kept.

use anyhow::Result;
use terms::tr;

use crate::context::Context;
use crate::engine::Engine;
use crate::measure::result::{ScenarioResult, persons_part};
use crate::measure::result_file;
use crate::scenario::Scenario;
use crate::scenario::alerted;
use crate::scenario::run::{Run, RunOptions};

/// Asks before a disaster that takes something for good from a lab that there is.
pub fn insist_on_consent(ctx: &Context, engine: &dyn Engine, scenario: &Scenario) -> Result<()> {
    let Some(taken) = scenario.takes_for_good else {
        return Ok(());
    };
    let facts = engine.facts()?;
    if !facts.running && facts.volumes.is_empty() {
        return Ok(());
    }
    ctx.confirm(&tr!(
        "{name} takes from this lab for good: {taken}. The rest comes back from a copy.",
        "{name} enlève définitivement à ce lab : {taken}. Le reste revient d'une copie.",
        name = scenario.name,
    ))
}

/// Plays a scenario and keeps its result beside the ledger.
pub fn play(
    ctx: &Context,
    engine: &dyn Engine,
    scenario: &Scenario,
    options: RunOptions,
) -> Result<ScenarioResult> {
    let run = Run::create(ctx, engine.name(), scenario.name, options)?;
    let watched = alerted::watching(engine);
    let mut result = scenario.play(&run, engine)?;
    if !scenario.by_itself {
        let said = persons_part(options.operator_delay, options.step, options.auto);
        result.lessons.insert(result.lessons.len().min(1), said);
    }
    let retries = result.client.on_retries(result.verified.in_doubt);
    result.lessons.extend(retries);
    // Whoever is tired of waiting for an alert loses nothing of what was measured.
    result_file::write(&run.folder, &result)?;
    if let Some(page) = watched.as_ref().and_then(|one| one.prometheus.as_ref()) {
        let step = ctx
            .ui
            .step(tr!("alerts of the run", "alertes de l'exécution"));
        alerted::add(page, &mut result)?;
        step.done(match &result.alert {
            Some(alert) => alert.name.clone(),
            None => tr!("none", "aucune"),
        });
        result_file::write(&run.folder, &result)?;
    }
    if let Some(watched) = &watched {
        alerted::watch_again(ctx, engine, watched)?;
        alerted::tell_runs(ctx, engine);
    }
    Ok(result)
}
