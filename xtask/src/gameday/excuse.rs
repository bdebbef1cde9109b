//! Which lost rows a player could not keep.

use anyhow::{Context as _, Result};
use terms::{FaultName, Protection};

use crate::game::{Game, Truth};
use crate::measure::compare::Lost;
use crate::measure::ledger_file::SoFar;

/// Spans of the ledger's clock in which acknowledged rows may be lost. With the journal
/// nothing is, but what came after a wrong deletion: to go back to before it gives that
/// up, unless it is brought back by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Excuse {
    /// Snapshots alone lose what was acknowledged after the newest sound one, until the
    /// disaster was complete.
    after_point: Option<(f64, f64)>,
    /// What was sent after a deletion.
    after_deletion: Option<f64>,
}

impl Excuse {
    pub fn of(game: &Game, truth: &Truth, ledger: &SoFar) -> Result<Self> {
        let at = |wall: &Option<String>| -> Result<Option<f64>> {
            let Some(wall) = wall else { return Ok(None) };
            let wall = humantime::parse_rfc3339(wall).context("reading a moment of the game")?;
            Ok(Some(ledger.at(wall)))
        };
        let restored = |name: &FaultName| {
            matches!(
                name,
                FaultName::VolumeLoss
                    | FaultName::DatabaseCorrupt
                    | FaultName::ForeignDelete
                    | FaultName::BadDelete
            )
        };
        let snapshots = truth.protection == Protection::Snapshot;
        let span = at(&truth.point_began)?.zip(at(&game.struck)?);
        let deleted = truth.faults.contains(&FaultName::BadDelete);
        Ok(Self {
            after_point: span.filter(|_| snapshots && truth.faults.iter().any(restored)),
            after_deletion: at(&truth.began)?.filter(|_| deleted),
        })
    }

    /// What could have been kept.
    pub fn avoidable<'a>(&self, lost: &'a [Lost]) -> impl Iterator<Item = &'a Lost> {
        let excuse = *self;
        lost.iter().filter(move |one| !excuse.covers(one))
    }

    fn covers(&self, lost: &Lost) -> bool {
        let (Some(sent), Some(acknowledged)) = (lost.sent, lost.acknowledged) else {
            // It was there before the game.
            return false;
        };
        let snapshot = |(from, to)| acknowledged >= from && sent <= to;
        self.after_point.is_some_and(snapshot) || self.after_deletion.is_some_and(|at| sent >= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::Row;

    fn lost(sent: Option<f64>) -> Lost {
        Lost {
            id: 1,
            row: Row {
                message: "m".into(),
                timestamp: "t".into(),
            },
            sent,
            acknowledged: sent.map(|at| at + 0.1),
        }
    }

    #[test]
    fn with_the_journal_every_row_can_be_kept() {
        let rows = [lost(None), lost(Some(5.0))];
        assert_eq!(Excuse::default().avoidable(&rows).count(), 2);
    }

    #[test]
    fn a_snapshot_keeps_what_came_before_it_and_recovery_what_came_after() {
        let excuse = Excuse {
            after_point: Some((4.0, 10.0)),
            ..Excuse::default()
        };
        let sent = [None, Some(1.0), Some(5.0), Some(12.0)];
        let rows = sent.map(lost);
        let avoidable: Vec<Option<f64>> = excuse.avoidable(&rows).map(|one| one.sent).collect();
        assert_eq!(avoidable, [None, Some(1.0), Some(12.0)]);
    }

    #[test]
    fn going_back_to_before_a_deletion_gives_up_what_came_after() {
        let excuse = Excuse {
            after_deletion: Some(10.0),
            ..Excuse::default()
        };
        let rows = [lost(Some(9.0)), lost(Some(11.0)), lost(None)];
        assert_eq!(excuse.avoidable(&rows).count(), 2);
    }
}
