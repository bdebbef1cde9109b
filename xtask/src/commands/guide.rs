//! `guide`: what keeps the French guide true. Its figures come from committed
//! measurements, its screenshots from a browser.

mod collect;
mod committed;
mod figures;
mod original;
mod screenshots;
mod tables;

use anyhow::Result;

use crate::cli::GuideAction;
use crate::context::Context;

pub fn run(ctx: &Context, action: &GuideAction) -> Result<()> {
    match action {
        GuideAction::Figures { check } => figures::run(ctx, *check),
        GuideAction::Collect { runs } => collect::run(ctx, runs),
        GuideAction::Original { runs, seed } => original::run(ctx, *runs, *seed),
        GuideAction::Screenshots => screenshots::run(ctx),
    }
}
