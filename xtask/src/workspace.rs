//! The workspace of a checkout: its folder `.lab/` with layout and version, and the
//! lock that makes commands take turns.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use terms::lang::both;
use terms::{LabName, tr};

use crate::exec::{quote, quote_path};
use crate::failure::Failure;
use crate::wait;

/// The layout of `.lab/` that this program writes; raised when it changes.
const VERSION: u32 = 1;

/// The folders of a checkout, and those that the program keeps in its `.lab/`.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The checkout: `lab.toml`, `k8s/`, `pra/`, `app/`.
    pub root: PathBuf,
    /// Which of its labs is meant.
    lab: LabName,
}

impl Workspace {
    /// The workspace of a checkout, for the lab of the recovery.
    pub fn at(root: PathBuf) -> Self {
        Self::of(root, LabName::Pra)
    }

    /// The same for one of its labs.
    pub fn of(root: PathBuf, lab: LabName) -> Self {
        Self { root, lab }
    }

    /// The same for each lab of the checkout: the folders of runs are those of all.
    pub fn of_each_lab(&self) -> impl Iterator<Item = (LabName, Self)> {
        let root = self.root.clone();
        let labs = LabName::ALL.iter();
        labs.map(move |lab| (*lab, Self::of(root.clone(), *lab)))
    }

    pub fn home(&self) -> PathBuf {
        self.root.join(".lab")
    }

    /// Small files that describe the labs as they stand, and whose they are.
    pub fn state(&self) -> PathBuf {
        self.home().join("state")
    }

    /// Of those, the ones of the lab that is meant: the engines that it is on, and what
    /// was begun in it.
    pub fn lab_state(&self) -> PathBuf {
        match self.lab {
            LabName::Pra | LabName::Image => self.state(),
            LabName::Ha => self.state().join(self.lab.word()),
        }
    }

    /// One file for each external command, and those of the pods.
    pub fn logs(&self) -> PathBuf {
        self.home().join("logs")
    }

    /// One folder for each scenario that was run.
    pub fn runs(&self) -> PathBuf {
        self.home().join("runs")
    }

    /// The work that is being marked, and what is copied from its lab.
    pub fn marking(&self) -> PathBuf {
        self.home().join("check")
    }

    /// The pages of what was marked.
    pub fn marks(&self) -> PathBuf {
        self.home().join("marks")
    }

    /// The Python environment of the local engine.
    pub fn venv(&self) -> PathBuf {
        self.home().join("venv")
    }

    /// Tools that were downloaded, one file for each version.
    pub fn tools(&self) -> PathBuf {
        self.home().join("tools")
    }

    /// The local engine's volumes, a folder for each claim.
    pub fn volumes(&self) -> PathBuf {
        self.home().join("volumes")
    }

    /// Private keys, which outlive every lab of the checkout.
    pub fn keys(&self) -> PathBuf {
        self.home().join("keys")
    }

    /// Refuses a path of the workspace with a symbolic link on the way, which would
    /// lead what is done there elsewhere, to another lab perhaps.
    pub fn insist_on_own_folder(&self, path: &Path) -> Result<()> {
        let folders = path.ancestors().skip(1);
        let mut inside = folders.take_while(|folder| *folder != self.root);
        match inside.find(|folder| folder.is_symlink()) {
            Some(link) => Err(not_a_folder(link).into()),
            None => Ok(()),
        }
    }

    /// A folder of the lab, made where it is missing, for this user alone.
    pub fn create_private_folder(&self, folder: &Path) -> Result<()> {
        self.insist_on_own_folder(&folder.join("any"))?;
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("making {}", folder.display()))
    }

    /// Refuses a `.lab` of another layout, or that is not a folder of this lab.
    pub fn check_version(&self) -> Result<()> {
        self.insist_on_own_folder(&self.version_file())?;
        let Ok(text) = fs::read_to_string(self.version_file()) else {
            return Ok(());
        };
        if text.trim() == VERSION.to_string() {
            return Ok(());
        }
        let home = self.home();
        let which = match text.trim().parse::<u32>() {
            Ok(layout) if layout < VERSION => both("an older version", "une version plus ancienne"),
            Ok(_) => both("a newer version", "une version plus récente"),
            Err(_) => both("another version", "une autre version"),
        };
        Err(Failure::usage(tr!(
            "{folder} was made by {which} of this program (layout {layout}, this one writes \
             {VERSION}), and nothing of it is touched",
            "{folder} vient d'{which} de ce programme (disposition {layout}, celui-ci écrit \
             {VERSION}), et rien n'y est touché",
            folder = home.display(),
            layout = text.trim(),
        ))
        .next(tr!(
            "go on, or cargo xtask teardown, with the version that made it; or put the whole lab \
             aside: mv {folder} {folder}.of-{layout}",
            "continuez, ou cargo xtask teardown, avec la version qui l'a fait ; ou mettez tout le \
             lab de côté : mv {folder} {folder}.of-{layout}",
            folder = quote_path(&home),
            layout = quote(text.trim()),
        ))
        .into())
    }

    /// Creates the folder where it is missing.
    pub fn create(&self) -> Result<()> {
        for dir in [self.lab_state(), self.logs(), self.runs()] {
            fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        if !self.version_file().exists() {
            write_file(&self.version_file(), &format!("{VERSION}\n"))?;
        }
        Ok(())
    }

    fn version_file(&self) -> PathBuf {
        self.state().join("version")
    }

    /// Removes the oldest logs of external commands beyond so many; the caller
    /// has the lab's lock. Those of pods have a bound of their own.
    pub fn bound_logs(&self, keep: usize) -> Result<()> {
        let logs = self.logs();
        let entries = fs::read_dir(&logs).with_context(|| format!("listing {}", logs.display()))?;
        // Their names begin with their time; the supervisor's does not.
        let stamped = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(|first: char| first.is_ascii_digit())
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<PathBuf> = paths.filter(stamped).collect();
        found.sort();
        found.truncate(found.len().saturating_sub(keep));
        for log in found {
            fs::remove_file(&log).with_context(|| format!("removing {}", log.display()))?;
        }
        Ok(())
    }

    /// The command that has the lab, where one does; changes nothing.
    pub fn holder(&self) -> Result<Option<String>> {
        let path = self.state().join("lock");
        let Ok(mut file) = File::open(&path) else {
            return Ok(None);
        };
        if file.try_lock_shared().is_ok() {
            return Ok(None);
        }
        name_of_holder(&mut file, &path).map(Some)
    }

    /// Takes the lab for one command that changes it; waits for another that
    /// has it, after `on_wait` was told who that is.
    pub fn lock(&self, command: &str, on_wait: impl FnOnce(&str)) -> Result<Lock> {
        let path = self.state().join("lock");
        let mut file = self
            .create()
            .and_then(|()| {
                let mut options = File::options();
                options.create(true).truncate(false).read(true).write(true);
                let opened = options.open(&path);
                opened.with_context(|| format!("opening {}", path.display()))
            })
            .context(
                Failure::preflight(tr!(
                    "the lab's folder cannot be written",
                    "le dossier du lab n'est pas accessible en écriture",
                ))
                .next("cargo xtask preflight"),
            )?;
        if file.try_lock().is_err() {
            on_wait(&name_of_holder(&mut file, &path)?);
            wait::until(wait::LAB_LOCK, || Ok(file.try_lock().ok()))?;
        }
        let holder = format!("`cargo xtask {command}` (process {})\n", std::process::id());
        file.set_len(0).context("naming the holder of the lock")?;
        std::io::Seek::rewind(&mut file).context("naming the holder of the lock")?;
        file.write_all(holder.as_bytes())
            .context("naming the holder of the lock")?;
        Ok(Lock { _file: file })
    }
}

fn name_of_holder(lock: &mut File, path: &Path) -> Result<String> {
    let mut holder = String::new();
    lock.read_to_string(&mut holder)
        .with_context(|| format!("reading {}", path.display()))?;
    // One that began this instant has not said its name yet.
    let holder = Some(holder.trim()).filter(|holder| !holder.is_empty());
    Ok(holder
        .unwrap_or(both("another command", "une autre commande").text())
        .to_owned())
}

/// Held while a command changes the lab; the kernel lets go of it with the
/// process, however that ends.
pub struct Lock {
    _file: File,
}

/// Whether somebody holds the lock of this open file.
pub fn is_locked(file: &File) -> bool {
    // A shared lock, so that two who look do not see each other.
    match file.try_lock_shared() {
        // To be let go of at once, or nobody could take it.
        Ok(()) => file.unlock().is_err(),
        Err(error) => matches!(error, TryLockError::WouldBlock),
    }
}

/// # Errors
/// Something is there already: what a person kept is not overwritten.
pub fn insist_on_new(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let said = tr!(
        "{path} is there already, and is not overwritten",
        "{path} existe déjà et n'est pas remplacé",
        path = path.display()
    );
    let next = tr!(
        "choose another name, or move it away: mv {path} {path}.old",
        "choisissez un autre nom, ou mettez-le de côté : mv {path} {path}.old",
        path = quote_path(path)
    );
    Err(Failure::usage(said).next(next).into())
}

/// What a file of the lab's state holds; `None` only where it is not there.
///
/// # Errors
/// It cannot be read, or is no such document; whoever asks says which file.
pub fn read_state<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    Ok(Some(serde_json::from_str(&text)?))
}

/// Removes a file, where it is there.
pub fn remove_file(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// Writes a file whole or not at all, also where the power fails.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    write_with_mode(path, text, 0o666)
}

/// The same for what no other user may read.
pub fn write_private_file(path: &Path, text: &str) -> Result<()> {
    write_with_mode(path, text, 0o600)
}

fn write_with_mode(path: &Path, text: &str, mode: u32) -> Result<()> {
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(mode);
    let written = options.open(&aside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written
        .inspect_err(|_| {
            // Half a file is of no use; on a full disk it is in the way.
            let _ = fs::remove_file(&aside);
        })
        .with_context(|| format!("writing {}", aside.display()))?;
    put_in_place(&aside, path)
}

/// Gives a file that is whole and on disk its name, for good.
pub fn put_in_place(aside: &Path, path: &Path) -> Result<()> {
    let folder = path.parent().filter(|one| !one.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::rename(aside, path)
        .and_then(|()| File::open(folder)?.sync_all())
        .with_context(|| format!("putting {} in place", path.display()))
}

/// The refusal of what should be a folder of the lab.
pub fn not_a_folder(dir: &Path) -> Failure {
    Failure::usage(tr!(
        "{folder} is not a folder of the lab (a symbolic link would lead what is written and \
         deleted elsewhere)",
        "{folder} n'est pas un dossier du lab (un lien symbolique mènerait ailleurs ce qui est \
         écrit et supprimé)",
        folder = dir.display(),
    ))
    .next(format!("ls -ld {0}; mv {0} {0}.not-ours", quote_path(dir)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    fn workspace(name: &str) -> Workspace {
        let root = std::env::temp_dir().join(format!("xtask-lab-{name}-{}", std::process::id()));
        // Left by an earlier run that was killed.
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        Workspace::at(root)
    }

    #[test]
    fn a_lab_of_another_layout_is_refused() {
        let workspace = workspace("version");
        workspace.create().unwrap();
        workspace.check_version().unwrap();
        fs::write(workspace.version_file(), "0\n").unwrap();
        let error = workspace.check_version().unwrap_err();
        assert_eq!(kind(&error), Kind::Usage);
        assert!(error.to_string().contains("layout 0"), "{error}");
        fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn the_oldest_logs_go_and_the_supervisors_stays() {
        let workspace = workspace("bound");
        workspace.create().unwrap();
        let names = [
            "2026-01-01T1-1-0-k3d.log",
            "2026-01-02T1-1-0-k3d.log",
            "supervisor.log",
        ];
        for name in names {
            fs::write(workspace.logs().join(name), "").unwrap();
        }
        workspace.bound_logs(1).unwrap();
        let left = names.map(|name| workspace.logs().join(name).exists());
        assert_eq!(left, [false, true, true]);
        fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn a_second_command_learns_who_has_the_lab_and_gets_its_turn() {
        let workspace = workspace("lock");
        let first = workspace
            .lock("setup", |_| panic!("nobody has it"))
            .unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                workspace.lock("teardown", |holder| told.send(holder.to_owned()).unwrap())
            });
            assert!(heard.recv().unwrap().contains("cargo xtask setup"));
            drop(first);
            second.join().unwrap().unwrap();
        });
        fs::remove_dir_all(&workspace.root).unwrap();
    }
}
