//! Volumes: folders of `.lab/volumes`, one for each claim.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::engine::Volume;
use crate::failure::Failure;
use crate::lab::Lab;

use super::launch::is_volume;

/// Names that no claim can have: claims begin with a letter or a digit.
const TRASH: &str = ".deleted-";

/// The volumes that exist.
pub fn list(lab: &Lab, claims: &[String]) -> Vec<Volume> {
    let folders = claims
        .iter()
        .map(|claim| (claim, lab.volumes().join(claim)));
    folders
        .filter(|(_, dir)| is_volume(dir))
        .map(|(claim, dir)| Volume {
            claim: claim.clone(),
            place: dir.display().to_string(),
        })
        .collect()
}

/// Creates the folders that are missing; says which.
pub fn create_missing(lab: &Lab, claims: &[String]) -> Result<Vec<String>> {
    fs::create_dir_all(lab.volumes())
        .with_context(|| format!("creating {}", lab.volumes().display()))?;
    let mut created = Vec::new();
    for claim in claims {
        let dir = lab.volumes().join(claim);
        match fs::create_dir(&dir) {
            Ok(()) => created.push(claim.clone()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_volume(&dir) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(not_a_folder(&dir)),
            Err(error) => {
                return Err(error).with_context(|| format!("creating {}", dir.display()));
            }
        }
    }
    Ok(created)
}

fn not_a_folder(dir: &std::path::Path) -> Failure {
    Failure::usage(format!(
        "{} is not a folder of the lab (a symbolic link would lead what is written and deleted \
         elsewhere)",
        dir.display()
    ))
    .next(format!("ls -ld {0}; mv {0} {0}.not-ours", dir.display()))
}

/// Deletes a volume with everything on it, and nothing that is not on it.
///
/// The folder first gets another name, in one step: whoever looks sees the
/// volume whole or not at all. Returns what is left to be removed.
pub fn set_aside(lab: &Lab, claim: &str, unique: u64) -> Result<Option<PathBuf>> {
    let volumes = lab.volumes();
    let dir = volumes.join(claim);
    if fs::symlink_metadata(&dir).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    for found in [&volumes, &dir] {
        if !is_volume(found) {
            bail!(not_a_folder(found));
        }
    }
    let aside = volumes.join(format!("{TRASH}{claim}-{unique}-{}", std::process::id()));
    fs::rename(&dir, &aside).with_context(|| format!("setting {} aside", dir.display()))?;
    Ok(Some(aside))
}

/// Removes what was set aside. Links in it are removed, not followed.
pub fn remove(aside: &std::path::Path) -> Result<()> {
    if !is_volume(aside) {
        bail!(not_a_folder(aside));
    }
    fs::remove_dir_all(aside).with_context(|| format!("deleting {}", aside.display()))
}

/// Removes what a deletion that was cut short left behind.
pub fn sweep(lab: &Lab) -> Result<()> {
    let Ok(entries) = fs::read_dir(lab.volumes()) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let trash = entry.file_name().to_string_lossy().starts_with(TRASH);
        if trash && is_volume(&entry.path()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}
