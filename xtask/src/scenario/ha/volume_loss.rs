//! Scenario 3 of the lab `ha`: the primary is lost with its volume. A copy of the others
//! takes its place.

use terms::lang::{both, number};
use terms::{ScenarioName, tr};

use super::lessons;
use super::loss::{Loss, Story};
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 3,
    name: ScenarioName::VolumeLoss,
    title: both(
        "the primary is lost with its volume",
        "le primaire est perdu avec son volume",
    ),
    breaks: both(
        "the claim and the pod of the instance that takes writes",
        "la revendication de volume et le pod de l'instance qui accepte les écritures",
    ),
    holds: both(
        "another instance takes over, and a third is made anew from the others; no acknowledged \
         row is missing",
        "une autre instance prend le relais, et une troisième est refaite à partir des autres ; \
         aucune ligne acquittée ne manque",
    ),
    takes: both("about 90 s", "environ 90 s"),
    needs: &[Capability::Url],
    by_itself: true,
    takes_for_good: None,
    way: Way::Loss(&LOSS),
    repair: Repair::BY_ITSELF,
};

const LOSS: Loss = Loss {
    breaks: both(
        "disaster: the primary's volume and pod are deleted",
        "sinistre : le volume et le pod du primaire sont supprimés",
    ),
    strike: |engine, aim| engine.replicated()?.lose_instance(&aim.primary),
    lessons: told,
    ..Loss::OF_THE_PRIMARY
};

fn told(story: &Story) -> Vec<String> {
    let old = &story.aim.primary;
    let again = story.result.protected_seconds.map(number);
    vec![
        lessons::downtime(story),
        tr!(
            "The volume of {old} is gone for good, and nobody restored anything: what is acknowledged is \
             set to be on another server too. {taken_over} After {again} s three instances were ready, \
             and any one could be lost again.",
            "Le volume de {old} a disparu pour de bon, et personne n'a rien restauré : ce qui est acquitté \
             est réglé pour être aussi sur un autre serveur. {taken_over} Après {again} s trois instances \
             étaient prêtes, et n'importe laquelle pouvait de nouveau être perdue.",
            taken_over = lessons::taken_over(story),
            again = again.unwrap_or_default(),
        ),
        tr!(
            "Until then two were left, which is the least that can acknowledge a write: the loss of \
             one more would have stopped writing, and lost nothing.",
            "Jusque-là il en restait deux, le minimum pour acquitter une écriture : en perdre une de \
             plus aurait arrêté les écritures, sans rien perdre.",
        ),
        lessons::loss(story),
        tr!(
            "This is no backup: a DELETE would be on all three as fast.",
            "Ce n'est pas une sauvegarde : un DELETE serait aussi vite sur les trois.",
        ),
        lessons::look(),
    ]
}
