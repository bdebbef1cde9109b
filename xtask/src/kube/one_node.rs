//! Both volumes on one node. Each volume is a folder of a node, so a pod that needs
//! both can only run where both are; claims that were bound separately can be on two
//! nodes. Nothing is copied between nodes: after asking, the volume that can be rebuilt
//! from the other is deleted.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use terms::tr;

use super::Kube;
use crate::facts::{JobSource, Volume};
use crate::failure::Failure;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM, RESTORE_JOB};
use crate::tools::kube_running::{self, Running};
use crate::tools::kubectl;
use crate::wait;

/// The volume that was deleted, by how it is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The database is restored from the backup volume.
    Data,
    /// The backup volume was empty: a first point is taken on the new one.
    Backup,
}

/// The fields of `pra points --json` that tell whether a backup volume is empty.
#[derive(Deserialize)]
struct Kept {
    points: Vec<serde_json::Value>,
    latest: Option<String>,
    journal: Option<serde_json::Value>,
}

impl Kube {
    /// Deletes one of two volumes that are on two nodes, after asking; returns which.
    pub fn gather_on_one_node(&self, running: &Running) -> Result<Option<GivenUp>> {
        // Those of several instances are apart on purpose.
        if self.workload.database.is_some() || !kube_running::apart(&running.volumes) {
            return Ok(None);
        }
        let places = running.volumes.iter().map(place).collect::<Vec<_>>();
        let places = places.join(", ");
        let said = tr!(
            "the volumes are on two nodes, where no pod can have both: {places}",
            "les volumes sont sur deux nœuds, où aucun pod ne peut avoir les deux : {places}",
        );
        self.ctx.ui.warn(&said);
        // A pod that looks into a volume takes its settings from there.
        let apply = kubectl::apply(&self.declared()?);
        self.ctx.exec.run(&self.kubectl()?.cmd(apply))?;
        let moved = self.replaceable(&said)?;
        let (claim, question) = question(moved);
        if let Some((_, pod)) = running.users.iter().find(|(used, _)| used == claim) {
            return Err(Failure::usage(tr!(
                "{said}; the pod {pod} uses {claim}",
                "{said} ; le pod {pod} utilise {claim}",
            ))
            .next(tr!(
                "kubectl --context {context} -n {namespace} delete pod {pod}, then cargo xtask \
                 setup",
                "kubectl --context {context} -n {namespace} delete pod {pod}, puis cargo xtask \
                 setup",
                context = self.context,
                namespace = self.workload.namespace,
            ))
            .into());
        }
        self.ctx.confirm(question)?;
        let delete = self.kubectl()?.cmd(kubectl::delete_claim(claim));
        self.ctx.exec.run(&delete.limit(wait::DELETION))?;
        Ok(Some(moved))
    }

    /// The volume that can be rebuilt from the other.
    fn replaceable(&self, said: &str) -> Result<GivenUp> {
        let backup = [BACKUP_CLAIM.to_owned()];
        let output = self.pra_alone(&["points", "--json"], &backup)?;
        let listed = output.stdout.lines().last().unwrap_or_default();
        let kept: Kept = serde_json::from_str(listed)
            .with_context(|| format!("reading what {BACKUP_CLAIM} holds"))?;
        if kept.latest.is_some() {
            return Ok(GivenUp::Data);
        }
        if kept.points.is_empty() && kept.journal.is_none() {
            return Ok(GivenUp::Backup);
        }
        Err(Failure::usage(tr!(
            "{said}; {BACKUP_CLAIM} holds no verified point, and is not empty: which of them to \
             give up is not for a program to say",
            "{said} ; {BACKUP_CLAIM} ne contient aucun point vérifié et n'est pas vide : ce n'est \
             pas à un programme de dire auquel renoncer",
        ))
        .next(tr!(
            "docs/runbook.md (looking into the volumes), then kubectl --context {context} -n \
             {namespace} delete pvc {DATA_CLAIM} or {BACKUP_CLAIM}, and cargo xtask setup",
            "docs/runbook.md (Looking into the volumes), puis kubectl --context {context} -n \
             {namespace} delete pvc {DATA_CLAIM} ou {BACKUP_CLAIM}, et cargo xtask setup",
            context = self.context,
            namespace = self.workload.namespace,
        ))
        .into())
    }

    /// Rebuilds what was on the deleted volume.
    pub fn restore_given_up(&self, moved: GivenUp) -> Result<()> {
        let step = self.ctx.ui.step(tr!(
            "both volumes on one node",
            "les deux volumes sur un nœud",
        ));
        let (trouble, next) = match moved {
            GivenUp::Data => (self.restore_latest()?, "cargo xtask restore latest"),
            GivenUp::Backup => (self.first_point()?, "cargo xtask backup --new-volume"),
        };
        if let Some(said) = trouble {
            let failure = Failure::tool(tr!(
                "rebuilding what was on the volume: {what}",
                "reconstruction de ce qui était sur le volume : {what}",
                what = said.trim(),
            ));
            return Err(failure.next(next).into());
        }
        step.done(match moved {
            GivenUp::Data => tr!(
                "the database is restored",
                "la base de données est restaurée"
            ),
            GivenUp::Backup => tr!("a first point is taken", "un premier point est pris"),
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
        let target = self.replica();
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
    tr!(
        "{claim} on {node}",
        "{claim} sur {node}",
        claim = volume.claim
    )
}

/// The claim to delete, and what is asked before.
fn question(moved: GivenUp) -> (&'static str, &'static str) {
    match moved {
        GivenUp::Data => (
            DATA_CLAIM,
            "Delete the volume pra-data, have it made anew beside pra-backup, and restore the \
             latest moment from there? What pra-data holds beyond it would be lost.",
        ),
        GivenUp::Backup => (
            BACKUP_CLAIM,
            "pra-backup holds no restore point. Delete it and have it made anew beside pra-data?",
        ),
    }
}
