//! What the loss of everything but a copy teaches.

use std::borrow::Cow;
use std::path::Path;

use terms::lang::{Both, both, number};
use terms::tr;

use crate::database::Restored;
use crate::measure::result::{Rpo, ScenarioResult};
use crate::scenario::elsewhere::Copies;
use crate::scenario::everything::attacked;
use crate::scenario::outage;

/// What a run teaches; `lesson` is what its outage does.
pub fn lessons(
    lesson: Both,
    result: &ScenarioResult,
    report: &Restored,
    file: &Path,
    copies: Option<&Copies>,
) -> Vec<String> {
    let rpo = &result.rpo;
    let name = match copies {
        Some(_) => Cow::Borrowed(both("the copies elsewhere", "copies gardées ailleurs").text()),
        None => file.file_name().unwrap_or_default().to_string_lossy(),
    };
    let mut lessons = vec![
        tr!(
            "RTO: users were without service for {seconds} s{most}. {lesson}",
            "RTO : les utilisateurs ont été privés de service pendant {seconds} s{most}. {lesson}",
            seconds = number(result.rto.seconds),
            most = outage::most_of_it(&result.rto),
        ),
        what_was_gone(result, report, &name),
        what_was_lost(rpo, copies),
    ];
    lessons.extend(result.attack.iter().flat_map(attacked::lessons));
    lessons.push(match &result.attack {
        Some(_) => tr!(
            "Look at: cargo xtask offsite list; and ask whose credentials can remove your own \
             copies.",
            "À regarder : cargo xtask offsite list ; et demandez-vous quels identifiants peuvent \
             supprimer vos propres copies.",
        ),
        None => tr!(
            "Look at: cargo xtask export --help, and ask where your own copies are kept.",
            "À regarder : cargo xtask export --help ; et demandez-vous où sont conservées vos \
             propres copies.",
        ),
    });
    lessons
}

/// What the volumes had, and where it came back from.
fn what_was_gone(result: &ScenarioResult, report: &Restored, name: &str) -> String {
    let (lost, rows) = (result.rpo.lost_by_snapshots_alone(), report.rows);
    match &result.attack {
        Some(attack) => tr!(
            "Nothing on either volume could be read any more ({taken}): {lost} rows would have been \
             lost without a copy elsewhere. {rows} came back from {name}.",
            "Plus rien n'était lisible sur les deux volumes ({taken}) : {lost} lignes auraient été \
             perdues sans une copie ailleurs. {rows} sont revenues de {name}.",
            taken = attacked::volumes_in_words(&attack.volumes),
        ),
        None => tr!(
            "Both volumes were gone, and with them every snapshot and the journal: {lost} rows \
             would have been lost without a copy elsewhere. {rows} came back from {name}.",
            "Les deux volumes avaient disparu, et avec eux tous les points et le journal : \
             {lost} lignes auraient été perdues sans une copie ailleurs. {rows} sont revenues de \
             {name}.",
        ),
    }
}

/// What came after the copy, and what would lower it.
fn what_was_lost(rpo: &Rpo, copies: Option<&Copies>) -> String {
    match copies {
        Some(copies) => tr!(
            "RPO: {lost} of {acknowledged} acknowledged rows were lost, {seconds} s worth: the \
             copies elsewhere were {behind} s behind right before the disaster. Losing everything \
             costs that, however old the newest restore point is.",
            "RPO : {lost} lignes acquittées sur {acknowledged} ont été perdues, soit {seconds} s \
             d'écritures : les copies ailleurs avaient {behind} s de retard juste avant le sinistre. \
             Tout perdre coûte cela, quel que soit l'âge du dernier point de restauration.",
            lost = rpo.lost,
            acknowledged = rpo.acknowledged,
            seconds = number(rpo.seconds),
            behind = number(copies.behind()),
        ),
        None => tr!(
            "RPO: {lost} of {acknowledged} acknowledged rows were lost, {seconds} s worth: they \
             came after the copy. The age of the newest copy is what losing a cluster costs; \
             exporting more often lowers it.",
            "RPO : {lost} lignes acquittées sur {acknowledged} ont été perdues, soit {seconds} s \
             d'écritures : elles sont arrivées après la copie. Perdre un cluster coûte l'âge de \
             la copie la plus récente ; exporter plus souvent le réduit.",
            lost = rpo.lost,
            acknowledged = rpo.acknowledged,
            seconds = number(rpo.seconds),
        ),
    }
}
