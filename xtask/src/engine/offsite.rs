//! The embedded store for copies elsewhere, as an engine lets this machine reach it.

use crate::offsite::store::Store;

/// A store that runs at least as long as this is held.
pub struct Running {
    pub store: Store,
    /// Ends it, where it runs for who asked alone.
    pub end: Option<Box<dyn FnOnce()>>,
}
