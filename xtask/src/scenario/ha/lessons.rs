//! The sentences that the lessons of several disasters share.

use terms::lang::number;
use terms::{Labelled, PhaseName, tr};

use super::loss::Story;
use crate::measure::result::{Rpo, Verified};

/// How long users were away from their data, and what that time was.
pub fn downtime(story: &Story) -> String {
    let (rto, client) = (&story.result.rto, &story.result.client);
    let gap = number(client.longest_gap_seconds);
    if rto.phases.is_empty() {
        return tr!(
            "RTO: no request failed; the longest time between two acknowledged writes was {gap} s.",
            "RTO : aucune requête n'a échoué ; le plus long intervalle entre deux écritures acquittées \
             a été de {gap} s.",
        );
    }
    let longest = rto
        .phases
        .iter()
        .max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let most = longest.map_or_else(String::new, |phase| {
        tr!(
            " Most of it was \"{name}\", {seconds} s: {why}.",
            " Surtout la phase « {name} », {seconds} s : {why}.",
            name = phase.name.label(),
            seconds = number(phase.seconds),
            why = why(phase.name),
        )
    });
    tr!(
        "RTO: requests failed for {seconds} s, and the longest time between two acknowledged writes \
         was {gap} s.{most}",
        "RTO : des requêtes ont échoué pendant {seconds} s, et le plus long intervalle entre deux \
         écritures acquittées a été de {gap} s.{most}",
        seconds = number(rto.seconds),
    )
}

/// What takes its time in a phase.
fn why(phase: PhaseName) -> String {
    match phase {
        PhaseName::Noticed => tr!(
            "nobody may be taken for dead too soon, or a short pause becomes a failover",
            "personne ne doit être tenu pour mort trop tôt, sinon une courte pause devient une bascule",
        ),
        PhaseName::GivenUp => tr!(
            "the others have to have stopped listening to the old primary before one is chosen",
            "les autres doivent avoir cessé d'écouter l'ancien primaire avant d'en choisir un",
        ),
        PhaseName::Promoted => tr!(
            "the next primary has to hold the lease of the old one first, so that there are never \
             two; one that vanished does not give it back, and it has to run out",
            "le suivant doit d'abord détenir le bail de l'ancien primaire, pour qu'il n'y en ait jamais \
             deux ; un primaire disparu ne le rend pas, et il doit expirer",
        ),
        _ => tr!(
            "a commit waits for a second instance, which has to find the new primary first",
            "un commit attend une seconde instance, qui doit d'abord trouver le nouveau primaire",
        ),
    }
}

/// When another instance took writes, as the cluster told it.
pub fn taken_over(story: &Story) -> String {
    let (old, new) = (&story.aim.primary, story.successor);
    match story.promoted_after.map(number) {
        Some(seconds) => tr!(
            "{new} took writes in the place of {old} after {seconds} s.",
            "{new} a accepté les écritures à la place de {old} au bout de {seconds} s.",
        ),
        None => tr!(
            "{new} took writes in the place of {old}; when it began to was not seen.",
            "{new} a accepté les écritures à la place de {old} ; à partir de quand, cela n'a pas été vu.",
        ),
    }
}

/// What was lost, and why that is so.
pub fn loss(story: &Story) -> String {
    rows(&story.result.rpo, &story.result.verified)
}

pub fn rows(rpo: &Rpo, verified: &Verified) -> String {
    tr!(
        "RPO: {lost} of {acknowledged} acknowledged rows were lost. Rows in doubt, whose users got no \
         answer: {doubt}; whether such a one is there is for nobody to know before looking.",
        "RPO : lignes acquittées perdues : {lost} sur {acknowledged}. Lignes douteuses, dont les \
         utilisateurs n'ont pas eu de réponse : {doubt} ; si l'une d'elles est là, nul ne peut le \
         savoir avant de regarder.",
        lost = rpo.lost,
        acknowledged = rpo.acknowledged,
        doubt = verified.in_doubt,
    )
}

pub fn look() -> String {
    tr!(
        "Look at: cargo xtask --lab ha status (which instance is the primary now), kubectl -n ha get events, and \
         the page of cargo xtask --lab ha report.",
        "À regarder : cargo xtask --lab ha status (quelle instance est le primaire), kubectl -n ha get events, \
         et la page de cargo xtask --lab ha report.",
    )
}
