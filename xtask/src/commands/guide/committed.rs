//! The committed measurements that the guide's figures come from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::failure::Failure;

/// One run of each disaster.
pub const COMPONENTS: &str = "composants";
/// The spread of each protection.
pub const RECOVERY: &str = "reprise";

/// What each disaster of the lab `ha` took.
pub const ROBUST: &str = "robuste";

/// Where they are.
pub fn measurements(root: &Path) -> PathBuf {
    root.join("docs/atelier/mesures")
}

/// One of the files.
pub fn read(root: &Path, name: &str) -> Result<Value> {
    let path = measurements(root).join(format!("{name}.json"));
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::usage(format!("{}: {error}", path.display()))
            .next("cargo xtask guide collect RUN, of a run that `cargo xtask runs list` names")
    })?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}
