//! What scenarios do to the data of a lab and ask of their protection, whatever
//! keeps the data. How that is done, in SQL, files and verbs of the application, is
//! known to each database alone.

mod backups;
mod healing;
mod postgres;
mod readable;
mod seam;
mod sqlite;
mod volume;

use terms::LabName;

use crate::engine::Engine;
pub use backups::{Restored, Setting};
pub use readable::{Readable, State};
pub use seam::Database;
pub use volume::Volume;

/// The database of the lab of the recovery.
///
/// # Panics
/// The engine carries the lab `ha`, whose data have no files, points or restores: whoever
/// asks for these there would change what is not theirs.
pub fn of<'a>(engine: &'a dyn Engine) -> Box<dyn Database + 'a> {
    assert_ne!(engine.lab(), LabName::Ha, "it is read by readable()");
    Box::new(sqlite::Sqlite { engine })
}

/// The database of any lab.
pub fn readable<'a>(engine: &'a dyn Engine) -> Box<dyn Readable + 'a> {
    match engine.lab() {
        LabName::Ha => Box::new(postgres::Postgres { engine }),
        LabName::Pra | LabName::Image => Box::new(sqlite::Sqlite { engine }),
    }
}
