//! Scenario 12: both volumes are gone, and the cluster is not. As little is left as after
//! scenario 10: a copy that was exported before.

use terms::ScenarioName;
use terms::lang::both;

use crate::database::{self, Volume};
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::elsewhere::insist_on_key_of_copies;
use crate::scenario::everything::{self, Loss};
use crate::scenario::outage;

pub const SCENARIO: Scenario = Scenario {
    number: 12,
    name: ScenarioName::BothVolumesLoss,
    title: both(
        "both volumes are lost at once",
        "les deux volumes sont perdus à la fois",
    ),
    breaks: both(
        "the volumes pra-data and pra-backup are deleted, once a copy was exported",
        "les volumes pra-data et pra-backup sont supprimés, après l'export d'une copie",
    ),
    holds: both(
        "what was acknowledged before the export began is back, unchanged; what came after is \
         lost, and counted. With [offsite] in lab.toml: all but what the copies elsewhere were behind",
        "ce qui était acquitté avant le début de l'export est de retour, intact ; ce qui a suivi \
         est perdu, et compté. Avec [offsite] dans lab.toml : tout, sauf le retard des copies ailleurs",
    ),
    takes: both(
        "about 10 s on the local engine, half a minute on k3d",
        "environ 10 s sur le moteur local, une demi-minute sur k3d",
    ),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: Some(both(
        "every restore point and the journal; what is written after the copy",
        "tous les points de restauration et le journal ; ce qui est écrit après la copie",
    )),
    way: Way::Everything(&LOSS),
    repair: everything::REPAIR,
};

const LOSS: Loss = Loss {
    breaks: both(
        "disaster: application stopped, both volumes deleted",
        "sinistre : application arrêtée, les deux volumes supprimés",
    ),
    insist: insist_on_key_of_copies,
    prove: |_, _| Ok(()),
    strike: |ctx, engine, _| {
        outage::stop_everything(ctx, engine)?;
        for volume in Volume::ALL {
            engine.delete_volume(database::of(engine).claim(volume))?;
        }
        Ok(None)
    },
    lesson: both(
        "The cluster was there all along, and of no help: it has nothing of what was on its \
         volumes.",
        "Le cluster était toujours là, et n'a servi à rien : il n'a rien de ce que portaient ses \
         volumes.",
    ),
};
