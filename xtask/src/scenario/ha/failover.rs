//! A failover as the cluster tells it: when it was noticed, when the old primary was
//! given up, when the next one took writes. On the ledger's clock.

use std::time::{Duration, SystemTime};

use terms::PhaseName;

use crate::kube::{Happened, NOBODY, Sighting};

/// The moments of a failover that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Failover {
    pub noticed: Option<f64>,
    pub given_up: Option<f64>,
    pub promoted: Option<f64>,
    /// Whether the operator called it a switchover, which is planned, or a failover.
    pub planned: Option<bool>,
}

/// What the operator says when it begins: it is told to the second alone.
const FAILS_OVER: &str = "FailingOver";
const SWITCHES_OVER: &str = "SwitchingOver";

/// What there is to read it from.
pub struct Told<'a> {
    /// The primary before.
    pub old: &'a str,
    pub sightings: &'a [Sighting],
    pub events: &'a [Happened],
    /// The wall clock when the ledger began.
    pub began: SystemTime,
    /// When the disaster began, on the ledger's clock.
    pub struck: f64,
}

impl Failover {
    pub fn of(told: &Told) -> Self {
        let at = |time: SystemTime| since(told.began, time).filter(|at| *at >= told.struck);
        let seen = |is: &dyn Fn(&Sighting) -> bool| told.sightings.iter().find(|one| is(one));
        let next = |one: &Sighting| one.target != told.old && one.target != NOBODY;
        let given_up = seen(&|one| next(one)).and_then(|one| at(one.target_since?));
        let promoted = seen(&|one| one.primary != told.old && one.primary == one.target);
        // Where nobody was to take writes between the two, the operator had noticed by then.
        let noticed = seen(&|one| one.target == NOBODY).and_then(|one| at(one.target_since?));
        let announced = told.events.iter().find_map(|one| {
            let planned = one.reason == SWITCHES_OVER;
            // An event's second has begun before it.
            let whole = |time| since(told.began, time + Duration::from_secs(1));
            let mut times = [one.first, one.last].into_iter().filter_map(whole);
            let at = times.find(|at| *at >= told.struck)?;
            (planned || one.reason == FAILS_OVER).then_some((at - 1.0, planned))
        });
        let by_event = || {
            let (at, _) = announced?;
            Some(at.max(told.struck).min(given_up.unwrap_or(f64::INFINITY)))
        };
        Self {
            noticed: noticed.or_else(by_event),
            given_up,
            promoted: promoted.and_then(|one| at(one.primary_since?)),
            planned: announced.map(|(_, planned)| planned),
        }
    }

    /// The phases of the time without service, as far as they are known, and when each ended.
    pub fn phases(&self) -> Vec<(PhaseName, f64)> {
        let known = [
            (PhaseName::Noticed, self.noticed),
            (PhaseName::GivenUp, self.given_up),
            (PhaseName::Promoted, self.promoted),
        ];
        known
            .into_iter()
            .filter_map(|(name, at)| Some((name, at?)))
            .collect()
    }
}

fn since(began: SystemTime, time: SystemTime) -> Option<f64> {
    time.duration_since(began)
        .ok()
        .map(|after| after.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(1000.0 + seconds)
    }

    fn sighting(target: (&str, f64), primary: (&str, f64)) -> Sighting {
        Sighting {
            target: target.0.to_owned(),
            target_since: Some(time(target.1)),
            primary: primary.0.to_owned(),
            primary_since: Some(time(primary.1)),
        }
    }

    fn event(reason: &str, at: f64) -> Happened {
        Happened {
            first: time(at),
            last: time(at),
            reason: reason.to_owned(),
            name: "pg".to_owned(),
            message: String::new(),
        }
    }

    fn failover(sightings: &[Sighting], events: &[Happened]) -> Failover {
        Failover::of(&Told {
            old: "pg-1",
            sightings,
            events,
            began: time(0.0),
            struck: 5.0,
        })
    }

    #[test]
    fn a_failover_is_told_by_what_the_operator_says_of_the_primary() {
        let before = sighting(("pg-1", -9.0), ("pg-1", -9.0));
        let pending = sighting((NOBODY, 7.5), ("pg-1", -9.0));
        let chosen = sighting(("pg-3", 8.25), ("pg-1", -9.0));
        let done = sighting(("pg-3", 8.25), ("pg-3", 12.0));
        let found = failover(&[before.clone(), pending, chosen, done.clone()], &[]);
        let whole = Failover {
            noticed: Some(7.5),
            given_up: Some(8.25),
            promoted: Some(12.0),
            planned: None,
        };
        assert_eq!(found, whole);
        // What nobody saw in between is told by the event, to the second.
        let events = [event("FailingOver", 1.0), event("FailingOver", 7.0)];
        let found = failover(&[before, done], &events);
        assert_eq!(
            found,
            Failover {
                noticed: Some(7.0),
                planned: Some(false),
                ..whole
            }
        );
    }

    #[test]
    fn what_was_before_the_disaster_is_none_of_it() {
        let before = sighting(("pg-1", 1.0), ("pg-1", 2.0));
        let found = failover(&[before], &[event("FailingOver", 2.0)]);
        assert_eq!(found, Failover::default());
        assert!(found.phases().is_empty());
    }

    #[test]
    fn an_event_that_is_repeated_counts_with_the_time_of_this_disaster() {
        let repeated = Happened {
            first: time(-100.0),
            ..event("FailingOver", 9.0)
        };
        assert_eq!(failover(&[], &[repeated]).noticed, Some(9.0));
    }

    #[test]
    fn an_event_of_the_second_of_the_disaster_is_of_the_disaster() {
        let found = failover(&[], &[event("SwitchingOver", 4.5)]);
        assert_eq!((found.noticed, found.planned), (Some(5.0), Some(true)));
        assert_eq!(found.phases(), [(PhaseName::Noticed, 5.0)]);
    }
}
