//! Workshop 2: bringing back what was lost, the point that was chosen, and again.

use terms::tr;

use super::words::seconds;
use crate::marking::facts::{Choice, LabFacts, Restored};
use crate::marking::sheet::Tally;

pub fn loss(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "the lost volume comes back from the backups",
        "le volume perdu revient depuis les sauvegardes"
    );
    let Some(restored) = &facts.loss else {
        return (title, None);
    };
    // What came after the newest copy is a matter of the RPO, not a fault.
    let right = is_whole(restored) && restored.missing == 0;
    let tally = Tally::of(of).part(right, of, told(restored)).remark(tr!(
        "measured, to be held against exercise 3: {time} s from the loss to the rows (an RTO \
             without a person's time), {lost} acknowledged rows lost (RPO)",
        "mesuré, à comparer avec l'exercice 3 : {time} s de la perte au retour des lignes (un \
             RTO sans temps humain), {lost} lignes acquittées perdues (RPO)",
        time = seconds(restored.seconds),
        lost = restored.lost
    ));
    (title, Some(tally))
}

/// The job did it, and what is there is a database that users get.
fn is_whole(restored: &Restored) -> bool {
    restored.job.ran && restored.job.succeeded && restored.unsound.is_none() && restored.served
}

fn told(restored: &Restored) -> String {
    let job = &restored.job;
    if !job.ran || !job.succeeded {
        let why = &job.said;
        return tr!(
            "the restore job failed: {why}",
            "le job de restauration a échoué : {why}"
        );
    }
    if let Some(why) = &restored.unsound {
        return tr!(
            "the database cannot be read after it: {why}",
            "la base est illisible après lui : {why}"
        );
    }
    let Restored {
        point,
        expected,
        missing,
        beyond,
        ..
    } = restored;
    let rows = tr!(
        "{point}: {expected} rows expected, {missing} of them absent, {beyond} beyond it",
        "{point} : {expected} lignes attendues, {missing} absentes, {beyond} en trop"
    );
    match restored.served {
        true => rows,
        false => tr!(
            "{rows}; the application does not serve them",
            "{rows} ; l'application ne les sert pas"
        ),
    }
}

pub fn chosen(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "an older point that was chosen comes back, and no other",
        "un point plus ancien, choisi, revient, et pas un autre"
    );
    let Some(chosen) = &facts.chosen else {
        return (title, None);
    };
    let tally = Tally::of(of).remark(told_choice(&chosen.choice));
    let tally = match &chosen.restored {
        Some(restored) => {
            let exact = restored.missing == 0 && restored.beyond == 0;
            tally.part(is_whole(restored) && exact, of, told(restored))
        }
        None => tally.part(
            false,
            of,
            tr!(
                "no older point was brought back",
                "aucun point plus ancien n'a été ramené"
            ),
        ),
    };
    (title, Some(tally))
}

fn told_choice(choice: &Choice) -> String {
    match choice {
        Choice::Variable { name, file } => tr!(
            "{file} takes the point from {name}",
            "{file} prend le point dans {name}"
        ),
        Choice::Placeholder { text, file } => tr!(
            "in {file} the point stands where {text} is",
            "dans {file} le point prend la place de {text}"
        ),
        Choice::ByHand { files } => tr!(
            "a script or a text chooses ({files}); it is not run here: try it by hand",
            "un script ou un texte choisit ({files}) ; il n'est pas exécuté ici : essayez-le à la \
             main",
            files = files.join(", ")
        ),
        Choice::Nothing => tr!(
            "no job takes a point: each restores the newest file, or a fixed one",
            "aucun job n'accepte de point : chacun restaure le plus récent, ou un fichier fixe"
        ),
    }
}

pub fn twice(facts: &LabFacts, of: f64) -> (String, Option<Tally>) {
    let title = tr!(
        "the restore can be run a second time",
        "la restauration peut être lancée une deuxième fois"
    );
    let Some(twice) = &facts.twice else {
        return (title, None);
    };
    let again = twice.first.succeeded && twice.second.ran && twice.second.succeeded;
    let why = &twice.second.said;
    let said = match (again, &twice.procedure) {
        (true, Some(procedure)) => tr!(
            "it ran again ({procedure})",
            "elle s'est exécutée à nouveau ({procedure})"
        ),
        (true, None) => tr!("it ran again", "elle s'est exécutée à nouveau"),
        (false, _) if twice.first.succeeded && !twice.second.ran => tr!(
            "the job has a fixed name, and nothing of the procedure removes the finished one: the \
             second time nothing ran ({why})",
            "le job a un nom fixe, et rien dans la procédure ne retire celui qui est terminé : la \
             deuxième fois, rien ne s'est exécuté ({why})"
        ),
        _ => tr!("it failed: {why}", "elle a échoué : {why}"),
    };
    (title, Some(Tally::of(of).part(again, of, said)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::facts::{Chosen, JobEnd, Twice};
    use crate::marking::judge::testing::points;

    fn done() -> JobEnd {
        JobEnd {
            ran: true,
            succeeded: true,
            ..JobEnd::default()
        }
    }

    fn restored() -> Restored {
        Restored {
            job: done(),
            point: "app-1.db".to_owned(),
            expected: 30,
            served: true,
            ..Restored::default()
        }
    }

    fn lost(change: impl FnOnce(&mut Restored)) -> LabFacts {
        let mut restored = restored();
        change(&mut restored);
        LabFacts {
            loss: Some(restored),
            ..LabFacts::default()
        }
    }

    #[test]
    fn rows_that_came_after_the_newest_copy_are_the_rpo_and_no_fault() {
        assert_eq!(points(loss(&lost(|one| one.lost = 7), 0.75)), 0.75);
    }

    #[test]
    fn a_restore_that_says_it_worked_is_believed_by_its_rows_alone() {
        let missing = lost(|one| one.missing = 1);
        let empty = lost(|one| one.unsound = Some("not a database".to_owned()));
        let unserved = lost(|one| one.served = false);
        let failed = lost(|one| one.job.succeeded = false);
        for facts in [missing, empty, unserved, failed] {
            assert_eq!(points(loss(&facts, 0.75)), 0.0);
        }
    }

    fn choosing(choice: Choice, restored: Option<Restored>) -> LabFacts {
        LabFacts {
            chosen: Some(Chosen { choice, restored }),
            ..LabFacts::default()
        }
    }

    #[test]
    fn a_chosen_point_is_that_point_exactly() {
        let variable = || Choice::Variable {
            name: "POINT".to_owned(),
            file: "pra/50.yaml".to_owned(),
        };
        let exact = choosing(variable(), Some(restored()));
        assert_eq!(points(chosen(&exact, 1.0)), 1.0);
        // The newest came back although an older one was asked for.
        let newest = Restored {
            beyond: 12,
            ..restored()
        };
        let newest = choosing(variable(), Some(newest));
        assert_eq!(points(chosen(&newest, 1.0)), 0.0);
        assert_eq!(points(chosen(&choosing(Choice::Nothing, None), 1.0)), 0.0);
    }

    fn repeated(procedure: Option<&str>, second: JobEnd) -> LabFacts {
        LabFacts {
            twice: Some(Twice {
                procedure: procedure.map(str::to_owned),
                first: done(),
                second,
            }),
            ..LabFacts::default()
        }
    }

    #[test]
    fn a_fixed_name_that_runs_nothing_the_second_time_has_no_point() {
        let unchanged = JobEnd {
            said: "job.batch/sqlite-restore unchanged".to_owned(),
            // kubectl exits with 0, and nothing ran.
            succeeded: true,
            ..JobEnd::default()
        };
        assert_eq!(points(twice(&repeated(None, unchanged), 0.5)), 0.0);
        assert_eq!(points(twice(&repeated(None, done()), 0.5)), 0.5);
        let deletes = repeated(Some("RUNBOOK.md deletes it first"), done());
        assert_eq!(points(twice(&deletes, 0.5)), 0.5);
    }
}
