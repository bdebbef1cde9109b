//! What an attack took, as the scripts that stand for it say it and as the result keeps it.

use serde::{Deserialize, Serialize};

/// An attack on a lab and on its copies elsewhere.
#[derive(Clone, Debug, Serialize)]
pub struct Attack {
    pub volumes: Encrypted,
    pub copies: Emptied,
}

/// What was made unreadable on both volumes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Encrypted {
    pub files: u64,
    pub bytes: u64,
    /// Restore points that were deleted then.
    pub points: u64,
}

/// What became of the copies of one lab in a bucket.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Emptied {
    /// How many there were, by their names.
    pub objects: u64,
    /// Of these: garbage is in their place.
    pub overwritten: u64,
    /// Of these: their names are gone.
    pub removed: u64,
    /// How many names the bucket shows in the end.
    pub listed: u64,
    pub versions: u64,
    pub versions_removed: u64,
    /// Those that the store kept, whatever was tried.
    pub versions_refused: u64,
    /// Rules of the whole bucket that could be weakened; they were put back.
    pub rules_changed: u64,
    pub rules_refused: u64,
}
