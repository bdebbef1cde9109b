//! What the loss of everything but a copy teaches.

use std::borrow::Cow;
use std::path::Path;

use terms::lang::{Both, both, number};
use terms::tr;

use crate::database::Restored;
use crate::measure::result::{Rpo, ScenarioResult};
use crate::scenario::elsewhere::Copies;
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
    vec![
        tr!(
            "RTO: users were without service for {seconds} s{most}. {lesson}",
            "RTO : les utilisateurs ont été privés de service pendant {seconds} s{most}. {lesson}",
            seconds = number(result.rto.seconds),
            most = outage::most_of_it(&result.rto),
        ),
        tr!(
            "Both volumes were gone, and with them every snapshot and the journal: {lost} rows \
             would have been lost without a copy elsewhere. {rows} came back from {name}.",
            "Les deux volumes avaient disparu, et avec eux tous les points et le journal : \
             {lost} lignes auraient été perdues sans une copie ailleurs. {rows} sont revenues de \
             {name}.",
            lost = rpo.lost_by_snapshots_alone(),
            rows = report.rows,
        ),
        what_was_lost(rpo, copies),
        tr!(
            "Look at: cargo xtask export --help, and ask where your own copies are kept.",
            "À regarder : cargo xtask export --help ; et demandez-vous où sont conservées vos \
             propres copies.",
        ),
    ]
}

/// What came after the copy, and what would lower it.
fn what_was_lost(rpo: &Rpo, copies: Option<&Copies>) -> String {
    match copies {
        Some(copies) => tr!(
            "RPO: {lost} of {acknowledged} acknowledged rows were lost, {seconds} s worth: the \
             copies elsewhere were {behind} s behind. Losing everything costs that, however old \
             the newest restore point is.",
            "RPO : {lost} lignes acquittées sur {acknowledged} ont été perdues, soit {seconds} s \
             d'écritures : les copies ailleurs avaient {behind} s de retard. Tout perdre coûte \
             cela, quel que soit l'âge du dernier point de restauration.",
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
