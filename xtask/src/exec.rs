//! The only place that starts processes: short ones whose output is read
//! (xshell), long ones whose output goes to a file or the terminal (duct), and
//! services that outlive us. Each has a limit, and its whole process group ends
//! with it.

mod cmd;
pub mod environment;
mod limit;
mod long;
mod outcome;
mod pipe;
mod service;
mod short;
mod signal;
mod stream;
mod variable;

pub use cmd::{Cmd, Piped, quote, quote_path};
pub use outcome::Output;
pub use service::{Process, Tied, build, spawn};
pub use short::output;
pub use signal::{signal_group, signal_process};
pub use variable::{kept_in, variable};

use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::ui::Ui;
use outcome::printed;

/// Runs commands on behalf of one xtask invocation.
#[derive(Clone)]
pub struct Exec {
    ui: Ui,
    logs: PathBuf,
    dry_run: bool,
    serial: Arc<AtomicU32>,
    changes: Arc<Mutex<Vec<String>>>,
}

impl Exec {
    pub fn new(ui: Ui, logs: PathBuf, dry_run: bool) -> Self {
        Self {
            ui,
            logs,
            dry_run,
            serial: Arc::default(),
            changes: Arc::default(),
        }
    }

    pub fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// Shows a change that is not an external command as the shell that would
    /// do the same; says whether it is to be carried out.
    pub fn change(&self, shell: &str) -> bool {
        self.ui.command(shell, self.dry_run);
        if !self.dry_run {
            self.lock_changes().push(shell.to_owned());
        }
        !self.dry_run
    }

    /// Shows, in a dry run alone, shell that a run has no need of.
    pub fn show(&self, shell: &str) {
        if self.dry_run {
            self.ui.command(shell, true);
        }
    }

    /// Every change that was carried out so far, as shell.
    pub fn changes(&self) -> Vec<String> {
        self.lock_changes().clone()
    }

    fn lock_changes(&self) -> MutexGuard<'_, Vec<String>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a short command that changes nothing (also in a dry run) and
    /// returns its output whatever its exit code.
    pub fn probe(&self, cmd: &Cmd) -> Result<Output> {
        self.ui.command(&cmd.to_string(), false);
        output(cmd)
    }

    /// Like [`Exec::probe`], and fails where the command does.
    pub fn read(&self, cmd: &Cmd) -> Result<String> {
        printed(cmd, self.probe(cmd)?, &cmd.to_string())
    }

    /// Runs a short command that changes something, which a person would type
    /// as `shell`, and returns what it printed; `None` in a dry run.
    pub fn change_reading(&self, shell: &str, cmd: &Cmd) -> Result<Option<String>> {
        if !self.change(shell) {
            return Ok(None);
        }
        printed(cmd, output(cmd)?, shell).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    #[test]
    fn a_change_that_says_nothing_differs_from_one_that_is_only_shown() {
        let silent = Cmd::new("true");
        let said = |dry_run| {
            let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), dry_run);
            exec.change_reading("true", &silent).unwrap()
        };
        assert_eq!((said(false), said(true)), (Some(String::new()), None));
    }

    #[test]
    fn what_a_command_is_told_reaches_it_in_every_way_of_running() {
        let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), false);
        let cmd = Cmd::new("sh").args(["-c", "test \"$(cat)\" = told"]);
        let cmd = cmd.input("told");
        exec.run(&cmd).unwrap();
        exec.attached(&cmd).unwrap();
        exec.follow(&cmd).unwrap();
        exec.read(&cmd).unwrap();
        assert!(exec.stream(&cmd).unwrap().unwrap().status.success());
    }

    #[test]
    fn what_a_failed_command_said_is_in_the_error() {
        let ui = Ui::quiet();
        let exec = Exec::new(ui, std::env::temp_dir(), false);
        let cmd = Cmd::new("sh").args(["-c", "echo broken >&2; exit 3"]);
        let error = exec.read(&cmd).unwrap_err();
        assert_eq!(kind(&error), Kind::Tool);
        assert!(error.to_string().contains("broken"), "{error}");
    }
}
