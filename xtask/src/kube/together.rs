//! Both volumes on one node. Each is a folder of a node, and a pod that needs
//! both can run on that node only; claims that helpers bound one by one can be
//! on two. Nothing is copied between nodes: the one that the other makes good
//! is given up, after asking.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Kube;
use crate::facts::{JobSource, Volume};
use crate::failure::Failure;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM, DEPLOYMENT, RESTORE_JOB};
use crate::tools::kube_running::{self, Running};
use crate::tools::kubectl;
use crate::wait;

/// What a volume that was given up is made good by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The database is restored from the backup volume.
    Data,
    /// The backup volume was empty: a first point is taken on the new one.
    Backup,
}

/// What `pra points --json` says of a backup volume, as far as it matters here.
#[derive(Deserialize)]
struct Kept {
    points: Vec<serde_json::Value>,
    latest: Option<String>,
    journal: Option<serde_json::Value>,
}

impl Kube {
    /// Deletes one of two volumes on two nodes, after asking; which one, if any.
    pub fn bring_together(&self, running: &Running) -> Result<Option<Moved>> {
        if !kube_running::apart(&running.volumes) {
            return Ok(None);
        }
        let places = running.volumes.iter().map(place).collect::<Vec<_>>();
        let places = places.join(", ");
        let said = format!("the volumes are on two nodes, where no pod can have both: {places}");
        self.ctx.ui.warn(&said);
        // A pod that looks into a volume takes its settings from there.
        let apply = kubectl::apply(&self.manifests_argument());
        self.ctx.exec.run(&self.kubectl()?.cmd(apply))?;
        let moved = self.dispensable(&said)?;
        let (claim, question) = question(moved);
        if let Some((_, pod)) = running.users.iter().find(|(used, _)| used == claim) {
            return Err(
                Failure::usage(format!("{said}; the pod {pod} uses {claim}"))
                    .next(format!(
                        "kubectl --context {} -n {} delete pod {pod}, then cargo xtask setup",
                        self.context, self.workload.namespace
                    ))
                    .into(),
            );
        }
        self.ctx.confirm(question)?;
        let delete = self.kubectl()?.cmd(kubectl::delete_claim(claim));
        self.ctx.exec.run(&delete.limit(wait::DELETION))?;
        Ok(Some(moved))
    }

    /// The volume that can be made good.
    fn dispensable(&self, said: &str) -> Result<Moved> {
        let backup = [BACKUP_CLAIM.to_owned()];
        let output = self.pra_alone(&["points", "--json"], &backup)?;
        let listed = output.stdout.lines().last().unwrap_or_default();
        let kept: Kept = serde_json::from_str(listed)
            .with_context(|| format!("reading what {BACKUP_CLAIM} holds"))?;
        if kept.latest.is_some() {
            return Ok(Moved::Data);
        }
        if kept.points.is_empty() && kept.journal.is_none() {
            return Ok(Moved::Backup);
        }
        Err(Failure::usage(format!(
            "{said}; {BACKUP_CLAIM} holds no verified point, and is not empty: \
             which of them to give up is not for a program to say"
        ))
        .next(format!(
            "docs/runbook.md (looking into the volumes), then kubectl --context {} -n {} \
             delete pvc {DATA_CLAIM} or {BACKUP_CLAIM}, and cargo xtask setup",
            self.context, self.workload.namespace
        ))
        .into())
    }

    /// Brings back what was on the volume that was given up.
    pub fn make_good(&self, moved: Moved) -> Result<()> {
        let step = self.ctx.ui.step("both volumes on one node");
        let (trouble, next) = match moved {
            Moved::Data => (self.restore_latest()?, "cargo xtask restore latest"),
            Moved::Backup => (self.first_point()?, "cargo xtask backup --new-volume"),
        };
        if let Some(said) = trouble {
            let failure = Failure::tool(format!("making the volume good: {}", said.trim()));
            return Err(failure.next(next).into());
        }
        step.done(match moved {
            Moved::Data => "the database is restored",
            Moved::Backup => "a first point is taken",
        });
        Ok(())
    }

    /// What was said where it failed.
    fn restore_latest(&self) -> Result<Option<String>> {
        let env = vec![("PRA_RESTORE_POINT".to_owned(), "latest".to_owned())];
        let outcome = self.run_job(RESTORE_JOB, &JobSource::Restore { env })?;
        Ok(outcome.filter(|one| !one.succeeded).map(|one| one.log))
    }

    /// What was said where it failed. A database that knew another backup
    /// volume has to be told to take the new one; one that never had any takes
    /// it by itself.
    fn first_point(&self) -> Result<Option<String>> {
        let target = format!("deployment/{DEPLOYMENT}");
        let mut said = None;
        for more in [None, Some("--new-volume")] {
            let command: Vec<&str> = ["python", "-m", "pra", "backup"]
                .into_iter()
                .chain(more)
                .collect();
            let cmd = self.kubectl()?.cmd(kubectl::exec(&target, &command));
            let Some(output) = self.change(&cmd.limit(wait::JOB_LOG))? else {
                return Ok(None);
            };
            if output.status.success() {
                return Ok(None);
            }
            said = Some(output.stdout + &output.stderr);
        }
        Ok(said)
    }
}

fn place(volume: &Volume) -> String {
    let node = volume.place.split(':').next().unwrap_or_default();
    format!("{} on {node}", volume.claim)
}

/// The claim to delete, and what is asked before.
fn question(moved: Moved) -> (&'static str, &'static str) {
    match moved {
        Moved::Data => (
            DATA_CLAIM,
            "Delete the volume pra-data, have it made anew beside pra-backup, and restore the \
             latest moment from there? What pra-data holds beyond it would be lost.",
        ),
        Moved::Backup => (
            BACKUP_CLAIM,
            "pra-backup holds no restore point. Delete it and have it made anew beside pra-data?",
        ),
    }
}
