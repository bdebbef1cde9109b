//! The measuring client: writes and reads through the users' URL at a fixed rate. It is
//! an open loop: each request has a scheduled moment, and a slow answer does not delay
//! the next request, so there is no coordinated omission. Where writes are sent again
//! until they are answered, that goes for their first sending, and what their user waited
//! for runs from their moment to the last answer.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix::time::{ClockId, clock_gettime};

use crate::measure::ledger::{Ledger, Toll};
use crate::measure::lines::Lines;
pub use crate::measure::load::Load;
use crate::measure::observed::{Attempts, Observed, Outcome, Request};
use crate::measure::queue::Write;
use crate::measure::reader;
use crate::measure::turns::Turns;
use crate::measure::writing::{self, Came};

/// Stack of a writer thread, in bytes: there can be thousands.
const STACK: usize = 256 << 10;

/// A client at work. Dropped, it stops.
pub struct Client {
    shared: Arc<Shared>,
    ended: bool,
}

/// What the threads of a client share.
struct Shared {
    url: RwLock<String>,
    prefix: String,
    /// What the keys of this client begin with: of no other one.
    nonce: String,
    load: Load,
    lines: Lines,
    ledger: Ledger,
    stop: AtomicBool,
    /// Nanoseconds of processor time of the threads that have ended.
    cpu: AtomicU64,
    turns: Turns,
    threads: Mutex<Vec<JoinHandle<()>>>,
    writers: AtomicUsize,
    most_writers: AtomicUsize,
    /// Writes that were late because all writers were busy that there can be.
    held_back: AtomicUsize,
}

impl Client {
    /// Starts to write messages `<prefix>-<n>` and to keep the ledger at `path`.
    pub fn start(url: &str, prefix: &str, load: Load, path: &Path) -> Result<Self> {
        Self::with_writers(url, prefix, load, path, load.most_writers())
    }

    /// With so many writers at most.
    fn with_writers(url: &str, prefix: &str, load: Load, path: &Path, most: usize) -> Result<Self> {
        let shared = Arc::new(Shared {
            url: RwLock::new(url.to_owned()),
            prefix: prefix.to_owned(),
            nonce: format!("{:016x}", fastrand::u64(..)),
            load,
            lines: Lines::new(load.connections, load.mode.keep_alive),
            ledger: Ledger::create(path, load.mode)?,
            stop: AtomicBool::new(false),
            cpu: AtomicU64::new(0),
            turns: Turns::default(),
            threads: Mutex::default(),
            writers: AtomicUsize::new(0),
            most_writers: AtomicUsize::new(most),
            held_back: AtomicUsize::new(0),
        });
        let client = Self {
            shared: Arc::clone(&shared),
            ended: false,
        };
        for _ in 0..load.connections {
            shared.take_on()?;
        }
        shared.spawn(Shared::pace)?;
        if load.reads > 0 {
            shared.spawn(Shared::read)?;
        }
        Ok(client)
    }

    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// The service is reached under this address from now on, as after a change
    /// of its name's entry.
    pub fn follow(&self, url: &str) {
        url.clone_into(
            &mut self
                .shared
                .url
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Ends the load once everything due is sent and answered, or given up; returns what
    /// was observed.
    pub fn finish(mut self) -> Result<Observed> {
        self.halt()?;
        let cpu = Duration::from_nanos(self.shared.cpu.load(Ordering::Relaxed));
        let (opened, unanswered) = self.shared.lines.opened();
        self.shared.ledger.close(Toll {
            cpu: cpu.as_secs_f64(),
            opened,
            unanswered,
            held_back: self.shared.held_back.load(Ordering::Relaxed),
        })
    }

    fn halt(&mut self) -> Result<()> {
        self.ended = true;
        self.shared.stop.store(true, Ordering::Relaxed);
        // Writers may still be taken on by the one that keeps the time.
        loop {
            let threads = std::mem::take(&mut *self.shared.threads());
            if threads.is_empty() {
                return Ok(());
            }
            for thread in threads {
                let joined = thread.join();
                joined.map_err(|_| anyhow!("a thread of the measuring client crashed"))?;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.ended {
            // After an error nobody asks for the ledger; the threads must end
            // all the same, and at once.
            self.shared.turns.abandon();
            let _ = self.halt();
        }
    }
}

impl Shared {
    fn url(&self) -> String {
        let url = self.url.read().unwrap_or_else(PoisonError::into_inner);
        url.clone()
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts another writer.
    fn take_on(self: &Arc<Self>) -> Result<()> {
        self.spawn(|shared| {
            while let Some(write) = shared.turns.next(|| shared.ledger.now()) {
                shared.attempt(write);
            }
        })?;
        self.writers.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Starts a thread that does `job` and then hands in its processor time.
    fn spawn(self: &Arc<Self>, job: fn(&Arc<Self>)) -> Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
            job(&shared);
            shared.cpu.fetch_add(processor_time(), Ordering::Relaxed);
        });
        let thread = thread.context("starting a thread of the measuring client")?;
        self.threads().push(thread);
        Ok(())
    }

    /// Queues each request at its moment, and starts another writer where none is idle.
    fn pace(self: &Arc<Self>) {
        for n in 0.. {
            let due = n as f64 / f64::from(self.load.rate);
            self.sleep_until(due);
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let writers = self.writers.load(Ordering::Relaxed);
            let short = self.turns.short(self.ledger.now());
            let held_back = short && writers >= self.most_writers.load(Ordering::Relaxed);
            self.turns.due(Write {
                held_back,
                ..Write::new(n, due)
            });
            if short && !held_back && self.take_on().is_err() {
                // This system lets it have no more.
                self.most_writers.store(writers, Ordering::Relaxed);
            }
        }
        self.turns.close();
    }

    /// Sends a write once, and has it sent again where that is to be.
    fn attempt(&self, mut write: Write) {
        let message = format!("{}-{}", self.prefix, write.n);
        let key = format!("{}-{}", self.nonce, write.n);
        let key = self.load.mode.retry.then_some(key.as_str());
        let first = write.sent.is_none();
        let sent = if first {
            self.ledger.sent(write.n, write.due, &message, key)
        } else {
            self.ledger.now()
        };
        if first && write.held_back && sent - write.due > 1.0 / f64::from(self.load.rate) {
            self.held_back.fetch_add(1, Ordering::Relaxed);
        }
        let begun = *write.sent.get_or_insert(sent);
        let url = self.url();
        let came = self
            .lines
            .with(|client| writing::send(client, &url, self.load.form, &message, key));
        let mut attempts = Attempts {
            last_sent: (!first).then_some(sent),
            ..Attempts::default()
        };
        let outcome = match came {
            Came::Acknowledged {
                id,
                timestamp,
                replayed,
            } => {
                attempts.replayed = replayed;
                Outcome::Acknowledged { id, timestamp }
            }
            Came::Refused { reason } => Outcome::Failed {
                reason,
                refused: true,
            },
            Came::Open {
                reason,
                retry_after,
            } => {
                let tried = write.failed.len() + 1;
                let now = self.ledger.now();
                let next = key.and_then(|_| writing::next(write.due, now, tried, retry_after));
                if let Some(at) = next {
                    let attempt = self.ledger.attempted(write.n, sent, reason);
                    // The application is given its patience from the end that is recorded,
                    // which may be later than the answer where others wrote to the ledger.
                    let recorded_later = attempt.ended - now;
                    write.failed.push(attempt);
                    return self.turns.again(write, at + recorded_later);
                }
                Outcome::failed(reason)
            }
        };
        attempts.failed = write.failed;
        self.ledger.ended(Request {
            attempts,
            ..Request::of(write.n, &message, (write.due, begun), outcome)
        });
        self.turns.ended();
    }

    /// Reads the count and the newest rows, in turns.
    fn read(self: &Arc<Self>) {
        for n in 0.. {
            self.sleep_until(n as f64 / f64::from(self.load.reads));
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let sent = self.ledger.now();
            let look = [reader::count, reader::newest][n % 2];
            let url = self.url();
            let (seen, again) = self.lines.with(|client| look(client, &url));
            self.ledger.read(sent, seen, again);
        }
    }

    /// Sleeps until a moment of the ledger's clock, or until the end.
    fn sleep_until(&self, moment: f64) {
        const NAP: f64 = 0.2;
        while !self.stop.load(Ordering::Relaxed) {
            let early = moment - self.ledger.now();
            if early <= 0.0 {
                return;
            }
            thread::sleep(Duration::from_secs_f64(early.min(NAP)));
        }
    }
}

/// What this thread has used, in nanoseconds; none where the system does not
/// say.
fn processor_time() -> u64 {
    let Ok(time) = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) else {
        return 0;
    };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds * 1_000_000_000 + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::fake_app::{FakeApp, Fault};
    use crate::measure::figures::ClientFigures;
    use crate::measure::observed::Mode;
    use crate::measure::writing::Form;

    const LOAD: Load = Load {
        rate: 100,
        connections: 2,
        reads: 0,
        mode: Mode {
            keep_alive: false,
            retry: false,
        },
        form: Form::Post,
    };

    #[test]
    fn what_waits_for_a_writer_that_there_cannot_be_is_late_by_the_clients_own_limit() {
        let app = FakeApp::start(Fault::Slow(100));
        let name = format!("xtask-client-limit-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        let client = Client::with_writers(&app.url, "m", LOAD, &path, 4).unwrap();
        thread::sleep(Duration::from_secs(1));
        assert!(client.shared.writers.load(Ordering::Relaxed) <= 4);
        let observed = client.finish().unwrap();
        let kept = crate::measure::ledger_file::read(&path).unwrap().observed;
        std::fs::remove_file(path).unwrap();
        assert_eq!(kept.held_back, observed.held_back);
        let figures = ClientFigures::new(&observed, LOAD.rate);
        assert!(figures.requests >= 90, "{figures:?}");
        assert!(figures.held_back * 2 > figures.late, "{figures:?}");
        assert!(figures.held_back <= figures.late, "{figures:?}");
        let doubts = figures.doubts(LOAD.rate);
        let own = doubts.iter().any(|one| one.contains("as it can have"));
        assert!(own, "{doubts:?}");
    }
}
