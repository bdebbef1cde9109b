//! `export`, `adopt`: the whole database in one file, and such a file as the
//! database.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;
use terms::lang::{self, both, duration};
use terms::tr;

use crate::app::{Document, Restored};
use crate::cli::AdoptArgs;
use crate::commands::restore::{self, tell_losses, warn};
use crate::commands::{consent, setup};
use crate::context::Context;
use crate::copy::elsewhere::{self, ELSEWHERE};
use crate::copy::{self, Copy, Part, Target};
use crate::engine::{self, Engine, serving};
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::marker;
use crate::offsite;
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
        "Exported {rows} to {name}: {bytes} bytes, SHA-256 {sha256}.",
        "Exporté dans {name} : {rows}, {bytes} octets, SHA-256 {sha256}.",
        rows = lang::rows(copy.rows),
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

/// A copy that is to become the database.
struct Coming {
    path: PathBuf,
    /// As a person names it.
    shown: String,
    /// What is known to be missing or damaged of where it was fetched.
    warnings: Vec<String>,
    /// Held as long as it is read, where it was fetched.
    _part: Option<Part>,
}

pub fn adopt(ctx: &Context, args: &AdoptArgs) -> Result<()> {
    let _lock = ctx.lock("adopt")?;
    let coming = coming(ctx, args)?;
    let checked = check(ctx, &coming)?;
    let engine = engine::select(ctx)?;
    let facts = engine.facts()?;
    let nothing_there = !facts.running && facts.volumes.is_empty();
    if let Some(identity) = &args.reading.identity
        && !(args.plan || ctx.exec.dry_run())
        && let Some(public) = offsite::adopt_key(&ctx.config.offsite, &ctx.workspace, identity)?
    {
        ctx.ui.note(&tr!(
            "Copies of this lab are encrypted for the same key: {public}",
            "Les copies de ce lab sont chiffrées pour la même clé : {public}",
        ));
    }
    if args.plan && nothing_there && !ctx.exec.dry_run() {
        return plan_of_a_new_lab(ctx, &coming, checked);
    }
    if args.plan {
        setup::ensure_up(ctx, engine.as_ref())?;
        return plan(ctx, engine.as_ref(), &coming);
    }
    let restored = if nothing_there {
        onto_a_new_lab(ctx, engine.as_ref(), &coming)?
    } else {
        setup::ensure_up_to_adopt(ctx, engine.as_ref())?;
        let restored = in_place(ctx, engine.as_ref(), &coming)?;
        decided(ctx, engine.as_ref())?;
        restored
    };
    let protected = protected::again(ctx, engine.as_ref())?;
    if ctx.exec.dry_run() && coming.shown.starts_with(ELSEWHERE) {
        // It has the data in clear.
        let remove = format!("rm -f {}", quote_path(&coming.path));
        ctx.exec.show(&remove);
    }
    let (Some(checked), Some(restored), Some(protected)) = (checked, restored, protected) else {
        return Ok(());
    };
    tell(ctx, &coming, &checked, &restored, &protected)
}

/// The file that is named, or one that copies elsewhere were made into.
fn coming(ctx: &Context, args: &AdoptArgs) -> Result<Coming> {
    let shown = args.file.display().to_string();
    let Some(target) = shown.strip_prefix(ELSEWHERE) else {
        if args.to.is_some() {
            return Err(to_of_a_file().into());
        }
        let path = args.file.clone();
        return Ok(Coming {
            path,
            shown,
            warnings: Vec::new(),
            _part: None,
        });
    };
    let target = match (&args.to, target) {
        (Some(moment), "latest") => restore::in_utc(ctx, moment)?,
        (Some(_), _) => return Err(to_of_a_file().into()),
        (None, target) => target.to_owned(),
    };
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let step = ctx.ui.step(tr!(
        "fetching {shown}, decrypted",
        "récupération de {shown}, déchiffré"
    ));
    let fetched = elsewhere::fetch(ctx, &target, &args.reading)?;
    step.done(match &fetched.part {
        Some(_) => tr!("rebuilt and verified", "reconstruite et vérifiée"),
        None => tr!("shown", "montré"),
    });
    warn(ctx, &fetched.warnings);
    Ok(Coming {
        path: fetched.path,
        shown,
        warnings: fetched.warnings,
        _part: fetched.part,
    })
}

fn to_of_a_file() -> Failure {
    Failure::usage(tr!(
        "--to goes with offsite:latest alone: a file, or a point, is one moment already",
        "--to ne va qu'avec offsite:latest : un fichier, ou un point, est déjà un instant",
    ))
    .next("cargo xtask adopt offsite:latest --to TIME")
}

/// Reads it to its end; `None` where it was only shown how it would come.
fn check(ctx: &Context, coming: &Coming) -> Result<Option<Document<Copy>>> {
    if ctx.exec.dry_run() && !coming.path.exists() && coming.shown.starts_with(ELSEWHERE) {
        return Ok(None);
    }
    let file = &coming.shown;
    let step = ctx.ui.step(tr!("check of {file}", "contrôle de {file}"));
    let copy = copy::check(ctx, &coming.path)?;
    step.found(tr!(
        "whole, {rows}",
        "entière, {rows}",
        rows = lang::rows(copy.value.rows)
    ));
    Ok(Some(copy))
}

/// Nothing would be lost, so there is nothing to compare it with.
fn plan_of_a_new_lab(ctx: &Context, coming: &Coming, copy: Option<Document<Copy>>) -> Result<()> {
    let rows = copy.map_or(0, |copy| copy.value.rows);
    if ctx.ui.json() {
        let document = json!({"status": "planned", "nothing_there": true, "rows": rows});
        return ctx.ui.document(&document);
    }
    ctx.ui.say(&tr!(
        "Adopting {file}: there is no lab; one would be built around its {rows}. Nothing was \
         touched.",
        "Adopter {file} : il n'y a pas de lab ; il serait construit autour de ce qu'il contient ({rows}). \
         Rien n'a été touché.",
        file = coming.shown,
        rows = lang::rows(rows),
    ));
    Ok(())
}

fn plan(ctx: &Context, engine: &dyn Engine, coming: &Coming) -> Result<()> {
    let Some(said) = copy::plan(engine, &coming.path)? else {
        return Ok(());
    };
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    ctx.ui.say(&tr!(
        "Adopting {file}: {against}. Nothing was touched.",
        "Adopter {file} : {against}. Rien n'a été touché.",
        file = coming.shown,
        against = said.value.against(),
    ));
    tell_losses(ctx, &said.value);
    Ok(())
}

/// The lab is built around the copy: nobody writes before it is there.
fn onto_a_new_lab(
    ctx: &Context,
    engine: &dyn Engine,
    coming: &Coming,
) -> Result<Option<Document<Restored>>> {
    ctx.ui.note(both(
        "There is no lab: building one, which serves nobody before the copy is in place.",
        "Il n'y a pas de lab : il est construit, et ne sert personne avant que la copie soit en \
         place.",
    ).text());
    setup::bring_up_closed(ctx, engine)?;
    let restored = take_in(ctx, engine, coming)?;
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

fn in_place(
    ctx: &Context,
    engine: &dyn Engine,
    coming: &Coming,
) -> Result<Option<Document<Restored>>> {
    let doing = tr!("Adopting {file}", "Adopter {file}", file = coming.shown);
    consent::insist(ctx, engine, &doing, || copy::plan(engine, &coming.path))?;
    let restored = take_in(ctx, engine, coming)?;
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

fn take_in(
    ctx: &Context,
    engine: &dyn Engine,
    coming: &Coming,
) -> Result<Option<Document<Restored>>> {
    let file = &coming.shown;
    let step = ctx.ui.step(tr!("adopting {file}", "adoption de {file}"));
    let restored = copy::adopt(engine, &coming.path)?;
    step.done(match &restored {
        Some(_) => tr!("verified and in place", "vérifiée et en place"),
        None => tr!("shown", "montré"),
    });
    Ok(restored)
}

fn tell(
    ctx: &Context,
    coming: &Coming,
    copy: &Document<Copy>,
    restored: &Document<Restored>,
    protected: &Protected,
) -> Result<()> {
    if ctx.ui.json() {
        let document = format!(
            r#"{{"copy":{},"fetch_warnings":{},"adopted":{},{}}}"#,
            copy.text,
            json!(coming.warnings),
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
        "Adopted {file}: {rows}, as of {time} ({age} ago). {kept}",
        "{file} adoptée : {rows}, état de {time} (il y a {age}). {kept}",
        file = coming.shown,
        rows = lang::rows(restored.value.rows),
        time = copy.value.created,
        age = age(&copy.value),
    ));
    // Said before, and not to be missed.
    warn(ctx, &coming.warnings);
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
