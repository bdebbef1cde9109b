//! From facts to points with reasons: pure functions, so that each rule has its test.

mod backups;
pub mod page;
mod restores;
mod status;
pub mod texts;
mod words;

use terms::tr;

use super::facts::LabFacts;
use super::sheet::{Item, Section, Tally, not_tried};

/// One rule: its title, and its points where its facts are there.
type Judge = fn(&LabFacts, f64) -> (String, Option<Tally>);

const STATUS: [(&str, f64, Judge); 5] = [
    ("status-routes", 0.5, status::routes),
    ("status-keys", 0.5, status::keys),
    ("status-count", 1.0, status::count),
    ("status-file", 1.0, status::file),
    ("status-age", 1.0, status::age),
];

const POINTS: [(&str, f64, Judge); 5] = [
    ("backups", 0.75, backups::copies),
    ("backup-fails-loudly", 0.5, backups::loud),
    ("volume-lost", 0.75, restores::loss),
    ("point-chosen", 1.0, restores::chosen),
    ("restore-twice", 0.5, restores::twice),
];

/// The two parts of the scheme that a lab is tried for: the status and the choice of
/// a restore point. `runbook` is the text of the second.
pub fn lab(facts: &LabFacts, runbook: Item) -> Vec<Section> {
    let judged = |all: &[(&'static str, f64, Judge)]| -> Vec<Item> {
        let items = all.iter();
        items
            .map(|(name, of, judge)| judge_one(facts, name, *of, *judge))
            .collect()
    };
    let mut points = judged(&POINTS);
    points.push(runbook);
    vec![
        Section {
            name: "atelier-1",
            title: tr!(
                "Workshop 1: the route /status",
                "Atelier 1 : la route /status"
            ),
            of: 4.0,
            items: judged(&STATUS),
        },
        Section {
            name: "atelier-2",
            title: tr!(
                "Workshop 2: choosing the restore point",
                "Atelier 2 : choisir son point de restauration"
            ),
            of: 4.0,
            items: points,
        },
    ]
}

/// The names of all that a lab is tried for.
pub fn all_of_the_lab() -> impl Iterator<Item = &'static str> {
    STATUS.iter().chain(&POINTS).map(|(name, ..)| *name)
}

fn judge_one(facts: &LabFacts, name: &'static str, of: f64, judge: Judge) -> Item {
    let (title, tally) = judge(facts, of);
    let beyond = facts.beyond.iter().find(|(what, _)| *what == name);
    if let Some((_, reason)) = beyond {
        return not_tried(name, title, of, reason.clone());
    }
    match tally {
        Some(tally) => tally.item(name, title),
        None => Tally::of(of)
            .part(false, of, not_reached(facts))
            .item(name, title),
    }
}

fn not_reached(facts: &LabFacts) -> String {
    let why = facts.not_deployed.as_ref().or(facts.stopped.as_ref());
    let why = why.map_or("–", String::as_str);
    tr!(
        "it could not come to that: {why}",
        "on n'a pas pu en arriver là : {why}"
    )
}

#[cfg(test)]
mod testing {
    use super::Tally;
    use crate::marking::sheet::Verdict;

    /// What a rule gives where its facts are there.
    pub fn points(judged: (String, Option<Tally>)) -> f64 {
        match judged.1.unwrap().item("x", "x").verdict {
            Verdict::Machine { points, .. } => points,
            verdict => panic!("{verdict:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::judge::words::RUNBOOK;
    use crate::marking::sheet::{Verdict, for_a_person};

    fn runbook() -> Item {
        for_a_person("runbook", "runbook", RUNBOOK, "", Vec::new(), None)
    }

    #[test]
    fn a_lab_that_does_not_come_up_has_no_point_and_says_why_each_time() {
        let facts = LabFacts {
            not_deployed: Some("no such image".to_owned()),
            ..LabFacts::default()
        };
        let parts = lab(&facts, runbook());
        for item in parts.iter().flat_map(|part| &part.items) {
            match &item.verdict {
                Verdict::Machine { points, reasons } => {
                    assert_eq!(*points, 0.0, "{}", item.name);
                    assert!(reasons[0].contains("no such image"), "{reasons:?}");
                }
                verdict => assert_eq!(item.name, "runbook", "{verdict:?}"),
            }
        }
    }

    #[test]
    fn the_points_of_each_part_are_those_of_the_scheme() {
        for part in lab(&LabFacts::default(), runbook()) {
            let sum: f64 = part.items.iter().map(|item| item.of).sum();
            assert_eq!(sum, part.of, "{}", part.name);
        }
    }

    #[test]
    fn what_an_engine_cannot_show_is_not_held_against_the_work() {
        let facts = LabFacts {
            beyond: vec![("restore-twice", "no jobs there".to_owned())],
            ..LabFacts::default()
        };
        let item = judge_one(&facts, "restore-twice", 0.5, restores::twice);
        assert!(matches!(item.verdict, Verdict::Nobody { .. }));
    }
}
