use super::*;
use crate::marking::facts::{Killed, Route};
use crate::marking::judge::testing::points;
use crate::marking::sheet::Verdict;

fn right() -> Look {
    Look {
        failed: None,
        keys: vec!["count", "last_backup_file", "backup_age_seconds"],
        count: Some(12),
        last_backup_file: Some("app-20.db".to_owned()),
        backup_age_seconds: Some(30.0),
        rows: 12,
        newest: Some("app-20.db".to_owned()),
        age: Some(31.2),
        age_between: Some((29.8, 31.2)),
    }
}

fn lab(change: impl FnOnce(&mut StatusFacts)) -> LabFacts {
    let mut status = StatusFacts {
        at_first: right(),
        after_a_write: right(),
        touched: Some(right()),
        after_the_kill: Some(right()),
        mounts_backup: true,
    };
    change(&mut status);
    LabFacts {
        status: Some(status),
        killed: Some(Killed {
            seconds: 3.0,
            missing: 0,
            rows: 12,
        }),
        ..LabFacts::default()
    }
}

fn all(facts: &LabFacts) -> [f64; 4] {
    [
        points(keys(facts, 0.5)),
        points(count(facts, 1.0)),
        points(file(facts, 1.0)),
        points(age(facts, 1.0)),
    ]
}

#[test]
fn a_status_that_says_what_is_so_has_all_points() {
    assert_eq!(all(&lab(|_| ())), [0.5, 1.0, 1.0, 1.0]);
}

#[test]
fn a_status_without_the_backup_volume_has_neither_file_nor_age() {
    let blind = |look: &mut Look| {
        look.last_backup_file = Some("Aucun".to_owned());
        look.backup_age_seconds = Some(0.0);
        // Just taken: the made-up zero is close to the truth.
        look.age = Some(1.0);
        look.age_between = Some((0.5, 1.0));
    };
    let facts = lab(|status| {
        blind(&mut status.at_first);
        blind(&mut status.after_a_write);
        status.touched.as_mut().map(blind);
        status.mounts_backup = false;
    });
    assert_eq!(all(&facts), [0.5, 1.0, 0.0, 0.0]);
}

#[test]
fn an_age_from_the_modification_time_has_half_of_its_points() {
    let facts = lab(|status| {
        let touched = status.touched.as_mut().unwrap();
        touched.backup_age_seconds = Some(3631.0);
    });
    assert_eq!(all(&facts), [0.5, 1.0, 1.0, 0.5]);
}

#[test]
fn an_age_is_right_wherever_it_was_taken_on_a_slow_machine() {
    let told = |told: f64| {
        lab(|status| {
            status.after_a_write.backup_age_seconds = Some(told);
            // The request took nine seconds.
            status.after_a_write.age_between = Some((30.0, 39.0));
        })
    };
    for right in [30.0, 38.0, 28.5, 40.0] {
        assert_eq!(points(age(&told(right), 1.0)), 1.0, "{right}");
    }
    for wrong in [0.0, 25.0, 45.0] {
        assert_eq!(points(age(&told(wrong), 1.0)), 0.0, "{wrong}");
    }
}

#[test]
fn the_newest_by_modification_time_loses_a_quarter() {
    let facts = lab(|status| {
        let touched = status.touched.as_mut().unwrap();
        touched.last_backup_file = Some("app-10.db".to_owned());
    });
    assert_eq!(all(&facts), [0.5, 1.0, 0.75, 1.0]);
}

#[test]
fn a_count_that_stands_still_or_rows_that_go_lose_half_each() {
    let still = lab(|status| status.after_a_write.rows = 13);
    assert_eq!(points(count(&still, 1.0)), 0.5);
    let mut lost = lab(|_| ());
    lost.killed.as_mut().unwrap().missing = 1;
    assert_eq!(points(count(&lost, 1.0)), 0.5);
    let mut gone = lab(|_| ());
    gone.killed = None;
    assert_eq!(points(count(&gone, 1.0)), 0.5);
}

#[test]
fn a_key_that_lacks_and_an_answer_that_is_no_json_are_told() {
    let lacking = lab(|status| {
        status.at_first.keys.pop();
    });
    assert_eq!(points(keys(&lacking, 0.5)), 0.0);
    let page = lab(|status| status.at_first.failed = Some("HTTP 404".to_owned()));
    assert_eq!(points(keys(&page, 0.5)), 0.0);
}

#[test]
fn one_route_that_broke_is_named() {
    let route = |path, wrong: Option<&str>| Route {
        path,
        wrong: wrong.map(str::to_owned),
    };
    let mut facts = lab(|_| ());
    facts.routes = vec![route("/", None), route("/count", Some("HTTP 500"))];
    let item = routes(&facts, 0.5).1.unwrap().item("x", "x");
    let Verdict::Machine {
        points: 0.0,
        reasons,
    } = item.verdict
    else {
        panic!("{item:?}");
    };
    assert_eq!(reasons, ["✗ /count: HTTP 500"]);
    facts.routes[1].wrong = None;
    assert_eq!(points(routes(&facts, 0.5)), 0.5);
}

#[test]
fn a_path_is_as_good_as_a_name() {
    let facts = lab(|status| {
        status.after_a_write.last_backup_file = Some("/backup/app-20.db".to_owned());
    });
    assert_eq!(points(file(&facts, 1.0)), 1.0);
}
