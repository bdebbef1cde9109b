//! Python: which one, whether it will do, and the virtual environments with
//! exactly the locked packages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::trouble::{self, Trouble};
use crate::exec::{Cmd, Exec};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::wait;

/// Asks a Python what it is; old ones must still understand the question.
const QUESTION: &str = "import json, sys\n\
try:\n    import venv, ensurepip\n    has_venv = True\n\
except ImportError:\n    has_venv = False\n\
print(json.dumps({'version': list(sys.version_info[:3]), 'venv': has_venv}))";

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

/// The machine's `python3`.
pub fn find() -> Result<PathBuf> {
    // `which` errors do not name what was sought.
    which::which("python3").map_err(|_| {
        Failure::preflight("`python3` was not found on PATH")
            .next(install_hint())
            .into()
    })
}

/// What to type where Python is missing or lacks `venv`.
pub fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install python"
    } else {
        "sudo apt-get install python3 python3-venv (or your system's packages of these names)"
    }
}

pub fn ask(exec: &Exec, python: &Path) -> Result<Facts> {
    let cmd = Cmd::new(python.to_string_lossy()).args(["-c", QUESTION]);
    let said = exec.read(&cmd)?;
    parse(&said).with_context(|| format!("reading what {} says of itself", python.display()))
}

fn parse(said: &str) -> Result<Facts> {
    Ok(serde_json::from_str(said.trim())?)
}

/// A virtual environment with the packages of one lock file.
pub struct Venv {
    pub dir: PathBuf,
    pub lock: PathBuf,
    /// Compile the packages at once, so that a program starts fast from its
    /// first time on; or as they are used, where there are thousands of files
    /// and few are.
    pub compile: bool,
    /// The script of a package that is run, which knows the folder that it was
    /// installed in.
    pub script: Option<&'static str>,
}

impl Venv {
    pub fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }

    pub fn bin(&self, name: &str) -> Cmd {
        Cmd::new(self.dir.join("bin").join(name).to_string_lossy())
    }

    /// The lock file that was installed, copied there when all went well.
    fn stamp(&self) -> PathBuf {
        self.dir.join("installed.txt")
    }

    pub fn is_current(&self) -> Result<bool> {
        let wanted = std::fs::read(&self.lock)
            .with_context(|| format!("reading {}", self.lock.display()))?;
        let installed = std::fs::read(self.stamp());
        let whole = self.python().exists() && installed.is_ok_and(|installed| installed == wanted);
        Ok(whole && self.script.is_none_or(|script| self.leads_here(script)))
    }

    /// A folder that was moved or copied has scripts that start another Python,
    /// or none.
    fn leads_here(&self, script: &str) -> bool {
        let text = std::fs::read(self.dir.join("bin").join(script)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let places = [Some(self.dir.clone()), self.dir.canonicalize().ok()];
        // Where the path is long, the second line has it.
        let mut head = text.lines().take(2);
        head.any(|line| {
            let mut places = places.iter().flatten();
            places.any(|place| line.contains(&format!("{}/bin/", place.display())))
        })
    }

    /// Makes the environment where it is missing, unfinished or of another
    /// lock file.
    ///
    /// # Errors
    /// [`crate::failure::Kind::Preflight`] where the packages cannot be had.
    pub fn ensure(&self, exec: &Exec, ui: &Ui) -> Result<()> {
        if self.is_current()? {
            return Ok(());
        }
        let step = ui.step("Python packages");
        let create = Cmd::new(find()?.to_string_lossy())
            .args(["-m", "venv", "--clear"])
            .args([self.dir.to_string_lossy()])
            .limit(wait::VENV_INSTALL);
        exec.run(&create).map_err(|error| {
            error.context(
                Failure::preflight("creating the virtual environment").next(install_hint()),
            )
        })?;
        let install = Cmd::new(self.python().to_string_lossy())
            .args(install_args(&self.lock, self.compile))
            .limit(wait::VENV_INSTALL);
        let installed = exec.run(&install);
        installed.map_err(|error| trouble::explain(error, TROUBLES))?;
        let stamp =
            Cmd::new("cp").args([self.lock.to_string_lossy(), self.stamp().to_string_lossy()]);
        if exec.change(&stamp.to_string()) {
            std::fs::copy(&self.lock, self.stamp()).context("marking the packages as installed")?;
        }
        step.done(if exec.dry_run() {
            "shown"
        } else {
            "installed, by hash"
        });
        Ok(())
    }
}

fn install_args(lock: &Path, compile: bool) -> Vec<String> {
    let mut args: Vec<String> = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--disable-pip-version-check",
        "--no-input",
        "--retries=3",
        "--timeout=15",
        "-r",
    ]
    .map(str::to_owned)
    .into();
    args.push(lock.to_string_lossy().into_owned());
    if !compile {
        args.push("--no-compile".to_owned());
    }
    args
}

/// Why pip fails.
const TROUBLES: &[Trouble] = &[
    Trouble {
        said: &["No space left on device"],
        plain: "the disk is full: the Python packages do not fit",
        next: "df -h . and free some space, then run the same command again",
    },
    trouble::OTHER_HASH,
    Trouble {
        said: &["No matching distribution", "onnection"],
        plain: "the Python packages could not be fetched: no network?",
        next: "check the connection or the proxy (HTTPS_PROXY), then run the same command again",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

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
    fn an_environment_whose_script_leads_elsewhere_is_made_anew() {
        let base = std::env::temp_dir().join(format!("xtask-venv-{}", std::process::id()));
        let here = base.join("here");
        std::fs::create_dir_all(here.join("bin")).unwrap();
        let lock = base.join("requirements.txt");
        let made_in = |folder: &str| {
            let line = format!("#!{folder}/bin/python3\nimport sys\n");
            std::fs::write(here.join("bin/play"), line).unwrap();
        };
        for file in [&here.join("bin/python"), &lock, &here.join("installed.txt")] {
            std::fs::write(file, "x").unwrap();
        }
        let mut venv = Venv {
            dir: here.clone(),
            lock,
            compile: false,
            script: Some("play"),
        };
        made_in(&here.to_string_lossy());
        assert!(venv.is_current().unwrap());
        made_in(&base.join("there").to_string_lossy());
        assert!(!venv.is_current().unwrap(), "moved");
        venv.script = None;
        assert!(venv.is_current().unwrap(), "python itself can be moved");
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn pip_troubles_are_put_into_plain_words() {
        let cases = [
            (
                "OSError: [Errno 28] No space left on device",
                "disk is full",
            ),
            (
                "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
                "hash differs",
            ),
            (
                "ERROR: No matching distribution found for flask",
                "no network",
            ),
        ];
        for (said, plain) in cases {
            let error = trouble::explain(Failure::tool(said).into(), TROUBLES);
            assert_eq!(kind(&error), Kind::Preflight);
            assert!(error.to_string().contains(plain), "{error}");
            assert!(next(&error).is_some());
        }
    }
}
