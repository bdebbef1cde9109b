//! The exported copy: one file with the whole database. How it is taken,
//! checked, and made the database of a lab, which may have to be built first.
//! The package alone knows what is in it.

pub mod elsewhere;
pub mod part;
mod path;
pub mod pruned;
mod target;

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use terms::tr;

pub use crate::app::Plan;
use crate::app::{self, Document, Restored};
use crate::context::Context;
use crate::engine::{Engine, serving};
use crate::exec::Piped;
use crate::failure::Failure;
use crate::manifests::substitute;
use crate::wait;
pub use part::Part;
use path::absolute;
pub use target::Target;

/// The key in k8s/ that says how many serve.
const REPLICAS: &str = "replicas";

/// A copy that was read to its end and is whole.
#[derive(Clone, Debug, Deserialize)]
pub struct Copy {
    /// RFC 3339, UTC: everything that was acknowledged before is in it.
    pub created: String,
    /// The same in seconds since 1970.
    pub created_time: f64,
    pub rows: u64,
    pub max_id: Option<i64>,
    pub position: Position,
    pub file: WholeFile,
}

/// Where its database stood.
#[derive(Clone, Debug, Deserialize)]
pub struct Position {
    pub lineage: String,
    pub timeline: u64,
    pub seq: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct WholeFile {
    pub bytes: u64,
    pub sha256: String,
}

/// Reads a copy to its end, on this machine; needs no lab.
///
/// # Errors
/// It is cut off, was changed, is of another kind or of a newer format.
pub fn check(ctx: &Context, path: &Path) -> Result<Document<Copy>> {
    if path == Path::new("-") {
        return Err(Failure::usage(tr!(
            "a copy is read twice, first to check it: standard input cannot be",
            "une copie est lue deux fois, d'abord pour la contrôler : l'entrée standard ne peut \
             pas l'être",
        ))
        .next("... > copy.tar && cargo xtask adopt copy.tar")
        .into());
    }
    if path.as_os_str().is_empty() {
        return Err(unusable(tr!("no file is named", "aucun fichier n'est nommé")).into());
    }
    let name = path.display();
    let opened = File::open(path).and_then(|file| file.metadata());
    let usable = opened.map_err(|error| unusable(format!("{name}: {error}")))?;
    if !usable.is_file() {
        return Err(unusable(tr!("{name} is not a file", "{name} n'est pas un fichier")).into());
    }
    let cmd = app::on_this_machine(ctx, &["adopt", "--check", "--json"])?
        .args([absolute(path)?.to_string_lossy()])
        .limit(wait::COPY);
    let output = ctx.exec.probe(&cmd)?;
    if output.status.success() {
        return app::parse(&output.stdout, "adopt");
    }
    let mut refusal = app::refusal(&output, "adopt --check");
    refusal.message = format!("{name}: {}", refusal.message);
    Err(refusal.into())
}

fn unusable(message: String) -> Failure {
    Failure::usage(message).next(tr!(
        "cargo xtask export FILE writes one",
        "cargo xtask export FILE en écrit une",
    ))
}

/// Writes a copy of the database as it is now, checks it, and only then hands
/// it over; `None` in a dry run.
pub fn export(ctx: &Context, engine: &dyn Engine, target: &Target) -> Result<Option<Copy>> {
    if ctx.exec.dry_run() {
        engine.stream(&["export"], Piped::Into(target.path()))?;
        return Ok(None);
    }
    let part = Part::create(&target.scratch_folder(ctx)?)?;
    let output = engine.stream(&["export"], Piped::Into(part.path.clone()))?;
    let output = output.context("an export has an end")?;
    if !output.status.success() {
        return Err(app::refusal(&output, "export").into());
    }
    let copy = check(ctx, &part.path)?.value;
    target.take(part)?;
    Ok(Some(copy))
}

/// What adopting a copy would gain and lose; changes nothing.
pub fn plan(engine: &dyn Engine, path: &Path) -> Result<Option<Document<Plan>>> {
    document(engine, &["adopt", "--plan", "--json"], path)
}

/// Makes a copy the database, on volumes that exist; what was there is kept.
/// `None` in a dry run.
pub fn adopt(engine: &dyn Engine, path: &Path) -> Result<Option<Document<Restored>>> {
    document(engine, &["adopt", "--json"], path)
}

fn document<T: serde::de::DeserializeOwned>(
    engine: &dyn Engine,
    args: &[&str],
    path: &Path,
) -> Result<Option<Document<T>>> {
    let Some(output) = engine.stream(args, Piped::From(absolute(path)?))? else {
        return Ok(None);
    };
    if !output.status.success() {
        return Err(app::refusal(&output, "adopt").into());
    }
    app::parse(&output.stdout, "adopt").map(Some)
}

/// Brings the lab up with nobody to serve: what somebody wrote now would be
/// replaced by the copy.
pub fn up_closed(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.change("# replicas: 0 in a copy of k8s/") {
        ctx.workspace.create()?;
        substitute::change(&ctx.workspace.root, engine.name(), REPLICAS, "0")?;
    }
    engine.up()
}

/// Whether the lab was left as [`up_closed`] brings it up.
pub fn is_closed(ctx: &Context, engine: &dyn Engine) -> bool {
    let (root, engine) = (&ctx.workspace.root, engine.name());
    substitute::path(root, engine).is_dir()
        && substitute::value(root, engine, REPLICAS).as_deref() == Some("0")
}

/// Asks for the declared replicas and waits until they serve.
pub fn open(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.change("# replicas: as k8s/ says") {
        substitute::put_back(&ctx.workspace.root, engine.name(), REPLICAS)?;
    }
    engine.apply()?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    serving::wait_until_ready(engine).map(|_| ())
}
