//! What a replica runs: its pod, the settings of that pod, and the application's
//! code. A process has all three from its start to its end, as on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use crate::manifests::declared::Manifests;
use crate::manifests::model::PodSpec;
use crate::workspace::Workspace;

#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    pub pod: PodSpec,
    pub settings: BTreeMap<String, String>,
    code: u64,
}

impl Release {
    /// Of the manifests, and of the code as it is in the checkout now.
    pub fn declared(workspace: &Workspace, manifests: &Manifests) -> Result<Self> {
        Ok(Self {
            pod: manifests.replica().clone(),
            settings: manifests.settings(manifests.replica()),
            code: code(&workspace.root.join("app"))?,
        })
    }

    /// What another one has that this one has not, in words.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let names = self.settings.keys().chain(other.settings.keys());
        let names: BTreeSet<&String> = names.collect();
        let change = |name| match (self.settings.get(name), other.settings.get(name)) {
            (Some(before), Some(after)) => {
                (before != after).then(|| format!("{name}: {before} -> {after}"))
            }
            (None, Some(after)) => Some(format!("{name}: {after}")),
            (_, None) => Some(tr!("{name} is gone", "{name} a disparu")),
        };
        let mut changes: Vec<String> = names.into_iter().filter_map(change).collect();
        if self.code != other.code {
            changes.push(tr!("the application's code", "le code de l'application"));
        }
        if self.pod != other.pod {
            changes.push(tr!("the deployment's template", "le modèle du déploiement"));
        }
        changes
    }
}

/// What the package is made of, by the ends of its files' names.
const SOURCES: [&str; 2] = ["py", "html"];

/// One number for what an image would hold, as packer/flask copies it.
fn code(app: &Path) -> Result<u64> {
    let mut files = vec![app.join("requirements.txt")];
    sources(&app.join("pra"), &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        hasher.write(file.as_os_str().as_encoded_bytes());
        hasher.write(&text);
    }
    Ok(hasher.finish())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        // A lab of another application than ours.
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", folder.display()))?
            .path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|kind| SOURCES.iter().any(|one| kind == *one))
        {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(settings: &[(&str, &str)], code: u64) -> Release {
        let settings = settings.iter();
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Release {
            pod: serde_norway::from_str("{containers: []}").unwrap(),
            settings: settings.collect(),
            code,
        }
    }

    #[test]
    fn what_changed_is_said_setting_by_setting() {
        let before = release(&[("A", "1"), ("B", "2"), ("C", "3")], 1);
        let after = release(&[("A", "1"), ("B", "3"), ("D", "4")], 2);
        assert_eq!(
            before.changes(&after),
            ["B: 2 -> 3", "C is gone", "D: 4", "the application's code"]
        );
        assert!(before.changes(&before.clone()).is_empty());
    }

    #[test]
    fn code_is_known_by_what_it_says_and_not_by_its_age() {
        let app = std::env::temp_dir().join(format!("xtask-release-{}", std::process::id()));
        fs::create_dir_all(app.join("pra/sub")).unwrap();
        let module = app.join("pra/sub/module.py");
        fs::write(&module, "a = 1\n").unwrap();
        let before = code(&app).unwrap();
        fs::write(&module, "a = 1\n").unwrap();
        fs::write(app.join("pra/module.pyc"), "compiled").unwrap();
        assert_eq!(code(&app).unwrap(), before);
        fs::write(app.join("pra/page.html"), "<p>").unwrap();
        assert_ne!(code(&app).unwrap(), before);
        fs::remove_file(app.join("pra/page.html")).unwrap();
        fs::write(&module, "a = 2\n").unwrap();
        assert_ne!(code(&app).unwrap(), before);
        fs::remove_dir_all(&app).unwrap();
    }
}
