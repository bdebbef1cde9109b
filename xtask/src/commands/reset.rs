//! `reset`: the lab as after `setup`, without making it anew.

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;

use crate::app;
use crate::commands::setup;
use crate::context::Context;
use crate::copy::elsewhere;
use crate::engine::{self, Engine};
use crate::exec::quote_path;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::gameday::going_on;
use crate::marker;
use crate::offsite::{self, Kept, Staying};
use crate::reset::{self, Ended};
use terms::lang::{decimal, plural};
use terms::{EngineName, tr};

/// What the lab holds, as far as it can be told.
#[derive(Serialize)]
struct Held {
    rows: Option<u64>,
    points: Option<u64>,
}

pub fn run(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("reset")?;
    let engine = engine::select(ctx)?;
    let engine = engine.as_ref();
    going_on::insist_on_none(ctx, engine)?;
    insist_on_no_copy(ctx, engine)?;
    if setup::come_round(ctx, engine)? == Some(Ended::Completed) {
        return tell(ctx, engine, None, None);
    }
    engine.wake()?;
    let facts = engine.facts()?;
    if !facts.running && facts.volumes.is_empty() {
        // A lab that is not there is new when it comes.
        setup::ensure_up(ctx, engine)?;
        return tell(ctx, engine, None, None);
    }
    engine.insist_on_ownership()?;
    let held = held(&facts);
    let question = question(ctx, engine, &held);
    elsewhere::warn_if_behind(ctx, &facts);
    if ctx.exec.dry_run() {
        ctx.ui.note(&question);
    }
    ctx.confirm(&question)?;
    let start = Instant::now();
    reset::run(ctx, engine, &facts)?;
    setup::ensure_as_declared(ctx, engine)?;
    tell(
        ctx,
        engine,
        Some(&held),
        Some(start.elapsed().as_secs_f64()),
    )
}

/// The only copy of what a scenario destroyed is not passed over.
fn insist_on_no_copy(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let pending = marker::pending(&ctx.workspace, engine.name())?;
    let copy = pending.and_then(|left| left.copy);
    let Some(copy) = copy.filter(|copy| copy.exists()) else {
        return Ok(());
    };
    let shown = copy.display();
    Err(Failure::usage(tr!(
        "a scenario was interrupted, and the lab has to come back from {shown}: nothing is reset before",
        "un scénario a été interrompu, et le lab doit revenir de {shown} : rien n'est réinitialisé avant"
    ))
    .next(tr!(
        "cargo xtask setup, which brings it back, then cargo xtask reset; or cargo xtask teardown, which gives it up",
        "cargo xtask setup, qui le ramène, puis cargo xtask reset ; ou cargo xtask teardown, qui y renonce"
    ))
    .into())
}

/// Asked of the application, which says both at once.
fn held(facts: &Facts) -> Held {
    let url = facts.url.as_deref().filter(|_| facts.ready() > 0);
    let status = url.and_then(|url| app::status(url).ok());
    Held {
        rows: status.as_ref().and_then(|said| said.count),
        points: status.and_then(|said| said.points()),
    }
}

fn question(ctx: &Context, engine: &dyn Engine, held: &Held) -> String {
    let goes = what_goes(ctx, engine.name(), held);
    match offsite::staying(
        &ctx.config.offsite,
        engine.lab(),
        engine.kept_copies().as_deref(),
    ) {
        None => goes,
        Some(Staying {
            place,
            kind: Kept::EmbeddedBefore,
        }) => tr!(
            "{goes} The copies elsewhere stay in {place}.",
            "{goes} Les copies ailleurs restent dans {place}."
        ),
        Some(Staying { place, .. }) => tr!(
            "{goes} The copies elsewhere stay in {place}; those of the lab that follows are another history there.",
            "{goes} Les copies ailleurs restent dans {place} ; celles du lab qui suit y sont un autre historique."
        ),
    }
}

fn what_goes(ctx: &Context, engine: EngineName, held: &Held) -> String {
    let lab = ctx.workspace.root.display();
    match (held.rows, held.points) {
        (Some(rows), Some(points)) => {
            let (s, ps) = (plural(rows), plural(points));
            tr!(
                "This deletes {rows} row{s}, {points} restore point{ps} and the journal of the lab of {lab} ({engine}). Exported copies and results of scenarios stay.",
                "Cela supprime {rows} ligne{s}, {points} point{ps} de restauration et le journal du lab de {lab} ({engine}). Les copies exportées et les résultats des scénarios restent."
            )
        }
        _ => tr!(
            "This deletes the database, all restore points and the journal of the lab of {lab} ({engine}); the application does not say how much that is. Exported copies and results of scenarios stay.",
            "Cela supprime la base, tous les points de restauration et le journal du lab de {lab} ({engine}) ; l'application ne dit pas combien cela fait. Les copies exportées et les résultats des scénarios restent."
        ),
    }
}

fn tell(
    ctx: &Context,
    engine: &dyn Engine,
    held: Option<&Held>,
    seconds: Option<f64>,
) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    ctx.ui.timings();
    let facts = engine.facts()?;
    let url = facts.url.as_deref().context("the lab has no URL")?;
    if ctx.ui.json() {
        return ctx.ui.document(&json!({
            "status": "reset", "engine": engine.name(), "url": url, "ready": facts.ready(),
            "deleted": held, "seconds": seconds,
        }));
    }
    let (name, ready) = (engine.name(), facts.ready());
    let took = seconds.map_or_else(String::new, |seconds| {
        let seconds = decimal(seconds, 1);
        tr!(", after {seconds} s", ", au bout de {seconds} s")
    });
    ctx.ui.say(&tr!(
        "The lab is as after setup on the {name} engine: {url} ({ready} replicas ready{took})",
        "Le lab est comme après setup, sur le moteur {name} : {url} ({ready} répliques prêtes{took})"
    ));
    ctx.ui.say(&tr!(
        "  next: cargo xtask scenario 2",
        "  ensuite : cargo xtask scenario 2"
    ));
    Ok(())
}

/// The second workshop keeps no data, and its page is a person's own work.
pub fn refuse_for_image(ctx: &Context) -> anyhow::Error {
    let page = quote_path(&ctx.workspace.root.join("packer/nginx/index.html"));
    Failure::usage(tr!(
        "the image workshop keeps no data: all that differs from a new one is your page, {page}, which is yours and in Git's keeping",
        "l'atelier image ne garde pas de données : seule votre page, {page}, le distingue d'un neuf ; elle est à vous, et Git la garde"
    ))
    .next(tr!(
        "git checkout -- {page} && cargo xtask --lab image setup, for the page of the repository",
        "git checkout -- {page} && cargo xtask --lab image setup, pour la page du dépôt"
    ))
    .into()
}
