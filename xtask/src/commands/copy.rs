//! `export`, `adopt`: the whole database in one file, and such a file as the
//! database.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;

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
    let step = ctx.ui.step("export");
    let copy = copy::export(ctx, engine.as_ref(), &target)?;
    let Some(copy) = copy else {
        step.done("shown");
        return Ok(());
    };
    step.done(target.proven());
    let name = file.display();
    if ctx.ui.json() {
        return ctx.ui.document(&json!({
            "status": "exported", "file": file, "bytes": copy.file.bytes,
            "sha256": copy.file.sha256, "rows": copy.rows, "max_id": copy.max_id,
            "created": copy.created, "lineage": copy.position.lineage,
            "timeline": copy.position.timeline, "seq": copy.position.seq,
        }));
    }
    ctx.ui.say(&format!(
        "Exported {} rows to {name}: {} bytes, SHA-256 {}.",
        copy.rows, copy.file.bytes, copy.file.sha256
    ));
    ctx.ui.say(&format!(
        "Everything that was acknowledged before {} is in it. Whoever can read it has the data; \
         it survives this machine only on another one.",
        copy.created
    ));
    if matches!(target, Target::File { .. }) {
        let next = format!("  next: cargo xtask adopt {}", quote_path(file));
        ctx.ui.say(&next);
    }
    Ok(())
}

pub fn adopt(ctx: &Context, file: &Path, plan_only: bool) -> Result<()> {
    let step = ctx.ui.step(format!("check of {}", file.display()));
    let copy = copy::check(ctx, file)?;
    step.found(format!("whole, {} rows", copy.value.rows));
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
    ctx.ui.say(&format!(
        "Adopting {}: {}. Nothing was touched.",
        file.display(),
        said.value.against()
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
    ctx.ui
        .note("There is no lab: building one, which serves nobody before the copy is in place.");
    setup::bring_up_closed(ctx, engine)?;
    let restored = take_in(ctx, engine, file)?;
    let step = ctx.ui.step("application serves");
    copy::open(ctx, engine)?;
    if !ctx.exec.dry_run() {
        // A scenario that was cut off has nothing left to put back.
        marker::forget(&ctx.workspace, engine.name())?;
    }
    step.done("ready");
    Ok(restored)
}

fn in_place(ctx: &Context, engine: &dyn Engine, file: &Path) -> Result<Option<Document<Restored>>> {
    let doing = format!("Adopting {}", file.display());
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
    let step = ctx.ui.step(format!("adopting {}", file.display()));
    let restored = copy::adopt(engine, file)?;
    step.done(match &restored {
        Some(_) => "verified and in place",
        None => "shown",
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
            format!("What was there is kept as {name}; `cargo xtask undo` brings it back.")
        }
        None => "Nothing was there before.".to_owned(),
    };
    ctx.ui.say(&format!(
        "Adopted {}: {} rows, as of {} ({} ago). {kept}",
        file.display(),
        restored.value.rows,
        copy.value.created,
        age(&copy.value)
    ));
    warn(ctx, &restored.value.warnings);
    ctx.ui.say(&protected.words());
    Ok(())
}

/// How old the copy is: the most that can be missing.
fn age(copy: &Copy) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let age = now.unwrap_or_default().as_secs_f64() - copy.created_time;
    humantime::format_duration(Duration::from_secs(age.max(0.0) as u64)).to_string()
}
