//! What is handed in: a repository, which is untrusted text. It is copied by a git that
//! follows no setting of it, and read within bounds; nothing of it is run here.

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
use git::{Theirs, WHOLE, git};

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
    /// Its history begins in the middle.
    pub shallow: bool,
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
        shallow: false,
        named,
    };
    match Theirs::find(&handed.named)? {
        Some(theirs) => check_out(exec, &theirs, &mut handed)?,
        None => copy_files(&handed.named, copy)?,
    }
    Ok(handed)
}

/// Symbolic links become files, so that none leads out.
fn check_out(exec: &Exec, theirs: &Theirs, handed: &mut Handed) -> Result<()> {
    let Handed { named, copy, .. } = &*handed;
    let copying = || format!("copying {}", named.display());
    theirs.borrow(exec, copy).with_context(copying)?;
    let listed = exec.read(&git(copy, ["ls-tree", "-r", "-l", "HEAD"]))?;
    insist_on_bounds(&listed, named)?;
    let checkout = git(copy, ["reset", "--hard", "--quiet", "HEAD"]);
    exec.read(&checkout.limit(WHOLE)).with_context(copying)?;
    let shallow = copy.join(".git/shallow").exists();
    handed.uncommitted = changed(exec, copy, named)?;
    handed.shallow = shallow;
    handed.commit = Some(theirs.head.clone());
    Ok(())
}

/// How many files of `named` are not as in the commit. Their attributes count, the programs
/// that these name do not, and no repository inside is opened.
fn changed(exec: &Exec, copy: &Path, named: &Path) -> Result<usize> {
    let work_tree = format!("--work-tree={}", named.display());
    let own = format!("--git-dir={}", copy.join(".git").display());
    let status = [
        &work_tree,
        &own,
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--ignore-submodules=all",
    ];
    let said = exec.probe(&git(copy, status).limit(WHOLE))?;
    Ok(said.stdout.lines().count())
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
