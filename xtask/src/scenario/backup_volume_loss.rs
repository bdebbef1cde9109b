//! Scenario 6: the volume with the restore points and the journal is lost. The
//! database is whole; what has to be rebuilt is its protection.

use anyhow::Result;
use terms::lang::{both, number};
use terms::{ScenarioName, tr};

use crate::context::Context;
use crate::database::{self, Restored, Volume};
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 6,
    name: ScenarioName::BackupVolumeLoss,
    title: both(
        "the volume with the restore points is lost",
        "le volume des points de restauration est perdu",
    ),
    breaks: both(
        "the volume pra-backup is deleted, with all points and the journal",
        "le volume pra-backup est supprimé, avec tous les points et le journal",
    ),
    holds: both(
        "no row is lost, and protection is rebuilt on a new volume",
        "aucune ligne n'est perdue et la protection est reconstruite sur un nouveau volume",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Outage(&DISASTER),
    repair: REPAIR,
};

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: both(
        "application stopped, volume pra-backup deleted",
        "application arrêtée, volume pra-backup supprimé",
    ),
    strike,
    restore: take_new_volume,
    untouched: true,
    heals: false,
    points_lost: 0,
    lesson: |result, _| {
        tr!(
            "The database was whole all along, and yet writes were refused for {seconds} s: with \
             the journal, a write that cannot be protected is not acknowledged. All earlier \
             restore points are gone, and with them every moment that one could have gone back to.",
            "La base de données est restée intacte, et pourtant les écritures ont été refusées \
             pendant {seconds} s : avec le journal, une écriture qui ne peut pas être protégée \
             n'est pas acquittée. Tous les points de restauration antérieurs ont disparu, et avec \
             eux tous les instants auxquels on aurait pu revenir.",
            seconds = number(result.rto.seconds),
        )
    },
};

/// Takes the empty volume, where that had not been done.
const REPAIR: Repair = Repair {
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
