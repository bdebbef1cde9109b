//! Backups while users write, and one whose database is out of reach.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use terms::tr;

use super::database::Rows;
use super::ledger::Ledger;
use super::observation::Observation;
use crate::marking::facts::{BackupFacts, BrokenSource, CopyFacts, LabFacts};
use crate::marking::labs::lab::Listing;
use crate::wait;

/// Copies beyond the schedule's own: a torn one is a matter of luck.
const ON_PURPOSE: usize = 3;
/// How long before its modification time a copy may have begun, where no job tells.
const COPYING: f64 = 3.0;

impl Observation<'_> {
    /// One by the schedule and some on purpose, under load; the schedule is suspended
    /// after it.
    pub(super) fn backups(&mut self, facts: &mut LabFacts) -> Result<()> {
        let mut backups = BackupFacts {
            schedule: self.lab.schedule()?,
            plain_copy: self.lab.copies_plainly(),
            ..BackupFacts::default()
        };
        let url = self.url()?;
        self.ledger.write_some(&url, 10);
        let ledger = std::mem::take(&mut self.ledger);
        let (taken, load) = ledger.under_load(&url, || self.take(&ledger, &mut backups));
        self.ledger = ledger;
        backups.load = load;
        facts.backups = Some(backups);
        taken
    }

    /// Each copy is read as soon as it is there: the next one may be the one that has it
    /// pruned.
    fn take(&mut self, ledger: &Ledger, backups: &mut BackupFacts) -> Result<()> {
        let scheduled = self.await_schedule(backups)?;
        // Its job is over then, and the copy whole.
        self.lab.suspend(true)?;
        if let Some(file) = scheduled {
            let born = self.born.get(&file).copied().unwrap_or_default();
            let begun = self.lab.scheduled_at(born)?;
            let expected = ledger.until(begun.unwrap_or(born - COPYING));
            let copy = self.examine(&file, &expected)?;
            backups.copies.push(CopyFacts {
                by_schedule: true,
                ..copy
            });
        }
        for _ in 0..ON_PURPOSE {
            let step = self
                .ui
                .step(tr!("a backup under load", "une sauvegarde sous charge"));
            // A name by the second: two of one second would be one file.
            let before = self.list()?;
            self.outlive_the_second(&before)?;
            let acknowledged = ledger.so_far();
            let job = self.lab.run_backup()?;
            let new = self.list()?.beyond(&before);
            step.found(if job.succeeded { "✓" } else { "✗" });
            backups.copies.push(match new.last() {
                Some(file) => {
                    self.took.insert(file.name.clone(), job.seconds);
                    self.examine(&file.name, &acknowledged)?
                }
                None => CopyFacts {
                    file: "–".to_owned(),
                    unsound: Some(job.said),
                    ..CopyFacts::default()
                },
            });
        }
        Ok(())
    }

    fn await_schedule(&mut self, backups: &mut BackupFacts) -> Result<Option<String>> {
        let step = self.ui.step(tr!(
            "a backup by the schedule itself",
            "une sauvegarde par la planification elle-même"
        ));
        let (before, start) = (self.list()?, Instant::now());
        let found = wait::until(wait::SCHEDULED_BACKUP, || {
            Ok(self.list()?.beyond(&before).pop())
        });
        let seconds = start.elapsed().as_secs_f64();
        match found {
            Ok(file) => {
                step.found(file.name.clone());
                backups.first_after = Some(seconds);
                Ok(Some(file.name))
            }
            Err(error) => {
                wait::check_interrupt()?;
                step.found(format!("{error}"));
                backups.waited = Some(seconds);
                Ok(None)
            }
        }
    }

    /// Until the clock of the volume shows another second than its newest file.
    fn outlive_the_second(&mut self, before: &Listing) -> Result<()> {
        let newest = self.newest(before).map_or(0.0, |(_, born)| born);
        wait::until(wait::NEXT_SECOND, || {
            let now = self.lab.backups()?.now;
            Ok((now.floor() > newest.floor() + 1.0).then_some(()))
        })
    }

    /// What a copy holds, beside what had been acknowledged before it.
    fn examine(&mut self, file: &str, expected: &BTreeSet<String>) -> Result<CopyFacts> {
        let rows = self.copy(file).unwrap_or_else(|error| Rows {
            unsound: Some(format!("{error:#}")),
            ..Rows::default()
        });
        wait::check_interrupt()?;
        let missing = match rows.unsound {
            Some(_) => 0,
            None => expected.difference(&rows.messages).count() as u64,
        };
        Ok(CopyFacts {
            file: file.to_owned(),
            unsound: rows.unsound,
            rows: rows.rows,
            missing,
            ..CopyFacts::default()
        })
    }

    /// The database is put out of reach of the backup.
    pub(super) fn break_source(&mut self, facts: &mut LabFacts) -> Result<()> {
        let step = self.ui.step(tr!(
            "a backup whose database is out of reach",
            "une sauvegarde dont la base est hors de portée"
        ));
        let before = self.list()?;
        self.outlive_the_second(&before)?;
        self.lab.hide_database()?;
        let job = self.lab.run_backup();
        self.lab.show_database()?;
        let job = job?;
        let new = self.lab.backups()?.beyond(&before).pop();
        step.found(if job.succeeded { "✗" } else { "✓" });
        facts.broken_source = Some(BrokenSource {
            job,
            new_file: new.map(|file| file.name),
        });
        self.wait_until_served()?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "backups_tests.rs"]
mod tests;
