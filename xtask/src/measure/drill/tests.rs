use terms::{EngineName, LabName, Labelled, Protection, Quantity, ScenarioName};

use super::*;
use crate::measure::result::{Broken, FirstAlert};

fn group(ended: u32, cut_off: usize) -> Group {
    let mut group = Group::new(
        LabName::Pra,
        ScenarioName::VolumeLoss,
        EngineName::Local,
        Protection::Journal,
        false,
    );
    group.runs = (1..=ended).map(without_loss).collect();
    group.cut_off = cut_off;
    group
}

fn without_loss(number: u32) -> DrillRun {
    DrillRun {
        run: String::new(),
        number,
        moment_seconds: 1.0,
        passed: true,
        broken: Vec::new(),
        doubts: Vec::new(),
        lost: 0,
        rpo_seconds: 0.0,
        rto_seconds: 1.0,
        longest_gap_seconds: 1.0,
        protected_seconds: Some(2.0),
        failed: 3,
        attempts_failed: 7,
        retried: 2,
        in_doubt: 0,
        alert: None,
    }
}

#[test]
fn the_spread_of_alerts_is_that_of_the_runs_that_raised_one() {
    let mut group = group(3, 0);
    for (run, (fired, resolved)) in group.runs.iter_mut().zip([(6.0, Some(9.0)), (11.0, None)]) {
        run.alert = Some(FirstAlert {
            name: "NeedsRestore".to_owned(),
            severity: "critical".to_owned(),
            fired_seconds: fired,
            resolved_seconds: resolved,
        });
    }
    group.judge(&crate::config::example().objectives, Mode::default());
    let figure = |name: Quantity| {
        let figure = group.figures.iter().find(|one| one.name == name);
        figure.map(|one| (one.n, one.min, one.max))
    };
    assert_eq!(figure(Quantity::AlertSeconds), Some((2, 6.0, 11.0)));
    assert_eq!(figure(Quantity::AlertResolvedSeconds), Some((1, 9.0, 9.0)));
}

#[test]
fn a_run_that_was_cut_off_is_said_and_counted_as_one_that_may_have_lost() {
    let whole = group(20, 0);
    assert!(whole.no_loss_so_far().contains("fewer than 13.9 %"));
    assert!(whole.doubts().is_empty());
    assert!(whole.title().ends_with(": 20 runs"), "{}", whole.title());

    let cut = group(19, 1);
    let said = cut.no_loss_so_far();
    assert!(said.contains("1 more was cut off"), "{said}");
    assert!(said.contains("fewer than 21.6 %"), "{said}");
    let title = cut.title();
    assert!(title.ends_with(": 19 runs, and 1 cut off"), "{title}");
    let doubts = cut.doubts();
    assert!(
        doubts[0].contains("in none of the figures") && doubts.len() == 1,
        "{doubts:?}"
    );
    assert_eq!(serde_json::to_value(&cut).unwrap()["cut_off"], 1);
}

fn plan(interval: f64) -> Plan {
    Plan {
        lab: LabName::Pra,
        seed: 1,
        interval,
        schedule: Some(60.0),
        operator_delay: None,
        client: Mode::default(),
    }
}

#[test]
fn an_interval_shorter_than_the_schedules_says_that_it_flatters_snapshots() {
    assert!(plan(2.0).moments().contains("shorter than the 60 s"));
    assert!(!plan(60.0).moments().contains("shorter"));
}

#[test]
fn an_objective_is_missed_once_and_a_promise_is_not_taken_for_one() {
    let mut group = group(1, 0);
    let run = &mut group.runs[0];
    run.passed = false;
    run.rto_seconds = 31.0;
    run.broken = vec![
        Broken::Objective("the service was away for 31 s".into()),
        Broken::Promise("rows are gone, whatever the objective is".into()),
    ];
    group.judge(&crate::config::example().objectives, Mode::default());
    let missed = group.missed();
    assert_eq!(missed.len(), 2, "{missed:?}");
    assert!(missed[0].contains("rto_seconds is missed"), "{missed:?}");
    assert!(missed[1].ends_with("whatever the objective is"));
    let document = serde_json::to_value(&group.runs[0]).unwrap();
    assert_eq!(document["broken"][0], "the service was away for 31 s");
}

#[test]
fn a_group_of_which_no_run_ended_is_kept_and_meets_no_objective() {
    let config = crate::config::example();
    let mut drill = DrillResult::new(&plan(60.0), String::new(), BTreeMap::new());
    drill.groups = vec![group(2, 0), group(0, 1), group(0, 0)];
    drill.judge(&config.objectives);
    let kept: Vec<usize> = drill.groups.iter().map(|group| group.runs.len()).collect();
    assert_eq!(kept, [2, 0]);
    assert!(drill.groups[1].objectives.is_empty());
    assert!(!drill.groups[0].objectives.is_empty());
    assert_eq!(drill.doubts.len(), 1, "{:?}", drill.doubts);
}

#[test]
fn attempts_that_failed_stand_beside_the_writes_that_did() {
    let figures = |retry: bool| {
        let mut group = group(1, 0);
        let client = Mode {
            retry,
            ..Mode::default()
        };
        group.judge(&crate::config::example().objectives, client);
        let figures = group.figures.iter().map(|one| {
            let name = format!("{} ({})", one.name.label(), one.unit.label());
            (name, one.max)
        });
        figures.collect::<Vec<_>>()
    };
    let writes = ("failed (writes)".to_owned(), 3.0);
    let attempts = ("attempts_failed (attempts)".to_owned(), 7.0);
    let (once, again) = (figures(false), figures(true));
    assert!(
        once.contains(&writes) && again.contains(&writes),
        "{again:?}"
    );
    assert!(
        again.contains(&attempts) && !once.contains(&attempts),
        "{once:?}"
    );
}

#[test]
fn how_the_client_asked_is_said_where_it_is_not_as_by_default() {
    let notes = |client: Mode| {
        let plan = Plan {
            client,
            ..plan(60.0)
        };
        let mut result = DrillResult::new(&plan, String::new(), BTreeMap::new());
        result.groups.push(group(3, 0));
        result.judge(&crate::config::example().objectives);
        result.notes
    };
    assert!(notes(Mode::default()).is_empty());
    let said = notes(Mode {
        keep_alive: true,
        retry: true,
    });
    assert!(said[0].contains("--keep-alive"), "{said:?}");
    assert!(said[1].ends_with("sent more than once: 6; in doubt in the end: 0."));
}

#[test]
fn where_there_are_no_backups_moments_follow_a_steady_state() {
    let ha = Plan {
        lab: LabName::Ha,
        schedule: None,
        ..plan(10.0)
    };
    assert_eq!(
        ha.moments(),
        "The moments were drawn uniformly over 10 s after a steady state."
    );
}
