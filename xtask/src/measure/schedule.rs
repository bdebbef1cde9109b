//! What snapshots alone lose on their schedule, whatever the moment of the
//! disaster. A run takes a backup on purpose shortly before its disaster, so
//! what it measures of them is the best case; this is computed, and says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use terms::lang::number;
use terms::tr;

use crate::cron::{self, Minute, Schedule};

use super::figures::milliseconds;
use super::observed::{Observed, Request};

/// Computed from the schedule and from the load that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleLoss {
    /// The longest time between two runs of the schedule.
    pub interval_seconds: f64,
    /// How long a backup took: until it ends, the one before it is the newest.
    pub backup_seconds: f64,
    /// Writes that were acknowledged a second before the disaster.
    pub rate: f64,
    /// The average over all moments of the schedule.
    pub expected: Loss,
    /// Just before the next backup ends.
    pub worst: Loss,
    /// At this disaster's moment, had the schedule alone made backups.
    pub at_this_moment: Option<Loss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Loss {
    pub lost: u64,
    pub seconds: f64,
}

/// The backup that a run took on purpose, in seconds of the ledger's clock.
#[derive(Clone, Copy, Debug)]
pub struct Backup {
    pub ended: f64,
    pub seconds: f64,
    /// So many newer points will not do: the disaster damages them.
    pub passed_over: usize,
}

impl ScheduleLoss {
    /// `None` where the schedule does not run often enough to tell, or nothing
    /// was acknowledged. `disaster` is a moment of the ledger's clock.
    pub fn of(text: &str, observed: &Observed, backup: Backup, disaster: f64) -> Option<Self> {
        let rate = rate(&observed.requests, disaster)?;
        let wall = wall(&observed.began, disaster)?;
        let runs = Schedule::parse(text)
            .ok()?
            .runs_of_a_year(cron::minute(wall));
        let ages = Ages::of(&runs, backup.passed_over)?;
        let loss = |seconds: f64| Loss {
            lost: (rate * seconds).round() as u64,
            seconds: milliseconds(seconds),
        };
        let here = age_at(&runs, wall.as_secs_f64(), backup);
        Some(Self {
            interval_seconds: ages.interval,
            backup_seconds: milliseconds(backup.seconds),
            rate: milliseconds(rate),
            expected: loss(ages.mean + backup.seconds),
            worst: loss(ages.worst + backup.seconds),
            at_this_moment: here.map(loss),
        })
    }

    /// In words, after "Snapshots alone lose".
    pub fn told(&self) -> String {
        let one = |loss: &Loss| {
            tr!(
                "{lost} rows, {seconds} s worth",
                "{lost} lignes, soit {seconds} s d'écritures",
                lost = loss.lost,
                seconds = number(loss.seconds),
            )
        };
        let here = self
            .at_this_moment
            .as_ref()
            .map_or_else(String::new, |here| {
                tr!(
                    "; {loss} at the moment of this disaster",
                    " ; {loss} au moment de ce sinistre",
                    loss = one(here),
                )
            });
        tr!(
            "{expected} on average, {worst} at worst{here}",
            "{expected} en moyenne, {worst} au pire{here}",
            expected = one(&self.expected),
            worst = one(&self.worst),
        )
    }
}

/// The longest time between two runs of a schedule, in seconds.
pub fn interval(text: &str) -> Option<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let runs = Schedule::parse(text)
        .ok()?
        .runs_of_a_year(cron::minute(now));
    Ages::of(&runs, 0).map(|ages| ages.interval)
}

/// How old the newest point that will do is, over all moments; in seconds.
struct Ages {
    interval: f64,
    mean: f64,
    worst: f64,
}

impl Ages {
    fn of(runs: &[Minute], passed_over: usize) -> Option<Self> {
        let (mut interval, mut worst, mut weighted, mut whole) = (0, 0, 0.0, 0.0);
        for window in runs.windows(passed_over + 2) {
            let [oldest, .., next] = window else {
                return None;
            };
            let newest = window[passed_over];
            // Between two runs the age grows from `start` on, evenly.
            let (gap, start) = (next - newest, newest - oldest);
            interval = interval.max(gap);
            worst = worst.max(start + gap);
            weighted += gap as f64 * (start as f64 + gap as f64 / 2.0);
            whole += gap as f64;
        }
        (whole > 0.0).then(|| Self {
            interval: seconds(interval),
            mean: weighted / whole * seconds(1),
            worst: seconds(worst),
        })
    }
}

fn seconds(minutes: Minute) -> f64 {
    minutes as f64 * 60.0
}

/// How old the newest scheduled point that will do was at a moment.
fn age_at(runs: &[Minute], moment: f64, backup: Backup) -> Option<f64> {
    let ended = |run: &&Minute| seconds(**run) + backup.seconds <= moment;
    let run = runs.iter().rev().filter(ended).nth(backup.passed_over)?;
    Some(moment - seconds(*run))
}

fn rate(requests: &[Request], disaster: f64) -> Option<f64> {
    let first = requests.iter().map(|request| request.sent);
    let took = disaster - first.fold(f64::INFINITY, f64::min);
    let before = |request: &&Request| request.acknowledged() && request.ended <= disaster;
    let acknowledged = requests.iter().filter(before).count();
    (took > 0.0 && acknowledged > 0).then(|| acknowledged as f64 / took)
}

/// A moment of the ledger's clock on the wall's, since 1970.
fn wall(began: &str, at: f64) -> Option<Duration> {
    let began = humantime::parse_rfc3339(began).ok()?;
    let began = began.duration_since(UNIX_EPOCH).ok()?;
    Some(began + Duration::try_from_secs_f64(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::{Attempts, Outcome};

    /// So many acknowledged writes a second for two seconds, begun at `began`.
    fn observed(began: &str, rate: usize) -> Observed {
        let request = |n: usize| {
            let at = n as f64 / rate as f64;
            Request {
                n,
                message: String::new(),
                due: at,
                sent: at,
                ended: at,
                outcome: Outcome::Acknowledged {
                    id: n as i64,
                    timestamp: String::new(),
                },
                attempts: Attempts::default(),
            }
        };
        Observed {
            began: began.to_owned(),
            ..Observed::of((1..=2 * rate).map(request).collect())
        }
    }

    fn backup(passed_over: usize) -> Backup {
        Backup {
            ended: 1.0,
            seconds: 0.5,
            passed_over,
        }
    }

    /// The disaster comes 2 s after the client began.
    fn of(schedule: &str, began: &str, passed_over: usize) -> Option<ScheduleLoss> {
        ScheduleLoss::of(schedule, &observed(began, 60), backup(passed_over), 2.0)
    }

    #[test]
    fn a_backup_each_minute_loses_half_of_it_on_average_and_all_of_it_at_worst() {
        let loss = of("* * * * *", "2026-11-22T05:39:38Z", 0).unwrap();
        assert_eq!(loss.interval_seconds, 60.0);
        assert_eq!(loss.expected.seconds, 30.5);
        assert_eq!(loss.worst.seconds, 60.5);
        assert_eq!(loss.at_this_moment.unwrap().seconds, 40.0);
        // Requests are 1/60 s apart, the first of them 1/60 s after 0.
        assert_eq!(loss.rate, 60.504);
        assert_eq!((loss.expected.lost, loss.worst.lost), (1845, 3661));
    }

    #[test]
    fn until_a_backup_has_ended_the_one_before_it_counts() {
        let here = |began| of("* * * * *", began, 0).unwrap().at_this_moment.unwrap();
        // 0.25 s and 0.75 s after the minute: a backup takes half a second.
        assert_eq!(here("2026-11-22T05:38:58.250Z").seconds, 60.25);
        assert_eq!(here("2026-11-22T05:38:58.750Z").seconds, 0.75);
    }

    #[test]
    fn points_that_are_passed_over_cost_an_interval_each() {
        let loss = of("* * * * *", "2026-11-22T05:39:38Z", 2).unwrap();
        assert_eq!(loss.interval_seconds, 60.0);
        assert_eq!(loss.expected.seconds, 150.5);
        assert_eq!(loss.worst.seconds, 180.5);
        assert_eq!(loss.at_this_moment.unwrap().seconds, 160.0);
    }

    /// A disaster is likelier to fall into a long gap than into a short one.
    #[test]
    fn uneven_gaps_count_by_their_length() {
        let loss = of("0,15 * * * *", "2026-11-22T05:39:38Z", 0).unwrap();
        assert_eq!(loss.interval_seconds, 45.0 * 60.0);
        let mean = (15.0 * 15.0 + 45.0 * 45.0) / (2.0 * 60.0) * 60.0;
        assert!((loss.expected.seconds - mean - 0.5).abs() < 1.0, "{loss:?}");
        assert_eq!(interval("0,15 * * * *"), Some(45.0 * 60.0));
    }

    #[test]
    fn what_cannot_be_computed_is_absent() {
        assert_eq!(of("@hourly", "2026-11-22T05:39:38Z", 0), None);
        assert_eq!(of("0 0 30 2 *", "2026-11-22T05:39:38Z", 0), None);
        let mut silent = observed("2026-11-22T05:39:38Z", 60);
        silent.requests.clear();
        assert_eq!(ScheduleLoss::of("* * * * *", &silent, backup(0), 2.0), None);
    }
}
