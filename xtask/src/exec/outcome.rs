//! What a command that ended left behind, and how a failure of it is told.

use std::path::Path;
use std::process::ExitStatus;
use terms::tr;

use anyhow::Result;

use super::cmd::Cmd;
use crate::failure::Failure;

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// What a command printed that has to have succeeded; a person would type it
/// as `shell`.
pub(super) fn printed(cmd: &Cmd, output: Output, shell: &str) -> Result<String> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = [output.stderr.trim(), output.stdout.trim()].join("\n");
    Err(failure(cmd, output.status, said.trim(), shell).into())
}

/// # Errors
/// The command did not succeed; `log` has what it said.
pub(super) fn insist(cmd: &Cmd, status: ExitStatus, log: Option<&Path>) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let said = log.map(|log| tail(log, 12)).unwrap_or_default();
    let mut failure = failure(cmd, status, &said, &cmd.to_string());
    if let Some(log) = log {
        let whole = tr!(
            "\n  its whole output: {log}",
            "\n  toute sa sortie : {log}",
            log = log.display(),
        );
        failure.message.push_str(&whole);
    }
    Err(failure.into())
}

fn failure(cmd: &Cmd, status: ExitStatus, said: &str, shell: &str) -> Failure {
    let mut message = format!("`{}` failed ({status})", cmd.name());
    if !said.is_empty() {
        message.push_str(":\n    ");
        message.push_str(&said.replace('\n', "\n    "));
    }
    Failure::tool(message).next(tr!(
        "try it by hand: {shell}",
        "essayez à la main : {shell}"
    ))
}

/// The last lines of a log.
fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
