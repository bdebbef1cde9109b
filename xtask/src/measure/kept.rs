//! The result of a run as it is kept: `result.json` in its folder.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::lab;

pub const FILE: &str = "result.json";
/// Of what is kept; raised where a program that reads it has to know.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Kept<'a, T> {
    format: u32,
    #[serde(flatten)]
    result: &'a T,
}

/// Keeps a result beside its ledger, whole or not at all.
pub fn keep(folder: &Path, result: &impl Serialize) -> Result<()> {
    let kept = Kept {
        format: FORMAT,
        result,
    };
    let text = serde_json::to_string_pretty(&kept)? + "\n";
    lab::write_file(&folder.join(FILE), &text)
}

/// Whether a folder has a result that is a document.
pub fn is_readable(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
}
