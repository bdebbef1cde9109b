//! What scenarios do to the data of a lab and ask of them, whatever keeps the data.
//! How that is done, in SQL and files, is known to each database alone.

mod seam;
mod sqlite;

use crate::engine::Engine;
pub use seam::{Database, Volume};

/// The database of a lab.
pub fn of(engine: &dyn Engine) -> impl Database + '_ {
    sqlite::Sqlite { engine }
}
