//! The embedded store for copies elsewhere, kept running beside the replicas.

use std::time::Duration;

use crate::offsite::store::Wanted;

use super::kept::Kept;
use super::launch::Launch;
use super::shared::Shared;

/// The name of its pod.
pub const NAME: &str = "store";
/// For requests that it answers still: what it has taken is with the system already, and it waits
/// longer than that for nobody.
const GRACE: Duration = Duration::from_secs(3);

pub struct Storing {
    pub wanted: Wanted,
    pub store: Kept,
}

impl Storing {
    pub fn begin(wanted: &Wanted, shared: &Shared) -> Self {
        let launch = Launch {
            cmd: wanted.command(&shared.workspace),
            scratch: Vec::new(),
        };
        Self {
            wanted: wanted.clone(),
            store: Kept::begin(NAME, launch, GRACE, shared),
        }
    }
}
