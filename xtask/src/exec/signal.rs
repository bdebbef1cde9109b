//! Signals to processes that may be gone already.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Sends a signal to a whole process group. Fine when nobody is left.
pub fn signal_group(group: u32, signal: Signal) {
    if let Some(group) = of_somebody(group) {
        // The only failure that matters, "no such group", is the wished end.
        let _ = killpg(group, signal);
    }
}

/// Sends a signal to one process. Fine when it is gone.
pub fn signal_process(process: u32, signal: Signal) {
    if let Some(process) = of_somebody(process) {
        // As above.
        let _ = kill(process, signal);
    }
}

/// 0 stands for our own group; 1 is the system's first process, and as a group
/// every process there is.
fn of_somebody(number: u32) -> Option<Pid> {
    let number = i32::try_from(number).ok()?;
    (number > 1).then(|| Pid::from_raw(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_number_reaches_nobody() {
        let reached = [0, 1, 2, u32::MAX].map(|number| of_somebody(number).is_some());
        assert_eq!(reached, [false, false, true, false]);
    }
}
