//! The copies on the second volume: are they restore points?

use terms::tr;

use super::words::seconds;
use crate::marking::facts::{BackupFacts, CopyFacts, LabFacts};
use crate::marking::sheet::Tally;

pub fn copies(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "each minute a backup, sound and with every acknowledged row",
        "chaque minute une sauvegarde, saine et avec chaque ligne acquittée"
    );
    let Some(backups) = &facts.backups else {
        return (title, None);
    };
    let third = of / 3.0;
    let tally = scheduled(Tally::of(of), backups, third);
    let taken = backups.copies.len();
    let load = seconds(backups.load);
    let tally = of_each(
        tally,
        backups,
        third,
        |copy| copy.unsound.clone(),
        tr!(
            "{taken} copies under {load} writes a second: each is a sound SQLite database",
            "{taken} copies sous {load} écritures par seconde : chacune est une base SQLite saine"
        ),
    );
    let lacks = |copy: &CopyFacts| {
        let missing = copy.missing;
        let said = tr!("lacks {missing} rows", "il y manque {missing} lignes");
        (missing > 0).then_some(said)
    };
    let tally = of_each(
        tally,
        backups,
        third,
        lacks,
        tr!(
            "each holds what was acknowledged before it",
            "chacune contient ce qui était acquitté avant elle"
        ),
    );
    let tally = match backups.plain_copy {
        true => tally.remark(can_tear()),
        false => tally,
    };
    (title, Some(tally))
}

/// What has to hold of every copy, of which there is one at least.
fn of_each(
    tally: Tally,
    backups: &BackupFacts,
    points: f64,
    wrong: impl Fn(&CopyFacts) -> Option<String>,
    right: String,
) -> Tally {
    let copies = backups.copies.iter();
    let told = copies.filter_map(|copy| Some(format!("{}: {}", copy.file, wrong(copy)?)));
    let told: Vec<String> = told.collect();
    let said = match told.is_empty() {
        true => right,
        false => told.join("; "),
    };
    tally.part(!backups.copies.is_empty() && told.is_empty(), points, said)
}

fn can_tear() -> String {
    tr!(
        "the copy is made with `cp`, which can catch a transaction halfway: none of these was \
         torn, which does not mean that none will be (SQLite's backup API cannot tear one)",
        "la copie est faite par `cp`, qui peut saisir une transaction à moitié écrite : aucune de \
         celles-ci n'est déchirée, ce qui ne prouve pas qu'aucune ne le sera (l'API de sauvegarde \
         de SQLite, elle, ne le peut pas)"
    )
}

fn scheduled(tally: Tally, backups: &BackupFacts, points: f64) -> Tally {
    let schedule = &backups.schedule;
    let Some(after) = backups.first_after else {
        let waited = seconds(backups.waited.unwrap_or_default());
        let said = tr!(
            "none came by itself in {waited} s (schedule: {schedule})",
            "aucune n'est venue d'elle-même en {waited} s (planification : {schedule})"
        );
        return tally.part(false, points, said);
    };
    let after = seconds(after);
    let said = tr!(
        "the schedule ({schedule}) took one by itself after {after} s",
        "la planification ({schedule}) en a pris une d'elle-même après {after} s"
    );
    tally.part(is_each_minute(schedule), points, said)
}

fn is_each_minute(schedule: &str) -> bool {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let each = |field: &&str| ["*", "*/1"].contains(field);
    schedule == "@every 1m" || (fields.len() == 5 && fields.iter().all(each))
}

pub fn loud(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "a backup that cannot be taken is a job that fails",
        "une sauvegarde impossible est un job qui échoue"
    );
    let Some(broken) = &facts.broken_source else {
        return (title, None);
    };
    let job = &broken.job;
    let loud = job.ran && !job.succeeded && job.failed_once;
    let file = broken.new_file.as_deref();
    let said = match (loud, file) {
        (true, _) => tr!("it failed", "il a échoué"),
        (false, Some(file)) if job.succeeded => tr!(
            "it says that it succeeded, and left {file}, which is no backup",
            "il se dit réussi, et a laissé {file}, qui n'est pas une sauvegarde"
        ),
        (false, None) if job.succeeded => tr!(
            "it copied nothing and says that it succeeded (`|| true`, for instance): nobody would \
             learn of it",
            "il n'a rien copié et se dit réussi (`|| true`, par exemple) : personne ne \
             l'apprendrait"
        ),
        _ => tr!(
            "it did not end: {why}",
            "il ne s'est pas terminé : {why}",
            why = job.said
        ),
    };
    let said = tr!(
        "the database was put out of reach of the job: {said}",
        "la base a été mise hors de portée du job : {said}"
    );
    let mut tally = Tally::of(of).part(loud, of, said);
    if let (true, Some(file)) = (loud, file) {
        tally = tally.remark(tr!(
            "it left {file} all the same, which a restore of the newest file would take",
            "il a tout de même laissé {file}, qu'une restauration du plus récent prendrait"
        ));
    }
    (title, Some(tally))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::facts::{BrokenSource, JobEnd};
    use crate::marking::judge::testing::points;

    fn lab(change: impl FnOnce(&mut BackupFacts)) -> LabFacts {
        let copy = CopyFacts {
            file: "app-1.db".to_owned(),
            by_schedule: true,
            rows: 40,
            ..CopyFacts::default()
        };
        let mut backups = BackupFacts {
            schedule: "*/1 * * * *".to_owned(),
            first_after: Some(41.0),
            copies: vec![copy.clone(), copy],
            load: 20.0,
            ..BackupFacts::default()
        };
        change(&mut backups);
        LabFacts {
            backups: Some(backups),
            ..LabFacts::default()
        }
    }

    #[test]
    fn sound_and_complete_copies_each_minute_have_all_points() {
        assert_eq!(points(copies(&lab(|_| ()), 0.75)), 0.75);
        // A plain copy that went well is no fault that was seen.
        let plain = lab(|backups| backups.plain_copy = true);
        assert_eq!(points(copies(&plain, 0.75)), 0.75);
    }

    #[test]
    fn a_torn_copy_one_that_lacks_rows_and_a_slow_schedule_lose_a_third_each() {
        let torn = |backups: &mut BackupFacts| {
            backups.copies[1].unsound = Some("malformed".to_owned());
        };
        let short = |backups: &mut BackupFacts| backups.copies[0].missing = 3;
        let hourly = |backups: &mut BackupFacts| backups.schedule = "0 * * * *".to_owned();
        let never = |backups: &mut BackupFacts| {
            backups.first_after = None;
            backups.waited = Some(90.0);
        };
        let all: [&dyn Fn(&mut BackupFacts); 4] = [&torn, &short, &hourly, &never];
        for change in all {
            assert_eq!(points(copies(&lab(change), 0.75)), 0.5);
        }
    }

    #[test]
    fn without_any_copy_there_is_nothing_to_be_sound() {
        let none = lab(|backups| {
            backups.copies.clear();
            backups.first_after = None;
        });
        assert_eq!(points(copies(&none, 0.75)), 0.0);
    }

    fn broken(job: &JobEnd, new_file: Option<&str>) -> LabFacts {
        LabFacts {
            broken_source: Some(BrokenSource {
                job: job.clone(),
                new_file: new_file.map(str::to_owned),
            }),
            ..LabFacts::default()
        }
    }

    #[test]
    fn a_copy_that_fails_in_silence_has_no_point() {
        let silent = JobEnd {
            ran: true,
            succeeded: true,
            ..JobEnd::default()
        };
        assert_eq!(points(loud(&broken(&silent, None), 0.5)), 0.0);
        assert_eq!(points(loud(&broken(&silent, Some("app-2.db")), 0.5)), 0.0);
        let failed = JobEnd {
            ran: true,
            failed_once: true,
            ..JobEnd::default()
        };
        assert_eq!(points(loud(&broken(&failed, None), 0.5)), 0.5);
        // One that was never started proves nothing.
        assert_eq!(points(loud(&broken(&JobEnd::default(), None), 0.5)), 0.0);
    }
}
