//! What there is to learn from a game day, in words.

use terms::lang::{decimal, plural};
use terms::{NoticedBy, ParSource, tr};

use super::score;
use super::told::{GamedayResult, Told};

/// What broke first, then how it was played.
pub fn of(result: &GamedayResult) -> Vec<String> {
    let told = &result.gameday;
    let mut lines: Vec<String> = told.faults.iter().map(|fault| fault.what.clone()).collect();
    lines.push(noticed(told));
    lines.push(recovered(told));
    lines.push(runbook(told));
    lines.push(lost(result));
    lines.extend(result.client.on_retries(result.verified.in_doubt));
    lines
}

fn seconds(value: f64) -> String {
    decimal(value, 1)
}

fn noticed(told: &Told) -> String {
    let at = seconds(told.noticed_seconds);
    match told.noticed_by {
        NoticedBy::Said => tr!(
            "Noticed {at} s after the disaster (cargo xtask gameday noticed).",
            "Constaté {at} s après le sinistre (cargo xtask gameday noticed)."
        ),
        NoticedBy::Command => tr!(
            "Noticed {at} s after the disaster: that is when the first command changed the lab.",
            "Constaté {at} s après le sinistre : c'est l'instant de la première commande qui a \
             modifié le lab."
        ),
        NoticedBy::Change => tr!(
            "Noticed {at} s after the disaster: that is when the first change of the lab was seen.",
            "Constaté {at} s après le sinistre : c'est l'instant du premier changement observé \
             dans le lab."
        ),
        NoticedBy::End => tr!(
            "Noticed {at} s after the disaster at the latest: gameday done was typed, and no change \
             of the lab was seen before.",
            "Constaté {at} s après le sinistre au plus tard : gameday done a été tapé, et aucun \
             changement du lab n'avait été observé avant."
        ),
    }
}

fn recovered(told: &Told) -> String {
    let tries = told.tries;
    match told.recovered_seconds {
        Some(at) => tr!(
            "Recovered and verified {at} s after the disaster, at attempt {tries} of gameday done.",
            "Rétabli et vérifié {at} s après le sinistre, à l'essai n° {tries} de gameday done.",
            at = seconds(at)
        ),
        None => tr!(
            "Given up: the lab was not recovered.",
            "Abandonné : le lab n'était pas rétabli."
        ),
    }
}

fn runbook(told: &Told) -> String {
    let takes = seconds(told.runbook.seconds);
    let person = seconds(score::PERSON_SECONDS);
    let runs = told.runbook.runs;
    match told.runbook.source {
        ParSource::Runs => tr!(
            "The runbook takes {takes} s, without a person who thinks: the median RTO of {runs} \
             run{s} of that scenario on this engine. {person} s are granted on top.",
            "Le runbook prend {takes} s, sans personne qui réfléchisse : le RTO médian de {runs} \
             exécution{s} de ce scénario sur ce moteur. {person} s sont accordées en plus.",
            s = plural(runs as u64)
        ),
        ParSource::Objectives => tr!(
            "The runbook is held to take {takes} s, without a person who thinks: the objective of \
             lab.toml, since not every such scenario was played here. {person} s are granted on \
             top.",
            "Le runbook est censé prendre {takes} s, sans personne qui réfléchisse : l'objectif de \
             lab.toml, car tous ces scénarios n'ont pas été joués ici. {person} s sont accordées \
             en plus."
        ),
    }
}

fn lost(result: &GamedayResult) -> String {
    let (rpo, told) = (&result.rpo, &result.gameday);
    if rpo.lost == 0 {
        return tr!(
            "RPO: no acknowledged row was lost.",
            "RPO : aucune ligne acquittée n'a été perdue."
        );
    }
    let what = rows_lost(
        (rpo.lost - rpo.lost_from_before, rpo.acknowledged),
        (rpo.lost_from_before, told.rows_before),
    );
    let avoidable = told.avoidable;
    if avoidable == 0 {
        return tr!(
            "{what}; none of them could have been kept by this way back.",
            "{what} ; aucune ne pouvait être gardée par cette voie de retour."
        );
    }
    let worth = seconds(told.avoidable_seconds);
    let worth = if told.avoidable_seconds > 0.0 {
        tr!(
            " (those of the game: {worth} s worth of writes)",
            " (celles du jeu : {worth} s d'écritures)"
        )
    } else {
        String::new()
    };
    tr!(
        "{what}; {avoidable} of them could have been kept{worth}.",
        "{what} ; {avoidable} d'entre elles pouvaient être gardées{worth}."
    )
}

/// The two kinds apart: so many of so many each.
fn rows_lost((of_game, acknowledged): (usize, usize), (old, before): (usize, usize)) -> String {
    let old = if old == 0 {
        String::new()
    } else {
        tr!(
            ", and {old} of {before} from before it",
            ", et {old} sur {before} d'avant le jeu"
        )
    };
    tr!(
        "RPO: {of_game} of the {acknowledged} rows acknowledged in the game were lost{old}",
        "RPO : lignes acquittées pendant le jeu et perdues : {of_game} sur {acknowledged}{old}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_from_before_are_none_of_those_acknowledged_in_the_game() {
        assert_eq!(
            rows_lost((30, 30), (361, 361)),
            "RPO: 30 of the 30 rows acknowledged in the game were lost, and 361 of 361 from before it"
        );
        assert!(rows_lost((3, 30), (0, 361)).ends_with("were lost"));
    }
}
