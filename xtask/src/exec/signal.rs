//! Signals to processes that may be gone already.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Sends a signal to a whole process group. Fine when nobody is left.
pub fn signal_group(group: u32, signal: Signal) {
    // Group 0 would be our own.
    if let Ok(raw @ 1..) = i32::try_from(group) {
        // The only failure that matters, "no such group", is the wished end.
        let _ = killpg(Pid::from_raw(raw), signal);
    }
}

/// Sends a signal to one process. Fine when it is gone.
pub fn signal_process(process: u32, signal: Signal) {
    // 0 would be our own group, 1 the system's first process.
    if let Ok(raw @ 2..) = i32::try_from(process) {
        // As above.
        let _ = kill(Pid::from_raw(raw), signal);
    }
}
