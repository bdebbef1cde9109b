//! The file that k3d and kubectl keep contexts in: one file, that can be
//! written. k3d refuses a list of them, and says so only once the cluster runs. Which
//! context is the current one is for its owner to say.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::unistd::{AccessFlags, access};
use terms::tr;

use super::site::Site;
use crate::exec::{Cmd, quote_path};
use crate::failure::Failure;

impl Site {
    /// Has k3d write our context into the file. Where none is the current one, k3d makes
    /// ours that, whatever it is told; it is none again afterwards.
    pub(super) fn without_switching(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        let none = self.has_no_current_context();
        write()?;
        if none && (self.ctx.exec.dry_run() || self.is_current_context()?) {
            self.unset_current_context()?;
        }
        Ok(())
    }

    /// Before there is kubectl, which a dry run may be, nobody can say.
    fn has_no_current_context(&self) -> bool {
        let asked = self.config(["current-context"]);
        let said = asked.and_then(|cmd| self.ctx.exec.probe(&cmd));
        said.is_ok_and(|said| said.stderr.contains("current-context is not set"))
    }

    pub(super) fn is_current_context(&self) -> Result<bool> {
        let said = self.ctx.exec.probe(&self.config(["current-context"])?)?;
        Ok(said.stdout.trim() == self.kube.context)
    }

    pub(super) fn unset_current_context(&self) -> Result<()> {
        self.ctx
            .exec
            .run(&self.config(["unset", "current-context"])?)
    }

    /// `kubectl config`, of the whole file.
    pub(super) fn config<const N: usize>(&self, words: [&str; N]) -> Result<Cmd> {
        let kubectl = Cmd::new(self.kube.kubectl()?.program);
        Ok(kubectl.args(["config"]).args(words))
    }
}

/// Which file it is, before anything is made.
///
/// # Errors
/// Preflight, with what to set instead.
pub fn check() -> Result<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let home = std::env::var_os("HOME").unwrap_or_default();
    let files: Vec<PathBuf> = std::env::split_paths(&named)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let file = match files.as_slice() {
        [] => Path::new(&home).join(".kube/config"),
        [file] => file.clone(),
        [first, ..] => return Err(several(&files, first).into()),
    };
    insist_on_writable(&file)?;
    Ok(file)
}

fn several(files: &[PathBuf], first: &Path) -> Failure {
    let shown: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    Failure::preflight(tr!(
        "KUBECONFIG names {count} files ({files}), and k3d writes to one alone",
        "KUBECONFIG nomme {count} fichiers ({files}), et k3d n'écrit que dans un seul",
        count = files.len(),
        files = shown.join(", "),
    ))
    .next(format!("export KUBECONFIG={}", quote_path(first)))
}

fn insist_on_writable(file: &Path) -> Result<()> {
    // kubectl makes a lock beside the file.
    let folder = file.ancestors().skip(1).find(|folder| folder.exists());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let mut places = vec![folder.unwrap_or(Path::new("."))];
    places.extend(file.exists().then_some(file));
    let refused = places.into_iter().find_map(|place| {
        let error = access(place, AccessFlags::W_OK).err()?;
        Some(format!("{}: {error}", place.display()))
    });
    let refused = match file.is_dir() {
        true => Some(tr!(
            "{path} is a folder",
            "{path} est un dossier",
            path = file.display()
        )),
        false => refused,
    };
    let Some(why) = refused else { return Ok(()) };
    Err(Failure::preflight(tr!(
        "the kubeconfig {path} cannot be written: {why}",
        "le kubeconfig {path} n'est pas accessible en écriture : {why}",
        path = file.display(),
    ))
    .next(tr!(
        "export KUBECONFIG=FILE, one in a folder of yours that can be written",
        "export KUBECONFIG=FICHIER, dans l'un de vos dossiers où l'on peut écrire",
    ))
    .into())
}
