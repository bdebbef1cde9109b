//! How each scenario is put back that was cut off half-way, as the scenario says.

use anyhow::Result;

use crate::database;
use crate::engine::Engine;
use crate::mark::{Stage, Unfinished};

/// How a scenario is put back that was cut off. Only where it had struck is
/// anything undone or restored.
pub struct Repair {
    /// Its nodes may be stopped, and with them the cluster itself.
    pub stops_nodes: bool,
    /// Undoes what a restore would not, once every replica is ready.
    pub first: fn(&dyn Engine, &Left) -> Result<()>,
    /// What has to be restored then, if anything.
    pub target: fn(&dyn Engine, &Left) -> Result<Option<String>>,
    /// What the recovery does behind its restore: behind that of the run itself,
    /// too, where it was cut off in between.
    pub last: fn(&dyn Engine, &Left) -> Result<()>,
}

/// A scenario as it was left, and where its application is reached.
pub struct Left<'a> {
    pub unfinished: &'a Unfinished,
    pub url: &'a str,
}

impl Repair {
    /// The latest moment, where the database is gone.
    pub const WHERE_MISSING: Self = Self {
        stops_nodes: false,
        first: |_, _| Ok(()),
        target: |engine, left| {
            let state = database::of(engine).state(left.url)?;
            Ok(state.needs_restore.then(latest))
        },
        last: |_, _| Ok(()),
    };

    /// The latest moment, unless the run had restored it: damage may not have
    /// shown yet.
    pub const LATEST: Self = Self {
        target: |engine, left| match left.unfinished.stage {
            Stage::Restored => (Self::WHERE_MISSING.target)(engine, left),
            _ => Ok(Some(latest())),
        },
        ..Self::WHERE_MISSING
    };
}

fn latest() -> String {
    "latest".to_owned()
}
