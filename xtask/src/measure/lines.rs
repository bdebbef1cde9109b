//! The connections of a measuring client: each request takes one and gives it back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::http;

/// As many as the load asks for go round in turn, so that all of them, and with them all
/// replicas, are used alike; what more is opened while answers are slow is closed after its
/// request.
pub struct Lines {
    idle: Mutex<VecDeque<http::Client>>,
    most: usize,
    /// Connections are kept from one request to the next.
    keeps: bool,
    opened: AtomicU64,
    served: AtomicU64,
}

impl Lines {
    pub fn new(most: u32, keeps: bool) -> Self {
        let all = (0..most).map(|_| http::Client::new(keeps));
        Self {
            idle: Mutex::new(all.collect()),
            most: most as usize,
            keeps,
            opened: AtomicU64::new(0),
            served: AtomicU64::new(0),
        }
    }

    /// Makes one request.
    pub fn with<T>(&self, request: impl FnOnce(&http::Client) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let client = idle().pop_front();
        let client = client.unwrap_or_else(|| http::Client::new(self.keeps));
        let (opened, served) = (client.opened(), client.served());
        let came = request(&client);
        for (all, more) in [
            (&self.opened, client.opened() - opened),
            (&self.served, client.served() - served),
        ] {
            all.fetch_add(more, Ordering::Relaxed);
        }
        let mut idle = idle();
        if idle.len() < self.most {
            idle.push_back(client);
        }
        came
    }

    /// How many connections were opened so far, and on how many of them no answer came.
    pub fn opened(&self) -> (u64, u64) {
        let opened = self.opened.load(Ordering::Relaxed);
        let served = self.served.load(Ordering::Relaxed);
        (opened, opened.saturating_sub(served))
    }
}
