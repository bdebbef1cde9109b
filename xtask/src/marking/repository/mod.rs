//! What is handed in: a repository, which is untrusted text. It is cloned, so that no
//! setting of its own is followed, and read within bounds; nothing of it is run here.

mod git;
pub mod history;
pub mod layout;
pub mod points;
pub mod readme;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use terms::tr;

use crate::exec::{Exec, quote_path};
use crate::failure::Failure;
use git::{CLONE, git};

/// More than any workshop has; what is beyond is no handed-in work.
const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 200 * 1024 * 1024;

/// A copy of what is handed in, in a folder of ours.
#[derive(Clone, Debug)]
pub struct Handed {
    /// As the teacher named it.
    pub named: PathBuf,
    pub copy: PathBuf,
    /// The commit that is marked; `None` for a folder that is no repository of its own.
    pub commit: Option<String>,
    /// Changes that are in no commit, which are not marked.
    pub uncommitted: usize,
}

/// Copies what is committed in `named` to `copy`, or the folder as it is where it is
/// no repository.
pub fn hand_in(exec: &Exec, named: &Path, copy: &Path) -> Result<Handed> {
    let named = named.canonicalize().map_err(|error| {
        let shown = named.display();
        Failure::usage(tr!(
            "{shown} cannot be read: {error}",
            "{shown} ne peut pas être lu : {error}"
        ))
        .next("cargo xtask check --help")
    })?;
    ensure!(
        named.is_dir(),
        Failure::usage(tr!(
            "{shown} is not a folder",
            "{shown} n'est pas un dossier",
            shown = named.display()
        ))
        .next("cargo xtask check --help")
    );
    let mut handed = Handed {
        copy: copy.to_path_buf(),
        commit: None,
        uncommitted: 0,
        named,
    };
    if is_repository(exec, &handed.named)? {
        clone(exec, &mut handed)?;
    } else {
        copy_files(&handed.named, copy)?;
    }
    Ok(handed)
}

fn is_repository(exec: &Exec, folder: &Path) -> Result<bool> {
    let top = exec.probe(&git(folder, ["rev-parse", "--show-toplevel"]))?;
    let top = top
        .status
        .success()
        .then(|| PathBuf::from(top.stdout.trim()));
    let has_commit = exec.probe(&git(folder, ["rev-parse", "--verify", "-q", "HEAD"]))?;
    let top = top.and_then(|top| top.canonicalize().ok());
    Ok(top.as_deref() == Some(folder) && has_commit.status.success())
}

/// A clone has a configuration of its own: filters and hooks of the other one are not
/// in it. Symbolic links become files, so that none leads out.
fn clone(exec: &Exec, handed: &mut Handed) -> Result<()> {
    let Handed { named, copy, .. } = &*handed;
    let url = format!("file://{}", named.display());
    let to = copy.to_string_lossy();
    let parent = copy.parent().unwrap_or(Path::new("/"));
    let words = [
        "clone",
        "--quiet",
        "--no-checkout",
        "-c",
        "core.symlinks=false",
    ];
    let cmd = git(parent, words).args(["-c", "core.hooksPath=/dev/null", &url, &to]);
    exec.read(&cmd.limit(CLONE))
        .with_context(|| format!("cloning {}", named.display()))?;
    let listed = exec.read(&git(copy, ["ls-tree", "-r", "-l", "HEAD"]))?;
    insist_on_bounds(&listed, named)?;
    exec.read(&git(copy, ["checkout", "--quiet", "HEAD"]).limit(CLONE))?;
    let commit = exec.read(&git(copy, ["rev-parse", "HEAD"]))?;
    let status = git(named, ["status", "--porcelain", "--untracked-files=no"]);
    let changed = exec.probe(&status)?.stdout.lines().count();
    handed.commit = Some(commit.trim().to_owned());
    handed.uncommitted = changed;
    Ok(())
}

/// The lines of `git ls-tree -r -l`: mode, type, hash, size, then the path.
fn insist_on_bounds(listed: &str, named: &Path) -> Result<()> {
    let size = |line: &str| line.split_whitespace().nth(3)?.parse::<u64>().ok();
    let bytes: u64 = listed.lines().filter_map(size).sum();
    bound(listed.lines().count(), bytes, named)
}

fn bound(files: usize, bytes: u64, named: &Path) -> Result<()> {
    if files <= MOST_FILES && bytes <= MOST_BYTES {
        return Ok(());
    }
    let mib = bytes / 1024 / 1024;
    let (shown, most) = (named.display(), MOST_BYTES / 1024 / 1024);
    Err(Failure::usage(tr!(
        "{shown} has {files} files and {mib} MiB; no more than {MOST_FILES} and {most} MiB are \
         marked",
        "{shown} contient {files} fichiers et {mib} Mio ; on n'en note pas plus de {MOST_FILES} et \
         {most} Mio"
    ))
    .next(format!("du -sh {}", quote_path(named)))
    .into())
}

/// A folder that is no repository, without links and hidden folders.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        std::fs::create_dir_all(to.join(&folder)).context("copying what is handed in")?;
        for entry in std::fs::read_dir(from.join(&folder)).context("reading what is handed in")? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let inside = folder.join(&name);
            let hidden = name.to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden && name != "target" {
                folders.push(inside);
            } else if kind.is_file() {
                files += 1;
                bytes += entry.metadata()?.len();
                bound(files, bytes, from)?;
                std::fs::copy(entry.path(), to.join(&inside)).context("copying a file")?;
            }
        }
    }
    Ok(())
}
