//! What can be asked of a lab that is marked.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::marking::facts::{Choice, JobEnd};

/// A file on the backup volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub name: String,
    /// Seconds since 1970, by the clock of the volume's node.
    pub modified: f64,
}

/// The backup volume at one moment.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub files: Vec<Listed>,
    pub now: f64,
}

impl Listing {
    pub fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }

    /// What is there and was not before.
    pub fn beyond(&self, before: &Self) -> Vec<Listed> {
        let new = self.files.iter().filter(|file| !before.has(&file.name));
        new.cloned().collect()
    }
}

/// What is asked of a restore.
#[derive(Clone, Debug)]
pub enum Wish<'a> {
    /// As the procedure has it.
    Latest,
    /// The same once more, with nothing done in between that the procedure has not.
    Again,
    /// A point, written in one of the ways of [`Lab::spellings`].
    Point(&'a str),
}

/// A lab that is watched, and broken, from outside. Everything that is asked of it can
/// be done by hand.
pub trait Lab {
    /// What runs, in words.
    fn place(&self) -> String;

    /// Items that it cannot show, with the reason.
    fn beyond(&self) -> Vec<(&'static str, String)>;

    /// Where users reach the application now.
    fn url(&mut self) -> Result<String>;

    fn schedule(&self) -> Result<String>;

    /// When the job of the schedule began that had a file by this moment, by the clock of
    /// the volume's node; `None` where that is not known.
    fn scheduled_at(&self, had_by: f64) -> Result<Option<f64>>;

    /// Stops the schedule, or lets it go on.
    fn suspend(&self, suspend: bool) -> Result<()>;

    /// Whether the pods of the application mount the backup volume.
    fn mounts_backup(&self) -> Result<bool>;

    /// Whether copies are made with `cp` and the like.
    fn copies_plainly(&self) -> bool;

    /// The databases on the backup volume.
    fn backups(&self) -> Result<Listing>;

    /// A file of the backup volume, copied into this one.
    fn fetch_backup(&self, name: &str, into: &Path) -> Result<()>;

    /// The database with what belongs to it, copied into a folder of this machine.
    fn fetch_database(&self, into: &Path) -> Result<PathBuf>;

    /// Sets the modification time of a file of the backup volume.
    fn set_modified(&self, name: &str, at: f64) -> Result<()>;

    /// Takes a backup as the schedule does, to its end.
    fn run_backup(&self) -> Result<JobEnd>;

    /// Kills one pod of the application.
    fn kill_pod(&self) -> Result<()>;

    /// Stops the application and puts its database out of reach.
    fn hide_database(&self) -> Result<()>;

    /// Undoes [`Lab::hide_database`].
    fn show_database(&self) -> Result<()>;

    /// The second scenario: the volume with the database is gone.
    fn lose_data(&self) -> Result<()>;

    /// What is declared is applied again; returns when the application is ready.
    fn recreate(&self) -> Result<()>;

    fn restore(&self, wish: &Wish) -> Result<JobEnd>;

    fn choice(&self) -> Choice;

    /// What the repository has for running a restore again.
    fn procedure(&self) -> Option<String>;

    /// The ways in which this point may be written.
    fn spellings(&self, point: &str) -> Vec<String>;
}
