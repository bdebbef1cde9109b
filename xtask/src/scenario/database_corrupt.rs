//! Scenario 3: a disk, or a stray program, writes into the database's file.

use anyhow::Result;
use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 3,
    name: ScenarioName::DatabaseCorrupt,
    title: both(
        "the database's pages are overwritten in place",
        "les pages de la base de données sont écrasées sur place",
    ),
    breaks: both(
        "every page of the database file, while the application runs",
        "toutes les pages du fichier de la base, pendant que l'application tourne",
    ),
    holds: both(
        "the damage is noticed, and the latest moment comes back within the objectives",
        "les dégâts sont remarqués et le dernier instant est restauré dans les limites fixées",
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
        "the pages of the database are overwritten in place",
        "les pages de la base de données sont écrasées sur place",
    ),
    strike,
    restore: outage::restore_latest,
    untouched: false,
    heals: false,
    points_lost: 0,
    lesson: |_, report| {
        tr!(
            "The damaged file was replaced while the application ran, and kept as {kept}. A copy \
             of the volume made meanwhile would have held the damage too: it is the check of \
             every point that tells a backup from a copy.",
            "Le fichier endommagé a été remplacé pendant que l'application tournait, et conservé \
             sous le nom {kept}. Une copie du volume faite entre-temps aurait contenu les mêmes \
             dégâts : c'est le contrôle de chaque point qui distingue une sauvegarde d'une copie.",
            kept = report
                .safety_point
                .as_deref()
                .unwrap_or(both("a safety point", "un point de sécurité").text()),
        )
    },
};

fn strike(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    database::of(engine).corrupt()
}
