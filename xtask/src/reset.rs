//! The lab as after `setup`: both volumes are deleted and made anew, and what runs stays.
//! Where that was cut off (ctrl-C, a crash), the next command that needs the lab goes on
//! with it, or takes it back as long as nothing was deleted.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::engine::{Engine, serving};
use crate::exec::quote_path;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::game;
use crate::manifests::substitute;
use crate::marker;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::scenario::outage;
use crate::workspace::{self, Workspace};
use terms::{EngineName, tr};

/// How far a reset came.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// The application is being stopped; nothing is deleted.
    Begun,
    /// No replica is left, and the volumes are being deleted.
    Deleting,
    /// Both are gone.
    Deleted,
}

/// The mark of a reset in progress; stays on disk until [`Mark::done`].
struct Mark<'a> {
    ctx: &'a Context,
    engine: EngineName,
    left: Left,
}

/// A reset that has begun, and what is needed to take it back.
#[derive(Deserialize, Serialize)]
struct Left {
    since: String,
    stage: Stage,
    /// The lab as it was before.
    replicas: u32,
    suspended: bool,
}

/// What became of a reset that was cut off.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The lab is as after `setup`.
    Completed,
    /// The lab is as before the reset.
    TakenBack,
}

/// Deletes both volumes with all that is on them, and has the lab begin anew. The caller
/// has the lab's lock, and a yes; `facts` are those of a lab that runs.
pub fn run(ctx: &Context, engine: &dyn Engine, facts: &Facts) -> Result<()> {
    let mut mark = Mark {
        ctx,
        engine: engine.name(),
        left: Left {
            since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            stage: Stage::Begun,
            replicas: facts.wanted,
            suspended: facts.suspended,
        },
    };
    mark.write()?;
    let step = ctx.ui.step(tr!(
        "application and backups stopped",
        "application et sauvegardes arrêtées"
    ));
    outage::stop_everything(ctx, engine)?;
    step.done(tr!("nothing writes any more", "plus rien n'écrit"));
    mark.reached(Stage::Deleting)?;
    delete(engine, mark)
}

/// The data first: whoever starts the application by hand after a reset that was cut off
/// is refused writes as long as restore points are there.
fn delete(engine: &dyn Engine, mut mark: Mark) -> Result<()> {
    let step = mark
        .ctx
        .ui
        .step(tr!("both volumes deleted", "suppression des deux volumes"));
    for claim in [DATA_CLAIM, BACKUP_CLAIM] {
        engine.delete_volume(claim)?;
    }
    step.done(format!("{DATA_CLAIM}, {BACKUP_CLAIM}"));
    mark.reached(Stage::Deleted)?;
    begin_anew(engine, mark)
}

fn begin_anew(engine: &dyn Engine, mark: Mark) -> Result<()> {
    let ctx = mark.ctx;
    if !ctx.exec.dry_run() {
        // A scenario or a game day that was left half-way has nothing to come back to.
        marker::forget(&ctx.workspace, engine.name())?;
        game::forget(&ctx.workspace, engine.name())?;
    }
    forget_substitute(ctx, engine.name())?;
    let step = ctx.ui.step(tr!(
        "volumes made anew, application started",
        "création des volumes, démarrage de l'application"
    ));
    engine.apply()?;
    engine.suspend_backups(false)?;
    if !ctx.exec.dry_run() {
        serving::wait_until_ready(engine)?;
    }
    step.done(tr!("it answers", "elle répond"));
    mark.done()
}

/// What a drill or an adoption left in the place of k8s/ goes with the data that it was for.
fn forget_substitute(ctx: &Context, engine: EngineName) -> Result<()> {
    let root = &ctx.workspace.root;
    let copy = substitute::path(root, engine);
    if substitute::is_left(root, engine) && ctx.exec.change(&format!("rm -r {}", quote_path(&copy)))
    {
        substitute::remove(root, engine)?;
    }
    Ok(())
}

/// Goes on with a reset that was cut off, or takes it back; `None` where there is none, or
/// where somebody has taken the lab in hand since. The caller has the lab's lock.
pub fn end_interrupted(ctx: &Context, engine: &dyn Engine) -> Result<Option<Ended>> {
    let Some(left) = pending(&ctx.workspace, engine.name())? else {
        return Ok(None);
    };
    // A dry run takes no lock, so what it finds half-way may be under way.
    if ctx.exec.dry_run() && ctx.workspace.holder()?.is_some() {
        return Ok(None);
    }
    engine.wake()?;
    let facts = engine.facts()?;
    let mark = Mark {
        ctx,
        engine: engine.name(),
        left,
    };
    if !facts.running {
        // The lab is gone with its volumes: there is nothing to take back.
        return mark.done().map(|()| None);
    }
    let since = &mark.left.since;
    match mark.left.stage {
        Stage::Begun => {
            ctx.ui.note(&tr!(
                "The reset of {since} was interrupted before anything was deleted: it is taken back.",
                "La réinitialisation du {since} a été interrompue avant toute suppression : elle est annulée."
            ));
            take_back(engine, mark).map(|()| Some(Ended::TakenBack))
        }
        Stage::Deleting if facts.wanted > 0 || !facts.pods.is_empty() => {
            ctx.ui.warn(&tr!(
                "the reset of {since} was interrupted, and somebody has started the application since: the lab is left as it is. cargo xtask status says what it has; cargo xtask reset begins again",
                "la réinitialisation du {since} a été interrompue, et quelqu'un a relancé l'application depuis : le lab reste tel quel. cargo xtask status dit ce qu'il contient ; cargo xtask reset recommence"
            ));
            engine.suspend_backups(mark.left.suspended)?;
            mark.done().map(|()| None)
        }
        Stage::Deleting | Stage::Deleted => {
            ctx.ui.note(&tr!(
                "The reset of {since} was interrupted: going on with it.",
                "La réinitialisation du {since} a été interrompue : elle reprend."
            ));
            let go_on = match mark.left.stage {
                Stage::Deleted => begin_anew,
                _ => delete,
            };
            go_on(engine, mark).map(|()| Some(Ended::Completed))
        }
    }
}

/// As it was, and nothing else: a lab whose application somebody had stopped stays so.
fn take_back(engine: &dyn Engine, mark: Mark) -> Result<()> {
    engine.scale(mark.left.replicas)?;
    engine.suspend_backups(mark.left.suspended)?;
    if mark.left.replicas > 0 && !mark.ctx.exec.dry_run() {
        serving::wait_until_ready(engine)?;
    }
    mark.done()
}

/// What a reset left half-way, in words; `None` where none did.
pub fn left_half_way(workspace: &Workspace, engine: EngineName) -> Result<Option<String>> {
    let told = |left: Left| {
        let since = left.since;
        match left.stage {
            Stage::Begun => tr!(
                "a reset of {since} was left half-way, before anything was deleted",
                "une réinitialisation du {since} est restée inachevée, avant toute suppression"
            ),
            _ => tr!(
                "a reset of {since} was left half-way: what the volumes held is deleted, or about to be",
                "une réinitialisation du {since} est restée inachevée : le contenu des volumes est supprimé, ou sur le point de l'être"
            ),
        }
    };
    Ok(pending(workspace, engine)?.map(told))
}

/// No reset is left half-way: the lab is gone.
pub fn forget(workspace: &Workspace, engine: EngineName) -> Result<()> {
    workspace::remove_file(&path(workspace, engine))
}

fn path(workspace: &Workspace, engine: EngineName) -> PathBuf {
    workspace
        .lab_state()
        .join(format!("unfinished-reset-{engine}.json"))
}

fn pending(workspace: &Workspace, engine: EngineName) -> Result<Option<Left>> {
    let path = path(workspace, engine);
    let left = workspace::read_state(&path);
    left.with_context(|| format!("reading {}", path.display()))
        .map_err(|error| {
            let said = tr!(
                "the mark of an unfinished reset is damaged",
                "la marque d'une réinitialisation inachevée est abîmée"
            );
            let next = format!("rm {} && cargo xtask status", quote_path(&path));
            error.context(Failure::usage(said).next(next))
        })
}

impl Mark<'_> {
    fn reached(&mut self, stage: Stage) -> Result<()> {
        self.left.stage = stage;
        self.write()
    }

    fn write(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let text = serde_json::to_string(&self.left)?;
        workspace::write_file(&path(&self.ctx.workspace, self.engine), &text)
    }

    fn done(self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        forget(&self.ctx.workspace, self.engine)
    }
}
