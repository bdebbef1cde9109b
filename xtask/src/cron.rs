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

/// What a field is called, and the least and the most of its numbers.
type Field = (&'static str, u64, u64);

const FIELDS: [Field; 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 6),
];

impl Schedule {
    /// # Errors
    /// What is wrong, in words for the reader of the manifest.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            let example = "as in \"*/5 * * * *\"";
            return Err(format!("{text:?} does not have five fields, {example}"));
        }
        let mut sets = [0; FIELDS.len()];
        for ((values, text), field) in sets.iter_mut().zip(&fields).zip(FIELDS) {
            for part in text.split(',') {
                *values |= set(part, field).ok_or_else(|| impossible(part, field))?;
            }
        }
        let [minutes, hours, days, months, weekdays] = sets;
        Ok(Self {
            minutes,
            hours,
            days,
            months,
            weekdays,
            either_day: !fields[2].starts_with('*') && !fields[4].starts_with('*'),
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
        let this = minute(now);
        // Without a deadline a day's worth of missed runs is enough to look
        // at: only the last of them would be made up for.
        let oldest = deadline.map_or(this.saturating_sub(DAY), |deadline| {
            now.as_secs().saturating_sub(deadline).div_ceil(MINUTE)
        });
        // By a clock that was set back since, the last run lies ahead, and says
        // nothing of the next one. A minute is no more than a correction.
        let first = if last > this + 1 { this } else { last + 1 };
        let mut minutes = (oldest.max(first)..=this).rev();
        minutes.find(|minute| self.matches(*minute))
    }
}

/// The minute of a moment.
pub fn minute(now: Duration) -> Minute {
    now.as_secs() / MINUTE
}

/// The values of `*`, `a` or `a-b`, each with `/step` or without.
fn set(part: &str, (_, low, high): Field) -> Option<u64> {
    let (span, step) = part.split_once('/').unwrap_or((part, "1"));
    let (first, last) = match span.split_once('-') {
        _ if span == "*" => (low, high),
        Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
        // From one value on, a step has nowhere to go.
        None if part == span => (span.parse().ok()?, span.parse().ok()?),
        None => return None,
    };
    let step: usize = step.parse().ok().filter(|step| *step > 0)?;
    let possible = low <= first && first <= last && last <= high;
    let values = (first..=last).step_by(step);
    possible.then(|| values.fold(0, |set, value| set | 1 << value))
}

fn impossible(part: &str, (name, low, high): Field) -> String {
    format!(
        "{part:?} is no {name}: possible are *, numbers from {low} to {high}, a-b, lists and */n"
    )
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
        assert!(runs("30 12 1 3 1-6", "2027-03-01T12:30:00Z"));
        assert!(runs("5,10-12 * * * *", "2026-01-01T00:11:00Z"));
    }

    #[test]
    fn two_restricted_day_fields_are_alternatives() {
        // 22 November 2026 is a Sunday, the 23rd is a Monday.
        assert!(runs("0 0 23 * 0", "2026-11-22T00:00:00Z"));
        assert!(runs("0 0 23 * 0", "2026-11-23T00:00:00Z"));
        assert!(!runs("0 0 23 * 0", "2026-11-24T00:00:00Z"));
        assert!(!runs("0 0 * * 0", "2026-11-23T00:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_what_is_possible() {
        for bad in [
            "* * * *",
            "60 * * * *",
            "a * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "5/10 * * * *",
            "0 0 * jan sun",
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
        let due = |last| every.due(last, now, Some(30));
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
