//! Python: which one, and whether it will do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use terms::lang::both;
use terms::tr;

use crate::exec::{Cmd, Exec};
use crate::failure::Failure;
use crate::workspace::Workspace;

/// A script that prints version and abilities; old Pythons have to be able to run it.
const QUESTION: &str = "import json, sys\n\
try:\n    import venv, ensurepip\n    has_venv = True\n\
except ImportError:\n    has_venv = False\n\
print(json.dumps({'version': list(sys.version_info[:3]), 'venv': has_venv}))";

/// What has Python keep what it compiled, and not in the checkout, which stays as it is: to compile
/// all of it is a third of the time to the first answer. An empty one of the variables is as if it
/// were not set, whatever this shell has.
pub fn compiled(workspace: &Workspace) -> BTreeMap<String, String> {
    let folder = workspace.home().join("pycache").display().to_string();
    BTreeMap::from([
        ("PYTHONPYCACHEPREFIX".to_owned(), folder),
        ("PYTHONDONTWRITEBYTECODE".to_owned(), String::new()),
    ])
}

/// What a Python says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Facts {
    pub version: (u32, u32, u32),
    /// It can make virtual environments.
    pub venv: bool,
}

impl Facts {
    pub fn at_least(&self, minimum: (u32, u32)) -> bool {
        (self.version.0, self.version.1) >= minimum
    }

    pub fn version(&self) -> String {
        format!("{}.{}.{}", self.version.0, self.version.1, self.version.2)
    }
}

/// The newest minor version that is looked for by name.
const NEWEST: u32 = 30;

/// A Python that will do.
#[derive(Clone, Debug)]
pub struct Python {
    pub path: PathBuf,
    pub facts: Facts,
}

/// The machine's `python3`, or the newest `python3.N` where that one is too
/// old or cannot make virtual environments.
///
/// # Errors
/// Preflight, saying what is wrong with `python3`, where none will do.
pub fn find(exec: &Exec, minimum: (u32, u32)) -> Result<Python> {
    let usual = which::which("python3").map(|path| will_do(exec, path, minimum));
    if let Ok(Ok(python)) = usual {
        return Ok(python);
    }
    let mut others = by_name(minimum).filter_map(|name| which::which(name).ok());
    // A name can be there and lead nowhere, as pyenv's do: the next one then.
    if let Some(python) = others.find_map(|path| will_do(exec, path, minimum).ok()) {
        return Ok(python);
    }
    usual.map_err(|_| missing())?
}

/// Any Python 3, for what every one of them can do.
pub fn any() -> Result<PathBuf> {
    let mut all = std::iter::once("python3".to_owned()).chain(by_name((3, 0)));
    let found = all.find_map(|name| which::which(name).ok());
    // `which` errors do not name what was sought.
    found.ok_or_else(missing)
}

fn by_name(minimum: (u32, u32)) -> impl Iterator<Item = String> {
    (minimum.1..=NEWEST)
        .rev()
        .map(|minor| format!("python3.{minor}"))
}

fn missing() -> anyhow::Error {
    Failure::preflight(tr!(
        "`python3` was not found on PATH",
        "`python3` est introuvable dans le PATH",
    ))
    .next(install_hint())
    .into()
}

fn will_do(exec: &Exec, path: PathBuf, minimum: (u32, u32)) -> Result<Python> {
    let facts = ask(exec, &path)?;
    let shown = tr!(
        "{version} at {path}",
        "{version} dans {path}",
        version = facts.version(),
        path = path.display(),
    );
    let lacks = if !facts.at_least(minimum) {
        tr!(
            "is older than {major}.{minor}",
            "est plus ancien que {major}.{minor}",
            major = minimum.0,
            minor = minimum.1,
        )
    } else if !facts.venv {
        tr!(
            "cannot make virtual environments",
            "ne peut pas créer d'environnements virtuels"
        )
    } else {
        return Ok(Python { path, facts });
    };
    Err(Failure::preflight(format!("{shown} {lacks}"))
        .next(install_hint())
        .into())
}

/// What to type where Python is missing or lacks `venv`.
pub fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install python"
    } else {
        both(
            "sudo apt-get install python3 python3-venv (or your system's packages of these names)",
            "sudo apt-get install python3 python3-venv (ou les paquets de ces noms sur votre \
             système)",
        )
        .text()
    }
}

fn ask(exec: &Exec, python: &Path) -> Result<Facts> {
    let cmd = Cmd::new(python.to_string_lossy()).args(["-c", QUESTION]);
    let said = exec.read(&cmd)?;
    parse(&said).with_context(|| format!("reading what {} says of itself", python.display()))
}

fn parse(said: &str) -> Result<Facts> {
    Ok(serde_json::from_str(said.trim())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let facts = parse("{\"version\": [3, 9, 18], \"venv\": true}\n").unwrap();
        assert!(!facts.at_least((3, 10)));
        assert!(facts.at_least((3, 9)));
        assert_eq!(facts.version(), "3.9.18");
    }

    #[test]
    fn garbage_from_a_python_is_an_error() {
        assert!(parse("Python 2.7.18").is_err());
    }

    #[test]
    fn the_newest_is_looked_for_first() {
        let names: Vec<String> = by_name((3, 10)).collect();
        assert_eq!(names.last().unwrap(), "python3.10");
        let of = |name: &str| names.iter().position(|one| one == name);
        assert!(of("python3.13") < of("python3.12"));
    }
}
