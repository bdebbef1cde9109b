//! git, on a repository that somebody else made. Its configuration can name programs
//! (filters, a pager, where missing objects are fetched from), and no version of git shuts
//! out all of them: so git never opens it. A repository of ours borrows its objects.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use terms::tr;

use crate::exec::{Cmd, Exec, quote_path};
use crate::failure::Failure;
use crate::workspace;

/// A whole history, read or checked out.
pub const WHOLE: Duration = Duration::from_secs(120);
/// A name that leads to a name that leads to a commit: nobody's is deeper.
const DEEPEST: usize = 5;

/// git with the settings of our repository at `folder`, and nobody else's.
pub fn git<S: AsRef<str>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Cmd {
    let settings = [
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "core.symlinks=false",
        "core.attributesFile=/dev/null",
    ];
    Cmd::new("git")
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(["--no-pager", "-C"])
        .args([folder.to_string_lossy()])
        .args(args)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
}

/// Somebody's repository, as far as it is read: files alone.
pub struct Theirs {
    /// Where objects and branches are.
    common: PathBuf,
    pub head: String,
}

impl Theirs {
    /// The repository whose work tree is this folder, at its commit; `None` where there is
    /// none, or nothing in it yet.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        let dot_git = folder.join(".git");
        let Ok(meta) = fs::metadata(&dot_git) else {
            return Ok(None);
        };
        let own = match meta.is_dir() {
            true => dot_git,
            false => {
                leads_to(folder, &dot_git, "gitdir:").ok_or_else(|| unreadable(folder, ".git"))?
            }
        };
        let common = leads_to(&own, &own.join("commondir"), "").unwrap_or_else(|| own.clone());
        let mut said = text(&own.join("HEAD")).ok_or_else(|| unreadable(folder, "HEAD"))?;
        for _ in 0..DEEPEST {
            let Some(name) = said.strip_prefix("ref:").map(str::trim) else {
                break;
            };
            // A branch that has no commit yet.
            let Some(next) = branch(&common, name) else {
                return match common.join("reftable").exists() {
                    true => Err(unreadable(folder, "reftable").into()),
                    false => Ok(None),
                };
            };
            said = next;
        }
        let hex = said.len() >= 40 && said.chars().all(|c| c.is_ascii_hexdigit());
        match hex {
            true => Ok(Some(Self { common, head: said })),
            false => Err(unreadable(folder, "HEAD").into()),
        }
    }

    /// Makes a repository of ours at `copy` with the same history, and checks nothing out.
    pub fn borrow(&self, exec: &Exec, copy: &Path) -> Result<()> {
        let parent = copy.parent().unwrap_or(Path::new("/"));
        let to = copy.to_string_lossy();
        let format = if self.head.len() > 40 {
            "sha256"
        } else {
            "sha1"
        };
        let init = ["init", "--quiet", "--template=", "--object-format", format];
        exec.read(&git(parent, init).args([&to]))?;
        let own = copy.join(".git");
        let objects = self.common.join("objects");
        let objects = objects.canonicalize().context("finding the objects")?;
        workspace::write_file(
            &own.join("objects/info/alternates"),
            &format!("{}\n", objects.display()),
        )?;
        if let Some(shallow) = text(&self.common.join("shallow")) {
            workspace::write_file(&own.join("shallow"), &format!("{shallow}\n"))?;
        }
        exec.read(&git(copy, ["update-ref", "--no-deref", "HEAD", &self.head]))?;
        Ok(())
    }
}

/// The commit of a branch: in a file of its own, or among the packed ones.
fn branch(common: &Path, name: &str) -> Option<String> {
    let inside = Path::new(name).components();
    let plain = inside
        .into_iter()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || !name.starts_with("refs/") {
        return None;
    }
    let packed = || {
        let all = text(&common.join("packed-refs"))?;
        let mut pairs = all.lines().filter_map(|line| line.split_once(' '));
        let found = pairs.find(|(_, packed)| *packed == name)?;
        Some(found.0.to_owned())
    };
    text(&common.join(name)).or_else(packed)
}

/// The folder that a file names, from `base`.
fn leads_to(base: &Path, file: &Path, prefix: &str) -> Option<PathBuf> {
    let said = text(file)?;
    Some(base.join(said.strip_prefix(prefix)?.trim()))
}

/// A small file, without its last newline; no link is followed.
fn text(file: &Path) -> Option<String> {
    let is_file = fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file());
    let said = is_file.then(|| fs::read_to_string(file).ok())??;
    Some(said.trim_end().to_owned())
}

fn unreadable(folder: &Path, what: &str) -> Failure {
    let shown = folder.display();
    Failure::tool(tr!(
        "the repository {shown} cannot be read: {what}",
        "le dépôt {shown} ne peut pas être lu : {what}"
    ))
    .next(format!("git -C {} log -1", quote_path(folder)))
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
