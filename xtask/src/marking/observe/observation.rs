//! An observation under way: the lab, what was written to it, and what was copied from
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::database::{Reader, Rows};
use super::ledger::Ledger;
use crate::marking::labs::lab::{Lab, Listing};
use crate::ui::Ui;

/// One observation under way.
pub struct Observation<'a> {
    pub(super) lab: &'a mut dyn Lab,
    pub(super) ui: &'a Ui,
    reader: Reader<'a>,
    /// A folder of ours, for what is copied from the lab.
    scratch: PathBuf,
    pub(super) ledger: Ledger,
    /// When each backup was made: its modification time when it was first seen, before
    /// anybody changed it.
    pub(super) born: BTreeMap<String, f64>,
    /// How long the jobs of those took that were asked for.
    pub(super) took: BTreeMap<String, f64>,
    /// What the sound copies hold.
    pub(super) copies: BTreeMap<String, Rows>,
    serial: u32,
}

impl<'a> Observation<'a> {
    pub fn of(lab: &'a mut dyn Lab, ui: &'a Ui, reader: Reader<'a>, scratch: &Path) -> Self {
        Self {
            lab,
            ui,
            reader,
            scratch: scratch.to_path_buf(),
            ledger: Ledger::default(),
            born: BTreeMap::new(),
            took: BTreeMap::new(),
            copies: BTreeMap::new(),
            serial: 0,
        }
    }
}

impl Observation<'_> {
    pub(super) fn url(&mut self) -> Result<String> {
        self.lab.url().context("reaching the application")
    }

    /// The backups now; new ones are noted with their time of birth.
    pub(super) fn list(&mut self) -> Result<Listing> {
        let listing = self.lab.backups().context("listing the backups")?;
        for file in &listing.files {
            let born = self.born.entry(file.name.clone());
            born.or_insert(file.modified);
        }
        Ok(listing)
    }

    /// The newest of the backups that are there, by their time of birth.
    pub(super) fn newest(&self, listing: &Listing) -> Option<(String, f64)> {
        let born = listing.files.iter().filter_map(|file| {
            let born = self.born.get(&file.name)?;
            Some((file.name.clone(), *born))
        });
        born.max_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// What the database of the application holds.
    pub(super) fn rows(&mut self) -> Result<Rows> {
        let folder = self.folder()?;
        let file = self.lab.fetch_database(&folder);
        let rows = match file {
            Ok(file) => self.reader.read(&file)?,
            Err(error) => Rows {
                unsound: Some(format!("{error:#}").chars().take(200).collect()),
                ..Rows::default()
            },
        };
        std::fs::remove_dir_all(&folder).context("removing a copy of the database")?;
        Ok(rows)
    }

    /// What a backup holds.
    pub(super) fn copy(&mut self, name: &str) -> Result<Rows> {
        let folder = self.folder()?;
        let file = folder.join("copy.db");
        self.lab
            .fetch_backup(name, &file)
            .context("fetching a backup")?;
        let rows = self.reader.read(&file)?;
        std::fs::remove_dir_all(&folder).context("removing a copy of a backup")?;
        if rows.unsound.is_none() {
            self.copies.insert(name.to_owned(), rows.clone());
        }
        Ok(rows)
    }

    fn folder(&mut self) -> Result<PathBuf> {
        self.serial += 1;
        let folder = self.scratch.join(format!("copy-{}", self.serial));
        std::fs::create_dir_all(&folder).context("making a folder for a copy")?;
        Ok(folder)
    }
}
