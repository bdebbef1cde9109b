//! Long commands, which duct runs: their output goes to a log of their own, to the
//! terminal, or through [`Exec::stream`] to a file.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use duct::Expression;

use super::Exec;
use super::cmd::Cmd;
use super::limit::supervise;
use super::outcome::insist;

impl Exec {
    /// Runs a command that changes something; its output streams to a log file
    /// of its own. In a dry run it is only shown.
    pub fn run(&self, cmd: &Cmd) -> Result<()> {
        if !self.change(&cmd.to_string()) {
            return Ok(());
        }
        let (log, path) = self.log_file(cmd.name())?;
        let expression = fed(cmd).stderr_to_stdout().stdout_file(log);
        let status = to_its_end(cmd, expression)
            .with_context(|| format!("its output is in {}", path.display()))?;
        insist(cmd, status, Some(&path))
    }

    /// Runs a command in the foreground with the terminal as its own, for
    /// people who want to see it work (tests, lints).
    pub fn attached(&self, cmd: &Cmd) -> Result<()> {
        if !self.change(&cmd.to_string()) {
            return Ok(());
        }
        // Standard output is kept for our own document.
        let expression = fed(cmd).stdout_to_stderr();
        insist(cmd, to_its_end(cmd, expression)?, None)
    }

    /// Runs a command that changes nothing and prints on our standard output
    /// until it ends or is interrupted.
    pub fn follow(&self, cmd: &Cmd) -> Result<()> {
        self.ui.command(&cmd.to_string(), false);
        insist(cmd, to_its_end(cmd, fed(cmd))?, None)
    }

    fn log_file(&self, name: &str) -> Result<(File, PathBuf)> {
        std::fs::create_dir_all(&self.logs)
            .with_context(|| format!("creating {}", self.logs.display()))?;
        let stamp = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let file = format!(
            "{}-{}-{serial}-{name}.log",
            stamp.replace(':', "").trim_end_matches('Z'),
            std::process::id()
        );
        let path = self.logs.join(file);
        let log = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok((log, path))
    }
}

/// A command that reads its input, and nothing else.
pub(super) fn fed(cmd: &Cmd) -> Expression {
    match &cmd.input {
        Some(text) => expression(cmd).stdin_bytes(text.as_bytes()),
        None => expression(cmd).stdin_null(),
    }
}

/// A command in a process group of its own; what it reads and writes is up to the
/// caller.
pub(super) fn expression(cmd: &Cmd) -> Expression {
    let name = cmd.shown_as().map(str::to_owned);
    let expression = duct::cmd(&cmd.program, &cmd.args)
        .before_spawn(move |command| {
            command.process_group(0);
            if let Some(name) = &name {
                command.arg0(name);
            }
            Ok(())
        })
        .full_env(cmd.environment())
        .unchecked();
    match &cmd.cwd {
        Some(dir) => expression.dir(dir),
        None => expression,
    }
}

/// Runs it within the command's limit, whatever its exit code.
pub(super) fn to_its_end(cmd: &Cmd, expression: Expression) -> Result<ExitStatus> {
    let handle = expression.start().map_err(|e| cmd.not_started(e))?;
    // It holds our end of the pipes that the command writes to.
    drop(expression);
    let group = handle.pids().first().copied();
    supervise(cmd, group, || {
        Ok(handle.try_wait()?.map(|output| output.status))
    })
}
