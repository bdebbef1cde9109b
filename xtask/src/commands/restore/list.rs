//! The restore points and the journal, listed.

use anyhow::Result;
use terms::lang::{Both, both, duration, moment};
use terms::{Labelled, tr};

use crate::app::{self, Point};
use crate::commands::setup;
use crate::context::Context;

pub fn points(ctx: &Context) -> Result<()> {
    let engine = setup::for_reading(ctx, "restore --list")?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    if ctx.ui.json() {
        ctx.ui.raw(&app::points_as_text(engine.as_ref())?);
        return Ok(());
    }
    let points = app::points(engine.as_ref())?;
    if points.points.is_empty() {
        ctx.ui.say(
            both(
                "There is no restore point yet. next: cargo xtask backup",
                "Il n'y a pas encore de point de restauration. ensuite : cargo xtask backup",
            )
            .text(),
        );
        return Ok(());
    }
    let rows: Vec<Vec<String>> = points.points.iter().map(row).collect();
    let headers = [
        Both::same("point"),
        both("time (UTC)", "date (UTC)"),
        both("age", "âge"),
        both("rows", "lignes"),
        both("bytes", "octets"),
        both("state", "état"),
        both("why", "pourquoi"),
    ];
    ctx.ui.table(&headers.map(Both::text), &rows);
    match &points.latest {
        Some(latest) => ctx.ui.say(&tr!(
            "latest verified: {latest}",
            "dernier point vérifié : {latest}",
        )),
        None => ctx.ui.say(
            both(
                "No point is verified: `restore latest` would refuse.",
                "Aucun point n'est vérifié : `restore latest` refuserait.",
            )
            .text(),
        ),
    }
    let Some(reach) = points.journal else {
        return Ok(());
    };
    if let (Some(from), Some(to)) = (reach.from, reach.to) {
        let (from, to) = (moment(&from), moment(&to));
        ctx.ui.say(&tr!(
            "the journal reaches any moment from {from} to {to}",
            "le journal permet de revenir à tout instant de {from} à {to}",
        ));
    }
    if let Some(damage) = reach.damage {
        ctx.ui.warn(&tr!(
            "the journal is damaged: {damage}",
            "le journal est endommagé : {damage}",
        ));
    }
    if let Some(doubt) = reach.doubt {
        ctx.ui.warn(&tr!(
            "the journal's end is in doubt: {doubt}",
            "la fin du journal est douteuse : {doubt}",
        ));
    }
    Ok(())
}

fn row(point: &Point) -> Vec<String> {
    vec![
        point.name.clone(),
        moment(&point.created),
        duration(point.age_seconds.max(0.0) as u64),
        point
            .rows
            .map_or_else(|| "?".to_owned(), |rows| rows.to_string()),
        point.bytes.to_string(),
        point.status.label(),
        point.reason.clone().unwrap_or_default(),
    ]
}

pub fn transactions(ctx: &Context, largest: bool, limit: u32) -> Result<()> {
    let engine = setup::for_reading(ctx, "restore --log")?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let said = app::log(engine.as_ref(), largest, limit)?;
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = said
        .value
        .transactions
        .iter()
        .map(|one| {
            let counts = [one.timeline, one.added, one.changed, one.deleted];
            let mut row = vec![one.seq.to_string(), moment(&one.time)];
            row.extend(counts.map(|count| count.to_string()));
            row
        })
        .collect();
    let headers = [
        Both::same("transaction"),
        both("time (UTC)", "date (UTC)"),
        both("timeline", "branche"),
        both("added", "ajoutées"),
        both("changed", "modifiées"),
        both("deleted", "supprimées"),
    ];
    ctx.ui.table(&headers.map(Both::text), &rows);
    ctx.ui.say(
        both(
            "  next: cargo xtask restore --to-before TRANSACTION --plan",
            "  ensuite : cargo xtask restore --to-before TRANSACTION --plan",
        )
        .text(),
    );
    Ok(())
}
