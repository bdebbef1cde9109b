//! Tests of how the client asks: on kept connections, and with writes that are sent again,
//! of applications that drop connections, are away, refuse or ask for patience.

use std::thread;
use std::time::Duration;

use super::client::{Client, Load};
use super::compare::{self, Rows, Verdict};
use super::downtime::Failures;
use super::fake_app::{FakeApp, Fault};
use super::figures::ClientFigures;
use super::ledger_file;
use super::observed::{Mode, Observed};
use super::writing::Form;

const KEPT: Mode = Mode {
    keep_alive: true,
    retry: false,
};
const RETRIED: Mode = Mode {
    keep_alive: true,
    retry: true,
};
const DROPS: Fault = Fault::Drops {
    stores: false,
    forgets: false,
};
const STORES_AND_DROPS: Fault = Fault::Drops {
    stores: true,
    forgets: false,
};

struct Measured {
    observed: Observed,
    figures: ClientFigures,
    verdict: Verdict,
    most_received: usize,
}

/// A second of load against an application with a fault.
fn measure(fault: Fault, mode: Mode) -> Measured {
    let load = Load {
        rate: 100,
        connections: 2,
        reads: 20,
        mode,
        form: Form::Post,
    };
    let app = FakeApp::start(fault);
    let name = format!("xtask-modes-{}-{:p}.jsonl", std::process::id(), &app);
    let path = std::env::temp_dir().join(name);
    let client = Client::start(&app.url, "m", load, &path).unwrap();
    thread::sleep(Duration::from_secs(1));
    let observed = client.finish().unwrap();
    let kept = ledger_file::read(&path).unwrap().observed;
    std::fs::remove_file(path).unwrap();
    assert_eq!(kept.mode, mode);
    let attempts = |observed: &Observed| {
        let all = observed.requests.iter();
        let all = all.map(|one| (one.n, one.attempts.failed.len(), one.attempts.replayed));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        attempts(&kept),
        attempts(&observed),
        "the file says the same"
    );
    assert_eq!(kept.opened, observed.opened);
    assert_eq!(kept.unanswered, observed.unanswered);
    Measured {
        figures: ClientFigures::new(&observed, load.rate),
        verdict: compare::compare(&Rows::new(), &observed.requests, &app.rows()),
        most_received: app.most_received(),
        observed,
    }
}

#[test]
fn connections_are_kept_or_opened_for_each_request_as_asked() {
    let kept = measure(Fault::None, KEPT);
    assert_eq!(kept.verdict, Verdict::default());
    assert_eq!(kept.figures.failed + kept.figures.reads_failed, 0);
    let opened = kept.figures.connections_opened.unwrap();
    // More than two only where this machine was too busy for two to be enough.
    let most = kept.figures.requests as u64 / 2;
    assert!((2..most).contains(&opened), "{:?}", kept.figures);

    let each = measure(Fault::None, Mode::default());
    let asked = each.figures.requests + each.figures.reads;
    assert_eq!(each.figures.connections_opened, Some(asked as u64));
    assert_eq!(each.figures.asked(), None);
    for one in [&kept, &each] {
        assert_eq!(one.figures.connections_unanswered, Some(0));
    }
    let away = measure(Fault::Away(300, 600), KEPT).figures;
    let (opened, none) = (away.connections_opened, away.connections_unanswered);
    assert!(none > Some(0) && none < opened, "{away:?}");
}

#[test]
fn a_write_without_a_key_is_never_sent_again_and_is_in_doubt() {
    for (fault, stored) in [(DROPS, false), (STORES_AND_DROPS, true)] {
        let found = measure(fault, KEPT);
        assert!(found.figures.failed > 5, "{:?}", found.figures);
        assert_eq!(found.figures.refused, 0, "nobody said so");
        assert_eq!(found.most_received, 1, "sent behind our back");
        assert_eq!(found.figures.attempts, found.figures.requests);
        assert!(found.verdict.lost.is_empty() && found.verdict.phantom.is_empty());
        assert_eq!(!found.verdict.in_doubt.is_empty(), stored, "{fault:?}");
    }
}

#[test]
fn a_read_whose_connection_had_gone_dead_is_asked_again_and_that_is_told() {
    let found = measure(DROPS, KEPT);
    assert!(found.figures.reads_again > 0, "{:?}", found.figures);
    assert_eq!(found.figures.reads_failed, 0);
    assert!(found.figures.asked().unwrap().contains("reads asked again"));
}

#[test]
fn writes_with_a_key_are_sent_again_and_none_is_in_doubt() {
    for (fault, stored) in [(DROPS, false), (STORES_AND_DROPS, true)] {
        let found = measure(fault, RETRIED);
        assert_eq!(found.verdict, Verdict::default(), "{fault:?}");
        assert_eq!(found.figures.failed, 0, "{:?}", found.figures);
        assert!(found.figures.retried > 5, "{:?}", found.figures);
        assert!(found.figures.attempts >= found.figures.requests + found.figures.retried);
        assert_eq!(found.figures.replayed > 0, stored, "{:?}", found.figures);
        assert!(found.most_received > 1);
    }
}

#[test]
fn an_application_that_forgets_its_keys_is_found_to_have_doubled_writes() {
    let forgets = Fault::Drops {
        stores: true,
        forgets: true,
    };
    let found = measure(forgets, RETRIED);
    assert!(found.verdict.phantom.len() > 5, "{:?}", found.verdict);
    assert!(found.verdict.lost.is_empty());
}

#[test]
fn an_outage_is_downtime_though_no_write_fails_in_the_end() {
    let found = measure(Fault::Away(300, 600), RETRIED);
    assert_eq!(found.figures.failed, 0, "{:?}", found.figures);
    assert_eq!(found.verdict, Verdict::default());
    let failures = Failures::new(&found.observed, &[0.0]);
    let writes = failures.of[0].iter().filter(|one| one.write);
    assert!(writes.count() >= 15, "{failures:?}");
    assert!(found.figures.longest_gap_seconds > 0.2);
    // Their users waited from the moment at which they wanted to write.
    let waited = found
        .observed
        .requests
        .iter()
        .map(|one| one.ended - one.due);
    assert!(waited.fold(0.0, f64::max) > 0.2);
    // And others went on meanwhile, each at its moment.
    assert!(found.figures.requests >= 90, "{:?}", found.figures);
}

#[test]
fn what_is_refused_is_not_sent_again() {
    let found = measure(Fault::Refuses, RETRIED);
    assert!(found.figures.failed > 5, "{:?}", found.figures);
    assert_eq!(found.figures.refused, found.figures.failed, "none given up");
    assert_eq!(found.figures.attempts, found.figures.requests);
    assert_eq!(found.most_received, 1);
}

#[test]
fn an_application_that_asks_for_patience_is_given_it() {
    let found = measure(Fault::Busy, RETRIED);
    assert_eq!(found.figures.failed, 0);
    let again = found.observed.requests.iter();
    let again: Vec<_> = again
        .filter(|one| !one.attempts.failed.is_empty())
        .collect();
    assert!(again.len() > 5);
    for one in again {
        let waited = one.last_sent() - one.attempts.failed[0].ended;
        assert!(waited >= 1.0 && one.attempts.failed.len() == 1, "{one:?}");
    }
}
