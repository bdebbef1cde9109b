//! Volumes: folders of `.lab/volumes`, one for each claim.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use terms::tr;

use crate::exec::quote_path;
use crate::facts::Volume;
use crate::failure::Failure;
use crate::workspace::{Workspace, not_a_folder};

/// Names that no claim can have: claims begin with a letter or a digit.
const TRASH: &str = ".deleted-";

/// The volumes that exist.
pub fn list(workspace: &Workspace, claims: &[String]) -> Vec<Volume> {
    let folders = claims
        .iter()
        .map(|claim| (claim, workspace.volumes().join(claim)));
    folders
        .filter(|(_, dir)| is_volume(dir))
        .map(|(claim, dir)| Volume {
            claim: claim.clone(),
            place: dir.display().to_string(),
        })
        .collect()
}

/// Creates the folders that are missing; says which.
pub fn create_missing(workspace: &Workspace, claims: &[String]) -> Result<Vec<String>> {
    fs::create_dir_all(workspace.volumes())
        .with_context(|| format!("creating {}", workspace.volumes().display()))?;
    let mut created = Vec::new();
    for claim in claims {
        let dir = workspace.volumes().join(claim);
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

/// Whether a folder stands for a claim: a symbolic link does not, since it
/// would lead what is written (and deleted) elsewhere.
pub fn is_volume(dir: &Path) -> bool {
    dir.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Deletes a volume with everything on it, and nothing that is not on it: gives
/// its folder another name, in one step. Whoever looks sees the volume whole or
/// not at all; [`sweep`] removes what is left of it. Says whether there was one.
pub fn set_aside(workspace: &Workspace, claim: &str) -> Result<bool> {
    let volumes = workspace.volumes();
    let dir = volumes.join(claim);
    if fs::symlink_metadata(&dir).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(false);
    }
    for found in [&volumes, &dir] {
        if !is_volume(found) {
            bail!(not_a_folder(found));
        }
    }
    let aside = volumes.join(format!("{TRASH}{claim}-{:x}", fastrand::u64(..)));
    match fs::rename(&dir, &aside) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(Failure::usage(tr!(
            "{volume} is a mount point, which cannot be deleted in one step",
            "{volume} est un point de montage, qui ne peut pas être supprimé en une fois",
            volume = dir.display(),
        ))
        .next(tr!(
            "umount {volume}, then the same command again",
            "umount {volume}, puis relancez la même commande",
            volume = quote_path(&dir),
        ))
        .into()),
        Err(error) => Err(error).with_context(|| format!("setting {} aside", dir.display())),
    }
}

/// Removes a folder or file of the lab with everything on it, but for a mount
/// point: taking it away is up to whoever put it there.
pub fn remove_tree(path: &Path) -> Result<()> {
    let is_dir = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_dir {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    let Err(error) = removed else {
        return Ok(());
    };
    let shown = quote_path(path);
    let next = match error.kind() {
        ErrorKind::NotFound => return Ok(()),
        ErrorKind::ResourceBusy => format!("umount what mount | grep {shown} lists"),
        // A folder of somebody else's, a full disk.
        _ => format!("ls -ld {shown}"),
    };
    Err(
        Failure::tool(format!("deleting {}: {error}", path.display()))
            .next(tr!(
                "{next}; then the same command again",
                "{next} ; puis relancez la même commande",
            ))
            .into(),
    )
}

/// Removes what was set aside, also by a deletion that was cut short. Links in
/// it are removed, not followed, and a link in the place of the volumes leads to
/// somebody else's.
pub fn sweep(workspace: &Workspace) -> Result<()> {
    let volumes = workspace.volumes();
    let entries = is_volume(&volumes).then(|| fs::read_dir(volumes));
    let Some(Ok(entries)) = entries else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let trash = entry.file_name().to_string_lossy().starts_with(TRASH);
        if trash && is_volume(&entry.path()) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::shared::testing;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_sweep_follows_no_link_to_the_volumes_of_another_lab() {
        let shared = testing::shared("swept");
        let workspace = &shared.workspace;
        let other = workspace.root.join("other");
        set_aside(workspace, "pra-data").unwrap();
        fs::rename(workspace.volumes(), &other).unwrap();
        symlink(&other, workspace.volumes()).unwrap();
        sweep(workspace).unwrap();
        assert_eq!(fs::read_dir(&other).unwrap().count(), 2);
        fs::remove_file(workspace.volumes()).unwrap();
        fs::rename(&other, workspace.volumes()).unwrap();
        sweep(workspace).unwrap();
        let left = fs::read_dir(workspace.volumes()).unwrap().count();
        assert_eq!(left, 1, "what was set aside goes");
        testing::remove(&shared);
    }
}
