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
    let said = plain(said);
    if !said.is_empty() {
        message.push_str(":\n    ");
        message.push_str(&said.replace('\n', "\n    "));
    }
    Failure::tool(message).printed(said).next(tr!(
        "try it by hand: {shell}",
        "essayez à la main : {shell}"
    ))
}

/// Without the colours that some tools print wherever they print to.
fn plain(said: &str) -> String {
    let mut parts = said.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        plain.push_str(code.and_then(|end| part.get(end + 1..)).unwrap_or(part));
    }
    plain
}

/// The last lines of a log.
fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_no_colours() {
        let said = "\x1b[31mFATA\x1b[0m[0000] no [1;2] \x1b[1;36mhere\x1b[0m é";
        assert_eq!(plain(said), "FATA[0000] no [1;2] here é");
        assert_eq!(plain("\x1b[31"), "31");
    }

    #[test]
    fn what_a_tool_printed_is_kept_without_our_words() {
        let log = std::env::temp_dir().join(format!("T094429-{}.log", std::process::id()));
        std::fs::write(&log, "no such node\n").unwrap();
        let ended = std::process::Command::new("false").status().unwrap();
        let error = insist(&Cmd::new("k3d"), ended, Some(&log)).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert!(failure.message.contains("T094429"), "the log is named");
        assert_eq!(failure.printed.as_deref(), Some("no such node"));
        std::fs::remove_file(&log).unwrap();
    }
}
