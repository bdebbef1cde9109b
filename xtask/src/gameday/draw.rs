//! Which disaster a game day has: drawn by lot from those that its level and the engine
//! allow.

use anyhow::Result;
use terms::{EngineName, FaultName, tr};

use super::faults;
use crate::failure::Failure;

pub const LEVELS: std::ops::RangeInclusive<u8> = 1..=3;

use FaultName::{
    BackupFull, BackupPoisoned, BackupVolumeLoss, BadDelete, DataFull, DatabaseCorrupt,
    ForeignDelete, NodeLoss, Stopped, VolumeLoss,
};

/// One fault.
const SINGLE: &[&[FaultName]] = &[
    &[Stopped],
    &[VolumeLoss],
    &[DatabaseCorrupt],
    &[BadDelete],
    &[ForeignDelete],
    &[BackupVolumeLoss],
    &[DataFull],
    &[NodeLoss],
];

/// Two at once, of which one hides the other, or is in the way of its recovery.
const TWO: &[&[FaultName]] = &[
    &[BackupFull, VolumeLoss],
    &[BackupFull, DatabaseCorrupt],
    &[BadDelete, DataFull],
    &[BadDelete, Stopped],
    &[DatabaseCorrupt, Stopped],
    &[ForeignDelete, Stopped],
    &[DatabaseCorrupt, NodeLoss],
];

/// One fault, and the newest restore points will not do.
const POISONED: &[&[FaultName]] = &[
    &[BackupPoisoned, VolumeLoss],
    &[BackupPoisoned, DatabaseCorrupt],
    &[BackupPoisoned, ForeignDelete],
];

/// What a level can bring on an engine.
fn possible(level: u8, engine: EngineName) -> Vec<&'static [FaultName]> {
    let all = match level {
        1 => SINGLE,
        2 => TWO,
        _ => POISONED,
    };
    let possible = |names: &&&[FaultName]| {
        let mut names = names.iter();
        names.all(|name| faults::of(*name).is_possible_on(engine))
    };
    all.iter().filter(possible).copied().collect()
}

/// Draws by lot: the same seed draws the same.
pub fn draw(level: u8, engine: EngineName, seed: u64) -> Vec<FaultName> {
    let possible = possible(level, engine);
    let drawn = fastrand::Rng::with_seed(seed).usize(..possible.len());
    possible[drawn].to_vec()
}

/// What a teacher has chosen; returns the level that this amounts to.
///
/// # Errors
/// The engine cannot have it, or these do not go together.
pub fn chosen(faults: &[FaultName], engine: EngineName) -> Result<u8> {
    let mut asked = faults.to_vec();
    asked.sort_unstable();
    asked.dedup();
    for level in LEVELS {
        let same = |names: &&[FaultName]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names == asked
        };
        if possible(level, engine).iter().any(same) {
            return Ok(level);
        }
    }
    let words = |names: &[FaultName]| {
        let words: Vec<&str> = names.iter().map(|name| name.word()).collect();
        words.join(",")
    };
    let all = LEVELS.flat_map(|level| possible(level, engine));
    let all: Vec<String> = all.map(words).collect();
    let said = tr!(
        "there is no game day with {asked} on {engine}; there is: {all}",
        "il n'y a pas de game day avec {asked} sur {engine} ; il y a : {all}",
        asked = words(faults),
        all = all.join(" · ")
    );
    Err(Failure::usage(said)
        .next("cargo xtask gameday --fault volume-loss")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_seed_draws_what_the_level_and_the_engine_allow_and_each_comes_up() {
        for engine in EngineName::ALL {
            for level in LEVELS {
                let possible: BTreeSet<Vec<FaultName>> = possible(level, *engine)
                    .into_iter()
                    .map(<[FaultName]>::to_vec)
                    .collect();
                let drawn: BTreeSet<Vec<FaultName>> =
                    (0..500).map(|seed| draw(level, *engine, seed)).collect();
                assert_eq!(drawn, possible, "level {level} on {engine}");
                let node = drawn.iter().flatten().any(|one| *one == NodeLoss);
                assert!(!node || *engine == EngineName::K3d);
            }
        }
        assert_eq!(draw(2, EngineName::Local, 5), draw(2, EngineName::Local, 5));
    }

    #[test]
    fn the_levels_are_one_fault_two_and_a_poisoned_backup() {
        assert!(SINGLE.iter().all(|one| one.len() == 1));
        assert!(TWO.iter().all(|two| two.len() == 2));
        let poisoned = |names: &&[FaultName]| names.contains(&BackupPoisoned);
        assert!(POISONED.iter().all(poisoned) && !TWO.iter().any(poisoned));
    }

    #[test]
    fn a_teacher_chooses_what_there_is_in_any_order() {
        let level = |faults: &[FaultName]| chosen(faults, EngineName::Local);
        assert_eq!(level(&[BadDelete]).unwrap(), 1);
        assert_eq!(level(&[Stopped, DatabaseCorrupt]).unwrap(), 2);
        assert_eq!(level(&[VolumeLoss, BackupPoisoned]).unwrap(), 3);
        // With both volumes gone nothing would be left to recover from.
        for refused in [&[VolumeLoss, BackupVolumeLoss][..], &[NodeLoss], &[]] {
            let error = level(refused).unwrap_err();
            assert!(error.to_string().contains("volume-loss"), "{error}");
        }
    }
}
