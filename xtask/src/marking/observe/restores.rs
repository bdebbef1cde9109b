//! Scenario 2, a second restore, and one of an older point.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result};
use terms::tr;

use super::database::Rows;
use super::observation::Observation;
use crate::http;
use crate::marking::facts::{Choice, Chosen, JobEnd, LabFacts, Restored, Twice};
use crate::marking::labs::lab::Wish;
use crate::wait;

/// Rows after the newest backup, whose loss shows that the point was really restored.
const AFTER_THE_BACKUP: usize = 10;

impl Observation<'_> {
    /// The volume is lost and restored as the procedure has it, then restored again.
    pub(super) fn lose_and_restore(&mut self, facts: &mut LabFacts) -> Result<()> {
        let listing = self.list()?;
        let sound = |name: &String| self.copies.contains_key(name);
        let copies = listing.files.iter().map(|file| file.name.clone());
        let newest = copies.filter(sound).max_by(|one, other| {
            let born = |name: &String| self.born.get(name).copied().unwrap_or_default();
            born(one).total_cmp(&born(other))
        });
        let newest = newest.context("there is no sound backup to restore")?;
        let expected = self.copies[&newest].messages.clone();
        let url = self.url()?;
        self.ledger.write_some(&url, AFTER_THE_BACKUP);
        let step = self.ui.step(tr!(
            "the volume pra-data is lost, and restored",
            "le volume pra-data est perdu, puis restauré"
        ));
        let start = Instant::now();
        self.lab.lose_data()?;
        self.lab.recreate()?;
        let job = self.lab.restore(&Wish::Latest)?;
        let first = job.clone();
        let mut restored = self.restored(job, &newest, &expected)?;
        restored.seconds = start.elapsed().as_secs_f64();
        step.found(if restored.served { "✓" } else { "✗" });
        facts.loss = Some(restored);

        let step = self.ui.step(tr!(
            "the same restore again",
            "la même restauration, encore"
        ));
        let second = self.lab.restore(&Wish::Again)?;
        step.found(if second.ran { "✓" } else { "✗" });
        facts.twice = Some(Twice {
            procedure: self.lab.procedure(),
            first,
            second,
        });
        Ok(())
    }

    /// What is there after a restore, beside what was meant to be.
    fn restored(
        &mut self,
        job: JobEnd,
        point: &str,
        expected: &BTreeSet<String>,
    ) -> Result<Restored> {
        let served = self.served_rows();
        let rows = self.rows()?;
        let acknowledged = self.ledger.so_far();
        let ours =
            |all: &BTreeSet<String>, other: &BTreeSet<String>| all.difference(other).count() as u64;
        Ok(Restored {
            job,
            point: point.to_owned(),
            expected: expected.len() as u64,
            missing: ours(expected, &rows.messages),
            beyond: ours(&rows.messages, expected),
            served: rows.unsound.is_none() && served == Some(rows.rows),
            lost: ours(&acknowledged, &rows.messages),
            unsound: rows.unsound,
            seconds: 0.0,
        })
    }

    /// The rows that users are told of, once they are told anything.
    fn served_rows(&mut self) -> Option<u64> {
        self.wait_until_served().ok()?;
        let url = self.lab.url().ok()?;
        http::get(&url, "/count", &[]).ok()?.body["count"].as_u64()
    }

    /// An older point than the newest is asked for.
    pub(super) fn choose(&mut self, facts: &mut LabFacts) -> Result<()> {
        let choice = self.lab.choice();
        if let Choice::ByHand { files } = &choice {
            let files = files.join(", ");
            let reason = tr!(
                "{files} chooses the point, and scripts are not run here: choose an older point \
                 with it and compare the rows",
                "{files} choisit le point, et les scripts ne sont pas exécutés ici : choisissez-y \
                 un point plus ancien et comparez les lignes"
            );
            facts.beyond.push(("point-chosen", reason));
        }
        let restored = match &choice {
            Choice::Nothing | Choice::ByHand { .. } => None,
            _ => self.choose_oldest()?,
        };
        facts.chosen = Some(Chosen { choice, restored });
        Ok(())
    }

    fn choose_oldest(&mut self) -> Result<Option<Restored>> {
        let listing = self.list()?;
        let mut sound: Vec<(&String, &Rows)> = self.copies.iter().collect();
        sound.retain(|(name, _)| listing.has(name));
        sound.sort_by_key(|(_, rows)| rows.rows);
        // With fewer rows than the newest, or nothing could be told apart.
        let (Some(oldest), Some(newest)) = (sound.first(), sound.last()) else {
            return Ok(None);
        };
        if oldest.1.rows == newest.1.rows {
            return Ok(None);
        }
        let (point, expected) = (oldest.0.clone(), oldest.1.messages.clone());
        let step = self
            .ui
            .step(tr!("{point} is restored", "{point} est restauré"));
        let mut last = None;
        for written in self.lab.spellings(&point) {
            wait::check_interrupt()?;
            let job = self.lab.restore(&Wish::Point(&written))?;
            let restored = self.restored(job, &point, &expected)?;
            let exact = restored.missing == 0 && restored.beyond == 0 && restored.job.succeeded;
            last = Some(restored);
            if exact {
                break;
            }
        }
        step.found("✓");
        Ok(last)
    }
}
