//! Waiting for a command: no longer than its limit, and not beyond ctrl-C. Either
//! ends its whole process group.

use std::process::ExitStatus;
use std::time::{Duration, Instant};
use terms::tr;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use super::cmd::Cmd;
use super::signal::signal_group;
use crate::failure::Failure;
use crate::wait;

/// Waits for a command to end; `group` is its process group, `try_wait` looks once.
///
/// # Errors
/// [`crate::failure::Kind::Timeout`] beyond its limit, or the interrupt.
pub(super) fn supervise(
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
            return Err(Failure::timeout(tr!(
                "`{program}` did not end within {seconds} s and was stopped",
                "`{program}` ne s'est pas terminé en {seconds} s et a été arrêté",
                program = cmd.name(),
                seconds = cmd.limit.as_secs(),
            ))
            .next(tr!("try it by hand: {cmd}", "essayez à la main : {cmd}"))
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
