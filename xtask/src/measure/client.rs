//! The measuring client: writes through the same URL as users, at a fixed
//! rate over several connections, whatever happens on the other side.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::http;
use crate::measure::ledger::{Ledger, Outcome, Request};

/// How hard the client writes.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests a second.
    pub rate: u32,
    /// Requests that may be under way at once.
    pub connections: u32,
}

/// A client at work. Dropped, it stops.
pub struct Client {
    ledger: Arc<Ledger>,
    workers: Workers,
}

impl Client {
    /// Starts to write messages `<prefix>-<n>` and to keep the ledger at `path`.
    pub fn start(url: &str, prefix: &str, load: Load, path: &Path) -> Result<Self> {
        let ledger = Arc::new(Ledger::create(path)?);
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicUsize::new(0));
        let handles = (0..load.connections)
            .map(|_| {
                let worker = Worker {
                    url: url.to_owned(),
                    prefix: prefix.to_owned(),
                    rate: load.rate,
                    ledger: Arc::clone(&ledger),
                    stop: Arc::clone(&stop),
                    next: Arc::clone(&next),
                };
                std::thread::spawn(move || worker.run())
            })
            .collect();
        Ok(Self {
            ledger,
            workers: Workers { stop, handles },
        })
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Ends the load after the requests under way; returns all of them.
    pub fn finish(mut self) -> Result<Vec<Request>> {
        self.workers.halt()?;
        Arc::into_inner(self.ledger)
            .ok_or_else(|| anyhow!("the ledger is still in use"))?
            .close()
    }
}

/// The client's threads.
struct Workers {
    stop: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Workers {
    fn halt(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for handle in self.handles.drain(..) {
            handle
                .join()
                .map_err(|_| anyhow!("a connection of the measuring client crashed"))?;
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // After an error nobody asks for the ledger; the threads must end all
        // the same.
        let _ = self.halt();
    }
}

struct Worker {
    url: String,
    prefix: String,
    rate: u32,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
}

impl Worker {
    /// Takes the next request that is due, whoever is free first.
    fn run(self) {
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let due = n as f64 / f64::from(self.rate);
            let early = due - self.ledger.now();
            if early > 0.0 {
                std::thread::sleep(Duration::from_secs_f64(early));
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let message = format!("{}-{n}", self.prefix);
            let sent = self.ledger.sent(n, &message);
            let outcome = self.write(&message);
            self.ledger.ended(n, message, sent, outcome);
        }
    }

    fn write(&self, message: &str) -> Outcome {
        let answer = match http::get(&self.url, "/add", &[("message", message)]) {
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
}
