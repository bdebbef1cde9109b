//! What a tour says. The commands themselves say the rest.

use std::path::Path;

use terms::lang::{decimal, plural};
use terms::{Protection, tr};

use crate::app::Status;
use crate::cli;
use crate::measure::result::ScenarioResult;

/// The message of somebody who means it.
pub fn message() -> String {
    tr!("a row of the tour", "une ligne de la visite")
}

/// And of somebody who does not.
pub fn mistake() -> String {
    tr!(
        "a mistake that the tour takes back",
        "une erreur que la visite annule"
    )
}

pub fn welcome() -> String {
    tr!(
        "A tour of the lab, in five minutes and four parts: the lab, a write, a disaster, a restore.
Rows that are there already stay. Each line after a $ is a command of the lab: you can type it too.

1/4 The lab",
        "Une visite du lab, en cinq minutes et quatre parties : le lab, une écriture, un sinistre, une restauration.
Les lignes déjà présentes restent. Chaque ligne après un $ est une commande du lab : vous pouvez la taper aussi.

1/4 Le lab"
    )
}

pub fn lab(protection: Protection) -> String {
    let second = match protection {
        Protection::Journal => tr!(
            "A second volume, pra-backup, protects it in two ways: a snapshot each minute, which counts as a
restore point once it has been verified, and a journal, which has each write before it is acknowledged.",
            "Un second volume, pra-backup, la protège de deux façons : une copie chaque minute, qui devient
un point de restauration une fois vérifiée, et un journal, qui reçoit chaque écriture avant son acquittement."
        ),
        _ => tr!(
            "A second volume, pra-backup, protects it: it gets a snapshot each minute, which counts as a restore
point once it has been verified. The journal, which would have each write as well, is switched off here.",
            "Un second volume, pra-backup, la protège : il reçoit chaque minute une copie, qui devient un point
de restauration une fois vérifiée. Le journal, qui recevrait aussi chaque écriture, est coupé ici."
        ),
    };
    tr!(
        "An application writes messages into a SQLite database on one volume, pra-data; the replicas above
serve it. {second}
They are two volumes so that losing one does not mean losing both.",
        "Une application écrit des messages dans une base SQLite, sur un volume, pra-data ; les répliques ci-dessus
la servent. {second}
Il y a deux volumes pour que la perte de l'un n'entraîne pas celle de l'autre."
    )
}

pub fn before_a_write() -> String {
    tr!(
        "2/4 A write, through the application's URL, as a user would",
        "2/4 Une écriture, par l'URL de l'application, comme un utilisateur"
    )
}

pub fn after_a_write(status: &Status) -> String {
    let rows = status.count.unwrap_or_default();
    let s = plural(rows);
    let last = match (&status.last_backup_file, status.backup_age_seconds) {
        (Some(file), Some(age)) => {
            let age = decimal(age, 0);
            tr!(
                "The newest restore point, {file}, is {age} s old",
                "Le dernier point de restauration, {file}, date d'il y a {age} s"
            )
        }
        _ => tr!(
            "There is no restore point yet",
            "Il n'y a pas encore de point de restauration"
        ),
    };
    tr!(
        "The database has {rows} row{s} now. {last}: what came after it is
in no snapshot. How much of it a disaster would cost is the RPO; that is what the next part measures.",
        "La base a maintenant {rows} ligne{s}. {last} : ce qui est venu après
n'est dans aucun point. Ce qu'un sinistre en coûterait, c'est le RPO ; la partie suivante le mesure."
    )
}

pub fn before_the_disaster(rate: u32) -> String {
    tr!(
        "3/4 A disaster: the volume with the database is deleted, while a client writes {rate} messages a second
and notes each answer. Then the latest restore point and the journal bring the database back (PRA: disaster
recovery), and what came back is compared with what the client was promised.",
        "3/4 Un sinistre : le volume de la base est supprimé, pendant qu'un client écrit {rate} messages par seconde
et note chaque réponse. Le dernier point de restauration et le journal ramènent ensuite la base (PRA : plan de
reprise d'activité), et ce qui est revenu est comparé à ce que le client s'est vu promettre."
    )
}

pub fn after_the_disaster(result: &ScenarioResult) -> String {
    let (rpo, rto) = (&result.rpo, decimal(result.rto.seconds, 3));
    let (lost, acknowledged) = (rpo.lost, rpo.acknowledged);
    let s = plural(lost as u64);
    let alone = rpo.lost_by_snapshots_alone();
    let worth = rpo.snapshots.as_ref();
    let worth = decimal(worth.map_or(0.0, |one| one.snapshot_only_seconds), 3);
    tr!(
        "Two figures to keep of this run. RTO, how long users went without the service: {rto} s.
RPO, what was lost: {lost} of {acknowledged} acknowledged writes. With snapshots alone it would have been {alone}
({worth} s of writes), and that snapshot was a moment old; on its schedule it can be a minute old.
cargo xtask report --open shows the run as a page, second by second.",
        "Deux chiffres à retenir de cet essai. RTO, la durée sans service pour les utilisateurs : {rto} s.
RPO, ce qui a été perdu : {lost} écriture{s} acquittée{s} sur {acknowledged}. Avec les points seuls, ce serait {alone}
(soit {worth} s d'écritures), alors que le dernier venait d'être pris ; à leur rythme, il peut dater d'une minute.
cargo xtask report --open montre l'essai sur une page, seconde par seconde."
    )
}

pub fn before_the_mistake(protection: Protection) -> String {
    let way = match protection {
        Protection::Journal => tr!(
            "the journal numbers each transaction, and the moment just before one can be brought back.",
            "le journal numérote chaque transaction, et l'instant juste avant peut être ramené."
        ),
        _ => tr!(
            "without the journal, a restore point that was taken before can be brought back.",
            "sans le journal, un point de restauration pris avant peut être ramené."
        ),
    };
    tr!(
        "4/4 A mistake: nothing broke, but somebody wrote what should not be there. No volume has to be lost
for a restore: {way}",
        "4/4 Une erreur : rien n'est cassé, mais quelqu'un a écrit ce qu'il ne fallait pas. Inutile de perdre un
volume pour restaurer : {way}"
    )
}

/// After the rows of both were compared.
pub fn after_the_mistake(before: usize, after: usize) -> String {
    tr!(
        "{before} rows before, {after} after: the mistake is gone, and all that came before it is there. What the
restore replaced is kept, too: cargo xtask undo would bring it back.",
        "{before} lignes avant, {after} après : l'erreur a disparu, et tout ce qui la précédait est là. Ce que la
restauration a remplacé est conservé aussi : cargo xtask undo le ramènerait."
    )
}

/// Somebody else's rows would have gone with it.
pub fn mistake_left(id: i64) -> String {
    tr!(
        "The mistake, row {id}, is left where it is: the restore would not have taken that one row alone. Somebody else
writes into this lab, or a restore point was taken in between. Nothing was restored.",
        "L'erreur, la ligne {id}, reste en place : la restauration n'aurait pas retiré cette seule ligne. Quelqu'un
d'autre écrit dans ce lab, ou un point de restauration a été pris entre-temps. Rien n'a été restauré."
    )
}

/// They were written while it was being restored.
pub fn others_gone(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    tr!(
        "somebody else wrote while the mistake was taken back, and their rows went with it: {ids}",
        "quelqu'un d'autre a écrit pendant que l'erreur était annulée, et ses lignes sont parties avec : {ids}",
        ids = ids.join(", ")
    )
}

pub fn others_wrote(rows: usize) -> String {
    tr!(
        "no row was lost, but {rows} that the client of this run did not send are there: somebody else wrote \
         meanwhile (an open page, another terminal), and the comparison cannot tell that from damage. Nobody may \
         write beside a tour",
        "aucune ligne n'est perdue, mais {rows} que le client de cet essai n'a pas envoyées sont là : quelqu'un \
         d'autre a écrit pendant ce temps (une page ouverte, un autre terminal), et la comparaison ne peut pas \
         distinguer cela d'un dégât. Personne ne doit écrire pendant une visite"
    )
}

/// Where to go on; of the texts and commands those that there are.
pub fn end(root: &Path) -> String {
    let mut lines = vec![tr!(
        "That was the tour. Where to go from here:",
        "La visite est finie. Pour la suite :"
    )];
    let texts = [
        (
            "README.fr.md",
            tr!("the workshop, in French", "l'atelier, pas à pas"),
        ),
        (
            "docs/atelier",
            tr!(
                "both workshops with their exercises, in French",
                "les pages de l'atelier : chaque étape aussi tapée à la main, avec kubectl"
            ),
        ),
        (
            "docs/runbook.md",
            tr!(
                "the same, typed by hand with kubectl",
                "la référence de l'exploitant, en anglais"
            ),
        ),
    ];
    for (name, about) in texts {
        if root.join(name).exists() {
            lines.push(format!("  {name:<32}{about}"));
        }
    }
    let known = cli::help::command();
    let commands = [
        (
            "scenario",
            "scenario --list",
            tr!("all disasters", "tous les sinistres"),
        ),
        (
            "scenario",
            "scenario 1",
            tr!(
                "the next one: a replica dies, and nobody notices (PCA)",
                "le suivant : une réplique meurt, et personne ne le remarque (PCA)"
            ),
        ),
        (
            "gameday",
            "gameday",
            tr!(
                "a disaster that is not told: find it, recover",
                "un sinistre tenu secret : à vous de le trouver et d'en revenir"
            ),
        ),
        (
            "check",
            "check",
            tr!(
                "what your work is worth by the workshop's scheme",
                "ce que vaut votre travail, selon le barème de l'atelier"
            ),
        ),
        ("reset", "reset", tr!("a lab as new", "un lab comme neuf")),
    ];
    for (name, words, about) in commands {
        if known.find_subcommand(name).is_some() {
            lines.push(format!("  {:<32}{about}", format!("cargo xtask {words}")));
        }
    }
    lines.join("\n")
}
