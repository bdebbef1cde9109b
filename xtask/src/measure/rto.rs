//! How long the service was away, by phases.

use serde::Serialize;
use terms::lang::number;
use terms::{PhaseName, tr};

use super::downtime::Downtime;
use super::figures::milliseconds;

/// How long the service was away, as its client saw it.
#[derive(Debug, Serialize)]
pub struct Rto {
    /// From the first failed request to the first verified success.
    pub seconds: f64,
    /// When that first request was sent, on the ledger's clock.
    pub began: Option<f64>,
    /// How long the recovery was put off for a person who decides; without it,
    /// no such time is in the figure.
    pub operator_delay_seconds: Option<f64>,
    pub phases: Vec<Phase>,
    /// The service was not back when the client ended: it is longer than that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

#[derive(Debug, Serialize)]
pub struct Phase {
    pub name: PhaseName,
    pub seconds: f64,
}

impl Rto {
    /// Phases from the moments at which they ended, the first of which began
    /// with `start` and the last of which is the end of it all: where the end
    /// of one was noticed only after that, its time stops there. A phase that
    /// ended before the one before it took no time of its own.
    pub fn new(start: f64, ends: &[(PhaseName, f64)]) -> Self {
        let last = ends.last().map_or(start, |(_, end)| *end);
        let mut from = start;
        let mut phases = Vec::new();
        for (name, end) in ends {
            let end = end.min(last).max(from);
            phases.push(Phase {
                name: *name,
                seconds: milliseconds(end - from),
            });
            from = end;
        }
        Self {
            seconds: milliseconds(from - start),
            began: (!phases.is_empty()).then_some(milliseconds(start)),
            operator_delay_seconds: None,
            phases,
            open: false,
        }
    }

    /// Of a downtime, with the phases between its detection and its end; to the
    /// end of the client where the service was not back by then.
    pub fn of(downtime: &Downtime, between: &[(PhaseName, f64)], client_ended: f64) -> Self {
        let mut phases = vec![(PhaseName::Detected, downtime.detected)];
        phases.extend(between);
        phases.push((PhaseName::Serving, downtime.back.unwrap_or(client_ended)));
        Self {
            open: downtime.back.is_none(),
            ..Self::new(downtime.began, &phases)
        }
    }
}

/// What an RTO has to do with the time that people take, as a sentence.
pub fn persons_part(operator_delay: Option<f64>) -> String {
    match operator_delay {
        Some(seconds) => {
            let seconds = number(seconds);
            tr!(
                "{seconds} s of each RTO stand for a person who decides (--operator-delay): the \
                 phase \"decided\".",
                "{seconds} s de chaque RTO représentent une personne qui décide \
                 (--operator-delay) : la phase « décision ».",
            )
        }
        None => tr!(
            "No person's time is in an RTO here: the recovery began as soon as the program had \
             noticed. --operator-delay SECONDS waits as long as people take to decide.",
            "Aucun temps humain n'est compté dans ce RTO : la reprise a commencé dès que le \
             programme a remarqué la panne. --operator-delay SECONDES attend autant que des \
             personnes mettent à décider.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_add_up_to_the_rto() {
        let rto = Rto::new(
            10.0,
            &[
                (PhaseName::Detected, 10.2),
                (PhaseName::Restored, 10.1),
                (PhaseName::Serving, 11.0),
            ],
        );
        let seconds: Vec<f64> = rto.phases.iter().map(|phase| phase.seconds).collect();
        assert_eq!(seconds, [0.2, 0.0, 0.8]);
        assert_eq!(rto.seconds, 1.0);
    }
}
