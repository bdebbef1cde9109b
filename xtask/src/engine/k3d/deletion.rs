//! Deleting the cluster. Where that is interrupted, the rest is no lab any more, and
//! the next command completes the deletion.

use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use terms::tr;

use super::site::Site;
use crate::exec::Cmd;
use crate::tools::{docker, k3d};
use crate::wait;
use crate::workspace;

impl Site {
    /// Present from before a deletion until it succeeded; names the containers
    /// that the cluster had.
    fn deletion_mark(&self) -> PathBuf {
        let name = format!("deleting-{}", self.name);
        self.ctx.workspace.state().join(name)
    }

    /// Deletes the cluster, or what is left of it.
    pub(super) fn delete_cluster(&self) -> Result<()> {
        let cmd = self.k3d(k3d::delete(self.name))?;
        let cmd = cmd.limit(wait::CLUSTER);
        if self.ctx.exec.dry_run() {
            self.ctx.exec.run(&cmd)?;
            return self.detach_store().map(drop);
        }
        let mark = self.deletion_mark();
        let again = mark.exists();
        if !again {
            self.ctx.workspace.create()?;
            let parts: Vec<String> = self.parts()?.into_iter().collect();
            workspace::write_file(&mark, &parts.join("\n"))?;
        }
        self.ctx.exec.run(&cmd)?;
        // Last: a lab that still served would be copied no more.
        if self.detach_store()? || again {
            self.delete_what_k3d_forgets()?;
        }
        self.forget_deletion()
    }

    /// Removes the marker of a deletion. The caller has the lab's lock: without it, the
    /// marker may be of one in progress.
    pub(super) fn forget_deletion(&self) -> Result<()> {
        let mark = self.deletion_mark();
        match fs::remove_file(&mark) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", mark.display()))
            }
            _ => Ok(()),
        }
    }

    /// Where no node is left, k3d knows of nothing to delete: its network, its
    /// volume and its context may be there all the same.
    fn delete_what_k3d_forgets(&self) -> Result<()> {
        let name = self.kube.context.clone();
        for (kind, name) in [
            ("network", name.clone()),
            ("volume", format!("{name}-images")),
        ] {
            let filter = format!("name=^{name}$");
            let list = Cmd::new("docker").args([kind, "ls", "--quiet", "--filter", &filter]);
            if !self.ctx.exec.read(&list)?.trim().is_empty() {
                let remove = Cmd::new("docker").args([kind, "rm", &name]);
                self.ctx.exec.run(&remove)?;
            }
        }
        for (kind, before) in [("contexts", ""), ("clusters", ""), ("users", "admin@")] {
            let entry = format!("{kind}.{before}{name}");
            self.ctx.exec.run(&self.config(["unset", &entry])?)?;
        }
        if self.is_current_context()? {
            self.unset_current_context()?;
        }
        Ok(())
    }

    /// Whether a deletion was cut off, or is under way, that has begun to remove
    /// nodes. Only looks.
    pub(super) fn is_half_deleted(&self) -> Result<bool> {
        let mark = self.deletion_mark();
        let Ok(text) = fs::read_to_string(&mark) else {
            return Ok(false);
        };
        let had: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let left = self.parts()?;
        Ok(left != had && left.is_subset(&had))
    }

    /// Whether an interrupted deletion has to be completed. The marker of one that had
    /// removed nothing, or was of an earlier cluster, is removed. The caller has the
    /// lab's lock.
    pub(super) fn has_deletion_to_end(&self) -> Result<bool> {
        let half_deleted = self.is_half_deleted()?;
        if !half_deleted && !self.ctx.exec.dry_run() {
            self.forget_deletion()?;
        }
        Ok(half_deleted)
    }

    /// Ends a deletion that was cut off.
    pub(super) fn end_deletion(&self) -> Result<()> {
        let name = self.name;
        let step = self.ctx.ui.step(tr!(
            "half-deleted cluster {name}",
            "cluster {name}, supprimé à moitié",
        ));
        self.delete_cluster()?;
        step.done(tr!("deleted", "supprimé"));
        Ok(())
    }

    pub(super) fn parts(&self) -> Result<BTreeSet<String>> {
        let list = Cmd::new("docker").args(docker::containers(self.name));
        Ok(docker::parts(&self.ctx.exec.read(&list)?))
    }
}
