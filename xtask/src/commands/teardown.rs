//! `teardown`: remove the lab with its data and restore points. The results of
//! scenarios and the downloaded packages stay under `.lab/`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::commands::local::name_orphans;
use crate::context::Context;
use crate::copy::{elsewhere, part};
use crate::engine::{self, Engine};
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::game;
use crate::gameday::client;
use crate::marker;
use crate::offsite::{self, Kept, Staying};
use crate::reset;
use crate::wait;
use terms::{EngineName, LabName, tr};

pub fn run(ctx: &Context, copies: bool) -> Result<()> {
    let _lock = ctx.lock("teardown")?;
    let engine = engine::select(ctx)?;
    // A lab that cannot say what it has may go all the same.
    let anything = match engine.facts() {
        Ok(facts) => {
            let anything = facts.running || !facts.volumes.is_empty();
            if anything {
                elsewhere::warn_if_behind(ctx, &facts);
            }
            anything
        }
        Err(error) => {
            wait::check_interrupt()?;
            ctx.ui.warn(&format!("{error:#}"));
            true
        }
    };
    if anything {
        ctx.confirm(&what_goes(ctx, engine.as_ref()))?;
    }
    let kept = engine.kept_copies();
    let doomed = kept.as_deref().filter(|_| copies);
    if copies {
        insist_on_copies(ctx, engine.as_ref(), doomed)?;
    }
    let copy = give_up_copy(ctx, engine.name())?;
    if !ctx.exec.dry_run() {
        client::stop(ctx, engine.name())?;
    }
    let step = ctx.ui.step(tr!("teardown", "démontage"));
    engine.down()?;
    if !ctx.exec.dry_run() {
        part::sweep(&ctx.workspace.home());
    }
    if doomed.is_some() {
        engine.remove_copies()?;
    }
    if !ctx.exec.dry_run() {
        marker::forget(&ctx.workspace, engine.name())?;
        reset::forget(&ctx.workspace, engine.name())?;
        // A game day ends with its lab, and not before: it knows what is broken.
        game::forget(&ctx.workspace, engine.name())?;
    }
    let others = engine::forget(ctx, engine.as_ref())?;
    let removed = anything || !ctx.exec.changes().is_empty();
    if removed {
        step.done(tr!("removed", "supprimé"));
    } else {
        step.found(tr!("nothing was there", "il n'y avait rien"));
    }
    let stay = match doomed {
        Some(_) => None,
        None => offsite::staying(&ctx.config.offsite, engine.lab(), kept.as_deref()),
    };
    if let Some(copies) = &stay {
        tell_of_copies(ctx, copies);
    }
    if let Some(copy) = copy {
        let copy = quote_path(&copy);
        ctx.ui.note(&tr!(
            "The copy stays: cargo xtask adopt {copy}",
            "La copie reste : cargo xtask adopt {copy}",
        ));
    }
    if engine.name() == EngineName::Local {
        name_orphans(ctx);
    }
    for other in others {
        ctx.ui.note(&tr!(
            "The lab on the {other} engine is left as it is: cargo xtask --engine {other} teardown",
            "Le lab du moteur {other} est laissé tel quel : cargo xtask --engine {other} teardown",
        ));
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx
            .ui
            .document(&json!({"status": "removed", "engine": engine.name(),
                              "copies_removed": doomed.is_some(), "copies": stay.map(|copies| copies.place)}));
    }
    Ok(())
}

fn what_goes(ctx: &Context, engine: &dyn Engine) -> String {
    let (folder, name) = (ctx.workspace.root.display(), engine.name());
    match engine.lab() {
        LabName::Ha => tr!(
            "This deletes the database with all of its copies, of the lab ha of {folder} ({name}).",
            "Ceci supprime la base de données avec toutes ses copies, du lab ha de {folder} ({name}).",
        ),
        LabName::Pra | LabName::Image => tr!(
            "This deletes the database and all restore points of the lab of {folder} ({name}).",
            "Ceci supprime la base de données et tous les points de restauration du lab de \
             {folder} ({name}).",
        ),
    }
}

/// Asks before copies go that are there for what a teardown does.
///
/// # Errors
/// There are none that this could remove, or the answer is no.
fn insist_on_copies(ctx: &Context, engine: &dyn Engine, kept: Option<&Path>) -> Result<()> {
    let Some(folder) = kept else {
        return Err(Failure::usage(tr!(
            "there is no embedded store of the {engine} engine in this checkout that --copies could \
             remove",
            "il n'y a pas, dans ce dépôt, de stockage intégré du moteur {engine} que --copies \
             pourrait supprimer",
            engine = engine.name(),
        ))
        .next("cargo xtask teardown")
        .into());
    };
    ctx.confirm(&tr!(
        "This also deletes the copies elsewhere of every lab that this checkout had, in {folder}, \
         locked or not: nothing brings these labs back then.",
        "Ceci supprime aussi les copies ailleurs de tous les labs de ce dépôt, dans {folder}, \
         verrouillées ou non : plus rien ne ramènera ces labs.",
        folder = folder.display(),
    ))
}

/// Copies elsewhere outlive the lab.
fn tell_of_copies(ctx: &Context, copies: &Staying) {
    let place = &copies.place;
    ctx.ui.note(&match copies.kind {
        Kept::Elsewhere => tr!(
            "Copies elsewhere stay in {place}: cargo xtask offsite list shows which, cargo xtask \
             adopt offsite:latest brings them back.",
            "Les copies ailleurs restent dans {place} : cargo xtask offsite list dit lesquelles, \
             cargo xtask adopt offsite:latest les ramène.",
        ),
        Kept::Embedded => tr!(
            "Copies elsewhere stay in {place}: cargo xtask offsite list shows which, cargo xtask \
             adopt offsite:latest brings them back, cargo xtask teardown --copies removes them.",
            "Les copies ailleurs restent dans {place} : cargo xtask offsite list dit lesquelles, \
             cargo xtask adopt offsite:latest les ramène, cargo xtask teardown --copies les \
             supprime.",
        ),
        Kept::EmbeddedBefore => tr!(
            "Earlier copies elsewhere stay in {place}: with to = \"embedded\" in lab.toml, cargo xtask \
             adopt offsite:latest brings a lab back, cargo xtask teardown --copies removes them.",
            "D'anciennes copies ailleurs restent dans {place} : avec to = \"embedded\" dans lab.toml, \
             cargo xtask adopt offsite:latest ramène un lab, cargo xtask teardown --copies les \
             supprime.",
        ),
    });
}

/// The copy that the lab had to come back from, which nobody adopts after this by
/// itself.
fn give_up_copy(ctx: &Context, engine: EngineName) -> Result<Option<PathBuf>> {
    // A mark that cannot be read goes with the lab.
    let pending = marker::pending(&ctx.workspace, engine).ok().flatten();
    let Some(copy) = pending.and_then(|one| one.copy).filter(|one| one.exists()) else {
        return Ok(None);
    };
    ctx.confirm(&tr!(
        "A scenario was interrupted, and the lab has to come back from {copy}: cargo xtask setup \
         does that. A teardown gives it up.",
        "Un scénario a été interrompu, et le lab doit revenir de {copy} : cargo xtask setup le \
         fait. Un démontage y renonce.",
        copy = copy.display(),
    ))?;
    Ok(Some(copy))
}
