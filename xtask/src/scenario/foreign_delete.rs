//! Scenario 11: rows are deleted in a `sqlite3` that is not the application's,
//! past its journal.

use anyhow::Result;
use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::failure::Failure;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 11,
    name: ScenarioName::ForeignDelete,
    title: both(
        "the same DELETE typed into a foreign sqlite3, past the journal",
        "le même DELETE tapé dans un sqlite3 étranger, à l'insu du journal",
    ),
    breaks: both(
        "all rows, by who removes the write guards first; without that it is refused",
        "toutes les lignes, par quelqu'un qui retire d'abord les gardes d'écriture ; sinon il est \
         refusé",
    ),
    holds: both(
        "the next write finds out and is refused; the latest moment comes back",
        "l'écriture suivante s'en aperçoit et est refusée ; le dernier instant est restauré",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Outage(&DISASTER),
    repair: Repair::LATEST,
};

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: both(
        "a foreign sqlite3 removes the write guards and deletes every row",
        "un sqlite3 étranger retire les gardes d'écriture et supprime toutes les lignes",
    ),
    strike,
    restore: outage::restore_latest,
    untouched: false,
    heals: false,
    points_lost: 0,
    lesson: |_, report| {
        tr!(
            "The first DELETE was refused: triggers of the database ask for a function that only \
             the application has. Without them it went through, unseen by the journal; the next \
             write found them gone and was refused, since nothing was certain any more. What the \
             restore replaced is kept as {kept}.",
            "Le premier DELETE a été refusé : des triggers de la base demandent une fonction que \
             seule l'application possède. Sans eux il est passé, à l'insu du journal ; l'écriture \
             suivante a constaté leur absence et a été refusée, puisque plus rien n'était \
             certain. Ce que la restauration a remplacé est conservé sous le nom {kept}.",
            kept = report
                .safety_point
                .as_deref()
                .unwrap_or(both("a safety point", "un point de sécurité").text()),
        )
    },
};

fn strike(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let database = database::of(engine);
    if let Some(tried) = database.delete_all_from_outside()? {
        ctx.ui.note(&tr!(
            "a foreign DELETE is {said}",
            "un DELETE étranger : {said}",
            said = tried.said,
        ));
        if !tried.refused {
            return Err(unguarded(&tried.said).into());
        }
    }
    database.delete_all_without_guards()
}

fn unguarded(said: &str) -> Failure {
    let said = tr!(
        "the write guards did not refuse a foreign DELETE: {said}",
        "les gardes d'écriture n'ont pas refusé un DELETE étranger : {said}",
    );
    Failure::promise(said).next("cargo xtask restore latest")
}
