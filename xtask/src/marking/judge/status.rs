//! Workshop 1: what `/status` says, beside what is so.

use terms::tr;

use super::words::{AGE_TOLERANCE, seconds};
use crate::marking::facts::{LabFacts, Look, StatusFacts};
use crate::marking::sheet::Tally;

pub fn routes(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "the routes of the application still answer",
        "les routes de l'application répondent toujours"
    );
    if facts.routes.is_empty() {
        return (title, None);
    }
    let all = facts.routes.iter();
    let wrong: Vec<String> = all
        .clone()
        .filter_map(|route| Some(format!("{}: {}", route.path, route.wrong.as_deref()?)))
        .collect();
    let paths: Vec<&str> = all.map(|route| route.path).collect();
    let said = match wrong.is_empty() {
        true => paths.join("  "),
        false => wrong.join("; "),
    };
    (title, Some(Tally::of(of).part(wrong.is_empty(), of, said)))
}

pub fn keys(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "GET /status answers JSON with its three keys",
        "GET /status répond en JSON avec ses trois clés"
    );
    let Some(status) = &facts.status else {
        return (title, None);
    };
    let look = &status.at_first;
    let said = look.failed.clone();
    let said = said.unwrap_or_else(|| look.keys.join(", "));
    let right = look.failed.is_none() && look.keys.len() == 3;
    (title, Some(Tally::of(of).part(right, of, said)))
}

pub fn count(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "count is the number of rows, always",
        "count est toujours le nombre de lignes"
    );
    let Some(status) = &facts.status else {
        return (title, None);
    };
    let first = [&status.at_first, &status.after_a_write];
    let right = first.iter().all(|look| counts(look));
    let said = first.map(told_count).join("; ");
    let tally = Tally::of(of).part(right, of / 2.0, said);
    let (survived, said) = after_the_kill(facts, status);
    (title, Some(tally.part(survived, of / 2.0, said)))
}

fn after_the_kill(facts: &LabFacts, status: &StatusFacts) -> (bool, String) {
    let (Some(look), Some(killed)) = (&status.after_the_kill, &facts.killed) else {
        let said = tr!(
            "a pod was killed, and the service did not come back",
            "un pod a été tué, et le service n'est pas revenu"
        );
        return (false, said);
    };
    let said = tr!(
        "a pod was killed: back after {time} s, {missing} of {rows} rows gone, {told}",
        "un pod a été tué : de retour après {time} s, {missing} lignes sur {rows} perdues, {told}",
        time = seconds(killed.seconds),
        missing = killed.missing,
        rows = killed.rows,
        told = told_count(look)
    );
    (counts(look) && killed.missing == 0, said)
}

fn counts(look: &Look) -> bool {
    look.count == Some(look.rows)
}

fn told_count(look: &Look) -> String {
    let told = look.count.map_or("–".to_owned(), |count| count.to_string());
    let rows = look.rows;
    tr!("told {told}, is {rows}", "annoncé {told}, réel {rows}")
}

pub fn file(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "last_backup_file is the newest file of pra-backup",
        "last_backup_file est le fichier le plus récent de pra-backup"
    );
    let Some(status) = &facts.status else {
        return (title, None);
    };
    let look = &status.after_a_write;
    let right = names_newest(look);
    let mut tally = Tally::of(of).part(right, of * 0.75, told_file(look));
    if !status.mounts_backup {
        tally = tally.remark(unmounted());
    }
    if let (true, Some(touched)) = (right, &status.touched) {
        let said = told_file(touched);
        tally = tally.part(
            names_newest(touched),
            of * 0.25,
            tr!(
                "with the newest file's modification time an hour back: {said}",
                "avec la date de modification du plus récent reculée d'une heure : {said}"
            ),
        );
    }
    (title, Some(tally))
}

fn names_newest(look: &Look) -> bool {
    look.newest.is_some() && look.last_backup_file.as_deref().map(base) == look.newest.as_deref()
}

/// A path and a bare name are both an answer.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn told_file(look: &Look) -> String {
    let told = look.last_backup_file.as_deref().unwrap_or("–");
    let newest = look.newest.as_deref().unwrap_or("–");
    tr!("told {told}, is {newest}", "annoncé {told}, réel {newest}")
}

fn unmounted() -> String {
    tr!(
        "the pod that answers does not mount pra-backup: it cannot see a backup",
        "le pod qui répond ne monte pas pra-backup : il ne peut voir aucune sauvegarde"
    )
}

pub fn age(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "backup_age_seconds is the age of that backup",
        "backup_age_seconds est l'âge de cette sauvegarde"
    );
    let Some(status) = &facts.status else {
        return (title, None);
    };
    let look = &status.after_a_write;
    // The age of no file is no age, however close to the truth it is by chance.
    let right = tells_age(look) && names_newest(look);
    let mut tally = Tally::of(of).part(right, of / 2.0, told_age(look));
    if !status.mounts_backup {
        tally = tally.remark(unmounted());
    }
    if let (true, Some(touched)) = (right, &status.touched) {
        let said = told_age(touched);
        tally = tally.part(
            tells_age(touched),
            of / 2.0,
            tr!(
                "with the file's modification time an hour back, as a copy of the volume may \
                 change it: {said}",
                "avec la date de modification du fichier reculée d'une heure, comme une copie du \
                 volume peut la changer : {said}"
            ),
        );
    }
    (title, Some(tally))
}

fn tells_age(look: &Look) -> bool {
    match (look.backup_age_seconds, look.age_between) {
        (Some(told), Some((least, most))) => {
            told >= least - AGE_TOLERANCE && told <= most + AGE_TOLERANCE
        }
        _ => false,
    }
}

fn told_age(look: &Look) -> String {
    let shown =
        |age: Option<f64>| age.map_or("–".to_owned(), |age| format!("{} s", seconds(age)));
    let (told, age) = (shown(look.backup_age_seconds), shown(look.age));
    tr!("told {told}, is {age}", "annoncé {told}, réel {age}")
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
