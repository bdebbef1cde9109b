//! What copies a lab to another place by itself, as every engine reports it. Data alone.

use serde::{Deserialize, Serialize};

/// What makes copies all the time.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Shipping {
    /// Where they go, as the settings name it; there is no secret in it.
    pub place: String,
    pub running: bool,
    /// Why it does not run, where that is known.
    pub trouble: Option<String>,
}
