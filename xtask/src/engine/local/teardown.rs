//! Stopping a local lab, and removing it.

use std::path::Path;
use terms::tr;

use anyhow::Result;

use super::LocalEngine;
use crate::exec::quote;
use crate::local::{self, client, volumes};

impl LocalEngine {
    /// Ends the supervisor and everything it runs, or what is left of one that
    /// was killed; the volumes stay.
    pub fn stop(&self) -> Result<()> {
        if client::is_alive(&self.workspace) && self.change("stop") {
            let step = self.ui.step(tr!(
                "stopping the supervisor and everything it runs",
                "arrêt du superviseur et de tout ce qu'il exécute",
            ));
            client::stop(&self.workspace)?;
            step.done(tr!("stopped", "arrêté"));
            return Ok(());
        }
        // Looked for once it is certainly gone: it may be dying just now.
        let left = local::leftovers(&self.workspace);
        if !left.is_empty() && self.change("stop") {
            let step = self.ui.step(tr!(
                "ending what a supervisor that was killed left behind",
                "arrêt de ce qu'un superviseur tué a laissé derrière lui",
            ));
            local::end_leftovers(&self.workspace)?;
            step.done(left.join(", "));
        }
        Ok(())
    }

    /// Removes a folder or file of the lab.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        self.workspace.insist_on_own_folder(path)?;
        let shell = format!("rm -rf {}", quote(&path.to_string_lossy()));
        if path.symlink_metadata().is_ok() && self.exec.change(&shell) {
            volumes::remove_tree(path)?;
        }
        Ok(())
    }
}

impl LocalEngine {
    pub(super) fn remove_all(&self) -> Result<()> {
        self.stop()?;
        self.remove(&self.workspace.volumes())?;
        for leftover in local::files(&self.workspace) {
            self.remove(&leftover)?;
        }
        Ok(())
    }
}
