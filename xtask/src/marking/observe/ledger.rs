//! Writes through the application's URL, and what it acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::http;

/// Writes a second while copies are taken: a copy meets several of them.
const RATE: f64 = 20.0;

/// An acknowledged row, and when that was by this machine's clock.
#[derive(Clone, Debug)]
struct Acknowledged {
    message: String,
    at: f64,
}

/// Every row that was sent and acknowledged, told apart from all others by its message.
pub struct Ledger {
    nonce: String,
    next: AtomicU64,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            nonce: format!("{:08x}", fastrand::u32(..)),
            next: AtomicU64::default(),
            acknowledged: Mutex::default(),
        }
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

impl Ledger {
    fn all(&self) -> MutexGuard<'_, Vec<Acknowledged>> {
        let all = self.acknowledged.lock();
        all.unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one; `None` where it was not acknowledged.
    pub fn write(&self, url: &str) -> Option<String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let message = format!("check-{}-{number}", self.nonce);
        let answer = http::get(url, "/add", &[("message", &message)]).ok()?;
        let said = answer.body["status"] == "added" || answer.body["message"] == message.as_str();
        if !answer.ok() || !said {
            return None;
        }
        let at = now();
        self.all().push(Acknowledged {
            message: message.clone(),
            at,
        });
        Some(message)
    }

    /// Writes so many; how many were acknowledged.
    pub fn write_some(&self, url: &str, count: usize) -> usize {
        (0..count).filter_map(|_| self.write(url)).count()
    }

    /// What was acknowledged up to a moment.
    pub fn until(&self, moment: f64) -> BTreeSet<String> {
        let all = self.all();
        let before = all.iter().filter(|one| one.at <= moment);
        before.map(|one| one.message.clone()).collect()
    }

    pub fn so_far(&self) -> BTreeSet<String> {
        self.until(f64::INFINITY)
    }

    /// Writes steadily as long as `work` goes on; returns what that returned, and the
    /// acknowledged writes a second.
    pub fn under_load<T>(&self, url: &str, work: impl FnOnce() -> Result<T>) -> (Result<T>, f64) {
        let stop = AtomicBool::new(false);
        let (before, start) = (self.all().len(), Instant::now());
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    self.write(url);
                    std::thread::sleep(Duration::from_secs_f64(1.0 / RATE));
                }
            });
            let done = work();
            stop.store(true, Ordering::Relaxed);
            done
        });
        let written = self.all().len() - before;
        (
            done,
            written as f64 / start.elapsed().as_secs_f64().max(0.001),
        )
    }
}
