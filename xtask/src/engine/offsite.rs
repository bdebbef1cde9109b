//! The embedded store for copies elsewhere, as an engine lets this machine reach it.

use crate::exec::Tied;
use crate::offsite::store::Store;

/// A store that runs at least as long as this is held.
pub struct Running {
    pub store: Store,
    /// Where nothing else runs it.
    pub process: Option<Tied>,
}
