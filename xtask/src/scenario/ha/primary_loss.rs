//! Scenario 2 of the lab `ha`: the pod of the primary ends without warning. Another
//! instance takes over.

use terms::lang::both;
use terms::{ScenarioName, tr};

use super::lessons;
use super::loss::{Loss, Story};
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 2,
    name: ScenarioName::PrimaryLoss,
    title: both("the primary dies", "le primaire meurt"),
    breaks: both(
        "the pod of the instance that takes writes, without warning",
        "le pod de l'instance qui accepte les écritures, sans préavis",
    ),
    holds: both(
        "another instance takes over by itself; no acknowledged row is missing",
        "une autre instance prend le relais d'elle-même ; aucune ligne acquittée ne manque",
    ),
    takes: both("about 60 s", "environ 60 s"),
    needs: &[Capability::Url],
    by_itself: true,
    takes_for_good: None,
    way: Way::Loss(&LOSS),
    repair: Repair::BY_ITSELF,
};

const LOSS: Loss = Loss {
    breaks: both(
        "disaster: the primary's pod is killed",
        "sinistre : le pod du primaire est tué",
    ),
    strike: |engine, aim| engine.replicated()?.end(&aim.primary),
    lessons: told,
    ..Loss::OF_THE_PRIMARY
};

fn told(story: &Story) -> Vec<String> {
    let taken_over = lessons::taken_over(story);
    vec![
        lessons::downtime(story),
        tr!(
            "{taken_over} Each commit is set to wait until one of the others has it on its disk, and \
             nobody is promoted unless those who answer have, among them, all of it (a quorum). That \
             this held is what the comparison of all rows is for:",
            "{taken_over} Chaque commit est réglé pour attendre qu'une des autres l'ait sur son disque, et \
             personne n'est promu si celles qui répondent n'ont pas, à elles toutes, tout (un quorum). \
             Que cela ait tenu, c'est la comparaison de toutes les lignes qui le montre :",
        ),
        lessons::loss(story),
        lessons::look(),
    ]
}
