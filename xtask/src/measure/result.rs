//! The result of a scenario: one document, printed with `--json` and kept as
//! `result.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::{Lost, Verdict, seconds_lost};
use super::journey::{Journey, Request};

#[derive(Debug, Serialize)]
pub struct ScenarioResult {
    pub scenario: &'static str,
    pub engine: &'static str,
    /// `snapshot` or `journal`.
    pub protection: String,
    pub passed: bool,
    /// Why it did not pass, in words; empty when it did.
    pub broken: Vec<String>,
    /// What limits how far the figures can be trusted, in words.
    pub doubts: Vec<String>,
    pub objectives: Vec<Objective>,
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
    /// The wall clock when the client began; its ledger counts from there.
    pub began: String,
    /// How the moment of the disaster was drawn, where it was: in a drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
    /// What was done, in seconds of the ledger's clock.
    pub moments: Vec<Moment>,
    /// What there is to learn from it, in plain words.
    pub lessons: Vec<String>,
    /// Every change that was made, as shell.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    /// Where this document and the ledger are kept.
    pub run: String,
}

/// A moment that was drawn for a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Draw {
    /// The seed of all draws of the drill.
    pub seed: u64,
    /// Which of its draws this is, from 1.
    pub number: u32,
    /// Seconds after a backup.
    pub moment_seconds: f64,
}

/// A limit of `lab.toml` and what was measured against it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    pub name: &'static str,
    pub limit: f64,
    pub measured: f64,
    pub met: bool,
}

impl Objective {
    pub fn at_most(name: &'static str, limit: f64, measured: f64) -> Self {
        Self {
            name,
            limit,
            measured,
            met: measured <= limit,
        }
    }

    /// Why it is missed, in words.
    pub fn missed(&self) -> Option<String> {
        let Self {
            limit, measured, ..
        } = self;
        let said = match self.name {
            "rpo_rows" => {
                format!("{measured} acknowledged rows are lost; the objective is {limit}")
            }
            "rpo_seconds" => {
                format!("{measured} s of acknowledged writes are lost; the objective is {limit} s")
            }
            _ => format!("the service was away for {measured} s; the objective is {limit} s"),
        };
        (!self.met).then_some(said)
    }
}

/// Something that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    pub at: f64,
    pub what: String,
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
    /// When that first request was sent, on the ledger's clock.
    pub began: Option<f64>,
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
    /// The longest time in which nothing was sent: an outage as short as that
    /// can have gone unseen.
    pub resolution_seconds: f64,
    /// Requests that were sent later than one period after their moment.
    pub late: usize,
    pub reads: usize,
    /// Processor time that the client itself used.
    pub cpu_seconds: f64,
    /// How far wall clock and monotonic clock came apart.
    pub clock_stepped_seconds: f64,
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
    /// with `start` and the last of which is the end of it all: where the end
    /// of one was noticed only after that, its time stops there. A phase that
    /// ended before the one before it took no time of its own.
    pub fn new(start: f64, ends: &[(&'static str, f64)]) -> Self {
        let last = ends.last().map_or(start, |(_, end)| *end);
        let mut from = start;
        let mut phases = Vec::new();
        for (name, end) in ends {
            let end = end.min(last).max(from);
            phases.push(Phase {
                name,
                seconds: milliseconds(end - from),
            });
            from = end;
        }
        Self {
            seconds: milliseconds(from - start),
            began: (!phases.is_empty()).then_some(milliseconds(start)),
            phases,
        }
    }
}

impl ClientFigures {
    /// `rate` is what was asked of the client, in requests a second.
    pub fn new(journey: &Journey, rate: u32) -> Self {
        let requests = &journey.requests;
        let period = 1.0 / f64::from(rate);
        let late = requests.iter().filter(|r| r.sent - r.due > period);
        Self {
            requests: requests.len(),
            failed: requests.iter().filter(|r| !r.acknowledged()).count(),
            longest_gap_seconds: milliseconds(longest_gap(requests)),
            resolution_seconds: milliseconds(longest_pause(requests)),
            late: late.count(),
            reads: journey.reads.len(),
            cpu_seconds: milliseconds(journey.cpu),
            clock_stepped_seconds: milliseconds(journey.clock_stepped),
        }
    }

    /// What these figures say about the measuring itself.
    pub fn doubts(&self, rate: u32) -> Vec<String> {
        let mut doubts = Vec::new();
        let period = 1.0 / f64::from(rate);
        if self.resolution_seconds > COARSE_PERIODS * period {
            doubts.push(format!(
                "the client sent nothing for {} s: an outage as short as that can have gone unseen",
                self.resolution_seconds
            ));
        }
        if self.late * 100 > self.requests {
            doubts.push(format!(
                "{} of {} requests were sent late: this machine was too busy for {rate} a second",
                self.late, self.requests
            ));
        }
        if self.clock_stepped_seconds.abs() > CLOCK_TOLERANCE {
            doubts.push(format!(
                "the clocks came apart by {} s: one was set, or the machine slept",
                self.clock_stepped_seconds
            ));
        }
        doubts
    }
}

/// A pause of so many periods is more than the unevenness of a busy machine.
const COARSE_PERIODS: f64 = 10.0;
/// More than time synchronisation does within a run.
const CLOCK_TOLERANCE: f64 = 0.25;

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

/// Between one request and the next, by when they were sent.
fn longest_pause(requests: &[Request]) -> f64 {
    longest(requests.iter().map(|request| request.sent))
}

fn longest_gap(requests: &[Request]) -> f64 {
    let answered = requests.iter().filter(|request| request.acknowledged());
    longest(answered.map(|request| request.ended))
}

fn longest(moments: impl Iterator<Item = f64>) -> f64 {
    let mut moments: Vec<f64> = moments.collect();
    moments.sort_by(f64::total_cmp);
    let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.fold(0.0, f64::max)
}

/// Finer than a millisecond would be noise in a report.
pub fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::journey::Outcome;

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
            due: ended,
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
        let requests = vec![at(1.0, true), at(5.0, true), at(3.0, false), at(2.0, true)];
        let figures = ClientFigures::new(&journey(requests), 1);
        assert_eq!(figures.longest_gap_seconds, 3.0);
        assert_eq!((figures.requests, figures.failed), (4, 1));
        assert!(figures.doubts(1).is_empty(), "{:?}", figures.doubts(1));
    }

    fn journey(requests: Vec<Request>) -> Journey {
        Journey {
            requests,
            reads: Vec::new(),
            began: String::new(),
            clock_stepped: 0.0,
            cpu: 0.0,
        }
    }

    #[test]
    fn a_pause_of_the_client_itself_is_said() {
        let sent = |at: f64| Request {
            n: 0,
            message: String::new(),
            due: at,
            sent: at,
            ended: at,
            outcome: Outcome::Failed {
                reason: String::new(),
            },
        };
        let figures = ClientFigures::new(&journey(vec![sent(1.0), sent(1.5), sent(3.0)]), 100);
        assert_eq!(figures.resolution_seconds, 1.5);
        assert!(figures.doubts(100)[0].contains("nothing for 1.5 s"));
    }

    #[test]
    fn clocks_that_come_apart_are_said() {
        let mut journey = journey(Vec::new());
        journey.clock_stepped = -3.0;
        let doubts = ClientFigures::new(&journey, 60).doubts(60);
        assert!(doubts[0].contains("apart by -3 s"), "{doubts:?}");
    }
}
