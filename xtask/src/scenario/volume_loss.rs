//! Scenario 2, PRA: the volume with the database is deleted, and the lab comes
//! back from its restore points.

use anyhow::Result;

use crate::context::Context;
use crate::engine::Engine;
use crate::measure::result::ScenarioResult;
use crate::scenario::outage::{self, Disaster};
use crate::scenario::run::Run;

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: "application stopped, volume pra-data deleted",
    strike: outage::lose_data_volume,
    restore: outage::restore_latest,
    untouched: false,
    points_lost: 0,
    lesson: |_, report| {
        format!(
            "The volume with the database was deleted; {} rows came back from pra-backup, which \
             is a volume of its own for this reason.",
            report.rows
        )
    },
};

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    outage::play(&DISASTER, run, engine)
}

pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::show(&DISASTER, ctx, engine)
}
