//! Processes that somebody watches, or that outlive us.

use std::fs::File;
use std::io::PipeWriter;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::cmd::Cmd;
use super::short;
use super::signal::signal_group;

/// Identifies the build of the running program by size and modification time.
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        // What runs, also where another program has its name since.
        let running = std::fs::metadata("/proc/self/exe");
        let found = running.or_else(|_| std::fs::metadata(std::env::current_exe()?));
        found.map_or_else(
            |_| "unknown".to_owned(),
            |found| {
                format!(
                    "{}-{}.{:09}",
                    found.len(),
                    found.mtime(),
                    found.mtime_nsec()
                )
            },
        )
    })
}

/// Starts a process that outlives the caller or is watched by it: its own
/// process group unless it makes a session of its own, output to `log`, and
/// `stdin` for the lock that says as long as it is held that it lives.
pub fn spawn(cmd: &Cmd, stdin: Stdio, log: &File, own_group: bool) -> Result<Child> {
    let mut command = short::build(cmd)?;
    command
        .stdin(stdin)
        .stdout(log.try_clone().context("sharing the log file")?)
        .stderr(log.try_clone().context("sharing the log file")?);
    if own_group {
        command.process_group(0);
    }
    command.spawn().map_err(|e| cmd.not_started(e))
}

/// A process that ends, with its whole group, when this value is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(cmd: &Cmd, log: &File) -> Result<Self> {
        Ok(Self(spawn(cmd, Stdio::null(), log, true)?))
    }
}

/// A process that serves us and ends by itself where its standard input does, so also where
/// we are killed. Dropped, it is killed with its whole group.
pub struct Tied {
    process: Process,
    /// Closed with us, or when it is to end.
    input: Option<PipeWriter>,
}

impl Tied {
    pub fn start(cmd: &Cmd, log: &File) -> Result<Self> {
        let (stdin, input) = std::io::pipe().context("making a pipe")?;
        Ok(Self {
            process: Process(spawn(cmd, stdin.into(), log, true)?),
            input: Some(input),
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.0.try_wait(), Ok(None))
    }

    /// Has it end, and waits for that, at most so long.
    pub fn end(mut self, limit: Duration) {
        self.input = None;
        let start = Instant::now();
        while !self.has_ended() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal_group(self.0.id(), Signal::SIGKILL);
        // Reaps it; it was there, since nobody else waits for it.
        let _ = self.0.wait();
    }
}
