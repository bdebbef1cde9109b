//! Stopping a local lab, and removing it.

use std::path::Path;

use anyhow::Result;

use super::LocalEngine;
use crate::engine::capability::Teardown;
use crate::exec::quote;
use crate::local::{self, client, volumes};

impl LocalEngine {
    /// Ends the supervisor and everything it runs, or what is left of one that
    /// was killed; the volumes stay.
    pub fn stop(&self) -> Result<()> {
        if client::is_alive(&self.workspace) && self.change("stop") {
            let step = self
                .ui
                .step("stopping the supervisor and everything it runs");
            client::stop(&self.workspace)?;
            step.done("stopped");
            return Ok(());
        }
        // Looked for once it is certainly gone: it may be dying just now.
        let left = local::leftovers(&self.workspace);
        if !left.is_empty() && self.change("stop") {
            let step = self
                .ui
                .step("ending what a supervisor that was killed left behind");
            local::end_leftovers(&self.workspace)?;
            step.done(left.join(", "));
        }
        Ok(())
    }

    /// Removes a folder or file of the lab.
    fn remove(&self, path: &Path) -> Result<()> {
        self.workspace.insist_on_own_folder(path)?;
        let shell = format!("rm -rf {}", quote(&path.to_string_lossy()));
        if path.symlink_metadata().is_ok() && self.exec.change(&shell) {
            volumes::remove_tree(path)?;
        }
        Ok(())
    }
}

impl Teardown for LocalEngine {
    fn down(&self) -> Result<()> {
        self.stop()?;
        self.remove(&self.workspace.volumes())?;
        for leftover in local::files(&self.workspace) {
            self.remove(&leftover)?;
        }
        Ok(())
    }
}
