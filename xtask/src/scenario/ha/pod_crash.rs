//! Scenario 1 of the lab `ha`: a replica of the application dies, once without warning
//! and once in an orderly way. The same as in the lab of the recovery.

use terms::lang::both;
use terms::{ScenarioName, tr};

use super::lessons;
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::pod_crash;
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 1,
    name: ScenarioName::PodCrash,
    title: both(
        "a replica of the application dies",
        "une réplique de l'application meurt",
    ),
    breaks: both(
        "one replica is killed without warning, then one is asked to stop",
        "une réplique est tuée sans préavis, puis une autre est priée de s'arrêter",
    ),
    holds: both(
        "the service answers all along; no acknowledged row is missing",
        "le service répond sans interruption ; aucune ligne acquittée ne manque",
    ),
    takes: both("about 20 s", "environ 20 s"),
    needs: &[Capability::Url],
    by_itself: true,
    takes_for_good: None,
    way: Way::Own {
        play: |run, engine| pod_crash::play_and_tell(run, engine, of_this_lab),
        show: pod_crash::show,
        strike: None,
    },
    repair: Repair::BY_ITSELF,
};

fn of_this_lab() -> [String; 2] {
    [
        tr!(
            "RPO: a replica of the application keeps nothing, the data are in the database. That is \
             continuity (PCA), not recovery (PRA).",
            "RPO : une réplique de l'application ne garde rien, les données sont dans la base. C'est de la \
             continuité (PCA), pas de la reprise (PRA).",
        ),
        lessons::look(),
    ]
}
