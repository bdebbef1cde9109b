//! The score of a game day: a hundred points, by a formula that a player can check.
//!
//! | points | for |
//! |---|---|
//! | 40 | the data: of the rows that were lost and could have been kept, one point less for each second's worth of those written in the game, and the share of those from before it: all 40 where none of them is left |
//! | 40 | the time: 40 × par / time, 40 at most; the time is what the player took, with what the hints cost, and par is the runbook's time and five minutes for a person |
//! | 10 | noticing: 10 × 60 s / time until then, 10 at most |
//! | 10 | protection: a new verified restore point, and a journal that takes writes |
//!
//! Nothing is given for time, noticing and protection where the service was not back in the end.

use serde::Serialize;

/// What the hints of a fault cost, in seconds, the first one first.
pub const HINT_SECONDS: [f64; 3] = [60.0, 120.0, 240.0];
/// The time that a person may take to read, to think and to type.
pub const PERSON_SECONDS: f64 = 300.0;
/// The time in which a person should notice.
const NOTICE_SECONDS: f64 = 60.0;

const DATA: f64 = 40.0;
const TIME: f64 = 40.0;
const NOTICED: f64 = 10.0;
const PROTECTED: f64 = 10.0;

/// What a score is made from; times in seconds from the disaster on.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// The service was verified in the end.
    pub recovered: bool,
    pub protected: bool,
    pub recovered_seconds: f64,
    pub noticed_seconds: f64,
    pub hint_seconds: f64,
    pub runbook_seconds: f64,
    /// What was lost and could have been kept of the game's writes, in seconds' worth.
    pub avoidable_seconds: f64,
    /// The same of the rows from before the game, as a share of them.
    pub avoidable_share: f64,
}

/// In whole points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    pub data: u32,
    pub time: u32,
    pub noticed: u32,
    pub protected: u32,
    pub total: u32,
}

impl Score {
    pub fn of(played: &Played) -> Self {
        let points = |value: f64, most: f64| value.clamp(0.0, most).round() as u32;
        let cost = played.avoidable_seconds.ceil() + (DATA * played.avoidable_share).ceil();
        let data = points(DATA - cost, DATA);
        let if_recovered = |value: u32| if played.recovered { value } else { 0 };
        let taken = played.recovered_seconds + played.hint_seconds;
        let par = played.runbook_seconds + PERSON_SECONDS;
        let time = if_recovered(points(TIME * par / taken.max(1.0), TIME));
        let noticing = NOTICED * NOTICE_SECONDS / played.noticed_seconds.max(1.0);
        let noticed = if_recovered(points(noticing, NOTICED));
        let protected = if_recovered(if played.protected {
            PROTECTED as u32
        } else {
            0
        });
        Self {
            data,
            time,
            noticed,
            protected,
            total: data + time + noticed + protected,
        }
    }
}

/// What so many hints cost.
pub fn hint_seconds(bought: usize) -> f64 {
    let prices = HINT_SECONDS.iter().cycle();
    // The sum of nothing would be a negative zero.
    prices.take(bought).fold(0.0, |sum, price| sum + price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Played = Played {
        recovered: true,
        protected: true,
        recovered_seconds: 200.0,
        noticed_seconds: 30.0,
        hint_seconds: 0.0,
        runbook_seconds: 5.0,
        avoidable_seconds: 0.0,
        avoidable_share: 0.0,
    };

    #[test]
    fn who_loses_nothing_and_is_in_time_has_all_points() {
        assert_eq!(Score::of(&WELL).total, 100);
    }

    #[test]
    fn hints_cost_time_and_time_costs_points() {
        let slow = Played {
            recovered_seconds: 490.0,
            hint_seconds: hint_seconds(2),
            ..WELL
        };
        assert_eq!(slow.hint_seconds, 180.0);
        // 40 × 305 / 670.
        assert_eq!(Score::of(&slow).time, 18);
        assert_eq!(hint_seconds(4), 60.0 + 120.0 + 240.0 + 60.0);
    }

    #[test]
    fn each_second_of_lost_rows_is_a_point() {
        let lost = |seconds| {
            let played = Played {
                avoidable_seconds: seconds,
                ..WELL
            };
            Score::of(&played).data
        };
        assert_eq!((lost(0.2), lost(12.0), lost(500.0)), (39, 28, 0));
    }

    #[test]
    fn rows_from_before_cost_their_share() {
        let lost = |share, seconds| {
            let played = Played {
                avoidable_share: share,
                avoidable_seconds: seconds,
                ..WELL
            };
            Score::of(&played).data
        };
        // All of them, half, and one of a thousand.
        assert_eq!(
            (lost(1.0, 3.0), lost(0.5, 0.0), lost(0.001, 0.0)),
            (0, 20, 39)
        );
        assert_eq!(lost(0.5, 12.0), 8);
    }

    #[test]
    fn who_gives_up_keeps_what_was_not_lost() {
        let gave_up = Played {
            recovered: false,
            ..WELL
        };
        let score = Score::of(&gave_up);
        assert_eq!((score.total, score.data), (40, 40));
        let late = Played {
            noticed_seconds: 120.0,
            protected: false,
            ..WELL
        };
        let score = Score::of(&late);
        assert_eq!((score.noticed, score.protected), (5, 0));
    }
}
