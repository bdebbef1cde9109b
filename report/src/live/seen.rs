//! What is known of a run while it goes on, and what follows from it for a picture. All
//! moments are seconds of the ledger's clock.

use serde::Deserialize;
use terms::lang::both;
use terms::{EngineName, LabName, Labelled, PhaseName, Read, ScenarioName};

use crate::ledger::{Fate, Ledger, Request};
use crate::model::{Moment, Scenario};
use crate::plot::timeline::Span;

/// A line of `progress.jsonl`, as the task runner writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Line {
    Began {
        process: u32,
        lab: Read<LabName>,
        engine: Read<EngineName>,
        scenario: Read<ScenarioName>,
    },
    Step {
        what: String,
    },
    Done {
        what: String,
    },
    Disaster {
        at: f64,
    },
    Moment {
        at: f64,
        what: String,
    },
    Phase {
        at: f64,
        name: Option<Read<PhaseName>>,
    },
    #[serde(other)]
    Other,
}

/// What there is to draw.
pub struct Seen<'a> {
    /// `None` before the run has begun.
    pub run: Option<Run<'a>>,
    /// The command has ended: nothing more will come.
    pub over: bool,
}

/// A run as far as it has come.
pub struct Run<'a> {
    pub lab: Read<LabName>,
    pub engine: Read<EngineName>,
    pub scenario: Read<ScenarioName>,
    /// What is being done.
    pub step: Option<String>,
    /// When the newest disaster began.
    pub disaster: Option<f64>,
    /// When each phase began; without a name the service is back.
    pub phases: Vec<(f64, Option<Read<PhaseName>>)>,
    pub moments: Vec<Moment>,
    pub ledger: &'a Ledger,
    /// Once it is over.
    pub result: Option<&'a Scenario>,
}

/// An answer is awaited for longer than any healthy application takes.
const HANGS: f64 = 1.0;

/// How a run stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Prepared,
    Served,
    Away,
    Kept,
    Broken,
    CutOff,
}

/// The service was away, or is.
#[derive(Debug, PartialEq)]
pub struct Outage {
    /// The first request that failed was sent.
    pub began: f64,
    /// It had failed.
    pub noticed: f64,
    /// The first write was acknowledged after the last failure.
    pub back: Option<f64>,
}

impl Seen<'_> {
    pub fn state(&self) -> State {
        let Some(run) = &self.run else {
            return State::Waiting;
        };
        match run.result {
            Some(result) if result.passed => State::Kept,
            Some(_) => State::Broken,
            None if self.over => State::CutOff,
            None => run.state(),
        }
    }
}

impl<'a> Run<'a> {
    /// `None` where the lines have no beginning.
    pub fn of(lines: &[Line], ledger: &'a Ledger, result: Option<&'a Scenario>) -> Option<Self> {
        let mut run = lines.iter().find_map(|line| match line {
            Line::Began {
                lab,
                engine,
                scenario,
                ..
            } => Some(Self {
                lab: lab.clone(),
                engine: engine.clone(),
                scenario: scenario.clone(),
                step: None,
                disaster: None,
                phases: Vec::new(),
                moments: Vec::new(),
                ledger,
                result,
            }),
            _ => None,
        })?;
        for line in lines {
            run.follow(line);
        }
        Some(run)
    }

    fn follow(&mut self, line: &Line) {
        match line {
            Line::Step { what } => self.step = Some(what.clone()),
            Line::Done { what } if self.step.as_ref() == Some(what) => self.step = None,
            Line::Disaster { at } => self.disaster = Some(*at),
            Line::Moment { at, what } => self.moments.push(Moment {
                at: *at,
                what: what.clone(),
            }),
            Line::Phase { at, name } => self.phases.push((*at, name.clone())),
            Line::Began { .. } | Line::Done { .. } | Line::Other => {}
        }
    }

    fn state(&self) -> State {
        if self.ledger.requests.is_empty() {
            return State::Prepared;
        }
        let sendings = self.ledger.sendings();
        let ended = sendings.iter().filter(|one| one.fate != Fate::Open);
        let newest = ended.max_by(|a, b| a.ended.total_cmp(&b.ended));
        let well = newest.is_none_or(|one| one.fate == Fate::Acknowledged);
        match well && !self.hangs() {
            true => State::Served,
            false => State::Away,
        }
    }

    /// A request has had no answer for long.
    fn hangs(&self) -> bool {
        let hanging = |one: &Request| one.fate == Fate::Open && !self.is_under_way(one);
        self.ledger.requests.iter().any(hanging)
    }

    /// An answer may come at any moment.
    fn is_under_way(&self, one: &Request) -> bool {
        one.fate == Fate::Open && self.ledger.end - one.due <= HANGS
    }

    /// Each sending that is to be drawn: while the run goes on, nothing is known yet of one
    /// that has just been sent.
    pub fn sendings(&self) -> Vec<Request> {
        let all = self.ledger.sendings().into_iter();
        let known = |one: &Request| self.result.is_some() || !self.is_under_way(one);
        all.filter(known).collect()
    }

    /// The outage of the newest disaster, as far as requests have failed.
    pub fn outage(&self) -> Option<Outage> {
        let disaster = self.disaster?;
        let failed = || self.ledger.failed().filter(|one| one.ended >= disaster);
        let first = failed().min_by(|a, b| a.due.total_cmp(&b.due))?;
        let last = failed().map(|one| one.due).fold(first.due, f64::max);
        let requests = self.ledger.requests.iter();
        let after = requests.filter(|one| one.fate == Fate::Acknowledged && one.due > last);
        let back = after.map(|one| one.ended).min_by(f64::total_cmp);
        Some(Outage {
            began: first.due,
            noticed: failed().map(|one| one.ended).fold(first.ended, f64::min),
            back: back.filter(|_| !self.hangs()),
        })
    }

    /// The phases of the newest recovery so far, the last one as long as it has lasted. What
    /// the result has in the end is measured; this is what is known by then.
    pub fn spans(&self) -> Vec<Span> {
        let (Some(disaster), Some(outage)) = (self.disaster, self.outage()) else {
            return Vec::new();
        };
        let end = outage.back.unwrap_or(self.ledger.end).max(outage.noticed);
        let since = self.phases.iter().rposition(|(at, _)| *at <= disaster);
        let phases = &self.phases[since.unwrap_or(0)..];
        let entered = phases.iter().enumerate().filter_map(|(index, (at, name))| {
            let name = name.as_ref()?;
            let next = phases.get(index + 1).map_or(f64::INFINITY, |(at, _)| *at);
            (next > outage.noticed).then(|| (*at, name.label()))
        });
        let mut entered: Vec<(f64, String)> = entered.collect();
        // Begun again, it goes on.
        entered.dedup_by(|next, one| next.1 == one.1);
        if entered.is_empty() {
            let name = both("without service", "sans service").into();
            return vec![Span {
                name,
                from: outage.began,
                to: end,
            }];
        }
        // The first one goes on from when the outage was noticed, as in the result.
        let mut begins = vec![(outage.began, PhaseName::Detected.label())];
        begins.extend(entered);
        begins[1].0 = outage.noticed;
        let ends = begins.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let ends: Vec<f64> = ends.collect();
        let spans = begins.into_iter().zip(ends);
        spans
            .filter(|((from, _), _)| *from <= end)
            .map(|((from, name), to)| Span {
                name,
                from,
                to: to.min(end).max(from),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::parsed;

    /// Ten writes a second up to `end`, of which those fail that are due between two moments.
    fn ledger(end: f64, away: (f64, f64)) -> Ledger {
        let mut text = String::new();
        for n in 0..(end * 10.0) as u32 {
            let at = f64::from(n) / 10.0;
            let outcome = match at >= away.0 && at < away.1 {
                true => r#"{"failed":{"reason":"refused"}}"#,
                false => r#"{"acknowledged":{"id":1,"timestamp":"t"}}"#,
            };
            let ended = at + 0.01;
            text += &format!(
                "{{\"event\":\"sent\",\"n\":{n},\"due\":{at},\"at\":{at},\"message\":\"m\"}}\n\
                 {{\"event\":\"ended\",\"n\":{n},\"at\":{ended},\"outcome\":{outcome}}}\n"
            );
        }
        parsed(&text).unwrap()
    }

    const LINES: &str = r#"{"event":"began","process":7,"lab":"pra","engine":"local","scenario":"volume-loss","wall":"w"}
{"event":"step","wall":"w","what":"restore"}
{"event":"phase","at":1.9,"name":"provisioned"}
{"event":"disaster","at":2.0}
{"event":"moment","at":2.0,"what":"gone"}
{"event":"phase","at":2.4,"name":"provisioned"}
{"event":"phase","at":3.0,"name":"restored"}
{"event":"phase","at":4.0,"name":"serving"}
{"event":"of another version"}
"#;

    fn lines(count: usize) -> Vec<Line> {
        let lines = LINES.lines().take(count);
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn run(count: usize, ledger: &Ledger) -> Run<'_> {
        Run::of(&lines(count), ledger, None).unwrap()
    }

    fn spans(count: usize, ledger: &Ledger) -> Vec<(String, f64, f64)> {
        let rounded = |at: f64| (at * 100.0).round() / 100.0;
        let spans = run(count, ledger).spans().into_iter();
        spans
            .map(|one| (one.name, rounded(one.from), rounded(one.to)))
            .collect()
    }

    #[test]
    fn phases_grow_until_the_service_is_back() {
        let named = |name: &str, from, to| (name.to_owned(), from, to);
        let during = ledger(3.5, (2.2, 9.0));
        let detected = named("detected", 2.2, 2.21);
        let so_far = [
            detected.clone(),
            named("provisioned", 2.21, 3.0),
            named("restored", 3.0, 3.41),
        ];
        assert_eq!(spans(7, &during), so_far);
        assert_eq!(run(7, &during).state(), State::Away);
        let after = ledger(9.0, (2.2, 4.5));
        let whole = [
            detected,
            named("provisioned", 2.21, 3.0),
            named("restored", 3.0, 4.0),
            named("serving", 4.0, 4.51),
        ];
        assert_eq!(spans(9, &after), whole);
        assert_eq!(run(9, &after).state(), State::Served);
    }

    #[test]
    fn an_outage_whose_phases_nobody_tells_is_one_span() {
        let ledger = ledger(9.0, (2.2, 4.5));
        let mut run = run(5, &ledger);
        run.phases.clear();
        let [span] = &run.spans()[..] else {
            panic!("one span");
        };
        assert_eq!(span.name, "without service");
        run.disaster = None;
        assert!(run.spans().is_empty());
    }

    #[test]
    fn a_run_without_failures_has_no_outage_and_one_that_ends_early_is_cut_off() {
        let whole = ledger(5.0, (9.0, 9.0));
        assert_eq!(run(9, &whole).outage(), None);
        let seen = |over| Seen {
            run: Some(run(9, &whole)),
            over,
        };
        assert_eq!(seen(false).state(), State::Served);
        assert_eq!(seen(true).state(), State::CutOff);
        let waiting = Seen {
            run: None,
            over: false,
        };
        assert_eq!(waiting.state(), State::Waiting);
    }

    #[test]
    fn a_request_that_has_just_been_sent_is_not_drawn_as_failed() {
        let mut text = String::new();
        for (n, at) in [(0, 1.0), (1, 2.5), (2, 2.9)] {
            text += &format!(
                "{{\"event\":\"sent\",\"n\":{n},\"due\":{at},\"at\":{at},\"message\":\"m\"}}\n"
            );
        }
        let ledger = parsed(&text).unwrap();
        let drawn = run(3, &ledger).sendings();
        let due: Vec<f64> = drawn.iter().map(|one| one.due).collect();
        assert_eq!(due, [1.0]);
    }

    #[test]
    fn requests_that_hang_are_no_service() {
        let mut text = String::new();
        for n in 0..30 {
            let at = f64::from(n) / 10.0;
            text += &format!(
                "{{\"event\":\"sent\",\"n\":{n},\"due\":{at},\"at\":{at},\"message\":\"m\"}}\n"
            );
        }
        let hanging = parsed(&text).unwrap();
        assert_eq!(run(3, &hanging).state(), State::Away);
    }
}
