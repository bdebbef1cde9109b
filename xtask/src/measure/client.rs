//! The measuring client: writes and reads through the users' URL at a fixed rate. It is
//! an open loop: each request has a scheduled moment, and a slow answer does not delay
//! the next request, so there is no coordinated omission.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix::time::{ClockId, clock_gettime};

use crate::http;
use crate::measure::ledger::Ledger;
use crate::measure::observed::{Observed, Outcome};
use crate::measure::reader;

/// How hard the client works.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Writes a second.
    pub rate: u32,
    /// Writers that stand ready; more are taken on while answers are slow.
    pub connections: u32,
    /// Reads a second.
    pub reads: u32,
}

/// Requests under way at once, at most: five seconds (the limit of an answer)
/// at a hundred a second. What is due beyond waits, and the ledger says so.
const MOST_UNDER_WAY: usize = 512;
/// Stack of a writer thread, in bytes: there can be hundreds.
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
    load: Load,
    ledger: Ledger,
    stop: AtomicBool,
    /// Nanoseconds of processor time of the threads that have ended.
    cpu: AtomicU64,
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    /// Requests that are due: number and moment.
    due: VecDeque<(usize, f64)>,
    idle: usize,
    /// Nothing more will be due.
    over: bool,
    threads: Vec<JoinHandle<()>>,
    /// A thread could not be started.
    broken: Option<std::io::Error>,
}

impl Client {
    /// Starts to write messages `<prefix>-<n>` and to keep the ledger at `path`.
    pub fn start(url: &str, prefix: &str, load: Load, path: &Path) -> Result<Self> {
        let shared = Arc::new(Shared {
            url: RwLock::new(url.to_owned()),
            prefix: prefix.to_owned(),
            load,
            ledger: Ledger::create(path)?,
            stop: AtomicBool::new(false),
            cpu: AtomicU64::new(0),
            work: Mutex::default(),
            changed: Condvar::new(),
        });
        let client = Self {
            shared: Arc::clone(&shared),
            ended: false,
        };
        for _ in 0..load.connections {
            shared.spawn(Shared::write_what_is_due)?;
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

    /// Ends the load once everything due is sent and answered; returns what was
    /// observed.
    pub fn finish(mut self) -> Result<Observed> {
        self.halt()?;
        let cpu = Duration::from_nanos(self.shared.cpu.load(Ordering::Relaxed));
        self.shared.ledger.close(cpu.as_secs_f64())
    }

    fn halt(&mut self) -> Result<()> {
        self.ended = true;
        self.shared.stop.store(true, Ordering::Relaxed);
        // Writers may still be taken on by the one that keeps the time.
        loop {
            let threads = std::mem::take(&mut self.shared.lock().threads);
            if threads.is_empty() {
                break;
            }
            for thread in threads {
                let joined = thread.join();
                joined.map_err(|_| anyhow!("a thread of the measuring client crashed"))?;
            }
        }
        match self.shared.lock().broken.take() {
            Some(error) => Err(error).context("starting a thread of the measuring client"),
            None => Ok(()),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.ended {
            // After an error nobody asks for the ledger; the threads must end
            // all the same, and at once.
            self.shared.lock().due.clear();
            let _ = self.halt();
        }
    }
}

impl Shared {
    fn url(&self) -> String {
        let url = self.url.read().unwrap_or_else(PoisonError::into_inner);
        url.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that does `job` and then hands in its processor time.
    fn spawn(self: &Arc<Self>, job: fn(&Arc<Self>)) -> Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
            job(&shared);
            shared.cpu.fetch_add(processor_time(), Ordering::Relaxed);
        });
        let thread = thread.context("starting a thread of the measuring client")?;
        self.lock().threads.push(thread);
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
            let mut work = self.lock();
            work.due.push_back((n, due));
            let writers = work.threads.len();
            let short = work.idle < work.due.len() && writers < MOST_UNDER_WAY;
            drop(work);
            self.changed.notify_one();
            if short && let Err(error) = self.spawn(Self::write_what_is_due) {
                let broken = std::io::Error::other(format!("{error:#}"));
                self.lock().broken.get_or_insert(broken);
            }
        }
        self.lock().over = true;
        self.changed.notify_all();
    }

    fn write_what_is_due(self: &Arc<Self>) {
        while let Some((n, due)) = self.next_due() {
            let message = format!("{}-{n}", self.prefix);
            let sent = self.ledger.sent(n, due, &message);
            let outcome = self.write(&message);
            self.ledger.ended(n, message, (due, sent), outcome);
        }
    }

    fn next_due(&self) -> Option<(usize, f64)> {
        let mut work = self.lock();
        loop {
            if let Some(next) = work.due.pop_front() {
                return Some(next);
            }
            if work.over {
                return None;
            }
            work.idle += 1;
            work = self
                .changed
                .wait(work)
                .unwrap_or_else(PoisonError::into_inner);
            work.idle -= 1;
        }
    }

    fn write(&self, message: &str) -> Outcome {
        let answer = match http::get(&self.url(), "/add", &[("message", message)]) {
            Ok(answer) => answer,
            Err(error) => {
                return Outcome::Failed {
                    reason: format!("{error:#}"),
                };
            }
        };
        let id = answer.body["id"].as_i64();
        let timestamp = answer.body["timestamp"].as_str();
        match (answer.ok(), id, timestamp) {
            (true, Some(id), Some(timestamp)) => Outcome::Acknowledged {
                id,
                timestamp: timestamp.to_owned(),
            },
            _ => Outcome::Failed {
                reason: answer.complaint(),
            },
        }
    }

    /// Reads the count and the newest rows, in turns.
    fn read(self: &Arc<Self>) {
        for n in 0.. {
            self.sleep_until(n as f64 / f64::from(self.load.reads));
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let sent = self.ledger.now();
            let seen = if n % 2 == 0 {
                reader::count(&self.url())
            } else {
                reader::newest(&self.url())
            };
            self.ledger.read(sent, seen);
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
