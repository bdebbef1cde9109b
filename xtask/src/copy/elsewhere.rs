//! Encrypted copies in another place: made where the volumes are, read on this machine, where
//! the private key is.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::part::{self, Part};
use crate::app::{self, Document};
use crate::cli::Reading;
use crate::config::Destination;
use crate::context::Context;
use crate::engine::offsite::Running;
use crate::engine::{self, Engine};
use crate::exec::{Cmd, Output, Piped};
use crate::facts::Facts;
use crate::offsite::{self, Settings};
use crate::wait;
use terms::lang::both;

/// How what follows is known from a file.
pub const ELSEWHERE: &str = "offsite:";
/// What the package says before a warning.
const WARNING: &str = "pra: WARNING: ";

/// What a place has.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub place: String,
    pub histories: Vec<History>,
    /// What somebody deleted could be looked for as well.
    pub deleted_seen: bool,
}

/// The copies of one backup volume.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    pub history: String,
    /// The newest first.
    pub points: Vec<String>,
    /// When that was made, RFC 3339.
    pub newest: Option<String>,
    pub segments: u64,
    pub bytes: u64,
    /// Somebody deleted it, and the store has kept what it was.
    #[serde(default)]
    pub hidden: bool,
}

impl History {
    /// As much of its name as tells it from others.
    pub fn short(&self) -> &str {
        short(&self.history)
    }
}

/// As much of the name of a history as tells it from others.
pub fn short(history: &str) -> &str {
    history.get(..12).unwrap_or(history)
}

/// What a push did.
#[derive(Clone, Debug, Deserialize)]
pub struct Pushed {
    pub place: String,
    /// Whose copies these are.
    pub history: String,
    pub objects: u64,
    pub bytes: u64,
    pub points: Vec<String>,
    /// What it left out, and why.
    pub faults: Vec<String>,
    /// What is missing for copies that nobody can remove.
    pub lock: Option<String>,
}

/// What came of reading copies.
#[derive(Clone, Debug, Deserialize)]
pub struct Verified {
    pub ok: bool,
    pub history: String,
    /// Only where every one was read.
    pub points: Vec<VerifiedPoint>,
    pub latest: Option<Latest>,
    /// When that was noted beside the copies, in seconds since 1970; `None` where it was not.
    pub proven: Option<f64>,
    /// Why it was not.
    pub unnoted: Option<String>,
    /// What somebody deleted could be looked for as well.
    pub deleted_seen: bool,
    pub faults: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct VerifiedPoint {
    pub name: String,
    /// Why it cannot be used.
    pub reason: Option<String>,
}

/// The newest moment, restored aside.
#[derive(Clone, Debug, Deserialize)]
pub struct Latest {
    pub rows: u64,
}

impl Verified {
    pub fn first_fault(&self) -> &str {
        let of_points = self.points.iter().filter_map(|one| one.reason.as_deref());
        let mut all = self.faults.iter().map(String::as_str).chain(of_points);
        all.next().unwrap_or_default()
    }
}

/// Makes a private key in a file that is not there; returns the public one.
pub fn keygen(ctx: &Context, file: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Made {
        public: String,
    }
    let file = file.to_string_lossy();
    let cmd = here(ctx, &Settings::new(), &["keygen", "--json", &file]);
    Ok(document::<Made>(&ctx.exec.probe(&cmd)?, "keygen")?
        .value
        .public)
}

/// That of a private key which may be moved later, where copies are made: who needs it now is
/// told of it then.
pub fn keep_public_half(ctx: &Context) {
    if ctx.exec.dry_run() || ctx.config.offsite.destination().is_none() {
        return;
    }
    if let Err(error) = offsite::keep_public_half(&ctx.workspace) {
        ctx.ui.warn(&format!("{error:#}"));
    }
}

/// Who asks for what is in the place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Reader,
    /// Of the embedded store: the lab may not remove there what a reader needs.
    Owner,
}

/// The place as this machine reaches it, and what has to run for that.
pub(super) fn reach(ctx: &Context, asker: Asker) -> Result<(Settings, Option<Running>)> {
    part::sweep(&ctx.workspace.home());
    let config = &ctx.config.offsite;
    let running = match config.destination() {
        Some(Destination::Embedded) => Some(engine::select(ctx)?.embedded_store()?),
        Some(Destination::Folder(_) | Destination::Bucket(_)) | None => None,
    };
    let store = running.as_ref().map(|running| running.store.clone());
    let store = store.map(|store| match asker {
        Asker::Reader => store,
        Asker::Owner => store.by_owner(&ctx.workspace),
    });
    Ok((offsite::place(config, store.as_ref())?, running))
}

/// Before anything else is asked or brought about for it.
///
/// # Errors
/// `lab.toml` names no place.
pub fn insist_on_place(ctx: &Context) -> Result<()> {
    match ctx.config.offsite.destination() {
        None => Err(offsite::no_place().into()),
        Some(_) => Ok(()),
    }
}

/// The history that the lab's own copies are, where it runs: who reads them elsewhere cannot tell.
pub fn own(ctx: &Context) -> Option<String> {
    #[derive(Deserialize)]
    struct Owned {
        history: String,
        own: bool,
    }
    #[derive(Deserialize)]
    struct All {
        histories: Vec<Owned>,
    }
    let engine = engine::select(ctx).ok()?;
    if ctx.exec.dry_run() || !engine.facts().ok()?.running {
        return None;
    }
    let output = engine.offsite(&["list", "--json"]).ok()??;
    let all: Document<All> = document(&output, "list").ok()?;
    let mut all = all.value.histories.into_iter();
    all.find(|one| one.own).map(|one| one.history)
}

/// Said before the lab goes, where its copies would not bring all of it back.
pub fn warn_if_behind(ctx: &Context, facts: &Facts) {
    let url = facts.url.as_deref();
    let status = url.and_then(|url| app::status(url).ok());
    let copies = status.and_then(|status| status.copies());
    if copies.is_some_and(|copies| copies.failing) {
        ctx.ui.warn(
            both(
                "the copies elsewhere do not follow (cargo xtask offsite push says why): what goes \
                 now may be nowhere else",
                "les copies ailleurs ne suivent pas (cargo xtask offsite push dit pourquoi) : ce qui \
                 part maintenant n'est peut-être nulle part ailleurs",
            )
            .text(),
        );
    }
}

/// Ends what ran for this command alone.
pub(super) fn leave(running: Option<Running>) {
    if let Some(end) = running.and_then(|running| running.end) {
        end();
    }
}

/// What there is, by its names alone.
pub fn list(ctx: &Context) -> Result<Document<Listed>> {
    let (settings, running) = reach(ctx, Asker::Reader)?;
    let cmd = here(ctx, &settings, &["list", "--json"]);
    let output = ctx.exec.probe(&cmd);
    leave(running);
    document(&output?, "list")
}

/// Whether what copies the lab may look for what somebody deleted; yes in a dry run.
pub fn lab_sees_deleted(engine: &dyn Engine) -> Result<bool> {
    let Some(output) = engine.offsite(&["list", "--json"])? else {
        return Ok(true);
    };
    Ok(document::<Listed>(&output, "list")?.value.deleted_seen)
}

/// Copies what is not there yet; `None` in a dry run.
pub fn push(engine: &dyn Engine, options: &[&str]) -> Result<Option<Document<Pushed>>> {
    let args = [&["push", "--json"], options].concat();
    let Some(output) = engine.offsite(&args)? else {
        return Ok(None);
    };
    document_with_faults(&output, "push").map(Some)
}

/// Opens the newest copy, or all, and restores it aside; `None` in a dry run, since what came of
/// it is noted.
pub fn verify(
    ctx: &Context,
    reading: &Reading,
    options: &[&str],
) -> Result<Option<Document<Verified>>> {
    let mut args = vec!["verify".to_owned(), "--json".to_owned()];
    args.extend(of_reading(ctx, reading)?);
    args.extend(options.iter().map(|&option| option.to_owned()));
    let (settings, running) = reach(ctx, Asker::Reader)?;
    let cmd = here(ctx, &settings, &args).limit(wait::COPY);
    let output = match ctx.exec.change(&cmd.to_string()) {
        true => ctx.exec.probe(&cmd).map(Some),
        false => Ok(None),
    };
    leave(running);
    let document = |output| document_with_faults(&output, "verify");
    output?.map(document).transpose()
}

/// An exported copy that was made from copies elsewhere.
pub struct Fetched {
    /// Removed with this value; `None` in a dry run.
    pub part: Option<Part>,
    pub path: PathBuf,
    /// What was damaged, and what is known to be missing.
    pub warnings: Vec<String>,
}

/// Brings a moment back (`latest`, the name of a point, RFC 3339) into a file of this checkout: who
/// can read that has the data.
pub fn fetch(ctx: &Context, target: &str, reading: &Reading) -> Result<Fetched> {
    let words = of_reading(ctx, reading)?;
    let (settings, running) = reach(ctx, Asker::Reader)?;
    let folder = ctx.workspace.home();
    let part = match ctx.exec.dry_run() {
        true => None,
        false => Some(Part::create(&folder)?),
    };
    let shown = || folder.join("offsite.tar");
    let path = part.as_ref().map_or_else(shown, |part| part.path.clone());
    let cmd = here(ctx, &settings, &["fetch"]).args(words);
    let cmd = cmd.args(["--", target]).limit(wait::COPY);
    let output = ctx.exec.stream(&cmd.file(Piped::Into(path.clone())));
    leave(running);
    let warnings = match output? {
        None => Vec::new(),
        Some(output) if output.status.success() => warnings(&output.stderr),
        Some(output) => return Err(app::refusal(&output, "offsite fetch").into()),
    };
    Ok(Fetched {
        part,
        path,
        warnings,
    })
}

fn warnings(said: &str) -> Vec<String> {
    let lines = said.lines().filter_map(|line| line.strip_prefix(WARNING));
    lines.map(str::to_owned).collect()
}

/// The words for which copies are read, with which key, and where there is room for it.
pub(super) fn of_reading(ctx: &Context, reading: &Reading) -> Result<Vec<String>> {
    insist_on_place(ctx)?;
    let identity = offsite::identity(&ctx.workspace, reading.identity.clone())?;
    ctx.workspace.create()?;
    let mut words = vec![
        "--identity".to_owned(),
        identity.display().to_string(),
        "--work".to_owned(),
        ctx.workspace.home().display().to_string(),
    ];
    if let Some(history) = &reading.history {
        words.extend(["--history".to_owned(), history.clone()]);
    }
    Ok(words)
}

pub(super) fn here<S: AsRef<str>>(ctx: &Context, settings: &Settings, args: &[S]) -> Cmd {
    offsite::on_this_machine(&ctx.venv().python(), &ctx.workspace, settings, args)
}

fn document<T: DeserializeOwned>(output: &Output, action: &str) -> Result<Document<T>> {
    let verb = format!("offsite {action}");
    if output.status.success() {
        return app::parse(&output.stdout, &verb);
    }
    Err(app::refusal(output, &verb).into())
}

/// The document of what may leave something out: its exit code says that there is such a thing,
/// the document which.
pub(super) fn document_with_faults<T: DeserializeOwned>(
    output: &Output,
    action: &str,
) -> Result<Document<T>> {
    let verb = format!("offsite {action}");
    app::parse(&output.stdout, &verb).map_err(|_| app::refusal(output, &verb).into())
}
