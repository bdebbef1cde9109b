//! Gathering facts of a lab of the first workshop: it is used, watched, broken and
//! restored, in an order in which each step leaves what the next one needs. What fails
//! is a fact as well, and the next step is tried.

mod backups;
pub mod database;
mod ledger;
mod looks;
mod observation;
mod restores;

use std::path::Path;

use anyhow::Result;

use super::facts::LabFacts;
use super::labs::lab::Lab;
use crate::marking::show::harmless;
use crate::ui::Ui;
use crate::wait;
use database::Reader;
use observation::Observation;

/// Observes a lab that is up.
///
/// # Errors
/// Ctrl-C alone: everything else is a fact.
pub fn observe(lab: &mut dyn Lab, ui: &Ui, reader: Reader, scratch: &Path) -> Result<LabFacts> {
    let mut facts = LabFacts {
        place: lab.place(),
        beyond: lab.beyond(),
        ..LabFacts::default()
    };
    let mut observation = Observation::of(lab, ui, reader, scratch);
    let steps: [Step; 7] = [
        |one, facts| one.routes(facts),
        |one, facts| one.backups(facts),
        |one, facts| one.status(facts),
        |one, facts| one.kill(facts),
        |one, facts| one.break_source(facts),
        |one, facts| one.lose_and_restore(facts),
        |one, facts| one.choose(facts),
    ];
    for step in steps {
        if let Err(error) = step(&mut observation, &mut facts) {
            wait::check_interrupt()?;
            ui.note(&harmless(&format!("{error:#}")));
            let said: String = format!("{error:#}").chars().take(400).collect();
            facts.stopped.get_or_insert(said);
        }
    }
    Ok(facts)
}

type Step = fn(&mut Observation, &mut LabFacts) -> Result<()>;
