//! The result file of a run: `result.json` in its folder.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::workspace;

pub const FILE: &str = "result.json";
/// The format of the file; raised when a reader has to know of a change.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Kept<'a, T> {
    format: u32,
    #[serde(flatten)]
    result: &'a T,
}

/// Writes a result beside its ledger, atomically.
pub fn write(folder: &Path, result: &impl Serialize) -> Result<()> {
    let kept = Kept {
        format: FORMAT,
        result,
    };
    let text = serde_json::to_string_pretty(&kept)? + "\n";
    workspace::write_file(&folder.join(FILE), &text)
}

/// Whether a folder has a result that is a document.
pub fn is_readable(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
}
