//! Losses that break a promise under every protection: snapshots may lose only what
//! came after the restored point.

use terms::lang::{self, both};
use terms::tr;

use super::compare::{Lost, Rows};

/// A restore point that could be restored, and what it holds.
#[derive(Debug)]
pub struct Held {
    pub name: String,
    pub rows: Rows,
}

/// The lost rows that had to be kept.
#[derive(Debug, Default, PartialEq)]
pub struct Broken {
    pub rows: usize,
    /// Which promises that breaks, in words.
    pub said: Vec<String>,
}

/// Which of the lost rows break a promise under every protection: that what was
/// there before the run stays, that what a verified point holds comes back, and
/// that what was written once the data were back (from `recovered` on, on the
/// ledger's clock) stays as well.
pub fn broken(lost: &[Lost], points: &[Held], recovered: f64) -> Broken {
    let from_before = |one: &Lost| one.sent.is_none();
    let since = |one: &Lost| one.sent.is_some_and(|sent| sent >= recovered);
    let holds = |point: &Held, one: &Lost| point.rows.get(&one.id) == Some(&one.row);
    let count = |which: &dyn Fn(&Lost) -> bool| lost.iter().filter(|one| which(one)).count();
    let said = |rows: usize| lang::rows(rows as u64);
    let before = count(&from_before);
    let after = count(&since);
    let mut found = vec![
        (
            before,
            tr!(
                "missing: {rows} from before the run",
                "il manque {rows} d'avant l'exécution",
                rows = said(before),
            ),
        ),
        (
            after,
            tr!(
                "missing: {rows} from after the recovery",
                "il manque {rows} d'après la reprise",
                rows = said(after),
            ),
        ),
    ];
    found.extend(points.iter().map(|point| {
        let (rows, point) = (count(&|one| holds(point, one)), &point.name);
        let broken = tr!(
            "missing: {rows} that the verified point {point} holds",
            "il manque {rows} que contient le point vérifié {point}",
            rows = said(rows),
        );
        (rows, broken)
    }));
    let any =
        |one: &Lost| from_before(one) || since(one) || points.iter().any(|point| holds(point, one));
    let found = found.into_iter().filter(|(rows, _)| *rows > 0);
    Broken {
        rows: count(&any),
        said: found.map(|(_, said)| said).collect(),
    }
}

/// Whether a promise was kept; who skims a table must not miss that it was not.
pub fn yes_or_no(kept: bool) -> String {
    if kept {
        both("yes", "oui")
    } else {
        both("NO", "NON")
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::Row;

    fn lost(id: i64, sent: Option<f64>) -> Lost {
        Lost {
            id,
            row: row(id),
            sent,
            acknowledged: sent.map(|sent| sent + 0.1),
        }
    }

    fn row(id: i64) -> Row {
        Row {
            message: format!("m{id}"),
            timestamp: format!("t{id}"),
        }
    }

    fn point(ids: std::ops::Range<i64>) -> Held {
        Held {
            name: "app-7.db".into(),
            rows: ids.map(|id| (id, row(id))).collect(),
        }
    }

    #[test]
    fn what_came_after_the_point_may_be_lost_until_the_data_are_back() {
        let rows = [lost(5, Some(1.0)), lost(6, Some(2.0))];
        assert_eq!(broken(&rows, &[point(1..5)], 3.0), Broken::default());
    }

    #[test]
    fn a_lost_row_that_the_point_holds_breaks_a_promise() {
        let rows = [lost(4, Some(0.5)), lost(5, Some(1.0))];
        let Broken { rows, said } = broken(&rows, &[point(1..5)], 3.0);
        assert_eq!(rows, 1);
        assert_eq!(
            said,
            ["missing: 1 row that the verified point app-7.db holds"]
        );
    }

    /// After a loss an id may be given out again.
    #[test]
    fn another_row_under_the_same_id_is_not_held() {
        let mut other = point(1..5);
        other.rows.get_mut(&4).unwrap().message = "another".into();
        let found = broken(&[lost(4, Some(0.5))], &[other], 3.0);
        assert_eq!(found, Broken::default());
    }

    #[test]
    fn a_row_from_before_the_run_may_never_be_lost() {
        let said = broken(&[lost(1, None), lost(2, None)], &[], 3.0).said;
        assert_eq!(said, ["missing: 2 rows from before the run"]);
    }

    #[test]
    fn what_was_written_after_the_recovery_may_not_be_lost() {
        let said = broken(&[lost(9, Some(3.5))], &[point(1..5)], 3.0).said;
        assert_eq!(said, ["missing: 1 row from after the recovery"]);
    }
}
