//! The interface of a database whose files are on volumes, and that is brought back from
//! restore points.

use anyhow::Result;

use super::backups::Backups;
use super::readable::Readable;
use super::volume::Volume;
use crate::measure::attack::Encrypted;
use crate::measure::compare::Rows;

/// What came of a change that somebody tries past the application.
pub struct Foreign {
    /// What the database answered.
    pub said: String,
    /// The database itself refused it.
    pub refused: bool,
}

/// Changes are shown as shell and not made in a dry run, which returns `None` where
/// something is returned.
pub trait Database: Backups + Readable {
    /// Every row of a restore point.
    fn dump_point(&self, name: &str) -> Result<Rows>;

    /// Overwrites what is stored, in place, while the application runs.
    fn corrupt(&self) -> Result<()>;

    /// Makes everything on both volumes unreadable, for whoever has them.
    fn encrypt_all(&self) -> Result<Option<Encrypted>>;

    /// Deletes every row through the application's own way of writing.
    fn delete_all(&self) -> Result<()>;

    /// Tries to delete every row past the application.
    fn delete_all_from_outside(&self) -> Result<Option<Foreign>>;

    /// Deletes every row past the application, by who removes first what guards
    /// against that.
    fn delete_all_without_guards(&self) -> Result<()>;

    /// Writes the rows anew that a point has and the database lacks, under the ids
    /// and times that were acknowledged.
    fn bring_back(&self, point: &str) -> Result<()>;

    /// Changes a byte in each of so many of the newest restore points.
    fn damage_newest_points(&self, count: usize) -> Result<()>;

    /// Leaves no room on a volume.
    fn fill(&self, volume: Volume) -> Result<()>;

    /// Takes away what [`Database::fill`] left there, if anything.
    fn make_room(&self, volume: Volume) -> Result<()>;

    /// The claim of a volume.
    fn claim(&self, volume: Volume) -> &'static str;

    /// The setting that states how large a volume is.
    fn size_setting(&self, volume: Volume) -> String;
}
