//! The last part of a tour: a mistake, taken back by a restore. Others may write at the same
//! time, and none of theirs may go with it.

use anyhow::{Context as _, Result};
use serde::Serialize;
use terms::Protection;

use crate::app::{self, Plan, RestoreOptions};
use crate::commands::{backup, restore};
use crate::context::Context;
use crate::engine;
use crate::failure::Failure;
use crate::measure::compare::Rows;

use super::aloud::{added, say, state, typed};
use super::texts;

/// The rows when a mistake had been made, and after it was taken back.
#[derive(Serialize)]
pub struct Undone {
    /// No: others wrote, and the restore would have taken more than the mistake.
    taken_back: bool,
    rows_before: usize,
    rows_after: usize,
}

pub fn take_back(ctx: &Context) -> Result<Undone> {
    let protection = state(ctx)?.protection;
    say(ctx, &texts::before_the_mistake(protection));
    let engine = engine::select(ctx)?;
    // Without a journal there is no way back but to a point.
    if protection == Protection::Snapshot {
        typed(ctx, "cargo xtask backup");
        backup::run(ctx, None)?;
    }
    let id = added(ctx, &texts::mistake())?.context("the application gave the row no id")?;
    let (target, shown) = match protection {
        Protection::Journal => {
            let newest = app::log(engine.as_ref(), false, 1)?.value.transactions;
            let seq = newest
                .first()
                .context("the journal has no transaction")?
                .seq;
            (format!("before:{seq}"), format!("--to-before {seq}"))
        }
        _ => ("latest".to_owned(), "latest".to_owned()),
    };
    let plan = app::plan(engine.as_ref(), &target, false)?.value;
    // After the plan: who wrote before it is in here.
    let rows = app::dump(engine.as_ref())?;
    if !takes_only(id, &plan, &rows) {
        say(ctx, &texts::mistake_left(id));
        return Ok(Undone {
            taken_back: false,
            rows_before: rows.len(),
            rows_after: rows.len(),
        });
    }
    typed(ctx, &format!("cargo xtask restore {shown}"));
    let mut agreed = ctx.clone();
    agreed.options.yes = true;
    let restored = restore::bring_back(&agreed, "restore", &target, RestoreOptions::default())?;
    let restored = restored.context("a tour that is carried out is no dry run")?;
    // Who wrote after it is in what the restore has kept, and is not in what it made.
    let kept = restored.safety_point.context("the restore kept nothing")?;
    let before = app::dump_point(engine.as_ref(), &kept)?;
    let after = app::dump(engine.as_ref())?;
    insist_on_others(id, &before, &after)?;
    let rows_after = before.len() - 1;
    say(ctx, &texts::after_the_mistake(before.len(), rows_after));
    Ok(Undone {
        taken_back: true,
        rows_before: before.len(),
        rows_after,
    })
}

/// Whether a restore takes the row that the tour added, and nothing of others. `rows` were
/// read after the plan was made: with the newest of them the tour's, nobody had added one
/// until then, so that the only one that goes is that one.
fn takes_only(id: i64, plan: &Plan, rows: &Rows) -> bool {
    let newest = rows.last_key_value();
    let ours = newest.is_some_and(|(newest, row)| *newest == id && row.message == texts::mistake());
    ours && (plan.lost, plan.changed, plan.gained) == (Some(1), Some(0), Some(0))
}

/// # Errors
/// Others' rows are gone: those that they wrote between the plan and the restore.
fn insist_on_others(id: i64, before: &Rows, after: &Rows) -> Result<()> {
    let gone = others_gone(id, before, after);
    if gone.is_empty() {
        return Ok(());
    }
    Err(Failure::promise(texts::others_gone(&gone))
        .next("cargo xtask undo")
        .into())
}

/// Ids of the rows that are gone, or have another content, and are not the tour's.
fn others_gone(id: i64, before: &Rows, after: &Rows) -> Vec<i64> {
    let gone = before
        .iter()
        .filter(|(one, row)| **one != id && after.get(one) != Some(row));
    gone.map(|(one, _)| *one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::next;
    use crate::measure::observed::Row;

    fn rows(messages: &[(i64, &str)]) -> Rows {
        let row = |message: &str| Row {
            message: message.to_owned(),
            timestamp: "t".to_owned(),
        };
        messages
            .iter()
            .map(|(id, message)| (*id, row(message)))
            .collect()
    }

    fn plan(lost: u64, changed: u64) -> Plan {
        let plan = serde_json::json!({
            "replayed": 0, "rows": 0, "gained": 0, "lost": lost, "changed": changed,
            "warnings": [], "seconds": 0.1,
        });
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn a_yes_is_for_the_mistake_alone() {
        let mistake = texts::mistake();
        let alone = rows(&[(1, "theirs"), (2, &mistake)]);
        assert!(takes_only(2, &plan(1, 0), &alone));
        assert!(!takes_only(2, &plan(2, 0), &alone), "more than one row");
        assert!(!takes_only(2, &plan(0, 0), &alone), "not even the mistake");
        assert!(!takes_only(2, &plan(1, 1), &alone), "a change as well");
        // The newest transaction was somebody else's: the one row that goes is theirs.
        let after_it = rows(&[(1, "theirs"), (2, &mistake), (3, "theirs")]);
        assert!(!takes_only(2, &plan(1, 0), &after_it));
        assert!(!takes_only(2, &plan(1, 0), &rows(&[(2, "theirs")])));
    }

    #[test]
    fn a_row_that_came_between_plan_and_restore_is_told_with_the_way_back() {
        let before = rows(&[(1, "theirs"), (2, "mistake"), (3, "late")]);
        let after = rows(&[(1, "theirs")]);
        assert_eq!(others_gone(2, &before, &after), [3]);
        let error = insist_on_others(2, &before, &after).unwrap_err();
        assert_eq!(next(&error), Some("cargo xtask undo"));
        // An id that was given out again hides nothing.
        let again = rows(&[(1, "theirs"), (3, "later")]);
        assert_eq!(others_gone(2, &before, &again), [3]);
        let whole = rows(&[(1, "theirs"), (2, "new")]);
        assert!(others_gone(2, &rows(&[(1, "theirs"), (2, "mistake")]), &whole).is_empty());
    }
}
