//! Completes the recovery of a scenario that was interrupted.

use std::path::Path;

use anyhow::Result;
use terms::lang::{self, moment};
use terms::{LabName, tr};

use crate::context::Context;
use crate::copy;
use crate::database::{self, Restored};
use crate::engine::{Engine, serving};
use crate::failure::{self, Failure, Kind};
use crate::marker::{self, Marker, Stage, Unfinished};
use crate::protected;
use crate::scenario::repair::{Interrupted, Repair};
use crate::scenario::{self, ha};

/// Starts a node that was left stopped: with it, the cluster itself may be away.
pub fn start_nodes(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    match marker::pending(&ctx.workspace, engine.name())? {
        Some(left) if repair(engine, &left)?.stops_nodes => engine.nodes()?.start(),
        _ => Ok(()),
    }
}

/// Removes a lab whose volumes a scenario has spoilt before it was cut off, so that it is built anew
/// around the copy that the run has left.
///
/// # Errors
/// That copy cannot be used; nothing was removed.
pub fn remove_spoilt(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // A dry run takes no lock, so what it finds half-way may be under way.
    if ctx.exec.dry_run() && ctx.workspace.holder()?.is_some() {
        return Ok(());
    }
    let Some(left) = marker::pending(&ctx.workspace, engine.name())? else {
        return Ok(());
    };
    if left.stage != Stage::Struck || !repair(engine, &left)?.spoils {
        return Ok(());
    }
    // It is being built anew already.
    if copy::is_closed(ctx, engine) {
        return Ok(());
    }
    if engine.facts()?.volumes.is_empty() || !is_spoilt(engine, &left)? {
        return Ok(());
    }
    if copy_of(ctx, &left)?.is_none() {
        return Ok(());
    }
    ctx.ui.note(&tr!(
        "Scenario {name} was interrupted after it had encrypted the volumes: the lab is removed, and \
         built anew around the copy that was exported before.",
        "Le scénario {name} a été interrompu après avoir chiffré les volumes : le lab est supprimé, \
         puis reconstruit autour de la copie exportée avant.",
        name = left.scenario,
    ));
    engine.down()
}

/// Cut off before it had begun, the scenario leaves a lab that has more than the copy.
///
/// # Errors
/// Nobody can tell: a database that could not be asked may be a good one.
fn is_spoilt(engine: &dyn Engine, left: &Unfinished) -> Result<bool> {
    let Err(error) = database::readable(engine).dump() else {
        return Ok(false);
    };
    match failure::kind(&error) {
        Kind::Promise => Ok(true),
        kind => Err(error.context(
            Failure::new(
                kind,
                tr!(
                    "scenario {name} was interrupted, and whether it had encrypted the database \
                     cannot be told: the lab is left as it is",
                    "le scénario {name} a été interrompu, et rien ne dit s'il avait chiffré la base \
                     de données : le lab est laissé tel quel",
                    name = left.scenario,
                ),
            )
            .next("cargo xtask status"),
        )),
    }
}

/// Whether a scenario was cut off that may keep a lab of several servers from saying
/// anything, so that a dry run has nobody to ask.
pub fn may_be_silent(ctx: &Context, engine: &dyn Engine) -> Result<bool> {
    let of_several = engine.lab() == LabName::Ha;
    Ok(of_several && marker::pending(&ctx.workspace, engine.name())?.is_some())
}

fn repair(engine: &dyn Engine, left: &Unfinished) -> Result<&'static Repair> {
    Ok(&scenario::left_in(engine.lab(), left.scenario)?.repair)
}

/// The exported copy that a run which was cut off comes back from, checked.
///
/// # Errors
/// It is not there any more, or not whole.
pub fn copy_of<'a>(ctx: &Context, unfinished: &'a Unfinished) -> Result<Option<&'a Path>> {
    let Some(path) = unfinished.copy.as_deref() else {
        return Ok(None);
    };
    copy::check(ctx, path).map_err(|error| {
        let said = tr!(
            "scenario {name} of {since} was interrupted, and the copy that it comes back from \
             cannot be used",
            "le scénario {name} de {since} a été interrompu, et la copie dont il revient est \
             inutilisable",
            name = unfinished.scenario,
            since = moment(&unfinished.since),
        );
        let next = tr!(
            "put that copy back there, then cargo xtask setup; or another one: cargo xtask adopt \
             FILE; or give its rows up: cargo xtask teardown",
            "remettez cette copie à sa place, puis cargo xtask setup ; ou une autre : cargo xtask \
             adopt FILE ; ou renoncez à ses lignes : cargo xtask teardown",
        );
        error.context(Failure::usage(said).next(next))
    })?;
    Ok(Some(path))
}

/// Completes the recovery: restores data where they are missing, and resumes backups.
pub fn put_back(ctx: &Context, engine: &dyn Engine, unfinished: &Unfinished) -> Result<()> {
    ctx.ui.note(&tr!(
        "Scenario {name} of {since} was interrupted: putting the lab back.",
        "Le scénario {name} de {since} a été interrompu : le lab est remis en état.",
        name = unfinished.scenario,
        since = moment(&unfinished.since),
    ));
    let step = ctx.ui.step(tr!(
        "repair after an interrupted scenario",
        "réparation après un scénario interrompu",
    ));
    if engine.lab() == LabName::Ha {
        ha::put_back(engine, unfinished, ctx.exec.dry_run())?;
        if ctx.exec.dry_run() {
            step.done(tr!("shown", "montré"));
            return Ok(());
        }
        ha::wait_until_whole(engine)?;
        marker::again(&ctx.workspace, engine.name(), unfinished).done()?;
        step.done(tr!("every part is there", "toutes les parties sont là"));
        return Ok(());
    }
    // A restore that it had begun may run on.
    engine.delete_jobs()?;
    engine.apply()?;
    if ctx.exec.dry_run() {
        engine.suspend_backups(false)?;
        step.done(tr!("shown", "montré"));
        return Ok(());
    }
    let facts = serving::wait_until_ready(engine)?;
    let url = facts.url.unwrap_or_default();
    let mark = marker::again(&ctx.workspace, engine.name(), unfinished);
    let mut restored = None;
    if unfinished.stage == Stage::Begun {
        step.done(tr!(
            "nothing had been broken yet",
            "rien n'avait encore été cassé"
        ));
    } else {
        copy_of(ctx, unfinished)?;
        restored = recover(engine, unfinished, &url, Some(&mark))?;
        step.done(tr!("database there", "base de données présente"));
    }
    engine.suspend_backups(false)?;
    mark.done()?;
    if let Some(restored) = &restored {
        tell(ctx, restored);
    }
    if restored.is_some() || unfinished.copy.is_some() {
        protected::again(ctx, engine)?;
    }
    Ok(())
}

/// Returns what was restored, where anything had to be; the mark, where there is one,
/// notes how far it came.
pub fn recover(
    engine: &dyn Engine,
    unfinished: &Unfinished,
    url: &str,
    mark: Option<&Marker>,
) -> Result<Option<Restored>> {
    let left = Interrupted { unfinished, url };
    let repair = repair(engine, unfinished)?;
    (repair.first)(engine, &left)?;
    let Some(target) = (repair.target)(engine, &left)? else {
        (repair.last)(engine, &left)?;
        return Ok(None);
    };
    let Some(restored) = database::of(engine).restore(&target)? else {
        return Ok(None);
    };
    let safety_point = restored.safety_point.clone();
    if let Some(mark) = mark {
        mark.restored(safety_point.as_deref())?;
    }
    let unfinished = &Unfinished {
        stage: Stage::Restored,
        safety_point,
        ..unfinished.clone()
    };
    (repair.last)(engine, &Interrupted { unfinished, url })?;
    Ok(Some(restored))
}

pub fn tell(ctx: &Context, restored: &Restored) {
    let rows = lang::rows(restored.rows);
    let kept = match &restored.safety_point {
        Some(name) => {
            tr!(
                "what was there before is kept as {name}: cargo xtask restore {name}",
                "ce qui était là avant est conservé sous le nom {name} : cargo xtask restore \
                 {name}",
            )
        }
        None => tr!("nothing was there before", "il n'y avait rien avant"),
    };
    ctx.ui.note(&tr!(
        "Restored {rows}; {kept}.",
        "Restauré : {rows} ; {kept}."
    ));
    for warning in &restored.warnings {
        ctx.ui.warn(warning);
    }
}
