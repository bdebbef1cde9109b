//! The interface of every database of a lab, however it is protected: its rows, and how
//! it is.

use anyhow::Result;
use terms::Protection;

use super::volume::Volume;
use crate::measure::compare::Rows;

/// What the application says of its data.
pub struct State {
    pub protection: Protection,
    /// There is no database; the application waits for a restore.
    pub needs_restore: bool,
    /// Volumes without room for what comes next.
    pub full: Vec<Volume>,
    /// By how many seconds copies elsewhere are behind; `None` where nothing there leads to the
    /// present, or none are made.
    pub behind: Option<f64>,
    /// Why it could not go on without one of its parts, where it has several.
    pub trouble: Option<String>,
}

pub trait Readable {
    /// Every row, from one consistent read.
    fn dump(&self) -> Result<Rows>;

    /// Asks the application that answers at this URL.
    fn state(&self, url: &str) -> Result<State>;
}
