//! The schedule of a cron job: five fields, in UTC as Kubernetes reads them,
//! and the decision whether a run is due.

use std::time::Duration;

/// Minutes since 1970.
pub type Minute = u64;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60;
/// What a scheduled run may take before its result is missed.
const RUN: Duration = Duration::from_secs(180);
const YEAR: u64 = 366 * DAY;

/// A parsed schedule: for each field the set of values, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Cron's rule: where both are restricted, either will do.
    either_day: bool,
}

struct Range {
    name: &'static str,
    low: u64,
    high: u64,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const RANGES: [Range; 5] = [
    Range {
        name: "minute",
        low: 0,
        high: 59,
        names: &[],
    },
    Range {
        name: "hour",
        low: 0,
        high: 23,
        names: &[],
    },
    Range {
        name: "day of the month",
        low: 1,
        high: 31,
        names: &[],
    },
    Range {
        name: "month",
        low: 1,
        high: 12,
        names: MONTHS,
    },
    Range {
        name: "day of the week",
        low: 0,
        high: 6,
        names: WEEKDAYS,
    },
];

impl Schedule {
    /// # Errors
    /// What is wrong, in words for the reader of the manifest.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!(
                "{text:?} does not have five fields, as in \"*/5 * * * *\""
            ));
        };
        let [minute, hour, day, month, weekday] = &RANGES;
        Ok(Self {
            minutes: set(minutes, minute)?,
            hours: set(hours, hour)?,
            days: set(days, day)?,
            months: set(months, month)?,
            weekdays: set(weekdays, weekday)?,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        })
    }

    fn matches(&self, at: Minute) -> bool {
        let has = |set: u64, value: u64| set >> value & 1 == 1;
        let days = at / DAY;
        let (month, day) = month_and_day(days);
        // 1 January 1970 was a Thursday.
        let weekday = (days + 4) % 7;
        let (by_day, by_weekday) = (has(self.days, day), has(self.weekdays, weekday));
        let day = if self.either_day {
            by_day || by_weekday
        } else {
            by_day && by_weekday
        };
        let (hour, minute) = (at % DAY / 60, at % 60);
        has(self.minutes, minute) && has(self.hours, hour) && has(self.months, month) && day
    }

    /// Every run of the year up to `now`, oldest first.
    pub fn runs_of_a_year(&self, now: Minute) -> Vec<Minute> {
        let year = now.saturating_sub(YEAR)..=now;
        year.filter(|minute| self.matches(*minute)).collect()
    }

    /// The first run after `newest` that should have ended by now.
    pub fn missed(&self, newest: Duration, now: Duration) -> Option<Minute> {
        let ended = minute(now.saturating_sub(RUN));
        // Two months: what comes less often is not looked for.
        let oldest = minute(newest).max(ended.saturating_sub(62 * DAY));
        (oldest + 1..=ended).find(|minute| self.matches(*minute))
    }

    /// The run that is due now: the most recent scheduled minute after `last`,
    /// unless its starting deadline is over.
    pub fn due(&self, last: Minute, now: Duration, deadline: Option<u64>) -> Option<Minute> {
        let this = now.as_secs() / MINUTE;
        // Without a deadline a day's worth of missed runs is enough to look
        // at: only the last of them would be made up for.
        let oldest = deadline.map_or(this.saturating_sub(DAY), |deadline| {
            now.as_secs().saturating_sub(deadline).div_ceil(MINUTE)
        });
        let first = oldest.max(last + 1);
        (first..=this).rev().find(|minute| self.matches(*minute))
    }
}

/// The last run, by a clock that may have been set back since: what then lies
/// ahead says nothing of when the next one is due. A minute is no more than a
/// correction, and waited for.
pub fn last_before(last: Minute, now: Duration) -> Minute {
    let this = minute(now);
    if last > this + 1 {
        this.saturating_sub(1)
    } else {
        last
    }
}

/// How long until the next minute begins, when a run may become due.
pub fn until_next_minute(now: Duration) -> Duration {
    Duration::from_secs((now.as_secs() / MINUTE + 1) * MINUTE).saturating_sub(now)
}

/// The minute of a moment.
pub fn minute(now: Duration) -> Minute {
    now.as_secs() / MINUTE
}

fn set(field: &str, range: &Range) -> Result<u64, String> {
    field
        .split(',')
        .try_fold(0, |all, part| Ok(all | part_of(part, range)?))
}

fn part_of(part: &str, range: &Range) -> Result<u64, String> {
    let bad = || {
        format!(
            "{part:?} is no {}: possible are *, numbers from {} to {}, a-b, lists and */n",
            range.name, range.low, range.high
        )
    };
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (
            span,
            step.parse().ok().filter(|step| *step > 0).ok_or_else(bad)?,
        ),
        None => (part, 1),
    };
    let (low, high) = match span.split_once('-') {
        _ if span == "*" => (range.low, range.high),
        Some((low, high)) => (
            number(low, range).ok_or_else(bad)?,
            number(high, range).ok_or_else(bad)?,
        ),
        None => {
            let one = number(span, range).ok_or_else(bad)?;
            // As cron has it, `5/10` means from 5 on.
            (one, if part.contains('/') { range.high } else { one })
        }
    };
    if low > high {
        return Err(bad());
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Ok((low..=high)
        .step_by(step)
        .fold(0, |set, value| set | 1 << value))
}

fn number(text: &str, range: &Range) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    if let Some(index) = range.names.iter().position(|name| *name == lower) {
        return Some(range.low + index as u64);
    }
    let number = text.parse().ok()?;
    (range.low..=range.high).contains(&number).then_some(number)
}

/// The month and the day of the month of a day since 1970 (the civil calendar
/// by eras of 400 years that begin on 1 March).
fn month_and_day(days: u64) -> (u64, u64) {
    let of_era = (days + 719_468) % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 05:39:00 UTC, a Sunday.
    const NOW: u64 = 1_795_325_940;

    fn at(text: &str) -> Minute {
        let time = humantime::parse_rfc3339(text).unwrap();
        minute(time.duration_since(std::time::UNIX_EPOCH).unwrap())
    }

    fn runs(schedule: &str, when: &str) -> bool {
        Schedule::parse(schedule).unwrap().matches(at(when))
    }

    #[test]
    fn fields_match_in_utc() {
        assert!(runs("* * * * *", "2026-11-22T05:39:00Z"));
        assert!(runs("*/15 3 * * *", "2026-11-22T03:45:00Z"));
        assert!(!runs("*/15 3 * * *", "2026-11-22T03:46:00Z"));
        assert!(runs("0 0 29 2 *", "2028-02-29T00:00:00Z"));
        assert!(runs("30 12 1 MAR mon-sat", "2027-03-01T12:30:00Z"));
        assert!(runs("5,10-12 * * * *", "2026-01-01T00:11:00Z"));
    }

    #[test]
    fn two_restricted_day_fields_are_alternatives() {
        // 22 November 2026 is a Sunday, the 23rd is a Monday.
        assert!(runs("0 0 23 * sun", "2026-11-22T00:00:00Z"));
        assert!(runs("0 0 23 * sun", "2026-11-23T00:00:00Z"));
        assert!(!runs("0 0 23 * sun", "2026-11-24T00:00:00Z"));
        assert!(!runs("0 0 * * sun", "2026-11-23T00:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_what_is_possible() {
        for bad in [
            "* * * *",
            "60 * * * *",
            "a * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "@hourly",
        ] {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
        let said = Schedule::parse("61 * * * *").unwrap_err();
        assert!(said.contains("minute") && said.contains("59"), "{said}");
    }

    #[test]
    fn a_result_is_missed_once_its_run_should_have_ended() {
        let every = Schedule::parse("* * * * *").unwrap();
        let daily = Schedule::parse("0 3 * * *").unwrap();
        let newest = Duration::from_secs(NOW + 2);
        let after = |seconds| Duration::from_secs(NOW + seconds);
        assert_eq!(every.missed(newest, after(239)), None);
        assert_eq!(every.missed(newest, after(240)), Some(NOW / 60 + 1));
        // 05:39 on one day; the next run is at 03:00.
        assert_eq!(daily.missed(newest, after(20 * 3600)), None);
        let tomorrow = at("2026-11-23T03:00:00Z");
        assert_eq!(daily.missed(newest, after(22 * 3600)), Some(tomorrow));
        // A point from the future, by a clock that was set back since.
        assert_eq!(every.missed(after(9999), after(0)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_schedule() {
        let every = Schedule::parse("* * * * *").unwrap();
        let (this, now) = (NOW / 60, Duration::from_secs(NOW));
        let due = |last| every.due(last_before(last, now), now, Some(30));
        assert_eq!(due(this + 60), Some(this), "an hour back");
        assert_eq!(due(this + 1), None, "a correction");
        assert_eq!(due(this), None);
    }

    #[test]
    fn a_run_is_due_once() {
        let every = Schedule::parse("* * * * *").unwrap();
        let now = Duration::from_secs(NOW);
        assert_eq!(every.due(NOW / 60 - 1, now, None), Some(NOW / 60));
        assert_eq!(every.due(NOW / 60, now, None), None);
    }

    #[test]
    fn a_missed_run_is_made_up_for_within_its_deadline_and_only_the_last() {
        let every = Schedule::parse("* * * * *").unwrap();
        let late = |seconds| Duration::from_secs(NOW + seconds);
        let long_ago = NOW / 60 - 500;
        assert_eq!(every.due(long_ago, late(30), Some(30)), Some(NOW / 60));
        assert_eq!(every.due(long_ago, late(31), Some(30)), None);
        assert_eq!(every.due(long_ago, late(31), None), Some(NOW / 60));
        let hourly = Schedule::parse("0 * * * *").unwrap();
        assert_eq!(hourly.due(long_ago, late(0), Some(30)), None);
        assert_eq!(
            hourly.due(long_ago, late(0), None),
            Some(at("2026-11-22T05:00:00Z"))
        );
    }
}
