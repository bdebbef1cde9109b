//! Removing encrypted copies that retention no longer keeps: for a person, with the private key and
//! with credentials that may remove.

use anyhow::Result;
use serde::Deserialize;
use terms::tr;

use super::elsewhere::{Asker, document_with_faults, here, leave, of_reading, reach};
use crate::app::Document;
use crate::cli::Reading;
use crate::context::Context;
use crate::engine::offsite::Running;
use crate::exec::{self, Cmd};
use crate::failure::Failure;
use crate::manifests;
use crate::offsite::{PLACE, Settings};
use crate::wait;

/// What was removed, or would be.
#[derive(Clone, Debug, Deserialize)]
pub struct Pruned {
    pub points: Vec<String>,
    pub segments: u64,
    pub objects: u64,
    pub bytes: u64,
    pub held: Held,
    /// What was left, and why.
    pub faults: Vec<String>,
}

/// What a lock keeps.
#[derive(Clone, Debug, Deserialize)]
pub struct Held {
    pub objects: u64,
    pub bytes: u64,
    /// RFC 3339.
    pub until: Option<String>,
}

/// A removal that is looked at first.
pub struct Pruning<'a> {
    ctx: &'a Context,
    place: String,
    /// The store, where it runs for this alone.
    running: Option<Running>,
    cmd: Cmd,
}

impl<'a> Pruning<'a> {
    pub fn begin(ctx: &'a Context, reading: &Reading) -> Result<Self> {
        let words = of_reading(ctx, reading)?;
        let rules = rules(ctx)?;
        let (settings, running) = reach(ctx, Asker::Owner)?;
        let cmd = here(ctx, &settings, &["prune", "--json"]);
        Ok(Self {
            ctx,
            place: settings.get(PLACE).cloned().unwrap_or_default(),
            running,
            cmd: cmd.args(words).envs(&rules).limit(wait::COPY),
        })
    }

    /// Where the copies are.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What would go; changes nothing.
    pub fn plan(&self) -> Result<Document<Pruned>> {
        let output = self.ctx.exec.probe(&self.cmd.clone().args(["--dry-run"]))?;
        document_with_faults(&output, "prune")
    }

    /// Removes it; `None` in a dry run.
    pub fn remove(&self) -> Result<Option<Document<Pruned>>> {
        match self.ctx.exec.change(&self.cmd.to_string()) {
            true => document_with_faults(&exec::output(&self.cmd)?, "prune").map(Some),
            false => Ok(None),
        }
    }

    pub fn end(self) {
        leave(self.running);
    }
}

/// What is kept, as the lab declares it for its volume.
fn rules(ctx: &Context) -> Result<Settings> {
    let manifests = manifests::load(&ctx.workspace.root)?;
    let mut rules = manifests.settings(manifests.replica());
    // How much is kept is less than the volume has.
    rules.retain(|name, _| name.starts_with("PRA_KEEP_") || name == "PRA_BACKUP_MIB");
    Ok(rules)
}

/// What was left is in its document, and its exit code says the same.
impl Pruned {
    /// What it amounts to.
    pub fn told(&self) -> String {
        tr!(
            "{points} points, {segments} segments of the journal: {objects} objects, {bytes} bytes",
            "{points} points, {segments} segments du journal : {objects} objets, {bytes} octets",
            points = self.points.len(),
            segments = self.segments,
            objects = self.objects,
            bytes = self.bytes,
        )
    }

    /// # Errors
    /// Something was left for another reason than a lock.
    pub fn insist_on_no_fault(&self) -> Result<()> {
        let Some(fault) = self.faults.first() else {
            return Ok(());
        };
        Err(Failure::promise(tr!(
            "not all copies could be read or removed: {fault}",
            "toutes les copies n'ont pas pu être lues ou supprimées : {fault}",
        ))
        .next("cargo xtask offsite verify --all")
        .into())
    }
}
