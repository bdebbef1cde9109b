//! Backups while users write, and one whose database is out of reach.

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
/// How long before its modification time a copy may have begun.
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
        let taken = taken.and_then(|()| self.examine(&mut backups));
        facts.backups = Some(backups);
        taken
    }

    fn take(&mut self, ledger: &Ledger, backups: &mut BackupFacts) -> Result<()> {
        self.await_schedule(backups)?;
        self.lab.suspend(true)?;
        for _ in 0..ON_PURPOSE {
            let step = self
                .ui
                .step(tr!("a backup under load", "une sauvegarde sous charge"));
            // A name by the second: two of one second would be one file.
            let before = self.list()?;
            self.outlive_the_second(&before)?;
            let acknowledged = ledger.so_far().len() as u64;
            let job = self.lab.run_backup()?;
            let new = self.list()?.beyond(&before);
            step.found(if job.succeeded { "✓" } else { "✗" });
            let file = new.last().map(|file| file.name.clone());
            backups.copies.push(CopyFacts {
                unsound: file.is_none().then_some(job.said),
                file: file.unwrap_or_else(|| "–".to_owned()),
                // Counted against what the copy holds, once it is read.
                missing: acknowledged,
                ..CopyFacts::default()
            });
        }
        Ok(())
    }

    fn await_schedule(&mut self, backups: &mut BackupFacts) -> Result<()> {
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
                backups.copies.push(CopyFacts {
                    file: file.name,
                    by_schedule: true,
                    ..CopyFacts::default()
                });
            }
            Err(error) => {
                wait::check_interrupt()?;
                step.found(format!("{error}"));
                backups.waited = Some(seconds);
            }
        }
        Ok(())
    }

    /// Until the clock of the volume shows another second than its newest file.
    fn outlive_the_second(&mut self, before: &Listing) -> Result<()> {
        let newest = self.newest(before).map_or(0.0, |(_, born)| born);
        wait::until(wait::NEXT_SECOND, || {
            let now = self.lab.backups()?.now;
            Ok((now.floor() > newest.floor() + 1.0).then_some(()))
        })
    }

    /// What each copy holds, beside what had been acknowledged before it.
    fn examine(&mut self, backups: &mut BackupFacts) -> Result<()> {
        for copy in &mut backups.copies {
            if copy.unsound.is_some() {
                copy.missing = 0;
                continue;
            }
            let rows = self.copy(&copy.file).unwrap_or_else(|error| Rows {
                unsound: Some(format!("{error:#}")),
                ..Rows::default()
            });
            wait::check_interrupt()?;
            let expected = match copy.by_schedule {
                true => {
                    let born = self.born.get(&copy.file).copied();
                    self.ledger.until(born.unwrap_or_default() - COPYING)
                }
                false => {
                    let all = self.ledger.in_order();
                    all.into_iter().take(copy.missing as usize).collect()
                }
            };
            copy.unsound = rows.unsound;
            copy.rows = rows.rows;
            copy.missing = match copy.unsound {
                Some(_) => 0,
                None => expected.difference(&rows.messages).count() as u64,
            };
        }
        Ok(())
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
