//! git, on a repository that somebody else made.

use std::path::Path;
use std::time::Duration;

use crate::exec::Cmd;

/// A whole history, read or copied.
pub const CLONE: Duration = Duration::from_secs(120);

/// git, led by no setting of the repository that it reads.
pub fn git<S: AsRef<str>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Cmd {
    Cmd::new("git")
        .args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false"])
        .args(["-c", "core.hooksPath=/dev/null", "--no-pager", "-C"])
        .args([folder.to_string_lossy()])
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
}
