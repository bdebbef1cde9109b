//! The clock of a Prometheus against this machine's: it may run on another one.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use terms::lang::fixed;
use terms::tr;

use crate::http;

/// `time()`, as an address has it.
const TIME: &str = "time%28%29";
/// Of so many questions the one that took least tells most.
const QUESTIONS: usize = 3;
/// Below that nobody has to know of it.
const WORTH_A_WORD: f64 = 0.5;

/// How far ahead of this machine's clock another one is; behind is less than zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    ahead: f64,
    /// Half of the time that the question took: when in it the answer was given is not known.
    within: f64,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: (f64, String),
}

impl Clock {
    /// # Errors
    /// It does not answer as a Prometheus.
    pub fn of(page: &str) -> Result<Self> {
        let asked = (0..QUESTIONS).map(|_| {
            let before = now();
            let text = http::page(&format!("{page}/api/v1/query?query={TIME}"))?;
            Ok(Self::between(before, read(&text)?, now()))
        });
        let asked = asked.collect::<Result<Vec<Self>>>()?;
        let best = asked
            .into_iter()
            .min_by(|one, other| one.within.total_cmp(&other.within));
        best.context("asking for the time")
    }

    /// What it said, between two moments of this machine.
    fn between(before: f64, there: f64, after: f64) -> Self {
        Self {
            ahead: there - f64::midpoint(before, after),
            within: (after - before) / 2.0,
        }
    }

    /// Within what is not known, both are taken for one.
    fn shift(self) -> f64 {
        match self.ahead.abs() > self.within {
            true => self.ahead,
            false => 0.0,
        }
    }

    /// What it shows at a moment of this machine, both in seconds since 1970.
    pub fn there(self, here: f64) -> f64 {
        here + self.shift()
    }

    /// What to say where times of both are compared: they are apart, or may be.
    pub fn doubt(self) -> Option<String> {
        let within = fixed(self.within, 1);
        if self.shift().abs() > WORTH_A_WORD {
            let ahead = fixed(self.ahead, 1);
            return Some(tr!(
                "the clock of what watched the lab is {ahead} s ahead of this machine's (below 0: \
                 behind), to within {within} s: the times of alerts are counted by that",
                "l'horloge de ce qui surveillait le lab avance de {ahead} s sur celle de cette \
                 machine (moins de 0 : retarde), à {within} s près : les temps des alertes en \
                 tiennent compte",
            ));
        }
        (self.within > WORTH_A_WORD).then(|| {
            tr!(
                "what watched the lab answered slowly, so that its clock is known to within \
                 {within} s alone, and so are the times of alerts",
                "ce qui surveillait le lab a répondu lentement : son horloge n'est connue qu'à \
                 {within} s près, et les temps des alertes aussi",
            )
        })
    }
}

/// This machine's clock, in seconds since 1970.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}

fn read(text: &str) -> Result<f64> {
    let answer: Answer = serde_json::from_str(text).context("reading Prometheus' answer")?;
    let (_, value) = &answer.data.result;
    value
        .parse()
        .with_context(|| format!("reading {value} as a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_apart_shifts_what_is_compared_with_it_and_is_told_of() {
        let ahead = Clock::between(100.0, 107.1, 100.2);
        assert!((ahead.there(50.0) - 57.0).abs() < 1e-9);
        let said = ahead.doubt().unwrap();
        assert!(
            said.contains("7.0 s ahead") && said.contains("0.1 s"),
            "{said}"
        );
        let behind = Clock::between(100.0, 97.1, 100.2);
        assert!((behind.there(50.0) - 47.0).abs() < 1e-9);
        assert!(behind.doubt().unwrap().contains("-3.0 s"));
        // Enough to be counted, and not to be told of.
        let little = Clock::between(100.0, 100.4, 100.2);
        assert!(little.there(50.0) > 50.2 && little.doubt().is_none());
    }

    #[test]
    fn what_the_question_took_is_no_difference() {
        let same = Clock::between(100.0, 100.19, 100.2);
        assert!((same.there(50.0) - 50.0).abs() < f64::EPSILON && same.doubt().is_none());
        let slow = Clock::between(100.0, 103.0, 104.0);
        assert!((slow.there(50.0) - 50.0).abs() < f64::EPSILON);
        assert!(slow.doubt().unwrap().contains("to within 2.0 s"));
    }

    #[test]
    fn its_time_is_read() {
        let said = r#"{"status":"success","data":{"resultType":"scalar",
            "result":[1764508102.123,"1764508102.123"]}}"#;
        assert!((read(said).unwrap() - 1_764_508_102.123).abs() < 1e-3);
        assert!(read("starting").is_err());
    }
}
