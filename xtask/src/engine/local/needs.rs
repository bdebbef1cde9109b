//! What a local lab cannot do without.

use anyhow::Result;
use terms::tr;

use super::LocalEngine;
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::manifests::declared::Manifests;

impl LocalEngine {
    pub(super) fn insist_on_application(&self) -> Result<()> {
        let app = self.workspace.root.join("app");
        if app.join("pra").is_dir() {
            return Ok(());
        }
        let shown = app.display();
        Err(Failure::usage(tr!(
            "the application is missing: {shown} has no pra/",
            "l'application manque : {shown} n'a pas de pra/",
        ))
        .next(format!("git checkout -- {}", quote_path(&app)))
        .into())
    }

    pub(super) fn insist_on_python(&self, manifests: &Manifests) -> Result<()> {
        let python = self.workspace.venv().join("bin/python");
        let needed = manifests.replica().container().command[0] == "python";
        if needed && !python.exists() {
            let python = python.display();
            let said = tr!(
                "the application's Python is missing: {python}",
                "le Python de l'application manque : {python}",
            );
            return Err(Failure::preflight(said).next("cargo xtask setup").into());
        }
        Ok(())
    }
}
