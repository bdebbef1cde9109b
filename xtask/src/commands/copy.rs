//! `export`, `adopt`: the whole database in one file, and such a file as the
//! database.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;
use terms::lang::{both, duration};
use terms::tr;

use crate::app::{Document, Restored};
use crate::commands::restore::{tell_losses, warn};
use crate::commands::{consent, setup};
use crate::context::Context;
use crate::copy::{self, Copy, Target};
use crate::engine::{self, Engine, serving};
use crate::exec::quote_path;
use crate::marker;
use crate::protected::{self, Protected};

pub fn export(ctx: &Context, file: &Path) -> Result<()> {
    let target = Target::choose(ctx, file)?;
    let _lock = ctx.lock("export")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step(tr!("export", "exportation"));
    let copy = copy::export(ctx, engine.as_ref(), &target)?;
    let Some(copy) = copy else {
        step.done(tr!("shown", "montré"));
        return Ok(());
    };
    step.done(target.proven().text());
    let name = file.display();
    if ctx.ui.json() {
        return ctx.ui.document(&json!({
            "status": "exported", "file": file, "bytes": copy.file.bytes,
            "sha256": copy.file.sha256, "rows": copy.rows, "max_id": copy.max_id,
            "created": copy.created, "lineage": copy.position.lineage,
            "timeline": copy.position.timeline, "seq": copy.position.seq,
        }));
    }
    ctx.ui.say(&tr!(
        "Exported {rows} rows to {name}: {bytes} bytes, SHA-256 {sha256}.",
        "{rows} lignes exportées dans {name} : {bytes} octets, SHA-256 {sha256}.",
        rows = copy.rows,
        bytes = copy.file.bytes,
        sha256 = copy.file.sha256,
    ));
    ctx.ui.say(&tr!(
        "Everything that was acknowledged before {time} is in it. Whoever can read it has the \
         data; it survives this machine only on another one.",
        "Tout ce qui était acquitté avant {time} y est. Qui peut la lire a les données ; elle ne \
         survit à cette machine que sur une autre.",
        time = copy.created,
    ));
    if matches!(target, Target::File { .. }) {
        let next = tr!(
            "  next: cargo xtask adopt {file}",
            "  ensuite : cargo xtask adopt {file}",
            file = quote_path(file),
        );
        ctx.ui.say(&next);
    }
    Ok(())
}

pub fn adopt(ctx: &Context, file: &Path, plan_only: bool) -> Result<()> {
    let step = ctx.ui.step(tr!(
        "check of {file}",
        "contrôle de {file}",
        file = file.display()
    ));
    let copy = copy::check(ctx, file)?;
    step.found(tr!(
        "whole, {rows} rows",
        "entière, {rows} lignes",
        rows = copy.value.rows
    ));
    let _lock = ctx.lock("adopt")?;
    let engine = engine::select(ctx)?;
    let facts = engine.facts()?;
    let nothing_there = !facts.running && facts.volumes.is_empty();
    if plan_only {
        setup::ensure_up(ctx, engine.as_ref())?;
        return plan(ctx, engine.as_ref(), file);
    }
    let restored = if nothing_there {
        onto_a_new_lab(ctx, engine.as_ref(), file)?
    } else {
        setup::ensure_up_to_adopt(ctx, engine.as_ref())?;
        let restored = in_place(ctx, engine.as_ref(), file)?;
        decided(ctx, engine.as_ref())?;
        restored
    };
    let protected = protected::again(ctx, engine.as_ref())?;
    let (Some(restored), Some(protected)) = (restored, protected) else {
        return Ok(());
    };
    tell(ctx, file, &copy, &restored, &protected)
}

fn plan(ctx: &Context, engine: &dyn Engine, file: &Path) -> Result<()> {
    let Some(said) = copy::plan(engine, file)? else {
        return Ok(());
    };
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    ctx.ui.say(&tr!(
        "Adopting {file}: {against}. Nothing was touched.",
        "Adopter {file} : {against}. Rien n'a été touché.",
        file = file.display(),
        against = said.value.against(),
    ));
    tell_losses(ctx, &said.value);
    Ok(())
}

/// The lab is built around the copy: nobody writes before it is there.
fn onto_a_new_lab(
    ctx: &Context,
    engine: &dyn Engine,
    file: &Path,
) -> Result<Option<Document<Restored>>> {
    ctx.ui.note(both(
        "There is no lab: building one, which serves nobody before the copy is in place.",
        "Il n'y a pas de lab : il est construit, et ne sert personne avant que la copie soit en \
         place.",
    ).text());
    setup::bring_up_closed(ctx, engine)?;
    let restored = take_in(ctx, engine, file)?;
    let step = ctx
        .ui
        .step(tr!("application serves", "service de l'application"));
    copy::open(ctx, engine)?;
    if !ctx.exec.dry_run() {
        // A scenario that was cut off has nothing left to put back.
        marker::forget(&ctx.workspace, engine.name())?;
    }
    step.done(tr!("ready", "prête"));
    Ok(restored)
}

fn in_place(ctx: &Context, engine: &dyn Engine, file: &Path) -> Result<Option<Document<Restored>>> {
    let doing = tr!("Adopting {file}", "Adopter {file}", file = file.display());
    consent::insist(ctx, engine, &doing, || copy::plan(engine, file))?;
    let restored = take_in(ctx, engine, file)?;
    if restored.is_some() {
        serving::wait_until_ready(engine)?;
    }
    Ok(restored)
}

/// The copy of a scenario that was cut off is not needed any more; what else it left
/// is put back.
fn decided(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let pending = marker::pending(&ctx.workspace, engine.name())?;
    let Some(unfinished) = pending.filter(|one| one.copy.is_some() && !ctx.exec.dry_run()) else {
        return Ok(());
    };
    marker::again(&ctx.workspace, engine.name(), &unfinished).needs_no_copy()?;
    if copy::is_closed(ctx, engine) {
        copy::open(ctx, engine)?;
    }
    setup::ensure_up(ctx, engine)
}

fn take_in(ctx: &Context, engine: &dyn Engine, file: &Path) -> Result<Option<Document<Restored>>> {
    let step = ctx.ui.step(tr!(
        "adopting {file}",
        "adoption de {file}",
        file = file.display()
    ));
    let restored = copy::adopt(engine, file)?;
    step.done(match &restored {
        Some(_) => tr!("verified and in place", "vérifiée et en place"),
        None => tr!("shown", "montré"),
    });
    Ok(restored)
}

fn tell(
    ctx: &Context,
    file: &Path,
    copy: &Document<Copy>,
    restored: &Document<Restored>,
    protected: &Protected,
) -> Result<()> {
    if ctx.ui.json() {
        let document = format!(
            r#"{{"copy":{},"adopted":{},{}}}"#,
            copy.text,
            restored.text,
            protected.members()
        );
        ctx.ui.raw(&document);
        return Ok(());
    }
    let kept = match &restored.value.safety_point {
        Some(name) => {
            tr!(
                "What was there is kept as {name}; `cargo xtask undo` brings it back.",
                "Ce qui était là est conservé sous le nom {name} ; `cargo xtask undo` le ramène.",
            )
        }
        None => tr!("Nothing was there before.", "Il n'y avait rien avant."),
    };
    ctx.ui.say(&tr!(
        "Adopted {file}: {rows} rows, as of {time} ({age} ago). {kept}",
        "{file} adoptée : {rows} lignes, état de {time} (il y a {age}). {kept}",
        file = file.display(),
        rows = restored.value.rows,
        time = copy.value.created,
        age = age(&copy.value),
    ));
    warn(ctx, &restored.value.warnings);
    ctx.ui.say(&protected.words());
    Ok(())
}

/// How old the copy is: the most that can be missing.
fn age(copy: &Copy) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let age = now.unwrap_or_default().as_secs_f64() - copy.created_time;
    duration(age.max(0.0) as u64)
}
