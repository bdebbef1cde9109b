//! Tests of the measuring: applications that lose, alter, duplicate or delay writes,
//! which the figures have to show.

use std::thread;
use std::time::Duration;

use super::client::{Client, Load};
use super::compare::{self, Rows, Verdict};
use super::fake_app::{FakeApp, Fault};
use super::figures::ClientFigures;
use super::observed::{Mode, Observed};
use super::reader;
use super::writing::Form;

const LOAD: Load = Load {
    rate: 100,
    connections: 2,
    reads: 20,
    mode: Mode {
        keep_alive: false,
        retry: false,
    },
    form: Form::Post,
};

/// A second and a half of load against an application with a fault.
fn measure(fault: Fault) -> (Observed, Verdict) {
    let app = FakeApp::start(fault);
    let name = format!("xtask-faulty-{}-{:p}.jsonl", std::process::id(), &app);
    let path = std::env::temp_dir().join(name);
    let client = Client::start(&app.url, "m", LOAD, &path).unwrap();
    thread::sleep(Duration::from_millis(1500));
    let observed = client.finish().unwrap();
    std::fs::remove_file(path).unwrap();
    let verdict = compare::compare(&Rows::new(), &observed.requests, &app.rows());
    (observed, verdict)
}

fn acknowledged(observed: &Observed) -> usize {
    observed
        .requests
        .iter()
        .filter(|r| r.acknowledged())
        .count()
}

#[test]
fn an_honest_application_is_found_honest() {
    let (observed, verdict) = measure(Fault::None);
    assert!(
        acknowledged(&observed) >= 140,
        "{}",
        acknowledged(&observed)
    );
    assert_eq!(verdict, Verdict::default());
    assert!(observed.reads.len() >= 25, "{}", observed.reads.len());
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn an_acknowledgement_without_a_row_is_a_loss() {
    let (observed, verdict) = measure(Fault::Lies);
    // The same id is given out until something is stored under it.
    assert!(!verdict.lost.is_empty(), "{verdict:?}");
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(!seen.is_empty(), "readers saw nothing");
}

#[test]
fn another_content_is_a_change() {
    let (_, verdict) = measure(Fault::Alters);
    assert!(verdict.changed.len() >= 15, "{verdict:?}");
    assert!(verdict.changed.iter().all(|id| id % 7 == 0));
    assert!(verdict.lost.is_empty() && verdict.phantom.is_empty());
}

#[test]
fn a_second_copy_is_a_phantom() {
    let (_, verdict) = measure(Fault::Doubles);
    assert!(verdict.phantom.len() >= 10, "{verdict:?}");
    assert!(verdict.lost.is_empty() && verdict.changed.is_empty());
}

#[test]
fn a_slow_answer_does_not_thin_the_load() {
    let (observed, verdict) = measure(Fault::Slow(400));
    // Two writers that waited for each answer would have sent eight.
    assert!(
        observed.requests.len() >= 140,
        "{}",
        observed.requests.len()
    );
    let figures = ClientFigures::new(&observed, LOAD.rate);
    // On time, or said to be late: this machine may be busy with other tests.
    let on_time = figures.late * 100 <= figures.requests;
    assert!(
        on_time || !figures.doubts(LOAD.rate).is_empty(),
        "{figures:?}"
    );
    let waited = observed.requests.iter().map(|r| r.ended - r.due);
    assert!(waited.fold(f64::INFINITY, f64::min) >= 0.4);
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn an_outage_is_as_long_as_it_was_within_the_resolution() {
    let (observed, _) = measure(Fault::Away(500, 800));
    let figures = ClientFigures::new(&observed, LOAD.rate);
    assert!(figures.failed >= 25, "{figures:?}");
    let error = (figures.longest_gap_seconds - 0.3).abs();
    assert!(
        error <= 2.0 * figures.resolution_seconds + 0.05,
        "{figures:?}"
    );
}

#[test]
fn an_outage_shorter_than_the_period_is_below_the_stated_resolution() {
    let (observed, _) = measure(Fault::Away(501, 503));
    let figures = ClientFigures::new(&observed, LOAD.rate);
    // It may or may not have been hit; what is promised is no finer than this.
    assert!(figures.resolution_seconds >= 0.009, "{figures:?}");
    assert!(figures.failed <= 2 || figures.late > 0, "{figures:?}");
}

#[test]
fn a_count_that_goes_back_is_seen() {
    let (observed, verdict) = measure(Fault::CountsBack);
    assert_eq!(verdict, Verdict::default());
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(seen[0].contains("the count went back"), "{seen:?}");
}

#[test]
fn two_hundred_a_second_cost_a_fraction_of_a_core() {
    let app = FakeApp::start(Fault::None);
    let name = format!("xtask-faulty-cost-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    let load = Load {
        rate: 200,
        connections: 4,
        reads: 8,
        ..LOAD
    };
    let client = Client::start(&app.url, "m", load, &path).unwrap();
    thread::sleep(Duration::from_secs(2));
    let observed = client.finish().unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(
        observed.requests.len() >= 390,
        "{}",
        observed.requests.len()
    );
    let cpu = observed.cpu.unwrap();
    assert!(cpu > 0.0 && cpu < 1.0, "{cpu} s");
}
