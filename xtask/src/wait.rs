//! Every wait of the lab: what is waited for, how long at most, how often we
//! look. A wait ends at once on ctrl-C.

mod named;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;

pub use named::*;

/// Longer than a request takes that was sent before a disaster.
pub const UNDER_WAY: Duration = Duration::from_millis(500);
/// How far a restore gets before it is killed: Python has started, and the
/// copy has begun or not.
pub const INTO_THE_RESTORE: Duration = Duration::from_millis(50);

/// Between two looks of a game day's client at what is asked of the lab.
pub const GAMEDAY_LOOK: Duration = Duration::from_secs(2);

/// Limits of external commands, which are waits too.
pub const SHORT_COMMAND: Duration = Duration::from_secs(20);
/// For a cluster to say how it stands; a longer wait is for one that runs.
pub const FIRST_LOOK: Duration = Duration::from_secs(5);
pub const VENV_INSTALL: Duration = Duration::from_secs(600);
/// Compiling the report on demand, and drawing.
pub const REPORT: Duration = Duration::from_secs(600);
pub const TEST_COMMAND: Duration = Duration::from_secs(1800);
pub const FAULT_SUITE: Duration = Duration::from_secs(7200);
/// How long the daemon has to answer.
pub const DOCKER_ANSWER: Duration = Duration::from_secs(8);
/// One try of one download; curl itself gives up on a stalled one.
pub const DOWNLOAD: Duration = Duration::from_secs(900);
/// The first creation pulls the images of the nodes.
pub const CLUSTER: Duration = Duration::from_secs(600);
pub const PACKER: Duration = Duration::from_secs(900);
/// One way of an import: ten seconds as a rule.
pub const IMPORT: Duration = Duration::from_secs(180);
/// An image on its way into a registry, over any line.
pub const PUSH: Duration = Duration::from_secs(600);
pub const PLAYBOOK: Duration = Duration::from_secs(300);
/// The same where the images of a database have to be pulled by three nodes first.
pub const PLAYBOOK_OF_SERVERS: Duration = Duration::from_secs(1200);
/// For the pods of somebody's work, whose images may have to be pulled.
pub const MARKED_ROLLOUT: Duration = Duration::from_secs(180);
/// For every replica to be replaced.
pub const ROLLOUT: Duration = Duration::from_secs(120);
/// kubectl waiting for something to be gone.
pub const DELETION: Duration = Duration::from_secs(90);
/// The same for a namespace with all that is in it, or all that is the lab's in one.
pub const NAMESPACE_GONE: Duration = Duration::from_secs(300);
/// A job's deadline and some room.
pub const JOB_LOG: Duration = Duration::from_secs(330);
/// For one look at where the parts of a lab are.
pub const TOPOLOGY_LOOK: Duration = Duration::from_secs(8);
/// For one look at what the operator of a database says of its primary.
pub const WITNESS_LOOK: Duration = Duration::from_secs(5);
/// For a node to be rid of its pods.
pub const DRAINED: Duration = Duration::from_secs(180);
/// For a job that is over to be called complete, or not.
pub const JOB_VERDICT: Duration = Duration::from_secs(10);
/// A whole database on its way into a file or out of one.
pub const COPY: Duration = Duration::from_secs(900);
/// For Docker to stop or start the container of a node.
pub const NODE_CONTAINER: Duration = Duration::from_secs(60);
/// For a pod of our own to run.
pub const HELPER_READY: Duration = Duration::from_secs(120);
/// For the last of what a command that ended has written to be read; beyond
/// that somebody else holds its pipe.
pub const PIPE_CLOSED: Duration = Duration::from_secs(2);
/// The same where each piece goes to a disk.
pub const FILE_WRITTEN: Duration = Duration::from_secs(5);
/// For the store for copies to end that ran for one command.
pub const STORE_ENDS: Duration = Duration::from_secs(10);
/// Between asking a process group to end and ending it.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Between asking a replica to end and telling it so, at most: open connections
/// are answered first. The counterpart of `preStop` on a cluster.
pub const DRAIN: Duration = Duration::from_secs(2);
/// A replica that ran so long has recovered: its back-off begins anew, as a
/// kubelet's does after twice its longest pause.
pub const RAN_WELL: Duration = Duration::from_secs(600);
/// For a replica of this machine to accept a connection.
pub const REPLICA_CONNECTS: Duration = Duration::from_secs(2);
/// For a client of the supervisor to say what it wants.
pub const REQUEST_SENT: Duration = Duration::from_secs(5);
/// Between two looks whether `measure` is to end.
pub const MEASURED_LOOK: Duration = Duration::from_millis(200);
/// For the page of a run to send its last picture, and to end.
pub const LIVE_DOWN: Duration = Duration::from_secs(30);
/// Between two looks of `watch` at a lab that answers at once, and between two pictures.
pub const WATCHED_LOOK: Duration = Duration::from_secs(1);
/// How late `watch` may notice a key.
pub const WATCHED_KEY: Duration = Duration::from_millis(50);
/// For a write to be answered that is sent again until it is, from its moment on: a user
/// goes away after that.
pub const WRITE_GIVEN_UP: Duration = Duration::from_secs(30);
/// How late ctrl-C may be noticed while an answer is awaited.
pub const LOOK_FOR_INTERRUPT: Duration = Duration::from_millis(50);
/// Between two looks of the supervisor at what it runs.
pub const SUPERVISION: Duration = Duration::from_millis(20);
/// Between two looks at the size of the logs.
pub const HOUSEKEEPING: Duration = Duration::from_secs(2);

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Turns SIGINT, SIGTERM and SIGHUP into a flag that every wait looks at; not
/// SIGHUP where `nohup` asked that the end of the terminal ends nothing.
pub fn watch_signals() -> Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    let mut watched = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    for signal in watched {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Whether this process was started with a signal ignored, as far as the
/// system tells: only Linux does without asking by unsafe means.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status) >> (signal - 1) & 1 == 1
}

fn ignored_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

pub fn interrupted() -> bool {
    INTERRUPTED
        .get()
        .is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Clears the interrupt flag, so that what follows can be interrupted again.
pub fn begin_anew() {
    if let Some(flag) = INTERRUPTED.get() {
        flag.store(false, Ordering::Relaxed);
    }
}

/// Fails with the exit code of an interrupt when ctrl-C was pressed.
pub fn check_interrupt() -> Result<()> {
    if interrupted() {
        return Err(Failure::interrupted().into());
    }
    Ok(())
}

/// Does nothing for a while; ends at once on ctrl-C.
pub fn pause(duration: Duration) -> Result<()> {
    let start = Instant::now();
    while let Some(left) = duration.checked_sub(start.elapsed()) {
        check_interrupt()?;
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// Looks until `probe` returns `Some`, the limit is over, or ctrl-C.
///
/// # Errors
/// What `probe` fails with, at once; [`crate::failure::Kind::Timeout`] when the
/// limit is over.
pub fn until<T>(wait: Wait, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        check_interrupt()?;
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if start.elapsed() >= wait.limit {
            return Err(wait.ran_out());
        }
        std::thread::sleep(wait.every);
    }
}

/// Sleeps until a moment, or ctrl-C.
pub fn until_moment(moment: Instant) -> Result<()> {
    const NAP: Duration = Duration::from_millis(50);
    loop {
        check_interrupt()?;
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}

/// Waits for a thread and takes what it has found.
pub fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let panicked = || Err(anyhow::anyhow!("a stage of the setup panicked"));
    thread.join().unwrap_or_else(|_| panicked())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};
    use terms::lang::Both;

    const SHORT: Wait = Wait {
        what: Both::same("nothing"),
        limit: Duration::from_millis(5),
        every: Duration::from_millis(1),
        next: Both::same("cargo xtask status"),
    };

    #[test]
    fn what_is_ignored_is_read_from_the_system() {
        let status = "Name:\txtask\nSigIgn:\t0000000000001001\nSigCgt:\t1\n";
        assert_eq!(ignored_in(status), 0x1001);
        assert_eq!(ignored_in("no such line"), 0);
    }

    #[test]
    fn a_wait_that_runs_out_says_so() {
        let error = until(SHORT, || Ok(None::<()>)).unwrap_err();
        assert_eq!(kind(&error), Kind::Timeout);
        assert!(error.to_string().contains("nothing"));
    }

    #[test]
    fn a_probe_that_fails_ends_the_wait() {
        let error = until::<()>(SHORT, || anyhow::bail!("broken")).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }

    #[test]
    fn a_condition_that_holds_ends_the_wait_without_sleeping() {
        assert_eq!(until(SHORT, || Ok(Some(7))).unwrap(), 7);
    }
}
