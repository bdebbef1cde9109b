//! Scenario 2, PRA: the volume with the database is deleted, and the lab comes
//! back from its restore points.

use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 2,
    name: ScenarioName::VolumeLoss,
    title: both("PRA: the volume is lost", "PRA : le volume est perdu"),
    breaks: both(
        "the volume pra-data is deleted with the database on it",
        "le volume pra-data est supprimé avec la base de données qu'il porte",
    ),
    holds: both(
        "the latest verified point comes back within the objectives of lab.toml",
        "le dernier point vérifié est restauré dans les limites fixées par lab.toml",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Outage(&DISASTER),
    repair: Repair::WHERE_MISSING,
};

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: both(
        "application stopped, volume pra-data deleted",
        "application arrêtée, volume pra-data supprimé",
    ),
    strike: outage::lose_data_volume,
    restore: outage::restore_latest,
    untouched: false,
    heals: true,
    points_lost: 0,
    lesson: |_, report| {
        tr!(
            "The volume with the database was deleted; {rows} rows came back from pra-backup, \
             which is a volume of its own for this reason.",
            "Le volume de la base de données a été supprimé ; {rows} lignes sont revenues de \
             pra-backup, qui est un volume à part pour cette raison.",
            rows = report.rows,
        )
    },
};
