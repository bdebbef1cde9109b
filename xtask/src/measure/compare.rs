//! After the recovery: the rows of the database against the ledger, as sets.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::ledger::{Outcome, Request, Row};

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

/// What became of the writes. Every list is of ids, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged (or there before the run) and absent.
    pub lost: Vec<i64>,
    /// Present under its id, with another content than was acknowledged.
    pub changed: Vec<i64>,
    /// Present, and never sent.
    pub phantom: Vec<i64>,
    /// Present, sent, and never acknowledged: allowed, since the answer may
    /// have been cut off after the write.
    pub in_doubt: Vec<i64>,
}

/// Compares the rows after the recovery with those before the run and with
/// what the client was promised.
pub fn compare(before: &Rows, requests: &[Request], after: &Rows) -> Verdict {
    let mut promised = before.clone();
    let mut unanswered = BTreeSet::new();
    for request in requests {
        match &request.outcome {
            Outcome::Acknowledged { id, timestamp } => {
                let row = Row {
                    message: request.message.clone(),
                    timestamp: timestamp.clone(),
                };
                promised.insert(*id, row);
            }
            Outcome::Failed { .. } => {
                unanswered.insert(request.message.as_str());
            }
        }
    }
    let mut verdict = Verdict::default();
    for (id, row) in &promised {
        match after.get(id) {
            None => verdict.lost.push(*id),
            Some(found) if found != row => verdict.changed.push(*id),
            Some(_) => {}
        }
    }
    for (id, row) in after {
        if promised.contains_key(id) {
            continue;
        }
        // A message sent once may be present once.
        if unanswered.remove(row.message.as_str()) {
            verdict.in_doubt.push(*id);
        } else {
            verdict.phantom.push(*id);
        }
    }
    verdict
}

/// How many seconds' worth of acknowledged writes `lost` stands for: from the
/// oldest lost acknowledgement to `disaster`. Rows from before the run count
/// from the run's beginning.
pub fn seconds_lost(requests: &[Request], lost: &[i64], disaster: f64) -> f64 {
    if lost.is_empty() {
        return 0.0;
    }
    let lost: BTreeSet<i64> = lost.iter().copied().collect();
    let mut of_this_run = 0;
    let mut oldest = disaster;
    for request in requests {
        if let Outcome::Acknowledged { id, .. } = request.outcome
            && lost.contains(&id)
        {
            of_this_run += 1;
            oldest = oldest.min(request.ended);
        }
    }
    if of_this_run < lost.len() {
        oldest = 0.0;
    }
    (disaster - oldest).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(n: usize, ended: f64, outcome: Outcome) -> Request {
        Request {
            n,
            message: format!("m{n}"),
            sent: ended - 0.1,
            ended,
            outcome,
        }
    }

    fn acknowledged(n: usize, id: i64, ended: f64) -> Request {
        let timestamp = format!("t{n}");
        request(n, ended, Outcome::Acknowledged { id, timestamp })
    }

    fn failed(n: usize) -> Request {
        let reason = "cut off".into();
        request(n, 9.0, Outcome::Failed { reason })
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
        assert_eq!(verdict.lost, [1, 2]);
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
    fn the_loss_in_seconds_runs_from_the_oldest_lost_acknowledgement() {
        let requests = [acknowledged(0, 2, 1.0), acknowledged(1, 3, 4.0)];
        assert_eq!(seconds_lost(&requests, &[], 10.0), 0.0);
        assert_eq!(seconds_lost(&requests, &[3], 10.0), 6.0);
        assert_eq!(seconds_lost(&requests, &[2, 3], 10.0), 9.0);
        assert_eq!(seconds_lost(&requests, &[1, 3], 10.0), 10.0);
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
