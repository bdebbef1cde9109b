//! `status`: what runs, what is stored, how well it is protected. Never brings
//! anything up.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::{Value, json};

use crate::app;
use crate::commands::setup;
use crate::context::Context;
use crate::cron::Schedule;
use crate::engine;
use crate::facts::Facts;
use crate::failure;
use crate::game;
use crate::names;
use terms::{EngineName, tr};

pub fn run(ctx: &Context) -> Result<()> {
    let engine = engine::select(ctx)?;
    let facts = engine.facts()?;
    let holder = ctx.workspace.holder()?;
    // Who has the lab is at it, or puts it back first.
    let left = match holder {
        None => setup::left_half_way(ctx, engine.as_ref()),
        Some(_) => None,
    };
    let url = facts.url.as_deref().filter(|_| facts.ready() > 0);
    // An application in trouble is what a status is asked for: it is shown, not
    // failed on.
    let (app, trouble) = match url.map(app::status).transpose() {
        Ok(app) => (app, None),
        Err(error) => (None, Some(error)),
    };
    if ctx.ui.json() {
        let trouble = trouble.map(|error| format!("{error:#}"));
        return ctx.ui.document(&json!({
            "engine": engine.name(), "facts": facts, "application": app, "trouble": trouble,
            "overdue": app.as_ref().and_then(|app| overdue(&facts, app)),
            "holder": holder, "left_half_way": left,
        }));
    }
    let at_rest = holder.is_none() && left.is_none();
    say_who_is_at_it(ctx, holder, left);
    if game::running(&ctx.workspace, engine.name())?.is_some() {
        ctx.ui.say(&tr!(
            "A game day goes on: cargo xtask gameday status",
            "Un game day est en cours : cargo xtask gameday status"
        ));
    }
    if !facts.running {
        ctx.ui
            .say(&format!("The lab is down (engine: {}).", engine.name()));
        ctx.ui.say("  next: cargo xtask setup");
        return Ok(());
    }
    if let Err(error) = engine.insist_on_ownership() {
        ctx.ui.warn(&format!("{error:#}"));
    }
    let rows = lines(engine.name(), &facts, app.as_ref());
    ctx.ui.table(&["", ""], &rows);
    // A scenario resumes them, and so does whoever puts one back.
    if facts.suspended && at_rest {
        let next = engine.resuming_backups();
        ctx.ui.say(&format!(
            "Backups are suspended: there are no new restore points until somebody makes one.\n  \
             next: {next}, which resumes them"
        ));
    }
    if facts.wanted == 0 {
        ctx.ui
            .say("No replica of the application is asked for: nobody is served.");
        ctx.ui.say("  next: cargo xtask setup");
    }
    if let Some(error) = trouble {
        ctx.ui
            .say(&format!("The application is in trouble: {error:#}"));
        if let Some(next) = failure::next(&error) {
            ctx.ui.say(&format!("  next: {next}"));
        }
    }
    if let Some(app) = app {
        say_what_it_lacks(ctx, &app);
    }
    Ok(())
}

/// Who has the lab, or what was left half-way in it.
fn say_who_is_at_it(ctx: &Context, holder: Option<String>, left: Option<String>) {
    if let Some(holder) = holder {
        ctx.ui.say(&format!("{holder} has the lab."));
    }
    if let Some(left) = left {
        ctx.ui.say(&format!("Attention: {left}."));
        ctx.ui
            .say("  next: cargo xtask setup, which puts the lab back");
    }
}

/// What the application says of itself that a person has to act on.
fn say_what_it_lacks(ctx: &Context, app: &app::Status) {
    for claim in [names::DATA_CLAIM, names::BACKUP_CLAIM] {
        if app.room(claim).is_some_and(|room| room.full) {
            ctx.ui.say(&full(claim));
        }
    }
    if let Some(why) = app.more.get("unprotected").and_then(Value::as_str) {
        ctx.ui.say(&format!(
            "Not protected: {why}\n  next: cargo xtask backup, which mends that or says what does"
        ));
    }
    let registry = app.more.get("registry").and_then(Value::as_array);
    for lost in registry.into_iter().flatten() {
        let what = lost.as_str().unwrap_or_default();
        ctx.ui.say(&format!(
            "Of two copies one is left: {what}\n  next: cargo xtask backup, which writes it again"
        ));
    }
    for notice in &app.notices {
        let next = failure::typed(&notice.next);
        ctx.ui.say(&format!("{}\n  next: {next}", notice.what));
    }
    if app.needs_restore {
        ctx.ui.say(way_back(app));
    }
}

/// What a volume that ran full means, and what to do about it.
fn full(claim: &str) -> String {
    let (lost, next) = if claim == names::DATA_CLAIM {
        ("writes are refused", "")
    } else {
        (
            "backups fail, and writes are refused once the journal has used up the room it has",
            "cargo xtask prune, or ",
        )
    };
    format!(
        "{claim} is full: {lost}. Reading goes on.\n  next: {next}remove what does not belong \
         there (docs/runbook.md, \"Looking into the volumes\")"
    )
}

/// What to do about a database that is gone.
fn way_back(app: &app::Status) -> &'static str {
    if app.more.get("points").and_then(Value::as_u64) == Some(0) {
        return "Both volumes are empty: nothing is left to restore from. \
                next: cargo xtask teardown && cargo xtask setup";
    }
    "The database is gone. next: cargo xtask restore latest"
}

fn lines(engine: EngineName, facts: &Facts, app: Option<&app::Status>) -> Vec<Vec<String>> {
    let mut rows = vec![
        row("engine", engine.word()),
        row("url", facts.url.as_deref().unwrap_or("none")),
        row(
            "replicas",
            &format!("{} of {} ready", facts.ready(), facts.wanted),
        ),
    ];
    for pod in &facts.pods {
        let state = match (pod.stopping, pod.ready) {
            (true, _) => "stopping",
            (false, true) => "ready",
            (false, false) => "not ready",
        };
        rows.push(row(
            "",
            &format!("{}: {state}, {} restarts", pod.name, pod.restarts),
        ));
    }
    let suspended = if facts.suspended { ", SUSPENDED" } else { "" };
    let late = app.and_then(|app| overdue(facts, app));
    let late = late.map_or_else(String::new, |late| format!(", OVERDUE: {late}"));
    rows.push(row(
        "backups",
        &format!("{} (UTC){suspended}{late}", facts.schedule),
    ));
    if let Some(app) = app {
        rows.push(row("protection", app.protection.word()));
        let count = app
            .count
            .map_or_else(|| "cannot be counted".to_owned(), |count| count.to_string());
        rows.push(row("rows", &count));
        let last = match (&app.last_backup_file, app.backup_age_seconds) {
            (Some(file), Some(age)) => format!("{file}, {age:.0} s ago"),
            _ => "none yet".to_owned(),
        };
        rows.push(row("last backup", &last));
    }
    for volume in &facts.volumes {
        let room = app.and_then(|app| app.room(&volume.claim));
        let used = room.map_or_else(String::new, used);
        rows.push(row(&volume.claim, &format!("{}{used}", volume.place)));
    }
    for job in &facts.jobs {
        let state = format!("{:?}", job.state).to_lowercase();
        rows.push(row("job", &format!("{}: {state}", job.name)));
    }
    rows
}

/// What the schedule should have brought and did not, whatever the reason.
fn overdue(facts: &Facts, app: &app::Status) -> Option<String> {
    let schedule = Schedule::parse(&facts.schedule).ok()?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let newest = now.checked_sub(Duration::try_from_secs_f64(app.backup_age_seconds?).ok()?)?;
    let missed = Duration::from_secs(schedule.missed(newest, now)? * 60);
    let missed = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + missed);
    Some(format!(
        "the run of {missed} brought no verified point, nor did a later one"
    ))
}

/// How full a volume is.
fn used(room: &app::Room) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let of = room.size.map_or_else(
        || format!("{} free", mib(room.free)),
        |size| format!("of {}", mib(size)),
    );
    let full = if room.full { ", FULL" } else { "" };
    format!(", {} MiB used {of}{full}", mib(room.used))
}

fn row(name: &str, value: &str) -> Vec<String> {
    vec![name.to_owned(), value.to_owned()]
}
