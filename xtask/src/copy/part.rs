//! A partial file: a copy that is being written, under a temporary name.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Result;
use terms::tr;

use crate::failure::Failure;

const PREFIX: &str = ".atelier-pra-";
const SUFFIX: &str = ".part";

/// A temporary file, removed when dropped unless it was renamed. A lock on it tells a
/// file that is being written from one that a killed command left.
pub struct Part {
    pub path: PathBuf,
    _held: File,
}

impl Part {
    /// An empty one in this folder. Whoever can read it has the data: that is
    /// its owner alone.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        sweep(folder);
        let process = std::process::id();
        for number in 0.. {
            let path = folder.join(format!("{PREFIX}{process}-{number}{SUFFIX}"));
            match Self::at(path.clone()) {
                Ok(Some(part)) => return Ok(part),
                Ok(None) => {}
                Err(error) => {
                    let said = tr!(
                        "writing {file}: {error}",
                        "écriture de {file} : {error}",
                        file = path.display(),
                    );
                    return Err(Failure::tool(said)
                        .next(tr!(
                            "name a file in a folder of yours: cargo xtask export FILE",
                            "nommez un fichier dans un dossier à vous : cargo xtask export FILE",
                        ))
                        .into());
                }
            }
        }
        anyhow::bail!("every name for a copy in {} is taken", folder.display())
    }

    /// `None` where the name is taken, or was swept before it was held.
    fn at(path: PathBuf) -> io::Result<Option<Self>> {
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let held = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            opened => opened?,
        };
        // Where a file system has no locks, nothing is swept either.
        let _ = held.try_lock();
        let still_there = held.metadata()?.nlink() > 0;
        Ok(still_there.then_some(Self { path, _held: held }))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already where it got its name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes temporary files of exports that were killed: those that nobody holds a lock
/// on.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let unheld = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if ours && is_file && unheld() {
            // Only in the way; the copy can be written all the same.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_swept_and_what_is_held_or_anothers_stays() {
        let folder = std::env::temp_dir().join(format!("xtask-part-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let left = folder.join(".atelier-pra-1-0.part");
        let theirs = folder.join("copy.tar.part");
        for file in [&left, &theirs] {
            fs::write(file, "x").unwrap();
        }
        let first = Part::create(&folder).unwrap();
        let second = Part::create(&folder).unwrap();
        assert!(!left.exists() && theirs.exists());
        assert!(first.path.exists() && second.path.exists());
        drop((first, second));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
