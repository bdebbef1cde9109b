//! Scenario 3: a disk, or a stray program, writes into the database's file.

use anyhow::Result;

use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::measure::result::ScenarioResult;
use crate::scenario::outage::{self, Disaster};
use crate::scenario::run::Run;

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: "the pages of the database are overwritten in place",
    strike,
    restore: outage::restore_latest,
    untouched: false,
    points_lost: 0,
    lesson: |_, report| {
        format!(
            "The damaged file was replaced while the application ran, and kept as {}. A copy of \
             the volume made meanwhile would have held the damage too: it is the check of every \
             point that tells a backup from a copy.",
            report.safety_point.as_deref().unwrap_or("a safety point")
        )
    },
};

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    outage::play(&DISASTER, run, engine)
}

pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::show(&DISASTER, ctx, engine)
}

fn strike(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    database::of(engine).corrupt()
}
