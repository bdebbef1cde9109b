//! Scenario 7 of the lab `ha`: an administrator empties the primary's node to work on it.
//! Users whose writes are sent again notice nothing.

use terms::lang::{both, number};
use terms::{ScenarioName, tr};

use super::lessons;
use super::loss::{Heal, Loss, Story};
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 7,
    name: ScenarioName::Drain,
    title: both(
        "the primary's node is drained for maintenance",
        "le nœud du primaire est vidé pour maintenance",
    ),
    breaks: both(
        "nothing: kubectl cordon, and once the primary has moved kubectl drain, as before an update of \
         the node; kubectl uncordon after it",
        "rien : kubectl cordon, et une fois le primaire déplacé kubectl drain, comme avant une mise à jour \
         du nœud ; puis kubectl uncordon",
    ),
    holds: both(
        "the primary moves first; no write fails that is sent again, no acknowledged row is missing",
        "le primaire se déplace d'abord ; aucune écriture renvoyée n'échoue, aucune ligne acquittée \
         ne manque",
    ),
    takes: both("about 2 minutes", "environ 2 minutes"),
    needs: &[Capability::Url, Capability::Nodes],
    by_itself: true,
    takes_for_good: None,
    way: Way::Loss(&LOSS),
    repair: Repair::BY_ITSELF,
};

const LOSS: Loss = Loss {
    retry: true,
    closes_node: true,
    breaks: both(
        "the primary's node is drained",
        "le nœud du primaire est vidé",
    ),
    strike: |engine, aim| {
        let kube = engine.replicated()?;
        kube.hand_over(&aim.node, &aim.primary)?;
        kube.drain(&aim.node)
    },
    heal: Some(Heal {
        words: both("the node is opened again", "le nœud est rouvert"),
        act: |engine, aim| engine.replicated()?.uncordon(&aim.node),
    }),
    lessons: told,
    ..Loss::OF_THE_PRIMARY
};

fn told(story: &Story) -> Vec<String> {
    let (old, client) = (&story.aim.primary, &story.result.client);
    let (taken_over, planned) = (lessons::taken_over(story), planned(story.planned));
    vec![
        tr!(
            "Writes that failed after being sent again: {failed} of {requests}; sendings that failed on \
             the way: {attempts}; the longest time between two acknowledged writes: {gap} s.",
            "Écritures en échec malgré les renvois : {failed} sur {requests} ; envois en échec en chemin : \
             {attempts} ; plus long intervalle entre deux écritures acquittées : {gap} s.",
            failed = client.failed,
            requests = client.requests,
            attempts = client.attempts_failed,
            gap = number(client.longest_gap_seconds),
        ),
        tr!(
            "{planned} {taken_over} The node was closed first, and emptied once {old} was a standby: an \
             operator that is evicted at the same time would have to be replaced before anything moves.",
            "{planned} {taken_over} Le nœud a d'abord été fermé, puis vidé une fois {old} devenu réplique : un \
             opérateur évincé en même temps devrait être remplacé avant que quoi que ce soit ne bouge.",
        ),
        lessons::loss(story),
        tr!(
            "With volumes of local disks {old} cannot run elsewhere until the node is opened again. Two \
             instances are left, which is enough to acknowledge writes, and one less than it takes to lose \
             another one.",
            "Avec des volumes sur disques locaux, {old} ne peut tourner ailleurs avant la réouverture du \
             nœud. Deux instances restent, assez pour acquitter des écritures, et une de moins qu'il n'en \
             faut pour en perdre une autre.",
        ),
        lessons::look(),
    ]
}

/// What the operator called it.
fn planned(said: Option<bool>) -> String {
    match said {
        Some(true) => tr!(
            "The operator announced a switchover: it names the next primary while the old one still \
             answers, and nobody waits until a silence is long enough.",
            "L'opérateur a annoncé une bascule prévue (switchover) : il nomme le primaire suivant pendant que \
             l'ancien répond encore, et personne n'attend qu'un silence soit assez long.",
        ),
        Some(false) => tr!(
            "The operator announced a failover, as for a primary that is lost.",
            "L'opérateur a annoncé une bascule d'urgence (failover), comme pour un primaire perdu.",
        ),
        None => tr!(
            "The operator announced nothing that the cluster still knows of.",
            "L'opérateur n'a rien annoncé que le cluster sache encore.",
        ),
    }
}
