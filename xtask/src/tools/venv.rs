//! The virtual environments, with exactly the locked packages.

use std::path::{Path, PathBuf};
use terms::lang::both;
use terms::tr;

use anyhow::{Context as _, Result};

use super::known_errors::{self, KnownError};
use super::python;
use crate::exec::{Cmd, Exec};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::wait;
use crate::workspace;

/// A virtual environment with the packages of one lock file.
pub struct Venv {
    pub dir: PathBuf,
    pub lock: PathBuf,
    /// What it is made with is at least this Python.
    pub minimum: (u32, u32),
    /// What has to be there, and to be importable once, before it is called good; none of a
    /// package that holds a program alone.
    pub modules: &'static [&'static str],
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
        let current = installed.is_ok_and(|installed| installed == wanted);
        let whole = self.python().exists() && current && self.has_its_modules();
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

    /// A look at their places, since importing them takes time at each start.
    fn has_its_modules(&self) -> bool {
        let libraries = std::fs::read_dir(self.dir.join("lib"));
        let folders = libraries.into_iter().flatten().flatten();
        let mut places = folders.map(|entry| entry.path().join("site-packages"));
        places.any(|place| self.modules.iter().all(|one| place.join(one).exists()))
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
        let step = ui.step(tr!("Python packages", "paquets Python"));
        // Made anew: what is in it is of another lock file, or of no use.
        let create = Cmd::new(python::find(exec, self.minimum)?.path.to_string_lossy())
            .args(["-m", "venv", "--clear"])
            .args([self.dir.to_string_lossy()])
            .limit(wait::VENV_INSTALL);
        exec.run(&create).map_err(|error| {
            error.context(
                Failure::preflight(tr!(
                    "creating the virtual environment",
                    "création de l'environnement virtuel",
                ))
                .next(python::install_hint()),
            )
        })?;
        let install = self.interpreter(install_args(&self.dir, &self.lock, self.compile));
        let installed = exec.run(&install);
        installed.map_err(|error| known_errors::explain(error, KNOWN_ERRORS))?;
        self.insist_on_modules(exec)?;
        let stamp =
            Cmd::new("cp").args([self.lock.to_string_lossy(), self.stamp().to_string_lossy()]);
        if exec.change(&stamp.to_string()) {
            let text = std::fs::read_to_string(&self.lock).context("reading the lock file")?;
            workspace::write_file(&self.stamp(), &text)
                .context("marking the packages as installed")?;
        }
        step.done(tr!("installed, by hash", "installés, par empreinte"));
        Ok(())
    }

    fn interpreter<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Cmd {
        Cmd::new(self.python().to_string_lossy())
            .args(args)
            .limit(wait::VENV_INSTALL)
    }

    /// Imports them once. pip says that all went well also where a setting of
    /// the person's made it put the packages elsewhere.
    fn insist_on_modules(&self, exec: &Exec) -> Result<()> {
        if self.modules.is_empty() {
            return Ok(());
        }
        let import = format!("import {}", self.modules.join(", "));
        let imported = exec.run(&self.interpreter(["-c", &import]));
        let found = imported.and_then(|()| {
            let there = exec.dry_run() || self.has_its_modules();
            anyhow::ensure!(
                there,
                "{} lacks {}",
                self.dir.display(),
                self.modules.join(", ")
            );
            Ok(())
        });
        found.map_err(|error| {
            error.context(
                Failure::preflight(tr!(
                    "the Python packages were installed and cannot be imported",
                    "les paquets Python ont été installés et ne peuvent pas être importés",
                ))
                .next(tr!(
                    "look for target, prefix, root or user in what `python3 -m pip config list` \
                     says, then the same command again",
                    "cherchez target, prefix, root ou user dans ce que dit `python3 -m pip config \
                     list`, puis relancez la même commande",
                )),
            )
        })
    }
}

fn install_args(dir: &Path, lock: &Path, compile: bool) -> Vec<String> {
    let mut args: Vec<String> = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--disable-pip-version-check",
        "--no-input",
        // Into this environment, whatever a pip.conf says.
        "--no-user",
        "--target=",
        "--root=/",
        "--retries=3",
        "--timeout=15",
        "-r",
    ]
    .map(str::to_owned)
    .into();
    args.push(lock.to_string_lossy().into_owned());
    args.push(format!("--prefix={}", dir.display()));
    if !compile {
        args.push("--no-compile".to_owned());
    }
    args
}

/// Why pip fails.
const KNOWN_ERRORS: &[KnownError] = &[
    KnownError {
        said: &["No space left on device"],
        plain: both(
            "the disk is full: the Python packages do not fit",
            "le disque est plein : les paquets Python n'y tiennent pas",
        ),
        next: both(
            "df -h . and free some space, then run the same command again",
            "df -h . et libérez de la place, puis relancez la même commande",
        ),
    },
    known_errors::OTHER_HASH,
    KnownError {
        said: &["No matching distribution", "onnection"],
        plain: both(
            "the Python packages could not be fetched: no network?",
            "les paquets Python n'ont pas pu être téléchargés : pas de réseau ?",
        ),
        next: both(
            "check the connection or the proxy (HTTPS_PROXY), then run the same command again",
            "vérifiez la connexion ou le proxy (HTTPS_PROXY), puis relancez la même commande",
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn an_environment_whose_script_leads_elsewhere_is_made_anew() {
        let base = std::env::temp_dir().join(format!("xtask-venv-{}", std::process::id()));
        let here = base.join("here");
        std::fs::create_dir_all(here.join("bin")).unwrap();
        std::fs::create_dir_all(here.join("lib/python3")).unwrap();
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
            minimum: (3, 10),
            modules: &[],
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
            let error = known_errors::explain(
                Failure::tool("`python3` failed").printed(said).into(),
                KNOWN_ERRORS,
            );
            assert_eq!(kind(&error), Kind::Preflight);
            assert!(error.to_string().contains(plain), "{error}");
            assert!(next(&error).is_some());
        }
    }
}
