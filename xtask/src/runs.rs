//! The folders under `.lab/runs/`: one for each scenario and each drill, named
//! after its moment, and no more of them than `keep.runs` of lab.toml says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::exec::quote;

/// A folder for a run of its own, and the moment in its name. The oldest beyond
/// the bound go; the caller has the lab's lock.
pub fn create(ctx: &Context, what: &str) -> Result<(String, PathBuf)> {
    bound(ctx)?;
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let stamp = now.replace([':', '.'], "-");
    let folder = ctx.lab.runs().join(format!("{stamp}-{what}"));
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok((stamp, folder))
}

/// Makes room for one more.
fn bound(ctx: &Context) -> Result<()> {
    let keep = ctx.config.keep.runs();
    let all = folders(&ctx.lab.runs())?;
    let excess = (all.len() + 1).saturating_sub(keep);
    for folder in &all[..excess.min(all.len())] {
        remove(ctx, folder)?;
        ctx.ui.note(&format!(
            "{} was removed: lab.toml keeps {keep} runs",
            name_of(folder)
        ));
    }
    Ok(())
}

/// The folders of runs, the oldest first: their names begin with their time.
pub fn folders(runs: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("listing {}", runs.display())),
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && is_stamped(&name_of(path)))
        .collect();
    found.sort();
    Ok(found)
}

/// Whether a name is one that this program gives: what else lies there is
/// somebody's own.
fn is_stamped(name: &str) -> bool {
    let shape = "0000-00-00T00-00-00-000Z-";
    let fits = |(is, should): (char, char)| match should {
        '0' => is.is_ascii_digit(),
        other => is == other,
    };
    name.len() > shape.len() && name.chars().zip(shape.chars()).all(fits)
}

pub fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Removes a run for good; shown only in a dry run.
pub fn remove(ctx: &Context, folder: &Path) -> Result<()> {
    let shell = format!("rm -r {}", quote(&folder.to_string_lossy()));
    if ctx.exec.change(&shell) {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_were_named_here_are_runs() {
        assert!(is_stamped("2026-11-24T08-08-59-158Z-volume-loss"));
        for other in [
            "index.html",
            "my notes",
            "2026-11-24",
            "2026-11-24T08-08-59-158Z-",
        ] {
            assert!(!is_stamped(other), "{other}");
        }
    }
}
