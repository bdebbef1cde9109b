//! Volumes: folders of `.lab/volumes`, one for each claim.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::exec::quote_path;
use crate::facts::Volume;
use crate::failure::Failure;
use crate::lab::{Lab, not_a_folder};

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
    match fs::rename(&dir, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(Failure::usage(format!(
            "{} is a mount point, which cannot be deleted in one step",
            dir.display()
        ))
        .next(format!(
            "umount {}, then the same command again",
            quote_path(&dir)
        ))
        .into()),
        Err(error) => Err(error).with_context(|| format!("setting {} aside", dir.display())),
    }
}

/// Removes a folder or file of the lab with everything on it. A mount point is
/// emptied, and stays: taking it away is up to whoever put it there.
pub fn remove_tree(path: &Path) -> Result<()> {
    let is_dir = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_dir {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(empty_mounts(path)),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(undeleted(path, &error)),
        _ => Ok(()),
    }
}

/// A folder of somebody else's, a full disk.
fn undeleted(path: &Path, error: &std::io::Error) -> anyhow::Error {
    Failure::tool(format!("deleting {}: {error}", path.display()))
        .next(format!(
            "ls -ld {}; then the same command again",
            quote_path(path)
        ))
        .into()
}

fn empty_mounts(path: &Path) -> anyhow::Error {
    let mounts = mounts(path);
    for entry in mounts.iter().flat_map(fs::read_dir).flatten().flatten() {
        if let Err(error) = remove_tree(&entry.path()) {
            return error;
        }
    }
    let names: Vec<String> = mounts.iter().map(|one| quote_path(one)).collect();
    if names.is_empty() {
        return Failure::tool(format!("something is mounted in {}", path.display()))
            .next(format!(
                "umount what `mount | grep {}` lists, then the same command again",
                quote_path(path)
            ))
            .into();
    }
    let all = names.join(" ");
    Failure::tool(format!(
        "{all}: emptied, but not deleted, being a mount point"
    ))
    .next(format!("umount {all} && cargo xtask teardown"))
    .into()
}

/// The mount points among a folder and the folders directly in it: they are on
/// another device than what they are in.
fn mounts(path: &Path) -> Vec<PathBuf> {
    let device = |path: &Path| path.symlink_metadata().map(|found| found.dev()).ok();
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    let all = std::iter::once(path.to_owned()).chain(inside.map(|entry| entry.path()));
    all.filter(|one| one.is_dir() && one.parent().is_some_and(|up| device(up) != device(one)))
        .collect()
}

/// Removes what was set aside. Links in it are removed, not followed.
pub fn remove(aside: &Path) -> Result<()> {
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
