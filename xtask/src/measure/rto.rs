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

/// What an RTO has to do with the time that people take, as a sentence; `paused` where the run
/// waited for its reader between its parts.
/// `auto` where nobody restored.
pub fn persons_part(operator_delay: Option<f64>, paused: bool, auto: bool) -> String {
    if paused {
        return tr!(
            "The pauses for the reader (--step) are in this RTO: it says how long somebody read, \
             not how long the recovery takes. Without --step it is measured.",
            "Les pauses pour le lecteur (--step) sont comprises dans ce RTO : il dit combien de \
             temps on a lu, non combien dure la reprise. Sans --step, elle est mesurée.",
        );
    }
    if auto {
        return tr!(
            "With --auto nobody's time is in the RTO, or would be: the servers that start restore the \
             latest moment by themselves (PRA_AUTO_RESTORE=latest).",
            "Avec --auto, aucun temps humain n'est compté dans le RTO, ni ne le serait : les \
             serveurs qui démarrent restaurent d'eux-mêmes le dernier moment \
             (PRA_AUTO_RESTORE=latest).",
        );
    }
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
    fn an_rto_with_pauses_is_not_said_to_be_without_a_person() {
        let told = |delay, paused| persons_part(delay, paused, false);
        assert!(told(None, false).starts_with("No person's time"));
        for delay in [None, Some(2.0)] {
            let said = told(delay, true);
            assert!(said.starts_with("The pauses for the reader"), "{said}");
        }
        assert!(told(Some(2.0), false).starts_with("2 s of each RTO"));
    }

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
