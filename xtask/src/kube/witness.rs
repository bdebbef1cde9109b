//! A witness of a failover: what the operator of the database says of the primary while
//! it lasts, as it says it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use terms::tr;

use super::Kube;
use crate::tools::kube_events::{self, Sighting};
use crate::wait;

/// Looks on until it is asked what it has seen, or dropped.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Sighting>>>,
}

impl Kube {
    /// From now on; the times are the cluster's own.
    pub fn witness(&self) -> Result<Witness> {
        let limit = wait::WITNESS_LOOK;
        let words = kube_events::watch(self.database()?, limit.as_secs());
        let cmd = self.kubectl()?.cmd(words).limit(limit * 2);
        let stop = Arc::new(AtomicBool::new(false));
        let (exec, ended) = (self.ctx.exec.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut seen: Vec<Sighting> = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                // A server that is lost takes a look with it; the next one asks another.
                if let Ok(output) = exec.probe(&cmd) {
                    seen.extend(kube_events::sightings(&output.stdout));
                    seen.dedup();
                }
                thread::sleep(Duration::from_millis(50));
            }
            seen
        });
        Ok(Witness {
            stop,
            thread: Some(thread),
        })
    }
}

impl Witness {
    /// Ends it; what it has seen, in order.
    pub fn tell(mut self) -> Result<Vec<Sighting>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        let told = thread.map(JoinHandle::join).unwrap_or(Ok(Vec::new()));
        told.map_err(|_| {
            anyhow!(tr!(
                "the witness of the failover crashed",
                "le témoin de la bascule a planté"
            ))
        })
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Its last look ends by itself.
        self.stop.store(true, Ordering::Relaxed);
    }
}
