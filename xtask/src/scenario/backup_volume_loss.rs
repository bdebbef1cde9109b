//! Scenario 6: the volume with the restore points and the journal is lost. The
//! database is whole; what has to be rebuilt is its protection.

use anyhow::Result;

use crate::context::Context;
use crate::database::{self, Restored, Volume};
use crate::engine::Engine;
use crate::measure::result::ScenarioResult;
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: "application stopped, volume pra-backup deleted",
    strike,
    restore: take_new_volume,
    untouched: true,
    points_lost: 0,
    lesson: |result, _| {
        format!(
            "The database was whole all along, and yet writes were refused for {} s: with the \
             journal, a write that cannot be protected is not acknowledged. All earlier restore \
             points are gone, and with them every moment that one could have gone back to.",
            result.rto.seconds
        )
    },
};

/// Takes the empty volume, where that had not been done.
pub const REPAIR: Repair = Repair {
    first: |engine, _| {
        let database = database::of(engine);
        if database.latest_point()?.is_none() {
            // Refused where the volume is not a new one.
            database.take_new_volume()?;
        }
        Ok(())
    },
    ..Repair::WHERE_MISSING
};

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    outage::play(&DISASTER, run, engine)
}

pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::show(&DISASTER, ctx, engine)
}

fn strike(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::stop_everything(ctx, engine)?;
    engine.delete_volume(database::of(engine).claim(Volume::Backup))
}

/// Takes the empty volume that was provisioned, with a first point on it.
fn take_new_volume(ctx: &Context, engine: &dyn Engine) -> Result<Option<Restored>> {
    if !ctx.exec.change("cargo xtask backup --new-volume") {
        return Ok(None);
    }
    let point = database::of(engine).take_new_volume()?;
    Ok(Some(Restored {
        rows: point.rows.unwrap_or_default(),
        point: Some(point.name),
        replayed: 0,
        safety_point: None,
        already: false,
        warnings: Vec::new(),
    }))
}
