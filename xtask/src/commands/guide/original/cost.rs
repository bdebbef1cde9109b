//! What the original workshop's way cost, reckoned from the client's ledger and from what
//! is on the volumes afterwards.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};
use terms::{EngineName, PhaseName, Quantity};

use crate::measure::compare::{Rows, compare, seconds_lost};
use crate::measure::downtime::{Downtime, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::observed::Observed;
use crate::measure::result::{Phase, Rto};
use crate::measure::statistics::Figure;
use crate::scenario::outcome::unreachable_since;

/// As results have it beside the lab's own protections.
const PROTECTION: &str = "cp";

/// One disaster.
#[derive(Serialize)]
pub struct Disaster {
    pub number: u32,
    pub moment_seconds: f64,
    /// The copy came back. Where more is lost than this run had acknowledged, not even what
    /// was there before it did, and the restore's job said nothing of it.
    pub passed: bool,
    pub acknowledged: usize,
    pub lost: usize,
    /// Of these, what was acknowledged while the application was being stopped: its server
    /// does not listen to the request, and Kubernetes leads users to it until it is killed.
    pub lost_during: usize,
    /// And what was acknowledged after the volume was gone: by the application that
    /// had begun anew on an empty one, before the copy was put over it.
    pub lost_after: usize,
    pub rpo_seconds: f64,
    pub rto_seconds: f64,
    pub phases: Vec<Phase>,
    pub requests: usize,
    pub failed: usize,
    pub copies: u64,
    pub unsound_copies: u64,
    /// The database cannot be read after the restore.
    pub unreadable: Option<String>,
}

/// When a person did what, in seconds of the ledger's clock.
pub struct Times {
    pub struck: f64,
    pub gone: f64,
    pub provisioned: f64,
    pub restored: f64,
}

/// What is on the volumes.
pub struct Look {
    pub copies: u64,
    pub unsound: u64,
    pub rows: Rows,
    pub unreadable: Option<String>,
}

pub fn figures(
    number: u32,
    moment_seconds: f64,
    before: &Rows,
    observed: &Observed,
    times: &Times,
    seen: Look,
) -> Result<Disaster> {
    let requests = &observed.requests;
    let verdict = compare(before, requests, &seen.rows);
    let failures = Failures::new(observed, &[times.struck]);
    let downtime = Downtime::of(&failures.of[0], observed, &seen.rows, times.gone);
    let downtime = downtime.context("no request failed after the disaster")?;
    let phases = [
        (PhaseName::Provisioned, times.provisioned),
        (PhaseName::Restored, times.restored),
    ];
    let rto = Rto::of(&downtime, &phases, observed.ended());
    let lost_in = |from: f64, to: f64| {
        let at = verdict.lost.iter().filter_map(|one| one.acknowledged);
        at.filter(|at| *at > from && *at <= to).count()
    };
    let acknowledged = requests.iter().filter(|one| one.acknowledged()).count();
    Ok(Disaster {
        number,
        moment_seconds,
        passed: seen.unreadable.is_none() && verdict.lost.len() <= acknowledged,
        acknowledged,
        lost: verdict.lost.len(),
        lost_during: lost_in(times.struck, times.gone),
        lost_after: lost_in(times.gone, f64::INFINITY),
        rpo_seconds: milliseconds(seconds_lost(
            &verdict.lost,
            unreachable_since(requests, times.gone),
        )),
        rto_seconds: rto.seconds,
        phases: rto.phases,
        requests: requests.len(),
        failed: requests.len() - acknowledged,
        copies: seen.copies,
        unsound_copies: seen.unsound,
        unreadable: seen.unreadable,
    })
}

/// As a drill has it, of the same quantities.
pub fn group(disasters: &[Disaster]) -> Value {
    let values = |of: &dyn Fn(&Disaster) -> f64| -> Vec<f64> { disasters.iter().map(of).collect() };
    let mut figures = vec![
        Figure::of(Quantity::Lost, &values(&|one| one.lost as f64)),
        Figure::of(Quantity::RpoSeconds, &values(&|one| one.rpo_seconds)),
        Figure::of(Quantity::RtoSeconds, &values(&|one| one.rto_seconds)),
        Figure::of(Quantity::Failed, &values(&|one| one.failed as f64)),
    ];
    for name in PhaseName::ALL {
        let phases = disasters.iter().flat_map(|one| &one.phases);
        let seconds: Vec<f64> = phases
            .filter(|phase| phase.name == *name)
            .map(|phase| phase.seconds)
            .collect();
        figures.push(Figure::of(Quantity::Phase(*name), &seconds));
    }
    let figures: Vec<Figure> = figures.into_iter().flatten().collect();
    let last = disasters.last();
    json!({
        "scenario": "volume-loss",
        "engine": EngineName::K3d,
        "protection": PROTECTION,
        "runs": disasters,
        "cut_off": 0,
        "figures": figures,
        "lost_during": Figure::of(Quantity::Lost, &values(&|one| one.lost_during as f64)),
        "lost_after": Figure::of(Quantity::Lost, &values(&|one| one.lost_after as f64)),
        "copies": last.map(|one| one.copies),
        "unsound_copies": last.map(|one| one.unsound_copies),
        "unreadable": disasters.iter().filter(|one| one.unreadable.is_some()).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::{Attempts, Outcome, Request, Row};

    /// Struck at 3, gone at 5.5, restored at 7: of the acknowledged rows the first and the
    /// last are there.
    fn measured(before: &Rows, after_too: &[i64]) -> Disaster {
        let request = |ended: f64, id: Option<i64>| Request {
            n: 0,
            message: format!("at {ended}"),
            due: ended - 0.1,
            sent: ended - 0.1,
            ended,
            outcome: match id {
                Some(id) => Outcome::Acknowledged {
                    id,
                    timestamp: String::new(),
                },
                None => Outcome::failed(""),
            },
            attempts: Attempts::default(),
        };
        let requests = vec![
            request(1.0, Some(11)),
            request(2.0, Some(12)),
            request(4.0, Some(13)),
            request(5.0, None),
            request(6.0, Some(1)),
            request(8.0, Some(14)),
        ];
        let row = |request: &Request| Row {
            message: request.message.clone(),
            timestamp: String::new(),
        };
        let mut rows = Rows::from([(11, row(&requests[0])), (14, row(&requests[5]))]);
        rows.extend(after_too.iter().map(|id| (*id, before[id].clone())));
        let times = Times {
            struck: 3.0,
            gone: 5.5,
            provisioned: 6.5,
            restored: 7.0,
        };
        let seen = Look {
            copies: 1,
            unsound: 0,
            rows,
            unreadable: None,
        };
        figures(1, 2.0, before, &Observed::of(requests), &times, seen).unwrap()
    }

    fn rows(count: i64) -> Rows {
        let row = |id: i64| Row {
            message: format!("before {id}"),
            timestamp: String::new(),
        };
        (100..100 + count).map(|id| (id, row(id))).collect()
    }

    #[test]
    fn what_is_lost_is_told_by_when_it_was_acknowledged() {
        let one = measured(&Rows::new(), &[]);
        assert_eq!((one.lost, one.lost_during, one.lost_after), (3, 1, 1));
        // From the row at 2 to the one that the empty volume took.
        assert!((one.rpo_seconds - 4.0).abs() < 0.01, "{}", one.rpo_seconds);
        // From the sending of the one that failed to the first row that is there.
        assert!((one.rto_seconds - 3.1).abs() < 0.01, "{}", one.rto_seconds);
        assert!(one.passed);
    }

    #[test]
    fn a_restore_that_loses_what_was_there_before_has_failed() {
        let before = rows(9);
        let all: Vec<i64> = before.keys().copied().collect();
        assert!(measured(&before, &all).passed);
        assert!(!measured(&before, &[]).passed);
    }
}
