//! Scenario 10: the cluster is gone with both of its volumes. What is left is a
//! copy that was exported before, and this machine.

use terms::ScenarioName;
use terms::lang::both;

use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::elsewhere::insist_on_key_of_copies;
use crate::scenario::everything::{self, Loss};

pub const SCENARIO: Scenario = Scenario {
    number: 10,
    name: ScenarioName::ClusterLoss,
    title: both(
        "everything is gone but an exported copy",
        "tout a disparu, sauf une copie exportée",
    ),
    breaks: both(
        "the lab with both volumes, as teardown does, once a copy was exported",
        "le lab avec ses deux volumes, comme le fait teardown, après l'export d'une copie",
    ),
    holds: both(
        "what was acknowledged before the export began is back on a new lab, unchanged; what came \
         after is lost, and counted. With [offsite] in lab.toml: all but what the copies elsewhere \
         were behind",
        "ce qui était acquitté avant le début de l'export est de retour, intact, dans un nouveau \
         lab ; ce qui a suivi est perdu, et compté. Avec [offsite] dans lab.toml : tout, sauf le \
         retard des copies ailleurs",
    ),
    takes: both(
        "about 10 s on the local engine, a minute and a half on k3d",
        "environ 10 s sur le moteur local, une minute et demie sur k3d",
    ),
    needs: &[Capability::Url, Capability::Whole],
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
        "disaster: the whole lab is destroyed, both volumes included",
        "sinistre : tout le lab est détruit, ses deux volumes compris",
    ),
    insist: insist_on_key_of_copies,
    prove: |_, _| Ok(()),
    strike: |_, engine, _| engine.down().map(|()| None),
    lesson: both(
        "A whole lab had to be built before any data could come back.",
        "Il a fallu reconstruire tout un lab avant de pouvoir ramener les données.",
    ),
};
