//! Texts and the way of working: what is there, and the criteria for the person who
//! marks. Nothing here is a machine's mark.

use terms::tr;

use super::words::RUNBOOK;
use crate::marking::repository::history::History;
use crate::marking::repository::readme::Readme;
use crate::marking::sheet::{Item, Section, for_a_person};

/// The questions of the first workshop, in few words.
fn question(number: u8) -> String {
    match number {
        1 => tr!(
            "1. which components lose data when they are lost",
            "1. quels composants entraînent une perte de données"
        ),
        2 => tr!(
            "2. why the loss of pra-data lost nothing",
            "2. pourquoi la perte de pra-data n'a rien fait perdre"
        ),
        3 => tr!(
            "3. RTO and RPO of the solution",
            "3. RTO et RPO de la solution"
        ),
        4 => tr!(
            "4. why it is not for production",
            "4. pourquoi pas en production"
        ),
        _ => tr!(
            "5. a more robust architecture",
            "5. une architecture plus robuste"
        ),
    }
}

fn expected(number: u8) -> String {
    match number {
        1 => tr!(
            "pra-data (what came after the newest backup), pra-backup (the past, not the present), \
             both at once, the node that holds them, the cluster; not the pod",
            "pra-data (ce qui suit la dernière sauvegarde), pra-backup (le passé, pas le présent), \
             les deux à la fois, le nœud qui les porte, le cluster ; pas le pod"
        ),
        2 => tr!(
            "copies on a second volume of its own, a restore that somebody starts; and what came \
             after the newest copy was lost all the same",
            "des copies sur un second volume distinct, une restauration que quelqu'un lance ; et \
             ce qui suit la dernière copie est bel et bien perdu"
        ),
        3 => tr!(
            "RPO up to a minute and the copy's own time, RTO with a person's time in it; measured \
             or argued (what was measured here stands beside `volume-lost`)",
            "RPO jusqu'à une minute et la durée de la copie, RTO temps humain compris ; mesurés ou \
             argumentés (ce qui a été mesuré ici est à côté de `volume-lost`)"
        ),
        4 => tr!(
            "one cluster and its disks, no copy elsewhere, no alert, copies that nobody verifies, \
             a restore by hand, one database file",
            "un seul cluster et ses disques, aucune copie ailleurs, aucune alerte, des copies que \
             personne ne vérifie, une restauration à la main, un seul fichier de base"
        ),
        _ => tr!(
            "a replicated database, copies outside the cluster, tested restores, supervision; \
             what each costs",
            "une base répliquée, des copies hors du cluster, des restaurations testées, de la \
             supervision ; ce que chacune coûte"
        ),
    }
}

pub fn exercises(readme: &Readme) -> Section {
    let item = |number: u8, name: &'static str| {
        let answer = readme.answers.iter().find(|(known, _)| *known == number);
        let words = answer.map_or(0, |(_, words)| *words);
        let mut found = vec![tr!(
            "{words} words of one's own under it",
            "{words} mots en propre sous la question"
        )];
        if number == 3 {
            found.extend(readme.figures.iter().cloned());
        }
        let nothing = (words == 0).then_some(0.0);
        for_a_person(
            name,
            question(number),
            1.0,
            expected(number),
            found,
            nothing,
        )
    };
    Section {
        name: "exercises",
        title: tr!("Exercises", "Exercices"),
        of: 5.0,
        items: vec![
            item(1, "exercise-1"),
            item(2, "exercise-2"),
            item(3, "exercise-3"),
            item(4, "exercise-4"),
            item(5, "exercise-5"),
        ],
    }
}

/// What a person marks of workshop 2.
pub fn runbook(readme: &Readme) -> Item {
    let (words, commands) = (readme.runbook_words, readme.runbook_commands);
    let found = vec![tr!(
        "{words} words of one's own about it, {commands} lines of commands",
        "{words} mots en propre à ce sujet, {commands} lignes de commandes"
    )];
    let nothing = (words + commands == 0).then_some(0.0);
    for_a_person(
        "runbook",
        tr!("the procedure is written down", "la procédure est écrite"),
        RUNBOOK,
        tr!(
            "somebody who never saw the lab can list the points, choose one, restore it and check \
             the rows, with what is written alone",
            "quelqu'un qui n'a jamais vu le lab peut lister les points, en choisir un, le \
             restaurer et vérifier les lignes, avec ce seul texte"
        ),
        found,
        nothing,
    )
}

pub fn readme(readme: &Readme, of: f64) -> Section {
    let mut found = Vec::new();
    match &readme.path {
        None => found.push(tr!("there is no README", "il n'y a pas de README")),
        Some(path) => {
            let Readme {
                own_words,
                other_words,
                headings,
                code_blocks,
                pictures,
                left_open,
                ..
            } = readme;
            found.push(tr!(
                "{path}: {own_words} words of one's own, {headings} headings, {code_blocks} blocks \
                 of code, {pictures} pictures; other texts: {other_words} words",
                "{path} : {own_words} mots en propre, {headings} titres, {code_blocks} blocs de \
                 code, {pictures} images ; autres textes : {other_words} mots"
            ));
            if *left_open > 0 {
                found.push(tr!(
                    "{left_open} placeholders of the workshop are still there",
                    "{left_open} emplacements de l'atelier sont restés tels quels"
                ));
            }
        }
    }
    if !readme.broken.is_empty() {
        found.push(tr!(
            "links and pictures that lead nowhere: {broken}",
            "liens et images qui ne mènent nulle part : {broken}",
            broken = readme.broken.join(", ")
        ));
    }
    let nothing = (readme.own_words == 0).then_some(0.0);
    let item = for_a_person(
        "readme",
        tr!("the README", "le README"),
        of,
        tr!(
            "readable from start to end, in order, without errors; what was done and why; a reader \
             can repeat it",
            "lisible du début à la fin, dans l'ordre, sans erreurs ; ce qui a été fait et \
             pourquoi ; un lecteur peut le refaire"
        ),
        found,
        nothing,
    );
    Section {
        name: "readme",
        title: tr!("Quality of the README", "Qualité du README"),
        of,
        items: vec![item],
    }
}

/// The way of working: a proposal by rules that are said, for a person to overrule.
pub fn process(history: Option<&History>) -> Section {
    let (found, proposed) = match history {
        None => (vec![tr!("no repository of git", "pas de dépôt git")], None),
        Some(history) if history.guessed => {
            let mut found = told(history);
            found.push(tr!(
                "nothing is proposed: all commits are one person's, so the workshop's cannot be \
                 told from the work's; `--base COMMIT` names the workshop's last",
                "rien n'est proposé : tous les commits sont d'une seule personne, ceux de \
                 l'atelier ne se distinguent donc pas de ceux du travail ; `--base COMMIT` nomme \
                 le dernier de l'atelier",
            ));
            (found, None)
        }
        Some(history) => (told(history), Some(proposal(history))),
    };
    let item = for_a_person(
        "process",
        tr!("the way of working", "la manière de travailler"),
        4.0,
        tr!(
            "number of commits, coherence, others' hands; proposed by rule: 1 for 8 commits (0.5 \
             for 3), 1 for more than one sitting (0.5 for half an hour), 1 where half of the \
             messages say something, 1 where no commit brings more than 60 % of the lines",
            "nombre de commits, cohérence, interventions externes ; proposition par règle : 1 dès \
             8 commits (0,5 dès 3), 1 pour plus d'une séance (0,5 dès une demi-heure), 1 si la \
             moitié des messages disent quelque chose, 1 si aucun commit n'apporte plus de 60 % \
             des lignes"
        ),
        found,
        proposed,
    );
    Section {
        name: "process",
        title: tr!("Way of working", "Processus de travail"),
        of: 4.0,
        items: vec![item],
    }
}

fn span(history: &History) -> i64 {
    match (history.first, history.last) {
        (Some(first), Some(last)) => last - first,
        _ => 0,
    }
}

fn told(history: &History) -> Vec<String> {
    let hours = terms::lang::decimal(span(history) as f64 / 3600.0, 1);
    let share = (history.largest_share * 100.0).round();
    let History {
        commits,
        own,
        days,
        telling,
        ..
    } = history;
    let authors = history.authors.iter();
    let authors: Vec<String> = authors.map(|(name, n)| format!("{name} ({n})")).collect();
    vec![
        tr!(
            "{own} commits of one's own ({commits} with the workshop's), on {days} days, {hours} h \
             from the first to the last",
            "{own} commits en propre ({commits} avec ceux de l'atelier), sur {days} jours, {hours} \
             h du premier au dernier"
        ),
        tr!(
            "authors: {authors}",
            "auteurs : {authors}",
            authors = authors.join(", ")
        ),
        tr!(
            "{telling} messages say something of their own; the largest commit has {share} % of \
             the lines",
            "{telling} messages disent quelque chose ; le plus gros commit porte {share} % des \
             lignes"
        ),
    ]
}

fn proposal(history: &History) -> f64 {
    let own = history.own;
    if own == 0 {
        return 0.0;
    }
    let steps = |value: bool, half: bool| match (value, half) {
        (true, _) => 1.0,
        (false, true) => 0.5,
        _ => 0.0,
    };
    let minutes = span(history) / 60;
    steps(own >= 8, own >= 3)
        + steps(history.days > 1, minutes >= 30)
        + steps(2 * history.telling >= own, history.telling > 0)
        + steps(history.largest_share <= 0.6, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::sheet::{Open, open};

    #[test]
    fn nothing_written_is_proposed_as_nothing_and_a_text_is_left_to_the_person() {
        let empty = Readme::default();
        let sections = [exercises(&empty), readme(&empty, 3.0)];
        let all = Open {
            of: 8.0,
            proposed: 0.0,
        };
        assert_eq!(open(&sections), all);
        let written = Readme {
            own_words: 900,
            answers: vec![(1, 40)],
            ..Readme::default()
        };
        let item = &exercises(&written).items[0];
        let crate::marking::sheet::Verdict::Person { proposed, .. } = &item.verdict else {
            panic!("{item:?}");
        };
        assert_eq!(*proposed, None);
    }

    #[test]
    fn one_commit_with_everything_and_steady_work_are_told_apart() {
        let at_once = History {
            own: 1,
            days: 1,
            first: Some(0),
            last: Some(0),
            largest_share: 1.0,
            ..History::default()
        };
        assert_eq!(proposal(&at_once), 0.0);
        let steady = History {
            own: 12,
            days: 3,
            first: Some(0),
            last: Some(200_000),
            telling: 9,
            largest_share: 0.3,
            ..History::default()
        };
        assert_eq!(proposal(&steady), 4.0);
        assert_eq!(proposal(&History::default()), 0.0);
    }

    #[test]
    fn nothing_is_proposed_for_commits_that_may_be_the_workshops() {
        let proposed = |guessed| {
            let (own, telling) = (12, 9);
            let section = process(Some(&History {
                own,
                telling,
                guessed,
                ..History::default()
            }));
            open(&[section]).proposed
        };
        assert_eq!((proposed(true), proposed(false)), (0.0, 3.0));
    }

    #[test]
    fn the_parts_for_a_person_have_the_points_of_the_scheme() {
        let empty = Readme::default();
        for part in [exercises(&empty), readme(&empty, 3.0), process(None)] {
            let sum: f64 = part.items.iter().map(|item| item.of).sum();
            assert_eq!(sum, part.of, "{}", part.name);
        }
    }
}
