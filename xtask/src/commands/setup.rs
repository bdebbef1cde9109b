//! `setup`: bring the lab up. Every command that needs it up comes through
//! [`bring_up`].

use anyhow::Result;
use serde_json::{Value, json};
use terms::lang::{both, listed};
use terms::{LabName, tr};

use crate::chosen_engines;
use crate::commands::preflight;
use crate::commands::readiness::{is_coming_back, is_up};
use crate::config::EngineChoice;
use crate::context::Context;
use crate::copy::{self, elsewhere};
use crate::engine::{self, Engine};
use crate::failure::{self, Failure, Kind};
use crate::gameday::{going_on, orphan};
use crate::manifests::substitute;
use crate::marker::{self, Unfinished};
use crate::names;
use crate::reset::{self, Ended};
use crate::scenario::{interrupted, protection};
use crate::wait;

pub fn run(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("setup")?;
    let engine = engine::select(ctx)?;
    match set_up(ctx, engine.as_ref())? {
        Some(document) if ctx.ui.json() => ctx.ui.document(&document),
        _ => Ok(()),
    }
}

/// Brings back what was there, after this machine was stopped.
pub fn existing(ctx: &Context) -> Result<()> {
    let asked = ctx.options.engine.and_then(EngineChoice::named);
    let mut engines = chosen_engines::engines(&ctx.workspace);
    engines.retain(|engine| asked.is_none_or(|asked| asked == *engine));
    if engines.is_empty() {
        ctx.ui.note(&tr!(
            "There is no lab to bring back. cargo xtask setup makes one.",
            "Il n'y a pas de lab à ramener. cargo xtask setup en crée un."
        ));
    }
    let mut documents = Vec::new();
    let mut failed = None;
    for engine in engines {
        let mut one = ctx.clone();
        one.options.engine = Some(EngineChoice::Named(engine));
        match bring_back(&one) {
            Ok(document) => documents.extend(document),
            Err(error) if failed.is_none() && failure::kind(&error) != Kind::Interrupted => {
                failed = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match failed {
        Some(error) => Err(error),
        None if ctx.ui.json() && !ctx.exec.dry_run() => ctx.ui.document(&documents),
        None => Ok(()),
    }
}

/// Brings one lab back; `None` where none of ours is there: none is made, and none is
/// taken over, which nobody was asked about.
fn bring_back(ctx: &Context) -> Result<Option<Value>> {
    let _lock = ctx.lock("setup")?;
    let engine = engine::select(ctx)?;
    let engine = engine.as_ref();
    // One that has to come back from a copy is there in that copy.
    if marker::pending(&ctx.workspace, engine.name())?.is_some() {
        return set_up(ctx, engine);
    }
    engine.wake()?;
    let facts = engine.facts()?;
    if !facts.running && facts.volumes.is_empty() {
        ctx.ui.note(&tr!(
            "The lab on the {engine} engine is gone: it is not made anew. cargo xtask setup does that.",
            "Le lab du moteur {engine} n'existe plus : il n'est pas recréé. cargo xtask setup le fait.",
            engine = engine.name(),
        ));
        return Ok(None);
    }
    if let Err(error) = engine.insist_on_ownership() {
        ctx.ui.warn(&format!("{error:#}"));
        return Ok(None);
    }
    set_up(ctx, engine)
}

/// Brings a lab up and tells of it; `None` in a dry run. The caller has the lab's lock.
fn set_up(ctx: &Context, engine: &dyn Engine) -> Result<Option<Value>> {
    come_round(ctx, engine)?;
    complete(ctx, engine)?;
    if ctx.exec.dry_run() {
        return Ok(None);
    }
    let facts = engine.facts()?;
    let url = facts.url.as_deref().unwrap_or("no URL");
    ctx.ui.timings();
    if facts.suspended {
        let next = engine.resuming_backups();
        ctx.ui.warn(&tr!(
            "backups are suspended, and stay so, since somebody may want that; {next} resumes them",
            "les sauvegardes sont suspendues et le restent, puisque quelqu'un peut le vouloir ; \
             {next} les reprend",
        ));
    }
    let document = json!({"engine": engine.name(), "url": url, "ready": facts.ready()});
    if ctx.ui.json() {
        return Ok(Some(document));
    }
    ctx.ui.say(&tr!(
        "The lab is up on the {engine} engine: {url} ({ready} replicas ready)",
        "Le lab tourne sur le moteur {engine} : {url} ({ready} répliques prêtes)",
        engine = engine.name(),
        ready = facts.ready(),
    ));
    going_on::say_what_is_next(ctx, engine)?;
    Ok(Some(document))
}

/// The lab's engine with the lab up, for a command that needs it. Does only
/// what is missing: nothing where every replica is ready and no scenario was
/// left half-way. The caller has the lab's lock, or it would take a scenario
/// that runs for one that was interrupted.
pub fn bring_up(ctx: &Context) -> Result<Box<dyn Engine>> {
    let engine = engine::select(ctx)?;
    ensure_up(ctx, engine.as_ref())?;
    Ok(engine)
}

/// As [`bring_up`], on an engine that was chosen already.
pub fn ensure_up(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    was_up(ctx, engine).map(drop)
}

/// As [`ensure_up`], for a command that measures the lab: what it measures is what
/// is declared. A change of k8s/, of the application or of this program that was
/// not applied yet is applied first, and said.
pub fn ensure_as_declared(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    going_on::insist_on_none(ctx, engine)?;
    if !was_up(ctx, engine)? {
        return Ok(());
    }
    let pending = engine.pending()?;
    if pending.is_empty() {
        return Ok(());
    }
    let pending = listed(&pending);
    ctx.ui.note(&tr!(
        "The lab does not run what is declared, which is applied first: {pending}.",
        "Le lab n'exécute pas ce qui est déclaré, qui est d'abord appliqué : {pending}.",
    ));
    complete(ctx, engine)
}

/// The lab as it can be looked at: nodes that a scenario left stopped run, what it spoilt is gone,
/// and a reset that was cut off is ended. Returns what became of that.
pub fn come_round(ctx: &Context, engine: &dyn Engine) -> Result<Option<Ended>> {
    interrupted::start_nodes(ctx, engine)?;
    interrupted::remove_spoilt(ctx, engine)?;
    orphan::start_nodes(ctx, engine)?;
    reset::end_interrupted(ctx, engine)
}

/// Brings the lab up where it is not; whether it was.
fn was_up(ctx: &Context, engine: &dyn Engine) -> Result<bool> {
    come_round(ctx, engine)?;
    if ctx.exec.dry_run() && interrupted::may_be_silent(ctx, engine)? {
        // What was shown so far would have brought it back.
        put_back(ctx, engine)?;
        return Ok(false);
    }
    if is_up(engine.lab(), &engine.facts()?) || is_coming_back(ctx, engine)? {
        engine.insist_on_ownership()?;
        if !ctx.exec.dry_run() {
            engine.forget_unstarted_deletion()?;
        }
        put_back(ctx, engine)?;
        return Ok(true);
    }
    ctx.ui.note(
        both(
            "The lab is not up: bringing it up.",
            "Le lab ne tourne pas : il est démarré.",
        )
        .text(),
    );
    complete(ctx, engine)?;
    Ok(false)
}

/// Brings up a lab that is not there yet, with nobody to serve until its data
/// are; see [`copy::open`].
pub fn bring_up_closed(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    preflight::insist(ctx, engine)?;
    engine::remember(ctx, engine)?;
    copy::up_closed(ctx, engine)
}

/// The lab's engine for a command that only reads restore points and journal: no
/// replica needs to run for that, and it waits for nobody. A lab that is not
/// there is brought up first, unless another command has it.
pub fn for_reading(ctx: &Context, command: &str) -> Result<Box<dyn Engine>> {
    let engine = engine::select(ctx)?;
    let facts = engine.facts()?;
    if facts.running && facts.has_volume(names::BACKUP_CLAIM) {
        engine.insist_on_ownership()?;
        return Ok(engine);
    }
    if let Some(holder) = ctx.workspace.holder()? {
        return Err(Failure::tool(tr!(
            "there are no restore points to look at now: {holder} has the lab",
            "il n'y a pas de points de restauration à regarder pour l'instant : {holder} occupe \
             le lab",
        ))
        .next("cargo xtask status")
        .into());
    }
    let _lock = ctx.lock(command)?;
    bring_up(ctx)
}

/// Puts the lab back where `error` is an interrupt that cut a scenario or a
/// drill off, and says what is left where it is another one: that may need a look
/// first. Returns the error to end with.
pub fn put_back_after(ctx: &Context, engine: &dyn Engine, error: anyhow::Error) -> anyhow::Error {
    let Some(left) = left_half_way(ctx, engine) else {
        return error;
    };
    if failure::kind(&error) != Kind::Interrupted {
        ctx.ui.warn(&tr!(
            "{left}. cargo xtask setup puts the lab back.",
            "{left}. cargo xtask setup remet le lab en état.",
        ));
        return error;
    }
    wait::begin_anew();
    ctx.ui.note(
        both(
            "Interrupted: the lab is put back; ctrl-C leaves that to the next command.",
            "Interrompu : le lab est remis en état ; ctrl-C laisse cela à la commande suivante.",
        )
        .text(),
    );
    match ensure_up(ctx, engine) {
        Ok(()) => Failure::new(
            Kind::Interrupted,
            tr!(
                "interrupted; the lab was put back",
                "interrompu ; le lab a été remis en état",
            ),
        )
        .next("cargo xtask status")
        .into(),
        Err(late) => {
            ctx.ui.warn(&tr!(
                "the lab was not put back: {late:#}",
                "le lab n'a pas été remis en état : {late:#}",
            ));
            error
        }
    }
}

/// What a scenario or a drill left to be put back, in words; `None` where nothing is.
pub fn left_half_way(ctx: &Context, engine: &dyn Engine) -> Option<String> {
    match reset::left_half_way(&ctx.workspace, engine.name()) {
        Ok(None) => {}
        Ok(Some(left)) => return Some(left),
        Err(error) => return Some(format!("{error:#}")),
    }
    match marker::pending(&ctx.workspace, engine.name()) {
        Ok(Some(left)) => Some(left.told(engine.lab())),
        Err(error) => Some(format!("{error:#}")),
        Ok(None) => match orphan::told(ctx, engine) {
            Ok(Some(left)) => Some(left),
            Err(error) => Some(match failure::next(&error) {
                Some(next) => format!("{error:#} ({next})"),
                None => format!("{error:#}"),
            }),
            Ok(None) => changed_by_drill(ctx, engine),
        },
    }
}

fn changed_by_drill(ctx: &Context, engine: &dyn Engine) -> Option<String> {
    let in_this_lab = engine.lab() == LabName::Pra;
    let changed = in_this_lab && substitute::is_left(&ctx.workspace.root, engine.name());
    let said = tr!(
        "a drill or an adoption was left half-way: what runs is not what k8s/ says",
        "un exercice ou une adoption est resté à mi-chemin : ce qui tourne n'est pas ce que dit \
         k8s/",
    );
    changed.then_some(said)
}

/// Goes through all stages; each says what is already done.
fn complete(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let pending = marker::pending(&ctx.workspace, engine.name())?;
    let gone = up(ctx, engine, pending.as_ref())?;
    if gone && let Some(Unfinished { copy: None, .. }) = pending {
        ctx.ui.warn(both(
            "the lab that a scenario was interrupted in is gone with its volumes: this is a new \
             one",
            "le lab où un scénario a été interrompu a disparu avec ses volumes : celui-ci est \
             nouveau",
        ).text());
    }
    put_back(ctx, engine)
}

/// Returns whether no volume was there. One that a scenario destroyed is built
/// around the copy that it left, with nobody to serve until that is in place.
fn up(ctx: &Context, engine: &dyn Engine, pending: Option<&Unfinished>) -> Result<bool> {
    let facts = engine.facts()?;
    if !is_up(engine.lab(), &facts) {
        preflight::insist(ctx, engine)?;
        // What only has to come back takes less.
        if engine.lab() == LabName::Ha && !facts.running && facts.volumes.is_empty() {
            ctx.ui.note(&tr!(
                "Three servers, each with an instance of the database: that takes some 4 minutes, and \
                 more the first time, when their images are pulled.",
                "Trois serveurs, chacun avec une instance de la base : il faut environ 4 minutes, et \
                 davantage la première fois, le temps de tirer les images.",
            ));
        }
    }
    engine::remember(ctx, engine)?;
    elsewhere::keep_public_half(ctx);
    let gone = facts.volumes.is_empty();
    let copy = match pending {
        Some(unfinished) if gone => interrupted::copy_of(ctx, unfinished)?,
        _ => None,
    };
    if copy.is_some() {
        copy::up_closed(ctx, engine)?;
    } else {
        engine.up()?;
    }
    Ok(gone)
}

/// As [`ensure_up`], for a command that brings a copy of its own: what a scenario
/// left is not put back before.
pub fn ensure_up_to_adopt(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let pending = marker::pending(&ctx.workspace, engine.name())?;
    if pending.is_none_or(|one| one.copy.is_none()) {
        return ensure_up(ctx, engine);
    }
    up(ctx, engine, None).map(drop)
}

/// Ends the recovery of a scenario that was interrupted, and the drill around it.
fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // A dry run takes no lock, so what it finds half-way may be under way.
    if ctx.exec.dry_run()
        && let Some(holder) = ctx.workspace.holder()?
    {
        ctx.ui.note(&tr!(
            "{holder} has the lab: what follows is shown for when that has ended.",
            "{holder} occupe le lab : ce qui suit est montré pour quand ce sera terminé.",
        ));
        return Ok(());
    }
    let pending = marker::pending(&ctx.workspace, engine.name())?;
    if engine.lab() == LabName::Ha {
        // Nothing of it comes from a copy, nor is it put under another protection.
        return match &pending {
            Some(unfinished) => interrupted::put_back(ctx, engine, unfinished),
            None => Ok(()),
        };
    }
    if copy::is_closed(ctx, engine) {
        reopen(ctx, engine, pending.as_ref())?;
    }
    // Again: reopening notes what it did.
    if let Some(unfinished) = marker::pending(&ctx.workspace, engine.name())? {
        interrupted::put_back(ctx, engine, &unfinished)?;
    }
    orphan::put_back(ctx, engine)?;
    protection::put_back(ctx, engine)
}

/// Lets a lab serve that was being built around a copy when that was cut off.
fn reopen(ctx: &Context, engine: &dyn Engine, pending: Option<&Unfinished>) -> Result<()> {
    let copy = match pending {
        Some(unfinished) => interrupted::copy_of(ctx, unfinished)?.zip(Some(unfinished)),
        None => None,
    };
    let step = ctx.ui.step(tr!(
        "application started, after an interrupted adoption",
        "application démarrée, après une adoption interrompue",
    ));
    match copy {
        Some((copy, unfinished)) => {
            let adopted = copy::adopt(engine, copy)?;
            if let Some(adopted) = adopted {
                let kept = adopted.value.safety_point;
                marker::again(&ctx.workspace, engine.name(), unfinished)
                    .restored(kept.as_deref())?;
            }
        }
        None => ctx.ui.warn(both(
            "the lab was being built around an exported copy, which is not in it yet: cargo xtask \
             adopt FILE",
            "le lab était en construction autour d'une copie exportée, qui n'y est pas encore : \
             cargo xtask adopt FILE",
        ).text()),
    }
    copy::open(ctx, engine)?;
    step.done(tr!("ready", "prête"));
    Ok(())
}
