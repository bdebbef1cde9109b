//! The result of a scenario: one document, printed with `--json` and kept as
//! `result.json`.

use serde::Serialize;

use super::compare::{Lost, Verdict, seconds_lost};
use super::ledger::Request;

#[derive(Debug, Serialize)]
pub struct ScenarioResult {
    pub scenario: &'static str,
    pub engine: &'static str,
    /// `snapshot` or `journal`.
    pub protection: String,
    pub passed: bool,
    /// Why it did not pass, in words; empty when it did.
    pub broken: Vec<String>,
    pub rpo: Rpo,
    pub rto: Rto,
    pub client: ClientFigures,
    pub verified: Verified,
    pub backups_resumed: bool,
    /// From the first failed request until a new verified backup existed;
    /// outside `rto.seconds`.
    pub protected_seconds: Option<f64>,
    /// One entry for each replica that was made to die.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillFigures>,
    /// Where this document and the ledger are kept.
    pub run: String,
}

/// What was lost.
#[derive(Debug, Serialize)]
pub struct Rpo {
    pub acknowledged: usize,
    pub lost: usize,
    pub lost_ids: Vec<i64>,
    pub seconds: f64,
    /// What the newest snapshot from before the disaster would have lost.
    pub snapshot_only_lost: usize,
    pub snapshot_only_seconds: f64,
}

/// How long the service was away, as its client saw it.
#[derive(Debug, Serialize)]
pub struct Rto {
    /// From the first failed request to the first verified success.
    pub seconds: f64,
    pub phases: Vec<Phase>,
}

#[derive(Debug, Serialize)]
pub struct Phase {
    pub name: &'static str,
    pub seconds: f64,
}

#[derive(Debug, Serialize)]
pub struct ClientFigures {
    pub requests: usize,
    pub failed: usize,
    /// Between one acknowledgement and the next.
    pub longest_gap_seconds: f64,
}

#[derive(Debug, Serialize)]
pub struct Verified {
    pub rows: usize,
    pub phantom: usize,
    pub changed: usize,
    pub in_doubt: usize,
    /// Ids that were acknowledged twice, since the first row was lost.
    pub reused_ids: usize,
}

#[derive(Debug, Serialize)]
pub struct KillFigures {
    pub pod: String,
    /// `hard` or `graceful`.
    pub how: &'static str,
    pub failed: usize,
    /// Requests under way at that moment, over all replicas.
    pub under_way: usize,
    /// Until as many replicas as before were ready again.
    pub replaced_seconds: f64,
}

impl Rpo {
    /// Figures of what is lost and what snapshots alone would have lost, given
    /// the moment when the data became unreachable for writing.
    pub fn new(
        requests: &[Request],
        verdict: &Verdict,
        snapshot_only: &[Lost],
        disaster: f64,
    ) -> Self {
        Self {
            acknowledged: requests.iter().filter(|r| r.acknowledged()).count(),
            lost: verdict.lost.len(),
            lost_ids: verdict.lost_ids(),
            seconds: milliseconds(seconds_lost(&verdict.lost, disaster)),
            snapshot_only_lost: snapshot_only.len(),
            snapshot_only_seconds: milliseconds(seconds_lost(snapshot_only, disaster)),
        }
    }
}

impl Rto {
    /// Phases from the moments at which they ended, the first of which began
    /// with `start`. A phase that ended before the one before it took no time
    /// of its own.
    pub fn new(start: f64, ends: &[(&'static str, f64)]) -> Self {
        let mut from = start;
        let mut phases = Vec::new();
        for (name, end) in ends {
            let end = end.max(from);
            phases.push(Phase {
                name,
                seconds: milliseconds(end - from),
            });
            from = end;
        }
        Self {
            seconds: milliseconds(from - start),
            phases,
        }
    }
}

impl ClientFigures {
    pub fn new(requests: &[Request]) -> Self {
        Self {
            requests: requests.len(),
            failed: requests.iter().filter(|r| !r.acknowledged()).count(),
            longest_gap_seconds: milliseconds(longest_gap(requests)),
        }
    }
}

impl Verified {
    pub fn new(rows: usize, verdict: &Verdict) -> Self {
        Self {
            rows,
            phantom: verdict.phantom.len(),
            changed: verdict.changed.len(),
            in_doubt: verdict.in_doubt.len(),
            reused_ids: verdict.reused.len(),
        }
    }
}

fn longest_gap(requests: &[Request]) -> f64 {
    let mut ends: Vec<f64> = requests
        .iter()
        .filter(|request| request.acknowledged())
        .map(|request| request.ended)
        .collect();
    ends.sort_by(f64::total_cmp);
    let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.fold(0.0, f64::max)
}

/// Finer than a millisecond would be noise in a report.
pub fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::ledger::Outcome;

    #[test]
    fn the_phases_add_up_to_the_rto() {
        let rto = Rto::new(
            10.0,
            &[("detected", 10.2), ("restored", 10.1), ("serving", 11.0)],
        );
        let seconds: Vec<f64> = rto.phases.iter().map(|phase| phase.seconds).collect();
        assert_eq!(seconds, [0.2, 0.0, 0.8]);
        assert_eq!(rto.seconds, 1.0);
    }

    #[test]
    fn the_gap_is_between_acknowledgements_whatever_their_order() {
        let at = |ended: f64, ok: bool| Request {
            n: 0,
            message: String::new(),
            sent: ended,
            ended,
            outcome: if ok {
                Outcome::Acknowledged {
                    id: 1,
                    timestamp: String::new(),
                }
            } else {
                Outcome::Failed {
                    reason: String::new(),
                }
            },
        };
        let requests = [at(1.0, true), at(5.0, true), at(3.0, false), at(2.0, true)];
        let figures = ClientFigures::new(&requests);
        assert_eq!(figures.longest_gap_seconds, 3.0);
        assert_eq!((figures.requests, figures.failed), (4, 1));
    }
}
