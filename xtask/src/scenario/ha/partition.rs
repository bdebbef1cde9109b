//! Scenario 6 of the lab `ha`: the primary's node is cut off from the others, and goes on
//! running. Clients still reach it.

use terms::lang::both;
use terms::{ScenarioName, tr};

use super::lessons;
use super::loss::{Heal, Loss, Story};
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 6,
    name: ScenarioName::Partition,
    title: both(
        "the primary's node is cut off from the others",
        "le nœud du primaire est coupé des autres",
    ),
    breaks: both(
        "the network between that node and the others; users still reach all three",
        "le réseau entre ce nœud et les autres ; les utilisateurs joignent toujours les trois",
    ),
    holds: both(
        "there are never two primaries that acknowledge writes; no acknowledged row is missing, \
         then or once the network is back",
        "il n'y a jamais deux primaires qui acquittent des écritures ; aucune ligne acquittée ne \
         manque, ni alors ni au retour du réseau",
    ),
    takes: both("about 3 minutes", "environ 3 minutes"),
    needs: &[Capability::Url, Capability::Nodes],
    by_itself: true,
    takes_for_good: None,
    way: Way::Loss(&LOSS),
    repair: Repair::OF_NODES,
};

const LOSS: Loss = Loss {
    one_side_stays_away: true,
    breaks: both(
        "disaster: the primary's node is cut off",
        "sinistre : le nœud du primaire est coupé des autres",
    ),
    strike: |engine, aim| engine.nodes()?.cut_off(&aim.node, &aim.addresses_of_others),
    heal: Some(Heal {
        words: both("the network is whole again", "le réseau est rétabli"),
        act: |engine, aim| engine.nodes()?.connect(&aim.node),
    }),
    lessons: told,
    ..Loss::OF_THE_PRIMARY
};

fn told(story: &Story) -> Vec<String> {
    let (old, node) = (&story.aim.primary, &story.aim.node);
    let taken_over = lessons::taken_over(story);
    let client = &story.result.client;
    vec![
        lessons::downtime(story),
        tr!(
            "A node that is silent answers nothing, not even that it is gone: what was on its way to it is \
             waited for. A question of the operator to {old} can be too, and is given up after 30 s only.",
            "Un nœud muet ne répond rien, pas même qu'il a disparu : ce qui était en chemin vers lui est \
             attendu. Une question de l'opérateur à {old} peut l'être aussi, et n'est abandonnée qu'après 30 s.",
        ),
        tr!(
            "{taken_over} The other two are a majority. {old} alone is none: a commit there waits for a \
             second instance, so that it can acknowledge nothing, and it is set to stop when it reaches \
             nobody. That is what a quorum is for: of two sides one at most can go on, and whether both \
             did shows in rows that are missing.",
            "{taken_over} Les deux autres sont une majorité. {old} seul n'en est pas une : un commit y attend \
             une seconde instance, il ne peut donc rien acquitter, et il est réglé pour s'arrêter quand il ne \
             joint personne. C'est le rôle d'un quorum : de deux côtés, un au plus peut continuer, et si les \
             deux l'avaient fait, des lignes manqueraient.",
        ),
        tr!(
            "The RTO ends with the first write on the side that goes on. Users whom the load balancer \
             sent to {node} had no answer until the network was back ({failed} of {requests} writes \
             failed): k3d's asks no node how it is. One that asks for something which needs the database, \
             /count say, takes such a node out within seconds.",
            "Le RTO s'arrête à la première écriture du côté qui continue. Les utilisateurs que le \
             répartiteur de charge envoyait vers {node} sont restés sans réponse jusqu'au retour du réseau \
             (écritures en échec : {failed} sur {requests}) : celui de k3d ne demande à aucun nœud comment \
             il va. Un autre, qui demande ce qui exige la base, /count par exemple, retire un tel nœud en \
             quelques secondes.",
            failed = client.failed,
            requests = client.requests,
        ),
        lessons::loss(story),
        lessons::look(),
    ]
}
