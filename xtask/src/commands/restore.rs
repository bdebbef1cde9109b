//! `restore`: list the restore points, or go back to one.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::app::{self, Point};
use crate::commands::setup;
use crate::context::Context;
use crate::failure::Failure;

pub fn list(ctx: &Context) -> Result<()> {
    let engine = setup::bring_up(ctx)?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let points = app::points(engine.as_ref())?;
    if ctx.ui.json() {
        return ctx.ui.document(&points);
    }
    if points.points.is_empty() {
        ctx.ui
            .say("There is no restore point yet. next: cargo xtask backup");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = points.points.iter().map(row).collect();
    let headers = [
        "point",
        "time (UTC)",
        "age",
        "rows",
        "bytes",
        "state",
        "why",
    ];
    ctx.ui.table(&headers, &rows);
    match &points.latest {
        Some(latest) => ctx.ui.say(&format!("latest verified: {latest}")),
        None => ctx
            .ui
            .say("No point is verified: `restore latest` would refuse."),
    }
    Ok(())
}

fn row(point: &Point) -> Vec<String> {
    let age = Duration::from_secs(point.age_seconds.max(0.0) as u64);
    vec![
        point.name.clone(),
        point.created.clone(),
        humantime::format_duration(age).to_string(),
        point
            .rows
            .map_or_else(|| "?".to_owned(), |rows| rows.to_string()),
        point.bytes.to_string(),
        point.status.clone(),
        point.reason.clone().unwrap_or_default(),
    ]
}

pub fn run(ctx: &Context, point: &str, force: bool) -> Result<()> {
    check_name(point)?;
    let _lock = ctx.lock("restore")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step(format!("restore {point}"));
    let report = app::restore(engine.as_ref(), point, force)?;
    step.done("verified and in place");
    let step = ctx.ui.step("new backup");
    let protected = app::backup(engine.as_ref())?;
    step.done("taken");
    let (Some(report), Some(protected)) = (report, protected) else {
        return Ok(());
    };
    if ctx.ui.json() {
        return ctx
            .ui
            .document(&json!({"restore": report, "backup": protected}));
    }
    ctx.ui.say(&format!(
        "Restored {}: {} rows. What was there before is kept as {}.",
        report["point"].as_str().unwrap_or(point),
        report["rows"],
        report["safety_point"]
            .as_str()
            .unwrap_or("nothing: there was nothing"),
    ));
    Ok(())
}

/// Refuses what cannot be a point's name before it goes anywhere near a pod.
fn check_name(point: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let harmless = !point.starts_with(['-', '.']) && point.chars().all(plain);
    if point == "latest" || (harmless && point.ends_with(".db")) {
        return Ok(());
    }
    Err(
        Failure::usage(format!("{point:?} cannot be the name of a restore point"))
            .next("cargo xtask restore --list")
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_points_pass() {
        for good in ["latest", "app-1763719200.db", "app-1763719200-2.db"] {
            check_name(good).unwrap();
        }
        for bad in [
            "",
            "..",
            "../app-1.db",
            "/etc/a.db",
            "--force.db",
            "a b.db",
            "app-1",
        ] {
            assert!(check_name(bad).is_err(), "{bad:?} passed");
        }
    }
}
