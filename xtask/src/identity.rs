//! The identity of a checkout, with which clusters that it made are labelled. It is
//! kept in `.lab` and valid where the folder is moved, but not in a copy of it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use terms::{LabName, tr};

use crate::exec::{Exec, quote};
use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// The owner of what a mark stands on.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Drawn at random, once.
    pub id: String,
    /// Where the checkout was when this was written.
    pub folder: PathBuf,
    /// The number of its `.lab` in the file system: the same wherever the folder
    /// is moved to, another one for a copy. Not known to a script that was pasted.
    inode: Option<u64>,
}

fn file(workspace: &Workspace) -> PathBuf {
    workspace.state().join("identity.json")
}

/// A new one. What is only shown is the same each time: a script names one checkout.
fn drawn(shown: bool) -> String {
    static SHOWN: OnceLock<String> = OnceLock::new();
    let draw = || format!("{:032x}", fastrand::u128(..));
    match shown {
        true => SHOWN.get_or_init(draw).clone(),
        false => draw(),
    }
}

impl Identity {
    /// Of a lab that has one; `None` for a new folder, and for the copy of one.
    ///
    /// # Errors
    /// The file is there and cannot be understood.
    pub fn of(workspace: &Workspace) -> Result<Option<Self>> {
        let found = read(&file(workspace))?;
        Ok(found.filter(|one| one.is_of(workspace)))
    }

    /// The same, made where it is missing and kept true where the folder was
    /// moved.
    pub fn ensure(workspace: &Workspace, exec: &Exec) -> Result<Self> {
        let known = Self::of(workspace)?;
        if !exec.dry_run() {
            workspace.create()?;
        }
        let id = known.as_ref().map(|one| one.id.clone());
        let now = Self {
            id: id.unwrap_or_else(|| drawn(exec.dry_run())),
            folder: workspace.root.clone(),
            inode: inode(&workspace.home()),
        };
        if known.as_ref() == Some(&now) {
            return Ok(now);
        }
        let text = serde_json::to_string(&now).context("spelling out the identity")? + "\n";
        let words = [workspace.state(), file(workspace)].map(|path| quote(&path.to_string_lossy()));
        let [folder, path] = words;
        let shell = format!("mkdir -p {folder} && echo {} > {path}", quote(text.trim()));
        if exec.change(&shell) {
            workspace::write_file(&file(workspace), &text)?;
        }
        Ok(now)
    }

    fn is_of(&self, workspace: &Workspace) -> bool {
        let here = inode(&workspace.home());
        let moved = self.inode.is_some() && self.inode == here;
        (moved || self.folder == workspace.root) && !self.is_still_elsewhere(workspace)
    }

    /// The folder that this names is another one than the lab's, and has it still.
    fn is_still_elsewhere(&self, workspace: &Workspace) -> bool {
        let there = Workspace::at(self.folder.clone());
        let other =
            there.root != workspace.root && inode(&there.home()) != inode(&workspace.home());
        other && read(&file(&there)).is_ok_and(|one| one.is_some_and(|one| one.id == self.id))
    }
}

/// In a copied folder, removes the state about things outside of it, which belong to
/// the original. Returns the original's folder where anything was removed.
pub fn disown(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let Some(original) = read(&file(workspace))?.filter(|one| !one.is_of(workspace)) else {
        return Ok(None);
    };
    for entry in fs::read_dir(workspace.state()).context("listing the lab's state")? {
        let path = entry.context("listing the lab's state")?.path();
        if !is_of_a_cluster(&path) {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    let path = file(workspace);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    Ok(Some(original.folder))
}

/// What was begun on a cluster: its creation, deletion or adoption, a forward to it, a
/// scenario; and all of a lab that is on clusters alone.
fn is_of_a_cluster(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let begins = ["creating-", "deleting-", "adopted-", "forward-"];
    begins.iter().any(|begin| name.starts_with(begin))
        || [
            "unfinished-scenario-k3d.json",
            "k8s-k3d",
            LabName::Ha.word(),
            "unfinished-scenario-kubernetes.json",
            "k8s-kubernetes",
            "kubernetes",
        ]
        .contains(&&*name)
}

fn read(path: &Path) -> Result<Option<Identity>> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .with_context(|| format!("reading {}", path.display()))
        .context(
            Failure::usage(tr!(
                "the identity of this checkout cannot be read",
                "l'identité de ce dépôt est illisible",
            ))
            .next(tr!(
                "rm {file}: the lab then asks before it touches a cluster",
                "rm {file} : le lab demande alors avant de toucher à un cluster",
                file = quote(&path.to_string_lossy()),
            )),
        )
        .map(Some)
}

fn inode(folder: &Path) -> Option<u64> {
    fs::metadata(folder).ok().map(|found| found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Cmd;
    use crate::ui::Ui;

    struct Folders(PathBuf);

    impl Folders {
        fn new(name: &str) -> Self {
            let base = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            // Left by an earlier run that was killed.
            let _ = fs::remove_dir_all(&base);
            fs::create_dir_all(&base).unwrap();
            Self(base)
        }

        fn workspace(&self, name: &str) -> Workspace {
            Workspace::at(self.0.join(name))
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            // The next run would remove it too.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn ensure(workspace: &Workspace) -> Identity {
        let exec = Exec::new(Ui::quiet(), workspace.logs(), false);
        Identity::ensure(workspace, &exec).unwrap()
    }

    fn copied(from: &Workspace, to: &Workspace) {
        let exec = Exec::new(Ui::quiet(), from.logs(), false);
        let folders = [from, to].map(|workspace| workspace.root.to_string_lossy());
        exec.read(&Cmd::new("cp").args(["-a", &folders[0], &folders[1]]))
            .unwrap();
    }

    #[test]
    fn it_goes_with_the_folder_and_two_folders_differ() {
        let folders = Folders::new("identity-moved");
        let (a, b) = (folders.workspace("a"), folders.workspace("b"));
        assert_eq!(Identity::of(&a).unwrap(), None);
        let mine = ensure(&a);
        assert_eq!(ensure(&a), mine);
        assert_ne!(ensure(&b).id, mine.id);
        let moved = folders.workspace("moved");
        fs::rename(&a.root, &moved.root).unwrap();
        assert_eq!(disown(&moved).unwrap(), None);
        let there = ensure(&moved);
        assert_eq!((there.id, there.folder), (mine.id, moved.root.clone()));
    }

    #[test]
    fn a_copy_is_somebody_else_and_lets_go_of_the_originals_cluster() {
        let folders = Folders::new("identity-copied");
        let a = folders.workspace("a");
        let mine = ensure(&a);
        for file in ["deleting-pra", "unfinished-scenario-k3d.json", "engine"] {
            fs::write(a.state().join(file), "x").unwrap();
        }
        let copy = folders.workspace("copy");
        copied(&a, &copy);
        assert_eq!(Identity::of(&copy).unwrap(), None);
        assert_eq!(disown(&copy).unwrap(), Some(a.root.clone()));
        assert!(!copy.state().join("deleting-pra").exists());
        assert!(!copy.state().join("unfinished-scenario-k3d.json").exists());
        assert!(copy.state().join("engine").exists());
        assert_ne!(ensure(&copy).id, mine.id);
        assert_eq!(ensure(&a), mine, "the original is who it was");
        // Also when the original has moved on since.
        let second = folders.workspace("second");
        copied(&a, &second);
        let moved = folders.workspace("moved");
        fs::rename(&a.root, &moved.root).unwrap();
        assert_ne!(ensure(&second).id, mine.id);
        assert_eq!(ensure(&moved).id, mine.id);
    }

    #[test]
    fn a_damaged_one_is_no_new_one() {
        let folders = Folders::new("identity-damaged");
        let a = folders.workspace("a");
        ensure(&a);
        fs::write(file(&a), "{").unwrap();
        assert!(
            Identity::of(&a)
                .unwrap_err()
                .to_string()
                .contains("identity")
        );
    }
}
