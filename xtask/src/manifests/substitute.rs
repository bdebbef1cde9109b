//! A copy of `k8s/` with one value changed, which stands for it while it is
//! there: the engines apply the copy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::FOLDER;
use crate::failure::Failure;

/// Where the copy lies.
pub fn path(root: &Path) -> PathBuf {
    root.join(".lab/state/k8s")
}

/// Puts a copy in place in which `key` has that value; the files have to state
/// it once.
pub fn write(root: &Path, key: &str, value: &str) -> Result<()> {
    let copy = path(root);
    write_copy(root, &copy, &format!("{key}:"), value)
        .with_context(|| format!("writing {}", copy.display()))
}

/// `k8s/` stands for itself again.
pub fn remove(root: &Path) -> Result<()> {
    let copy = path(root);
    fs::remove_dir_all(&copy).with_context(|| format!("removing {}", copy.display()))
}

fn write_copy(root: &Path, copy: &Path, key: &str, value: &str) -> Result<()> {
    // A copy that is not whole must not be taken for one.
    let aside = copy.with_extension(format!("{}.tmp", std::process::id()));
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::create_dir_all(&aside)?;
    let mut changed = 0;
    for entry in fs::read_dir(root.join(FOLDER))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        changed += text.matches(key).count();
        let name = path.file_name().unwrap_or_default();
        fs::write(aside.join(name), with_value(&text, key, value))?;
    }
    if changed != 1 {
        return Err(Failure::usage(format!(
            "{FOLDER}/ states {key} {changed} times; it has to be stated once"
        ))
        .next(format!("git diff {FOLDER}/"))
        .into());
    }
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    Ok(fs::rename(aside, copy)?)
}

fn with_value(text: &str, key: &str, value: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(key) {
        Some((indent, _)) => format!("{indent}{key} {value}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_and_nothing_else() {
        let text = include_str!("../../../k8s/05-config.yaml");
        let key = "PRA_JOURNAL:";
        let off = with_value(text, key, "\"off\"");
        assert!(off.contains("  PRA_JOURNAL: \"off\"\n"), "{off}");
        assert_eq!(off.lines().count(), text.lines().count());
        assert_eq!(with_value(&off, key, "required"), text);
    }

    #[test]
    fn a_value_that_is_not_stated_once_is_refused() {
        let root = std::env::temp_dir().join(format!("xtask-substitute-{}", std::process::id()));
        fs::create_dir_all(root.join("k8s")).unwrap();
        fs::write(root.join("k8s/a.yaml"), "replicas: 2\n").unwrap();
        write(&root, "replicas", "0").unwrap();
        let copied = fs::read_to_string(path(&root).join("a.yaml")).unwrap();
        assert_eq!(copied, "replicas: 0\n");
        assert!(write(&root, "suspend", "true").is_err());
        remove(&root).unwrap();
        assert!(!path(&root).exists());
        fs::remove_dir_all(&root).unwrap();
    }
}
