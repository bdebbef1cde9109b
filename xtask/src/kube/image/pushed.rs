//! What the registry was given: under which name, made from what. Read wherever the image
//! is named; Docker has to be there only where one is built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::tools::docker;
use crate::workspace;

/// The shell variable that stands for the tag of an image that no run has pushed yet.
pub const TAG: &str = "tag";

/// An image in a registry.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Pushed {
    /// As the nodes pull it: registry, name and tag, and the digest where the registry told one.
    pub reference: String,
    /// The hash of what it was made from.
    pub inputs: String,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("image.json")
}

/// What was pushed last; `None` where nothing was.
pub fn read(folder: &Path) -> Result<Option<Pushed>> {
    let Ok(text) = fs::read_to_string(file(folder)) else {
        return Ok(None);
    };
    let path = file(folder);
    serde_json::from_str(&text)
        .with_context(|| format!("reading {}", path.display()))
        .map(Some)
}

/// How the manifests name the image: its place in the registry, and its tag, which for one
/// that was not pushed yet is `unknown`. Of `earlier` ones the last counts, wherever it was
/// pushed: it is what runs until another one is there.
pub fn named(
    folder: &Path,
    registry: &str,
    repository: &str,
    unknown: String,
    earlier: bool,
) -> Result<(String, String)> {
    let pushed = read(folder)?.filter(|_| earlier);
    let pushed = pushed.map(|pushed| pushed.reference);
    let parts = pushed.as_deref().and_then(docker::place_and_tag);
    let parts = parts.map(|(name, tag)| (name.to_owned(), tag.to_owned()));
    Ok(parts.unwrap_or_else(|| (place(registry, repository), unknown)))
}

/// Where a registry has an image of that name.
pub(super) fn place(registry: &str, repository: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or(repository);
    format!("{registry}/{name}")
}

pub(super) fn write(folder: &Path, pushed: &Pushed) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let text = serde_json::to_string(pushed).context("spelling out what was pushed")?;
    workspace::write_file(&file(folder), &(text + "\n"))
}
