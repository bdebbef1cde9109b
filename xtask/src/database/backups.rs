//! The interface of whatever protects a database: its restore points, and the ways
//! back to a moment.

use anyhow::Result;
use terms::Protection;

pub use crate::app::{Point, Restored};

/// A setting of the pods.
pub struct Setting {
    pub key: &'static str,
    /// As YAML writes it.
    pub value: &'static str,
}

/// Changes are shown as shell and not made in a dry run, which returns `None` where
/// something is returned.
pub trait Backups {
    /// Every restore point, the newest first.
    fn points(&self) -> Result<Vec<Point>>;

    /// The name of the latest verified one.
    fn latest_point(&self) -> Result<Option<String>>;

    /// Whether a point is sound, after all of it was read.
    fn is_sound(&self, point: &str) -> Result<bool>;

    /// Takes a point by a job, as the schedule does.
    fn back_up(&self) -> Result<Option<Point>>;

    /// Takes a point in a replica: where that fails, nothing tries it again.
    /// Not for a dry run.
    fn back_up_once(&self) -> Result<()>;

    /// Takes an empty backup volume in the place of one that was lost, with a first
    /// point on it. Not for a dry run.
    ///
    /// # Errors
    /// The volume is not a new one.
    fn take_new_volume(&self) -> Result<Point>;

    /// Restores a target: a point's name, `latest`, or what
    /// [`Backups::before_deletion`] says.
    fn restore(&self, target: &str) -> Result<Option<Restored>>;

    /// What came of the restore that the servers behind a URL do by themselves; `None`
    /// until it is done.
    ///
    /// # Errors
    /// They say that they do not.
    fn healed(&self, url: &str) -> Result<Option<Restored>>;

    /// # Errors
    /// The servers behind a URL protect what they acknowledge too little to be left to
    /// restore it by themselves.
    fn insist_on_healing(&self, url: &str) -> Result<()>;

    /// The setting that has them do so.
    fn healing_setting(&self) -> Setting;

    /// The job that a restore runs as.
    fn restore_job(&self) -> &'static str;

    /// What to restore for the moment just before the transaction that touched most
    /// rows; since an RFC 3339 moment (UTC), most of those that deleted any. `None`
    /// where it deleted none.
    fn before_deletion(&self, since: Option<&str>) -> Result<Option<String>>;

    /// In a dry run alone: shows how a shell finds what [`Backups::before_deletion`]
    /// says, or the latest point where there is no journal, and returns the variable
    /// that it is kept in.
    fn show_before_deletion(&self) -> Result<String>;

    /// The newest point that a restore has kept of what was there before it, since an
    /// RFC 3339 moment (UTC).
    fn kept_by_restore(&self, since: &str) -> Result<Option<String>>;

    /// The same as [`Backups::show_before_deletion`] for what
    /// [`Backups::kept_by_restore`] says of the last restore.
    fn show_kept_by_restore(&self) -> Result<String>;

    /// Sees the next write protected. Returns why there was nothing to see, where the
    /// settings want it so.
    ///
    /// # Errors
    /// It would be refused, or not be protected.
    fn prove(&self) -> Result<Option<String>>;

    /// The setting that asks for a protection.
    fn protection_setting(&self, protection: Protection) -> Setting;
}
