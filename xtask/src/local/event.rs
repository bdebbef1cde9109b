//! What happens to the supervisor. One thread owns all its state and takes
//! these in turn, so there is nothing to lock and nothing to poll.

use std::sync::mpsc::Sender;

use super::protocol::{Ask, Reply};

#[derive(Debug)]
pub enum Event {
    /// A process ended, and everything it had started with it.
    Exited {
        run: u64,
        /// Its exit code, 128 and more for a signal; none where that is unknown.
        code: Option<i32>,
        how: String,
    },
    /// The readiness probe has its verdict.
    Ready { run: u64, passing: bool },
    /// The liveness probe failed too often.
    Unhealthy { run: u64 },
    /// Somebody wants something.
    Asked { ask: Ask, answer: Sender<Reply> },
    /// A signal asked the supervisor to stop.
    Stop,
}
