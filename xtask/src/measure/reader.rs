//! Consistency of what readers saw: outside the declared outage, no acknowledged row
//! vanishes and no count decreases.

use anyhow::Result;
use serde_json::Value;
use terms::lang::number;
use terms::tr;

use crate::http::{self, Answer, Unanswered};
use crate::measure::observed::{Outcome, Read, Request, Seen};

/// `/consultation` shows so many rows at most.
const SHOWN: usize = 50;

/// What was seen, and whether it had to be asked for twice.
pub type Look = (Seen, bool);

pub fn count(client: &http::Client, url: &str) -> Look {
    look(client, url, "/count", |answer| {
        Some(Seen::Count(answer.body["count"].as_u64()?))
    })
}

pub fn newest(client: &http::Client, url: &str) -> Look {
    look(client, url, "/consultation", |answer| {
        let rows = answer.body.as_array()?;
        let ids: Option<Vec<i64>> = rows.iter().map(|row| row["id"].as_i64()).collect();
        ids.map(Seen::Newest)
    })
}

fn look(client: &http::Client, url: &str, path: &str, read: fn(&Answer) -> Option<Seen>) -> Look {
    let ask = || client.get(url, path, &[]);
    let (answer, again) = match ask() {
        // Reading changes nothing, so it may be asked for again where a server closed the
        // connection while nothing was asked of it (RFC 9110, section 9.2.2), as every
        // browser does; that it was is told.
        Err(error) if went_dead(&error) => (ask(), true),
        answer => (answer, false),
    };
    (seen(answer, read), again)
}

fn went_dead(error: &anyhow::Error) -> bool {
    let unanswered = error.downcast_ref::<Unanswered>();
    unanswered.is_some_and(|unanswered| unanswered.went_dead)
}

fn seen(answer: Result<Answer>, read: fn(&Answer) -> Option<Seen>) -> Seen {
    match answer {
        // A database that waits for its restore shows nothing, and says so.
        Ok(answer) if answer.body["needs_restore"] == Value::Bool(true) => {
            Seen::Failed("needs a restore".to_owned())
        }
        Ok(answer) if answer.ok() => {
            let unknown = || Seen::Failed(format!("an answer of another form: {}", answer.body));
            read(&answer).unwrap_or_else(unknown)
        }
        Ok(answer) => Seen::Failed(answer.complaint()),
        Err(error) => Seen::Failed(format!("{error:#}")),
    }
}

/// Every inconsistent read. Reads that overlap `outage` are left out: rows from before
/// it are compared after the recovery.
pub fn contradictions(
    reads: &[Read],
    requests: &[Request],
    outage: Option<(f64, f64)>,
) -> Vec<String> {
    let (begin, end) = outage.unwrap_or((f64::INFINITY, f64::INFINITY));
    let before: Vec<&Read> = reads.iter().filter(|read| read.ended < begin).collect();
    let after: Vec<&Read> = reads.iter().filter(|read| read.sent > end).collect();
    let since = if outage.is_some() { end } else { 0.0 };
    let mut found = in_one_stretch(&before, requests, 0.0);
    found.extend(in_one_stretch(&after, requests, since));
    found
}

fn in_one_stretch(reads: &[&Read], requests: &[Request], since: f64) -> Vec<String> {
    let mut found = Vec::new();
    let mut highest = 0;
    for read in reads {
        match &read.seen {
            Seen::Count(count) if *count < highest => found.push(tr!(
                "at {at} s the count went back from {highest} to {count}",
                "à {at} s le compte est revenu de {highest} à {count}",
                at = number(read.ended),
            )),
            Seen::Count(count) => highest = *count,
            Seen::Newest(ids) => {
                let vanished = vanished(read, ids, requests, since);
                if let Some(first) = vanished.first() {
                    found.push(tr!(
                        "at {at} s {rows} acknowledged rows could not be read, the first is \
                         {first}",
                        "à {at} s {rows} lignes acquittées étaient illisibles, la première est \
                         {first}",
                        at = number(read.ended),
                        rows = vanished.len(),
                    ));
                }
            }
            Seen::Failed(_) => {}
        }
    }
    found
}

/// Rows that were acknowledged before the look began, belong among the newest,
/// and are not there.
fn vanished(read: &Read, ids: &[i64], requests: &[Request], since: f64) -> Vec<i64> {
    // A list that is not full shows everything.
    let oldest = if ids.len() < SHOWN {
        i64::MIN
    } else {
        ids.iter().copied().min().unwrap_or(i64::MIN)
    };
    let acknowledged = requests.iter().filter_map(|request| match request.outcome {
        Outcome::Acknowledged { id, .. } => Some((id, request.ended)),
        Outcome::Failed { .. } => None,
    });
    let due = acknowledged.filter(|(id, at)| *id >= oldest && *at > since && *at < read.sent);
    due.map(|(id, _)| id)
        .filter(|id| !ids.contains(id))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::fake_app::{FakeApp, Fault};
    use crate::measure::observed::Attempts;

    /// A second asking would be answered: the user of the first one went away.
    #[test]
    fn a_read_that_hangs_on_a_kept_connection_has_failed_and_is_not_asked_again() {
        let app = FakeApp::start(Fault::Stalls);
        let client = http::Client::within(true, Duration::from_millis(300), 0);
        for _ in 0..4 {
            assert_eq!(count(&client, &app.url), (Seen::Count(0), false));
        }
        let (seen, again) = count(&client, &app.url);
        assert_eq!(seen, Seen::Failed("no answer in time".to_owned()));
        assert!(!again);
        assert_eq!(count(&client, &app.url), (Seen::Count(0), false));
        assert_eq!(client.opened(), 2);
    }

    fn read(at: f64, seen: Seen) -> Read {
        Read {
            sent: at,
            ended: at + 0.01,
            seen,
            again: false,
        }
    }

    fn acknowledged(id: i64, ended: f64) -> Request {
        Request {
            n: 0,
            message: String::new(),
            due: ended,
            sent: ended,
            ended,
            outcome: Outcome::Acknowledged {
                id,
                timestamp: String::new(),
            },
            attempts: Attempts::default(),
        }
    }

    #[test]
    fn a_count_that_goes_back_is_found_unless_the_outage_explains_it() {
        let reads = [
            read(1.0, Seen::Count(10)),
            read(2.0, Seen::Count(9)),
            read(6.0, Seen::Count(3)),
            read(7.0, Seen::Count(4)),
        ];
        assert_eq!(contradictions(&reads, &[], None).len(), 3);
        let found = contradictions(&reads, &[], Some((2.5, 5.0)));
        assert_eq!(found, ["at 2.01 s the count went back from 10 to 9"]);
    }

    #[test]
    fn an_acknowledged_row_that_is_not_listed_has_vanished() {
        let requests = [acknowledged(1, 0.5), acknowledged(2, 0.6)];
        let listed = read(1.0, Seen::Newest(vec![2, 1]));
        assert!(contradictions(&[listed], &requests, None).is_empty());
        let missing = read(1.0, Seen::Newest(vec![1]));
        let found = contradictions(&[missing], &requests, None);
        assert!(found[0].contains("the first is 2"), "{found:?}");
    }

    #[test]
    fn rows_older_than_the_list_or_younger_than_the_look_are_not_expected() {
        let full: Vec<i64> = (101..=150).rev().collect();
        let requests = [acknowledged(7, 0.1), acknowledged(151, 2.0)];
        let look = read(1.0, Seen::Newest(full));
        assert!(contradictions(&[look], &requests, None).is_empty());
    }

    #[test]
    fn what_was_acknowledged_before_the_outage_is_left_to_the_comparison() {
        let requests = [acknowledged(1, 0.5), acknowledged(2, 6.0)];
        let look = read(7.0, Seen::Newest(vec![2]));
        let found = contradictions(&[look], &requests, Some((1.0, 5.0)));
        assert!(found.is_empty(), "{found:?}");
    }
}
