//! A copy of `k8s/` with some values changed, which stands for it while it is
//! there: the engine that it was made for applies the copy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::failure::Failure;
use crate::workspace;
use terms::{EngineName, tr};

/// The lab's own declarations.
pub const FOLDER: &str = "k8s";

/// Where the copy for an engine lies: the lab on the other one keeps to `k8s/`.
pub fn path(root: &Path, engine: EngineName) -> PathBuf {
    root.join(".lab/state").join(format!("k8s-{engine}"))
}

/// What an engine applies: `k8s/`, or what stands for it.
pub fn folder(root: &Path, engine: EngineName) -> PathBuf {
    let other = path(root, engine);
    if other.is_dir() {
        return other;
    }
    root.join(FOLDER)
}

/// Puts a copy in place in which `key` has that value, beside what was changed
/// before; the files have to state the key once.
pub fn change(root: &Path, engine: EngineName, key: &str, value: &str) -> Result<()> {
    let copy = path(root, engine);
    let from = folder(root, engine);
    write_copy(&from, &copy, &format!("{key}:"), value)
        .with_context(|| format!("writing {}", copy.display()))
}

/// Gives `key` its declared value again; with the last change the copy goes.
pub fn put_back(root: &Path, engine: EngineName, key: &str) -> Result<()> {
    let declared = texts(&root.join(FOLDER))?;
    let value = stated(&declared, key).unwrap_or_default();
    change(root, engine, key, &value)?;
    if texts(&path(root, engine))? == declared {
        remove(root, engine)?;
    }
    Ok(())
}

/// What is applied for a key; `None` where nothing says.
pub fn value(root: &Path, engine: EngineName, key: &str) -> Option<String> {
    stated(&texts(&folder(root, engine)).ok()?, key)
}

fn stated(texts: &[(PathBuf, String)], key: &str) -> Option<String> {
    let key = format!("{key}:");
    let mut lines = texts.iter().flat_map(|(_, text)| text.lines());
    let value = lines.find_map(|line| Some(line.split_once(&key)?.1.trim()));
    value.map(str::to_owned)
}

/// Where a copy lies that stands for `k8s/` no more, until the lab is as declared again.
fn retired(root: &Path, engine: EngineName) -> PathBuf {
    path(root, engine).with_extension("retired")
}

/// Whether a copy stands for `k8s/`, or what runs may still be what one said.
pub fn is_left(root: &Path, engine: EngineName) -> bool {
    path(root, engine).exists() || retired(root, engine).exists()
}

/// `k8s/` stands for itself again, and that it did not is known until [`remove`]: whoever is
/// interrupted before the lab is as declared leaves a trace.
pub fn retire(root: &Path, engine: EngineName) -> Result<()> {
    let (copy, aside) = (path(root, engine), retired(root, engine));
    if !copy.exists() {
        return Ok(());
    }
    remove_folder(&aside)?;
    workspace::put_in_place(&copy, &aside)
}

/// `k8s/` stands for itself again, and nothing else was ever applied.
pub fn remove(root: &Path, engine: EngineName) -> Result<()> {
    remove_folder(&path(root, engine))?;
    remove_folder(&retired(root, engine))
}

fn remove_folder(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))
}

/// Names and contents of a folder's files, by name.
fn texts(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            // What is in there is applied by itself.
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        found.push((path.file_name().unwrap_or_default().into(), text));
    }
    found.sort();
    Ok(found)
}

fn write_copy(from: &Path, copy: &Path, key: &str, value: &str) -> Result<()> {
    // A copy that is not whole must not be taken for one.
    let aside = copy.with_extension(format!("{}.tmp", std::process::id()));
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::create_dir_all(&aside)?;
    let mut changed = 0;
    for (name, text) in texts(from)? {
        changed += text.matches(key).count();
        workspace::write_file(&aside.join(name), &with_value(&text, key, value))?;
    }
    if changed != 1 {
        return Err(Failure::usage(tr!(
            "{FOLDER}/ states {key} {changed} times; it has to be stated once",
            "{FOLDER}/ indique {key} {changed} fois ; il doit l'être une fois",
        ))
        .next(format!("git diff {FOLDER}/"))
        .into());
    }
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    workspace::put_in_place(&aside, copy)
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
    fn changes_add_up_and_are_put_back_one_by_one() {
        let root = std::env::temp_dir().join(format!("xtask-substitute-{}", std::process::id()));
        fs::create_dir_all(root.join("k8s")).unwrap();
        fs::write(root.join("k8s/a.yaml"), "replicas: 2\nmode: on\n").unwrap();
        let copied = || fs::read_to_string(path(&root, EngineName::Local).join("a.yaml")).unwrap();
        change(&root, EngineName::Local, "replicas", "0").unwrap();
        assert_eq!(copied(), "replicas: 0\nmode: on\n");
        assert!(change(&root, EngineName::Local, "suspend", "true").is_err());

        change(&root, EngineName::Local, "mode", "off").unwrap();
        assert_eq!(copied(), "replicas: 0\nmode: off\n");
        assert_eq!(
            folder(&root, EngineName::K3d),
            root.join("k8s"),
            "another lab"
        );
        assert_eq!(
            value(&root, EngineName::Local, "replicas").as_deref(),
            Some("0")
        );
        put_back(&root, EngineName::Local, "replicas").unwrap();
        assert_eq!(copied(), "replicas: 2\nmode: off\n");
        put_back(&root, EngineName::Local, "mode").unwrap();
        assert!(!is_left(&root, EngineName::Local));

        change(&root, EngineName::Local, "mode", "off").unwrap();
        retire(&root, EngineName::Local).unwrap();
        assert_eq!(folder(&root, EngineName::Local), root.join("k8s"));
        assert!(is_left(&root, EngineName::Local), "it is not over yet");
        retire(&root, EngineName::Local).unwrap();
        remove(&root, EngineName::Local).unwrap();
        assert!(!is_left(&root, EngineName::Local));
        fs::remove_dir_all(&root).unwrap();
    }
}
