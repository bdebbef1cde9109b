//! Paths of copies, as they are told and as they are opened.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use crate::context::insist_on_text;
use crate::failure::Failure;

/// What is shown as shell may begin with another folder than ours.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path);
    let absolute = absolute
        .with_context(|| format!("finding {path:?}"))
        .map_err(|error| {
            error.context(
                Failure::usage(tr!("there is no such file", "ce fichier n'existe pas"))
                    .next("cargo xtask export FILE"),
            )
        })?;
    insist_on_text(&absolute)?;
    Ok(absolute)
}

/// The folder that a file is in.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
