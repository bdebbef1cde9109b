//! The only place that starts processes: short ones whose output is read
//! (built by xshell), long ones that stream to a log file (duct), and services
//! that outlive us. Each has a limit, and its whole process group ends with it.

mod cmd;
pub mod environment;
mod pipe;
mod service;
mod stream;

pub use cmd::{Cmd, Piped, quote, quote_path};
pub use service::{Process, build, signal_group, signal_process, spawn};

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::failure::Failure;
use crate::ui::Ui;
use crate::wait;
use pipe::{collect, drain};

/// What a short command left behind.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

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

    /// Runs a command that changes something; its output streams to a log file
    /// of its own. In a dry run it is only shown.
    pub fn run(&self, cmd: &Cmd) -> Result<()> {
        if !self.change(&cmd.to_string()) {
            return Ok(());
        }
        let (log, path) = self.log_file(cmd.name())?;
        let environment = cmd.environment();
        let expression = duct::cmd(&cmd.program, &cmd.args)
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .stdin_null()
            .stderr_to_stdout()
            .stdout_file(log)
            .unchecked();
        let expression = expression.full_env(environment);
        let expression = match &cmd.cwd {
            Some(dir) => expression.dir(dir),
            None => expression,
        };
        let handle = expression.start().map_err(|e| cmd.not_started(e))?;
        let group = handle.pids().first().copied();
        let status = supervise(cmd, group, || Ok(handle.try_wait()?.map(|o| o.status)))
            .with_context(|| format!("its output is in {}", path.display()))?;
        if !status.success() {
            return Err(failed(cmd, status, &tail(&path, 12), Some(&path)));
        }
        Ok(())
    }

    /// Runs a command in the foreground with the terminal as its own, for
    /// people who want to see it work (tests, lints).
    pub fn attached(&self, cmd: &Cmd) -> Result<()> {
        if !self.change(&cmd.to_string()) {
            return Ok(());
        }
        let mut command = cmd.command()?;
        // Standard output is kept for our own document.
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| cmd.not_started(e))?;
        let group = Some(child.id());
        let status = supervise(cmd, group, || Ok(child.try_wait()?))?;
        if !status.success() {
            return Err(failed(cmd, status, "", None));
        }
        Ok(())
    }

    /// Runs a command that changes nothing and prints on our standard output
    /// until it ends or is interrupted.
    pub fn follow(&self, cmd: &Cmd) -> Result<()> {
        self.ui.command(&cmd.to_string(), false);
        let mut command = cmd.command()?;
        command.stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().map_err(|e| cmd.not_started(e))?;
        let group = Some(child.id());
        let status = supervise(cmd, group, || Ok(child.try_wait()?))?;
        if !status.success() {
            return Err(failed(cmd, status, "", None));
        }
        Ok(())
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

/// Runs a short command to its end, without showing it.
pub fn output(cmd: &Cmd) -> Result<Output> {
    let mut command = cmd.command()?;
    command
        .stdin(
            cmd.input
                .as_ref()
                .map_or_else(Stdio::null, |_| Stdio::piped()),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|e| cmd.not_started(e))?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), cmd.input.clone()) {
        // One that does not read to the end has its reason, and says it.
        std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let group = Some(child.id());
    let status = supervise(cmd, group, || Ok(child.try_wait()?))?;
    Ok(Output {
        status,
        stdout: collect(stdout)?,
        stderr: collect(stderr)?,
    })
}

/// Waits for a process within its limit; on ctrl-C or timeout ends its group.
fn supervise(
    cmd: &Cmd,
    group: Option<u32>,
    mut try_wait: impl FnMut() -> Result<Option<ExitStatus>>,
) -> Result<ExitStatus> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = try_wait()? {
            return Ok(status);
        }
        let late = start.elapsed() >= cmd.limit;
        if late || wait::interrupted() {
            end_group(group, &mut try_wait)?;
            wait::check_interrupt()?;
            return Err(Failure::timeout(format!(
                "`{}` did not end within {} s and was stopped",
                cmd.name(),
                cmd.limit.as_secs()
            ))
            .next(format!("try it by hand: {cmd}"))
            .into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn end_group(
    group: Option<u32>,
    try_wait: &mut impl FnMut() -> Result<Option<ExitStatus>>,
) -> Result<()> {
    let Some(group) = group else {
        bail!("the process had no id to end it by");
    };
    signal_group(group, Signal::SIGTERM);
    let asked = Instant::now();
    while asked.elapsed() < wait::KILL_GRACE {
        if try_wait()?.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    signal_group(group, Signal::SIGKILL);
    Ok(())
}

/// What a command printed that has to have succeeded; a person would type it
/// as `shell`.
fn printed(cmd: &Cmd, output: Output, shell: &str) -> Result<String> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = [output.stderr.trim(), output.stdout.trim()].join("\n");
    Err(failure(cmd, output.status, said.trim(), None, shell))
}

fn failed(cmd: &Cmd, status: ExitStatus, said: &str, log: Option<&Path>) -> anyhow::Error {
    failure(cmd, status, said, log, &cmd.to_string())
}

fn failure(
    cmd: &Cmd,
    status: ExitStatus,
    said: &str,
    log: Option<&Path>,
    shell: &str,
) -> anyhow::Error {
    let mut message = format!("`{}` failed ({status})", cmd.name());
    if !said.is_empty() {
        message.push_str(":\n    ");
        message.push_str(&said.replace('\n', "\n    "));
    }
    if let Some(log) = log {
        message.push_str(&format!("\n  its whole output: {}", log.display()));
    }
    Failure::tool(message)
        .next(format!("try it by hand: {shell}"))
        .into()
}

/// The last lines of a log, for an error message.
fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    #[test]
    fn a_hang_ends_at_its_limit_with_all_its_children() {
        let dir = std::env::temp_dir().join(format!("xtask-exec-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let pid_file = dir.join("grandchild");
        let script = format!("sleep 60 & echo $! > {}; wait", pid_file.display());
        let cmd = Cmd::new("sh")
            .args(["-c", &script])
            .limit(Duration::from_millis(300));
        let error = output(&cmd).unwrap_err();
        assert_eq!(kind(&error), Kind::Timeout);
        let pid = std::fs::read_to_string(&pid_file).unwrap();
        let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
        let gone = || nix::sys::signal::kill(pid, None).is_err().then_some(());
        // An orphan waits for init to reap it.
        let zombie = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|s| s.contains(") Z")).then_some(())
        };
        wait::until(wait::ORPHANS_GONE, || Ok(gone().or_else(zombie))).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_missing_program_is_a_preflight_failure_that_names_it() {
        let error = output(&Cmd::new("no-such-tool")).unwrap_err();
        assert_eq!(kind(&error), Kind::Preflight);
        assert!(error.to_string().contains("no-such-tool"));
    }

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
    fn what_a_failed_command_said_is_in_the_error() {
        let ui = Ui::quiet();
        let exec = Exec::new(ui, std::env::temp_dir(), false);
        let cmd = Cmd::new("sh").args(["-c", "echo broken >&2; exit 3"]);
        let error = exec.read(&cmd).unwrap_err();
        assert_eq!(kind(&error), Kind::Tool);
        assert!(error.to_string().contains("broken"), "{error}");
    }
}
