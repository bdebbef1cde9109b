//! The repair of an interrupted scenario, which each scenario states.

use anyhow::Result;

use crate::database;
use crate::engine::Engine;
use crate::marker::{Stage, Unfinished};

/// The steps of a repair. Nothing is undone or restored unless the disaster had begun.
pub struct Repair {
    /// Its nodes may be stopped, and with them the cluster itself.
    pub stops_nodes: bool,
    /// What it breaks is of no use any more: the lab is removed, and built anew around its copy.
    pub spoils: bool,
    /// The first step, once every replica is ready: undoes what a restore does not.
    pub first: fn(&dyn Engine, &Interrupted) -> Result<()>,
    /// What has to be restored then, if anything.
    pub target: fn(&dyn Engine, &Interrupted) -> Result<Option<String>>,
    /// The last step: what the recovery does after its restore, whether that was the
    /// run's or the repair's.
    pub last: fn(&dyn Engine, &Interrupted) -> Result<()>,
}

/// An interrupted scenario, and the URL of its application.
pub struct Interrupted<'a> {
    pub unfinished: &'a Unfinished,
    pub url: &'a str,
}

impl Repair {
    /// The latest moment, where the database is gone.
    pub const WHERE_MISSING: Self = Self {
        stops_nodes: false,
        spoils: false,
        first: |_, _| Ok(()),
        target: |engine, left| {
            let state = database::of(engine).state(left.url)?;
            Ok(state.needs_restore.then(latest))
        },
        last: |_, _| Ok(()),
    };

    /// Nothing: the cluster does it.
    pub const BY_ITSELF: Self = Self {
        stops_nodes: false,
        spoils: false,
        first: |_, _| Ok(()),
        target: |_, _| Ok(None),
        last: |_, _| Ok(()),
    };

    /// The same once its nodes run and are connected.
    pub const OF_NODES: Self = Self {
        stops_nodes: true,
        ..Self::BY_ITSELF
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
