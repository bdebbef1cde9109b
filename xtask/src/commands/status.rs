//! `status`: what runs, what is stored, how well it is protected. Never brings
//! anything up.

mod copied;
mod replicated;
pub mod watched;

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

use crate::app;
use crate::commands::setup;
use crate::context::Context;
use crate::cron::Schedule;
use crate::engine;
use crate::facts::Facts;
use crate::failure;
use crate::game;
use crate::kube::Kube;
use crate::names;
use terms::lang::{Both, both, fixed, moment};
use terms::{EngineName, LabName, Labelled, Protection, tr};

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
    // Of another checkout's lab only what every lab says is shown.
    let topology = match facts.running && engine.lab() == LabName::Ha {
        true => Some(engine.replicated().and_then(Kube::topology)),
        false => None,
    };
    let (topology, unseen) = match topology.transpose() {
        Ok(topology) => (topology, None),
        Err(error) => (None, Some(error)),
    };
    let (watched, alerts) = watched::look(ctx, engine.as_ref(), &facts);
    // A status tells what it can.
    let shipping = engine.shipping();
    if ctx.ui.json() {
        let trouble = trouble.map(|error| format!("{error:#}"));
        return ctx.ui.document(&json!({
            "engine": engine.name(), "facts": facts, "application": app, "trouble": trouble,
            "overdue": app.as_ref().and_then(|app| overdue(&facts, app)),
            "holder": holder, "left_half_way": left, "topology": topology,
            "monitoring": watched, "alerts": alerts, "offsite": copied::document(&shipping),
        }));
    }
    let at_rest = holder.is_none() && left.is_none();
    say_who_is_at_it(ctx, holder, left);
    // One whose file is damaged was told of as what is left half-way.
    if let Ok(Some(_)) = game::running(&ctx.workspace, engine.name()) {
        ctx.ui.say(&tr!(
            "A game day goes on: cargo xtask gameday status",
            "Un game day est en cours : cargo xtask gameday status"
        ));
    }
    if !facts.running {
        ctx.ui.say(&tr!(
            "The lab is down (engine: {engine}).",
            "Le lab est arrêté (moteur : {engine}).",
            engine = engine.name(),
        ));
        ctx.ui
            .say(both("  next: cargo xtask setup", "  ensuite : cargo xtask setup").text());
        return Ok(());
    }
    if let Err(error) = engine.insist_on_ownership() {
        ctx.ui.warn(&format!("{error:#}"));
    } else if let Some(unseen) = unseen {
        ctx.ui.warn(&tr!(
            "where each part is could not be asked: {unseen:#}",
            "l'emplacement de chaque partie n'a pas pu être demandé : {unseen:#}",
        ));
    }
    let mut rows = match &topology {
        Some(topology) => {
            let mut rows = first_lines(engine.name(), &facts);
            rows.extend(replicated::rows(topology, app.as_ref()));
            rows
        }
        None => lines(engine.name(), &facts, app.as_ref()),
    };
    let declared = engine.lab() == LabName::Pra && ctx.config.offsite.destination().is_some();
    rows.extend(copied::row(&shipping, app.as_ref(), declared));
    rows.extend(watched::rows(watched.as_ref(), alerts.as_deref()));
    ctx.ui.table(&["", ""], &rows);
    if let (Some(topology), Ok(kube)) = (&topology, engine.replicated()) {
        replicated::say_crowded(&ctx.ui, kube, topology);
    }
    // A scenario resumes them, and so does whoever puts one back.
    if facts.suspended && at_rest {
        let next = engine.resuming_backups();
        ctx.ui.say(&tr!(
            "Backups are suspended: there are no new restore points until somebody makes one.\n  \
             next: {next}, which resumes them",
            "Les sauvegardes sont suspendues : il n'y a pas de nouveau point de restauration tant \
             que personne n'en fait un.\n  ensuite : {next}, qui les reprend",
        ));
    }
    if facts.wanted == 0 {
        ctx.ui.say(
            both(
                "No replica of the application is asked for: nobody is served.",
                "Aucune réplique de l'application n'est demandée : personne n'est servi.",
            )
            .text(),
        );
        ctx.ui
            .say(both("  next: cargo xtask setup", "  ensuite : cargo xtask setup").text());
    }
    if let Some(error) = trouble {
        ctx.ui.say(&tr!(
            "The application is in trouble: {error:#}",
            "L'application a un problème : {error:#}",
        ));
        if let Some(next) = failure::next(&error) {
            ctx.ui.say(&tr!("  next: {next}", "  ensuite : {next}"));
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
        ctx.ui
            .say(&tr!("{holder} has the lab.", "{holder} occupe le lab."));
    }
    if let Some(left) = left {
        ctx.ui
            .say(&tr!("Attention: {left}.", "Attention : {left}."));
        ctx.ui.say(
            both(
                "  next: cargo xtask setup, which puts the lab back",
                "  ensuite : cargo xtask setup, qui remet le lab en état",
            )
            .text(),
        );
    }
}

/// What the application says of itself that a person has to act on.
fn say_what_it_lacks(ctx: &Context, app: &app::Status) {
    for claim in [names::DATA_CLAIM, names::BACKUP_CLAIM] {
        if app.room(claim).is_some_and(|room| room.full) {
            ctx.ui.say(&full(claim));
        }
    }
    let unprotected = app.unprotected();
    let told = |why: &str| app.notices.iter().find(|notice| notice.what == why);
    if let Some((why, notice)) = unprotected.and_then(|why| Some((why, told(why)?))) {
        let next = failure::typed(&notice.next);
        ctx.ui.say(&tr!(
            "Not protected: {why}\n  next: {next}",
            "Non protégé : {why}\n  ensuite : {next}",
        ));
    } else if let (Some(why), Protection::Replication) = (unprotected, app.protection) {
        ctx.ui.say(&tr!(
            "Not protected: {why}\n  next: cargo xtask setup, which brings back what is away",
            "Non protégé : {why}\n  ensuite : cargo xtask setup, qui ramène ce qui est absent",
        ));
    } else if let Some(why) = unprotected {
        ctx.ui.say(&tr!(
            "Not protected: {why}\n  next: cargo xtask backup, which mends that or says what does",
            "Non protégé : {why}\n  ensuite : cargo xtask backup, qui y remédie ou dit comment",
        ));
    }
    for what in app.registry_lacks() {
        ctx.ui.say(&tr!(
            "Of two copies one is left: {what}\n  next: cargo xtask backup, which writes it again",
            "De deux copies il en reste une : {what}\n  ensuite : cargo xtask backup, qui l'écrit \
             de nouveau",
        ));
    }
    for notice in app
        .notices
        .iter()
        .filter(|one| unprotected != Some(&one.what))
    {
        let next = failure::typed(&notice.next);
        ctx.ui.say(&tr!(
            "{what}\n  next: {next}",
            "{what}\n  ensuite : {next}",
            what = notice.what,
        ));
    }
    if app.needs_restore {
        ctx.ui.say(way_back(app).text());
    }
}

/// What a volume that ran full means, and what to do about it.
fn full(claim: &str) -> String {
    let (lost, next) = if claim == names::DATA_CLAIM {
        (
            both("writes are refused", "les écritures sont refusées"),
            Both::same(""),
        )
    } else {
        (
            both(
                "backups fail, and writes are refused once the journal has used up the room it has",
                "les sauvegardes échouent, et les écritures sont refusées une fois que le journal \
                 a épuisé sa place",
            ),
            both("cargo xtask prune, or ", "cargo xtask prune, ou "),
        )
    };
    tr!(
        "{claim} is full: {lost}. Reading goes on.\n  next: {next}remove what does not belong \
         there (docs/runbook.md, \"Looking into the volumes\")",
        "{claim} est plein : {lost}. La lecture continue.\n  ensuite : {next}supprimez ce qui n'a \
         rien à y faire (docs/runbook.md, \"Looking into the volumes\")",
    )
}

/// What to do about a database that is gone.
fn way_back(app: &app::Status) -> Both {
    if app.points() == Some(0) {
        return both(
            "Both volumes are empty: nothing is left to restore from. next: cargo xtask teardown \
             && cargo xtask setup",
            "Les deux volumes sont vides : il ne reste rien à restaurer. ensuite : cargo xtask \
             teardown && cargo xtask setup",
        );
    }
    both(
        "The database is gone. next: cargo xtask restore latest",
        "La base de données a disparu. ensuite : cargo xtask restore latest",
    )
}

/// What every lab has.
fn first_lines(engine: EngineName, facts: &Facts) -> Vec<Vec<String>> {
    vec![
        row(both("engine", "moteur"), &engine.label()),
        row(
            Both::same("url"),
            facts
                .url
                .as_deref()
                .unwrap_or(both("none", "aucune").text()),
        ),
        row(
            both("replicas", "répliques"),
            &tr!(
                "{ready} of {wanted} ready",
                "{ready} prêtes sur {wanted}",
                ready = facts.ready(),
                wanted = facts.wanted,
            ),
        ),
    ]
}

fn lines(engine: EngineName, facts: &Facts, app: Option<&app::Status>) -> Vec<Vec<String>> {
    let mut rows = first_lines(engine, facts);
    for pod in &facts.pods {
        let state = match (pod.stopping, pod.ready) {
            (true, _) => both("stopping", "en cours d'arrêt"),
            (false, true) => both("ready", "prête"),
            (false, false) => both("not ready", "pas prête"),
        };
        rows.push(row(
            Both::same(""),
            &tr!(
                "{name}: {state}, {restarts} restarts",
                "{name} : {state}, redémarrages : {restarts}",
                name = pod.name,
                restarts = pod.restarts,
            ),
        ));
    }
    let suspended = match facts.suspended {
        true => both(", SUSPENDED", ", SUSPENDUES").text(),
        false => "",
    };
    let late = app.and_then(|app| overdue(facts, app));
    let late = late.map_or_else(String::new, |late| {
        tr!(", OVERDUE: {late}", ", EN RETARD : {late}")
    });
    if !facts.schedule.is_empty() {
        let when = format!("{} (UTC){suspended}{late}", facts.schedule);
        rows.push(row(both("backups", "sauvegardes"), &when));
    }
    if let Some(app) = app {
        rows.push(row(Both::same("protection"), &app.protection.label()));
        let count = app.count.map_or_else(
            || tr!("cannot be counted", "impossible à compter"),
            |count| count.to_string(),
        );
        rows.push(row(both("rows", "lignes"), &count));
    }
    // Replicas are no restore points, and there are no others.
    if let Some(app) = app.filter(|app| app.protection != Protection::Replication) {
        let last = match (&app.last_backup_file, app.backup_age_seconds) {
            (Some(file), Some(age)) => {
                let age = fixed(age, 0);
                tr!("{file}, {age} s ago", "{file}, il y a {age} s")
            }
            _ => tr!("none yet", "aucune"),
        };
        rows.push(row(both("last backup", "dernière sauvegarde"), &last));
    }
    for volume in &facts.volumes {
        let room = app.and_then(|app| app.room(&volume.claim));
        let used = room.map_or_else(String::new, used);
        rows.push(vec![
            volume.claim.clone(),
            format!("{}{used}", volume.place),
        ]);
    }
    for job in &facts.jobs {
        let state = job.state.label();
        rows.push(row(
            Both::same("job"),
            &tr!("{name}: {state}", "{name} : {state}", name = job.name),
        ));
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
    let missed = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + missed).to_string();
    let missed = moment(&missed);
    Some(tr!(
        "the run of {missed} brought no verified point, nor did a later one",
        "l'exécution de {missed} n'a donné aucun point vérifié, aucune suivante non plus",
    ))
}

/// How full a volume is.
fn used(room: &app::Room) -> String {
    let mib = |bytes: u64| fixed(bytes as f64 / f64::from(1 << 20), 1);
    let of = room.size.map_or_else(
        || tr!("{free} free", "{free} libres", free = mib(room.free)),
        |size| tr!("of {size}", "sur {size}", size = mib(size)),
    );
    let full = match room.full {
        true => both(", FULL", ", PLEIN").text(),
        false => "",
    };
    tr!(
        ", {used} MiB used {of}{full}",
        ", {used} Mio utilisés {of}{full}",
        used = mib(room.used)
    )
}

fn row(name: Both, value: &str) -> Vec<String> {
    vec![name.into(), value.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_without_restore_points_is_shown_without_a_last_one() {
        let names = |protection: &str| -> Vec<String> {
            let app = json!({"count": 7, "protection": protection, "needs_restore": false});
            let app: app::Status = serde_json::from_value(app).unwrap();
            let rows = lines(EngineName::K3d, &Facts::default(), Some(&app));
            rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
        };
        let last = "last backup".to_owned();
        assert!(names("journal").contains(&last));
        assert!(!names("replication").contains(&last));
    }
}
