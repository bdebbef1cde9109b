//! What scenarios do to the data of a lab and ask of their protection, whatever
//! keeps the data. How that is done, in SQL, files and verbs of the application, is
//! known to each database alone.

mod backups;
mod seam;
mod sqlite;
mod volume;

use crate::engine::Engine;
pub use backups::{Restored, Setting, State};
pub use seam::Database;
pub use volume::Volume;

/// The database of a lab.
pub fn of<'a>(engine: &'a dyn Engine) -> Box<dyn Database + 'a> {
    Box::new(sqlite::Sqlite { engine })
}
