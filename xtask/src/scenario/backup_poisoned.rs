//! Scenario 5: the newest restore points are damaged, and then the volume with
//! the database is lost.

use anyhow::Result;
use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::context::Context;
use crate::database::{self, Restored};
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::failure::Failure;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 5,
    name: ScenarioName::BackupPoisoned,
    title: both(
        "the newest restore points are damaged, then the volume is lost",
        "les points de restauration les plus récents sont endommagés, puis le volume est perdu",
    ),
    breaks: both(
        "a byte in each of the two newest points, then the volume pra-data",
        "un octet dans chacun des deux points les plus récents, puis le volume pra-data",
    ),
    holds: both(
        "the last good point is found and comes back within the objectives",
        "le dernier point sain est trouvé et restauré dans les limites fixées",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Outage(&DISASTER),
    repair: Repair::WHERE_MISSING,
};

/// How many of the newest points are damaged.
pub const POISONED: usize = 2;

const DISASTER: Disaster = Disaster {
    prepare,
    breaks: both(
        "a byte is changed in each of the two newest points, then pra-data is deleted",
        "un octet est modifié dans chacun des deux points les plus récents, puis pra-data est \
         supprimé",
    ),
    strike,
    restore,
    untouched: false,
    heals: false,
    points_lost: POISONED,
    lesson: |_, report| {
        tr!(
            "Both newest points were found damaged and passed over for {point}. With snapshots \
             alone each of them costs one more interval of the schedule; the journal goes on from \
             the older point as well.",
            "Les deux points les plus récents ont été reconnus comme endommagés et écartés au \
             profit de {point}. Avec les points seuls, chacun d'eux coûte un intervalle de \
             plus du calendrier ; le journal, lui, repart aussi bien du point plus ancien.",
            point = report
                .point
                .as_deref()
                .unwrap_or(both("an older one", "un plus ancien").text()),
        )
    },
};

/// One good point, and those to be damaged.
fn prepare(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    for _ in 0..=POISONED {
        outage::verified_backup(ctx, engine)?;
    }
    Ok(())
}

fn strike(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    damage(engine)?;
    // While replicas run: looking is no part of the outage.
    if !ctx.exec.dry_run() {
        insist_on_damage(engine)?;
    }
    outage::lose_data_volume(ctx, engine)
}

fn damage(engine: &dyn Engine) -> Result<()> {
    // Another point of the schedule would be a third, good one.
    engine.suspend_backups(true)?;
    database::of(engine).damage_newest_points(POISONED)
}

/// Damages the newest points, alone, and leaves the schedule suspended. Not for a dry run.
pub fn poison(engine: &dyn Engine) -> Result<()> {
    damage(engine)?;
    insist_on_damage(engine)
}

/// The disaster has to have happened for its recovery to mean anything.
fn insist_on_damage(engine: &dyn Engine) -> Result<()> {
    let database = database::of(engine);
    let newest = database.points()?.into_iter().take(POISONED);
    for name in newest.map(|point| point.name) {
        if database.is_sound(&name)? {
            let said = tr!(
                "{name} was damaged, and its verification found nothing",
                "{name} a été endommagé, et sa vérification n'a rien trouvé",
            );
            return Err(Failure::promise(said)
                .next("cargo xtask restore --list")
                .into());
        }
    }
    Ok(())
}

fn restore(ctx: &Context, engine: &dyn Engine) -> Result<Option<Restored>> {
    let restored = outage::restore_latest(ctx, engine)?;
    let point = restored.as_ref().and_then(|done| done.point.as_deref());
    let Some(point) = point else {
        return Ok(restored);
    };
    if !database::of(engine).is_sound(point)? {
        let said = tr!(
            "the damaged point {point} was restored",
            "le point endommagé {point} a été restauré",
        );
        return Err(Failure::promise(said).next("cargo xtask undo").into());
    }
    Ok(restored)
}
