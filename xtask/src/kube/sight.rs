//! What an account may look at beyond its namespace, as far as that was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Volumes belong to no namespace: whether this account may look at them.
#[derive(Clone, Debug, Default)]
pub struct Sight(Arc<AtomicBool>);

impl Sight {
    pub fn has_no_volumes(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
