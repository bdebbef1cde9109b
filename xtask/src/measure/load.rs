//! How hard the measuring client works.

use crate::http;
use crate::wait;

use super::observed::Mode;
use super::writing::Form;

/// What a client does while it measures.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Writes a second.
    pub rate: u32,
    /// Writers that stand ready; more are taken on while answers are slow. As many
    /// connections are kept, where they are kept.
    pub connections: u32,
    /// Reads a second.
    pub reads: u32,
    pub mode: Mode,
    pub form: Form,
}

impl Load {
    /// Writers at once, at most: for all writes whose users still wait, where the
    /// application answers none of them, as far as a process can have threads. What is due
    /// beyond waits, and the figures say so.
    pub fn most_writers(&self) -> usize {
        let given_up = match self.mode.retry {
            // The last attempt may begin just before.
            true => wait::WRITE_GIVEN_UP + http::TIMEOUT,
            false => http::TIMEOUT,
        };
        let waiting = u64::from(self.rate) * given_up.as_secs();
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        (waiting + self.connections as usize).min(MOST_WRITERS)
    }
}

/// A process can have some thousands of threads on every system.
const MOST_WRITERS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_writer_for_each_user_that_still_waits() {
        let once = Load {
            rate: 100,
            connections: 2,
            reads: 0,
            mode: Mode::default(),
            form: Form::Post,
        };
        let retry = Mode {
            retry: true,
            ..Mode::default()
        };
        assert_eq!(once.most_writers(), 502);
        let again = Load {
            mode: retry,
            ..once
        };
        assert_eq!(again.most_writers(), 3502);
        let many = Load {
            rate: 2000,
            ..again
        };
        assert_eq!(many.most_writers(), MOST_WRITERS);
    }
}
