//! Who writes next: writers of a client take what is to be sent from here, and wait here
//! while there is nothing.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queue::{Next, Queue, Write};

#[derive(Default)]
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// Writers that wait.
    idle: usize,
}

impl Turns {
    /// Whether all writers that wait have something to do already, so that one more write
    /// would need another.
    pub fn short(&self, now: f64) -> bool {
        let state = self.lock();
        state.idle <= state.queue.ready(now)
    }

    pub fn due(&self, write: Write) {
        self.lock().queue.due(write);
        self.changed.notify_one();
    }

    /// It failed, and is to be sent again at a moment.
    pub fn again(&self, write: Write, at: f64) {
        self.lock().queue.again(write, at);
        // Its writer may be given something else first, and others wait for a later moment
        // or for none.
        self.changed.notify_one();
    }

    pub fn ended(&self) {
        self.lock().queue.ended();
    }

    /// Nothing more will be due for the first time.
    pub fn close(&self) {
        self.lock().queue.close();
        self.changed.notify_all();
    }

    /// Nothing is sent any more.
    pub fn abandon(&self) {
        self.lock().queue.abandon();
        self.changed.notify_all();
    }

    /// What is to be sent, once its moment has come; `None` when all is over. `now` is the
    /// clock of those moments.
    pub fn next(&self, now: impl Fn() -> f64) -> Option<Write> {
        let mut state = self.lock();
        loop {
            let limit = match state.queue.next(now()) {
                Next::Send(write) => {
                    if state.queue.waits() {
                        // Whoever waits watches for the next one from here on.
                        self.changed.notify_one();
                    }
                    return Some(write);
                }
                Next::Over => {
                    drop(state);
                    // Those that wait for a sending that might have to be repeated.
                    self.changed.notify_all();
                    return None;
                }
                Next::At(moment) => Some(moment - now()),
                Next::Idle => None,
            };
            state.idle += 1;
            state = self.wait(state, limit);
            state.idle -= 1;
        }
    }

    /// Until something changes, or for so many seconds.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Option<f64>) -> MutexGuard<'a, State> {
        let Some(seconds) = limit else {
            let woken = self.changed.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        };
        let limit = Duration::from_secs_f64(seconds.max(0.0));
        let woken = self.changed.wait_timeout(state, limit);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Instant;

    use super::*;

    /// Writers that each take one write and are then busy for good, as with an application
    /// that does not answer; what they took is told.
    fn writers(turns: &Arc<Turns>, count: usize, start: Instant) -> mpsc::Receiver<usize> {
        let (tell, told) = mpsc::channel();
        for _ in 0..count {
            let (turns, tell) = (Arc::clone(turns), tell.clone());
            thread::spawn(move || {
                let taken = turns.next(|| start.elapsed().as_secs_f64());
                let _ = tell.send(taken.unwrap().n);
            });
        }
        while turns.lock().idle < count {
            thread::yield_now();
        }
        told
    }

    /// Two writes that failed, each with a moment for it to be sent again, the one soon after
    /// the other; and two writers that wait, without limit as yet.
    struct TwoFailed {
        turns: Arc<Turns>,
        failed: Vec<(Write, f64)>,
        told: mpsc::Receiver<usize>,
    }

    fn two_failed() -> TwoFailed {
        let turns = Arc::new(Turns::default());
        let start = Instant::now();
        let mut taken = Vec::new();
        for n in 0..2 {
            turns.due(Write::new(n, 0.0));
            taken.push(turns.next(|| 0.0).unwrap());
        }
        let told = writers(&turns, 2, start);
        let soon = start.elapsed().as_secs_f64() + 0.05;
        let moments = [soon, soon + 0.05];
        TwoFailed {
            turns,
            failed: taken.into_iter().zip(moments).collect(),
            told,
        }
    }

    /// Which two writes are taken, in the order in which that is told.
    fn order(told: &mpsc::Receiver<usize>) -> [Result<usize, mpsc::RecvTimeoutError>; 2] {
        let limit = Duration::from_secs(10);
        [told.recv_timeout(limit), told.recv_timeout(limit)]
    }

    #[test]
    fn writers_that_wait_without_limit_learn_of_each_write_that_is_to_be_sent_again() {
        let both = two_failed();
        for (write, at) in both.failed {
            both.turns.again(write, at);
        }
        assert_eq!(order(&both.told), [Ok(0), Ok(1)]);
    }

    /// One writer watches for both, and is busy once it has the first.
    #[test]
    fn who_takes_a_write_leaves_the_next_one_to_another_that_waits() {
        let both = two_failed();
        {
            let mut state = both.turns.lock();
            for (write, at) in both.failed {
                state.queue.again(write, at);
            }
        }
        // As where both wake-ups reached the same writer.
        both.turns.changed.notify_one();
        assert_eq!(order(&both.told), [Ok(0), Ok(1)]);
    }

    #[test]
    fn an_idle_writer_is_one_that_has_nothing_to_do_yet() {
        let turns = Arc::new(Turns::default());
        assert!(turns.short(0.0), "there is no writer at all");
        let told = writers(&turns, 1, Instant::now());
        assert!(!turns.short(0.0));
        turns.due(Write::new(0, 0.0));
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(0));
        assert!(turns.short(0.0), "it is busy");
    }
}
