//! After the recovery: the rows of the database against the ledger, as sets.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::observed::{Outcome, Request, Row};

/// The rows of a database by id.
pub type Rows = BTreeMap<i64, Row>;

/// Reads the JSON lines of `pra dump`.
pub fn parse_dump(text: &str) -> Result<Rows> {
    #[derive(Deserialize)]
    struct Dumped {
        id: i64,
        timestamp: String,
        message: String,
    }
    let mut rows = Rows::new();
    for (number, line) in text.lines().enumerate() {
        let row: Dumped = serde_json::from_str(line)
            .with_context(|| format!("line {} of the dump: {line:?}", number + 1))?;
        let content = Row {
            message: row.message,
            timestamp: row.timestamp,
        };
        anyhow::ensure!(
            rows.insert(row.id, content).is_none(),
            "the dump has id {} twice",
            row.id
        );
    }
    Ok(rows)
}

/// What became of the writes.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// Acknowledged (or there before the run) and absent.
    pub lost: Vec<Lost>,
    /// Ids of rows that have another content than was acknowledged, one that
    /// was never acknowledged under this id.
    pub changed: Vec<i64>,
    /// Ids of rows that were never sent.
    pub phantom: Vec<i64>,
    /// Ids of rows that were sent and never acknowledged: allowed, since the
    /// answer may have been cut off after the write.
    pub in_doubt: Vec<i64>,
    /// Ids that were acknowledged more than once: given out again after a loss.
    pub reused: Vec<i64>,
}

/// A row that is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    pub id: i64,
    pub row: Row,
    /// When its request was sent, on the ledger's clock; `None` for a row from
    /// before the run.
    pub sent: Option<f64>,
    /// When it was acknowledged, on the ledger's clock; `None` for a row from
    /// before the run.
    pub acknowledged: Option<f64>,
}

impl Verdict {
    pub fn lost_ids(&self) -> Vec<i64> {
        self.lost.iter().map(|lost| lost.id).collect()
    }
}

/// Everything that was promised under one id, as what would be lost. After a
/// loss an id can be given out again, so there may be several; at most one can
/// be kept.
type Promises = BTreeMap<i64, Vec<Lost>>;

/// Compares the rows after the recovery with those before the run and with
/// what the client was promised.
pub fn compare(before: &Rows, requests: &[Request], after: &Rows) -> Verdict {
    let promises = promises(before, requests);
    let mut verdict = Verdict::default();
    for (id, promised) in &promises {
        let found = after.get(id);
        let kept = promised.iter().position(|one| Some(&one.row) == found);
        if found.is_some() && kept.is_none() {
            verdict.changed.push(*id);
        }
        // A row with another content stands for the newest promise: that one
        // is changed, and those before it are lost.
        let stands = kept.or(found.map(|_| promised.len() - 1));
        let lost = promised
            .iter()
            .enumerate()
            .filter(|(n, _)| Some(*n) != stands);
        verdict.lost.extend(lost.map(|(_, one)| one.clone()));
        if promised.len() > 1 {
            verdict.reused.push(*id);
        }
    }
    judge_unpromised(requests, &promises, after, &mut verdict);
    verdict
}

fn promises(before: &Rows, requests: &[Request]) -> Promises {
    let mut promises = Promises::new();
    for (id, row) in before {
        promises.entry(*id).or_default().push(Lost {
            id: *id,
            row: row.clone(),
            sent: None,
            acknowledged: None,
        });
    }
    for request in requests {
        if let Outcome::Acknowledged { id, timestamp } = &request.outcome {
            let row = Row {
                message: request.message.clone(),
                timestamp: timestamp.clone(),
            };
            promises.entry(*id).or_default().push(Lost {
                id: *id,
                row,
                sent: Some(request.last_sent()),
                acknowledged: Some(request.ended),
            });
        }
    }
    promises
}

/// Rows under ids that nobody was promised.
fn judge_unpromised(
    requests: &[Request],
    promises: &Promises,
    after: &Rows,
    verdict: &mut Verdict,
) {
    let unanswered = requests.iter().filter(|request| !request.acknowledged());
    let mut unanswered: BTreeSet<&str> = unanswered.map(|r| r.message.as_str()).collect();
    for (id, row) in after {
        if promises.contains_key(id) {
            continue;
        }
        // A message sent once may be present once.
        if unanswered.remove(row.message.as_str()) {
            verdict.in_doubt.push(*id);
        } else {
            verdict.phantom.push(*id);
        }
    }
}

/// How many seconds' worth of acknowledged writes were lost: from the oldest
/// lost acknowledgement to `disaster`, or to the newest one where rows were lost
/// that came later. Rows from before the run count from the run's beginning.
pub fn seconds_lost(lost: &[Lost], disaster: f64) -> f64 {
    let acknowledged = || lost.iter().map(|lost| lost.acknowledged.unwrap_or(0.0));
    let oldest = acknowledged().fold(disaster, f64::min);
    acknowledged().fold(disaster, f64::max) - oldest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::Attempts;

    fn request(n: usize, ended: f64, outcome: Outcome) -> Request {
        Request {
            n,
            message: format!("m{n}"),
            due: ended - 0.1,
            sent: ended - 0.1,
            ended,
            outcome,
            attempts: Attempts::default(),
        }
    }

    fn acknowledged(n: usize, id: i64, ended: f64) -> Request {
        let timestamp = format!("t{n}");
        request(n, ended, Outcome::Acknowledged { id, timestamp })
    }

    fn failed(n: usize) -> Request {
        request(n, 9.0, Outcome::failed("cut off"))
    }

    fn row(n: usize) -> Row {
        Row {
            message: format!("m{n}"),
            timestamp: format!("t{n}"),
        }
    }

    fn before() -> Rows {
        Rows::from([(1, row(100))])
    }

    #[test]
    fn all_there_is_no_finding() {
        let after = Rows::from([(1, row(100)), (2, row(0))]);
        let verdict = compare(&before(), &[acknowledged(0, 2, 1.0)], &after);
        assert_eq!(verdict, Verdict::default());
    }

    #[test]
    fn an_acknowledged_row_that_is_absent_is_lost_also_an_old_one() {
        let verdict = compare(&before(), &[acknowledged(0, 2, 1.0)], &Rows::new());
        assert_eq!(verdict.lost_ids(), [1, 2]);
        assert_eq!(verdict.lost[0].acknowledged, None);
    }

    #[test]
    fn another_content_under_an_acknowledged_id_is_changed() {
        let mut other = row(0);
        other.timestamp = "later".into();
        let after = Rows::from([(1, row(100)), (2, other)]);
        let verdict = compare(&before(), &[acknowledged(0, 2, 1.0)], &after);
        assert_eq!(verdict.changed, [2]);
        assert!(verdict.lost.is_empty());
    }

    #[test]
    fn a_row_that_nobody_sent_is_a_phantom_and_so_is_a_second_copy() {
        let after = Rows::from([(1, row(100)), (2, row(0)), (3, row(0)), (4, row(77))]);
        let verdict = compare(&before(), &[acknowledged(0, 2, 1.0)], &after);
        assert_eq!(verdict.phantom, [3, 4]);
    }

    #[test]
    fn a_row_without_its_acknowledgement_is_in_doubt_once() {
        let after = Rows::from([(1, row(100)), (2, row(0)), (3, row(0))]);
        let verdict = compare(&before(), &[failed(0)], &after);
        assert_eq!(verdict.in_doubt, [2]);
        assert_eq!(verdict.phantom, [3]);
    }

    #[test]
    fn an_id_that_is_given_out_again_does_not_hide_the_row_that_had_it_before() {
        let requests = [acknowledged(0, 2, 1.0), acknowledged(1, 2, 5.0)];
        let after = Rows::from([(1, row(100)), (2, row(1))]);
        let verdict = compare(&before(), &requests, &after);
        let lost = Lost {
            id: 2,
            row: row(0),
            sent: Some(0.9),
            acknowledged: Some(1.0),
        };
        assert_eq!(verdict.lost, [lost]);
        assert_eq!(verdict.reused, [2]);
        assert!(verdict.changed.is_empty());

        let verdict = compare(&before(), &requests, &Rows::new());
        assert_eq!(verdict.lost_ids(), [1, 2, 2]);
    }

    #[test]
    fn the_loss_in_seconds_runs_from_the_oldest_lost_acknowledgement() {
        let lost = |acknowledged: Option<f64>| Lost {
            id: 1,
            row: row(0),
            sent: acknowledged,
            acknowledged,
        };
        assert_eq!(seconds_lost(&[], 10.0), 0.0);
        assert_eq!(seconds_lost(&[lost(Some(4.0))], 10.0), 6.0);
        assert_eq!(seconds_lost(&[lost(Some(4.0)), lost(Some(1.0))], 10.0), 9.0);
        assert_eq!(seconds_lost(&[lost(None), lost(Some(4.0))], 10.0), 10.0);
        // What is lost of the time after the disaster is worth something too.
        assert_eq!(
            seconds_lost(&[lost(Some(12.0)), lost(Some(15.0))], 10.0),
            5.0
        );
    }

    #[test]
    fn a_dump_is_read_by_id_and_a_broken_one_names_its_line() {
        let text = "{\"id\":2,\"timestamp\":\"t0\",\"message\":\"m0\"}\n";
        assert_eq!(parse_dump(text).unwrap(), Rows::from([(2, row(0))]));
        let error = parse_dump(&format!("{text}{{\"id\":3")).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(parse_dump(&text.repeat(2)).is_err());
    }
}
