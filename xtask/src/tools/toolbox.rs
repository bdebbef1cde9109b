//! Where k3d, kubectl and Packer are: on PATH in the pinned version, or
//! downloaded into the lab's own folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terms::tr;

use anyhow::{Context as _, Result};

use super::fetch::{self, Fetcher};
use super::packer;
use crate::exec::{Cmd, Exec, quote};
use crate::failure::Failure;
use crate::pins::{Pin, Platform, Tools};
use crate::ui::Ui;
use crate::version::Version;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    K3d,
    Kubectl,
    Packer,
}

pub const ALL: [Tool; 3] = [Tool::K3d, Tool::Kubectl, Tool::Packer];

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Self::K3d => "k3d",
            Self::Kubectl => "kubectl",
            Self::Packer => "packer",
        }
    }

    fn version_question(self, program: &str) -> Cmd {
        match self {
            Self::K3d => Cmd::new(program).args(["version"]),
            Self::Kubectl => Cmd::new(program).args(["version", "--client"]),
            Self::Packer => packer::cmd(program, ["version"]),
        }
    }

    /// Whether a found version is accepted: kubectl within one minor version, the
    /// others exactly.
    fn will_do(self, found: Version, pinned: Version) -> bool {
        match self {
            Self::Kubectl => one_apart(found, pinned),
            Self::K3d | Self::Packer => found == pinned,
        }
    }
}

/// At most one minor version: as far as Kubernetes and kubectl may differ.
pub fn one_apart(one: Version, other: Version) -> bool {
    one.0 == other.0 && one.1.abs_diff(other.1) <= 1
}

/// What is known of a tool on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Ready for use: this program, of this version.
    Ready { program: String, version: Version },
    /// To be downloaded; why what is on PATH will not do.
    Missing(String),
}

#[derive(Clone)]
pub struct Toolbox {
    pins: Tools,
    home: PathBuf,
    exec: Exec,
    ui: Ui,
    known: Arc<Mutex<BTreeMap<Tool, String>>>,
}

impl Toolbox {
    pub fn new(pins: &Tools, home: PathBuf, exec: Exec, ui: Ui) -> Self {
        Self {
            pins: pins.clone(),
            home,
            exec,
            ui,
            known: Arc::default(),
        }
    }

    pub fn pin(&self, tool: Tool) -> &Pin {
        match tool {
            Tool::K3d => &self.pins.k3d,
            Tool::Kubectl => &self.pins.kubectl,
            Tool::Packer => &self.pins.packer,
        }
    }

    /// The program to start.
    ///
    /// # Errors
    /// Preflight where it is not here yet.
    pub fn program(&self, tool: Tool) -> Result<String> {
        match self.find_once(tool)? {
            Found::Ready { program, .. } => Ok(program),
            // What a dry run shows is the plain name.
            Found::Missing(_) if self.exec.dry_run() => Ok(tool.name().to_owned()),
            Found::Missing(why) => Err(Failure::preflight(format!("{}: {why}", tool.name()))
                .next("cargo xtask setup")
                .into()),
        }
    }

    /// Like [`Toolbox::find`], looking only once.
    pub fn find_once(&self, tool: Tool) -> Result<Found> {
        let version = self.pinned(tool)?;
        if let Some(program) = self.remembered(tool) {
            return Ok(Found::Ready { program, version });
        }
        let found = self.find(tool)?;
        if let Found::Ready { program, .. } = &found {
            self.remember(tool, program);
        }
        Ok(found)
    }

    /// Looks on PATH, then among the downloads.
    pub fn find(&self, tool: Tool) -> Result<Found> {
        let pinned = self.pinned(tool)?;
        let mut why = tr!(
            "{tool} is not on PATH",
            "{tool} n'est pas dans le PATH",
            tool = tool.name(),
        );
        if let Ok(path) = which::which(tool.name()) {
            match self.version_of(tool, tool.name()) {
                Some(version) if tool.will_do(version, pinned) => {
                    let program = tool.name().to_owned();
                    return Ok(Found::Ready { program, version });
                }
                Some(version) => {
                    why = tr!(
                        "{tool} is {version}, not {pinned}",
                        "{tool} est en {version}, pas en {pinned}",
                        tool = path.display(),
                    )
                }
                None => {
                    why = tr!(
                        "{tool} does not say its version",
                        "{tool} ne dit pas sa version",
                        tool = path.display(),
                    )
                }
            }
        }
        let own = self.place(tool, pinned);
        let program = own.to_string_lossy().into_owned();
        if own.exists() && self.version_of(tool, &program) == Some(pinned) {
            return Ok(Found::Ready {
                program,
                version: pinned,
            });
        }
        Ok(Found::Missing(why))
    }

    fn pinned(&self, tool: Tool) -> Result<Version> {
        let pinned = self.pin(tool).parsed_version();
        pinned.with_context(|| format!("lab.toml pins no version of {}", tool.name()))
    }

    /// The path of a download: its name has the version.
    fn place(&self, tool: Tool, version: Version) -> PathBuf {
        self.home.join(format!("{}-{version}", tool.name()))
    }

    /// `None` where it does not say one, fails or hangs.
    fn version_of(&self, tool: Tool, program: &str) -> Option<Version> {
        let cmd = tool
            .version_question(program)
            .limit(Duration::from_secs(10));
        let output = self.exec.probe(&cmd).ok()?;
        Version::find(&output.stdout).filter(|_| output.status.success())
    }

    /// Every tool, side by side.
    pub fn ensure_all(&self) -> Result<()> {
        self.ensure_these(&ALL)
    }

    /// These tools, side by side.
    pub fn ensure_these(&self, tools: &[Tool]) -> Result<()> {
        std::thread::scope(|scope| {
            let ensure = |tool: &Tool| {
                let tool = *tool;
                scope.spawn(move || self.ensure(tool))
            };
            let all: Vec<_> = tools.iter().map(ensure).collect();
            let panicked = || Err(anyhow::anyhow!("looking for a tool panicked"));
            all.into_iter()
                .try_for_each(|one| one.join().unwrap_or_else(|_| panicked()))
        })
    }

    /// Downloads what is missing; says what it checked the download against.
    fn ensure(&self, tool: Tool) -> Result<()> {
        let Found::Missing(why) = self.find_once(tool)? else {
            return Ok(());
        };
        let pin = self.pin(tool);
        let version = self.pinned(tool)?;
        let target = self.place(tool, version);
        let platform = platform()?;
        let url = pin.url(&platform);
        let shell = format!("curl -fL -o {} {url}", quote(&target.to_string_lossy()));
        if !self.exec.change(&shell) {
            return Ok(());
        }
        let step = self.ui.step(format!("{} {version} ({why})", tool.name()));
        let source = self.download(tool, &platform, &target)?;
        let program = target.to_string_lossy().into_owned();
        if self.version_of(tool, &program) != Some(version) {
            let _ = fs::remove_file(&target);
            return Err(Failure::preflight(tr!(
                "{url} has the right checksum but is not {tool} {version}",
                "{url} a la bonne somme de contrôle mais n'est pas {tool} {version}",
                tool = tool.name(),
            ))
            .next(tr!(
                "check version and url in lab.toml",
                "vérifiez version et url dans lab.toml",
            ))
            .into());
        }
        self.remember(tool, &program);
        step.done(tr!(
            "downloaded, checksum from {source}",
            "téléchargé, somme de contrôle de {source}",
        ));
        Ok(())
    }

    /// Puts the program at `target`, whole and checked, or fails.
    fn download(&self, tool: Tool, platform: &Platform, target: &Path) -> Result<String> {
        fs::create_dir_all(&self.home)
            .with_context(|| format!("creating {}", self.home.display()))?;
        let fetcher = self.fetcher();
        let pin = self.pin(tool);
        let url = pin.url(platform);
        let (sha256, source) = match pin.sha256(platform) {
            Some(pinned) => (pinned.to_owned(), "lab.toml".to_owned()),
            None => self.published(&fetcher, pin, platform, target)?,
        };
        if url.ends_with(".zip") {
            let archive = target.with_extension("zip");
            fetcher.file(&url, &sha256, &archive)?;
            fetch::unzip(&self.exec, &archive, tool.name(), target)?;
        } else {
            let aside = target.with_extension("whole");
            fetcher.file(&url, &sha256, &aside)?;
            fs::rename(&aside, target)
                .with_context(|| format!("putting {} in place", target.display()))?;
        }
        fs::set_permissions(target, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("making {} executable", target.display()))?;
        Ok(source)
    }

    fn fetcher(&self) -> Fetcher<'_> {
        Fetcher {
            exec: &self.exec,
            mirror: self.pins.mirror().get_ref(),
            pause: Duration::from_secs(1),
            tries: 5,
        }
    }

    /// Downloads a file that is no tool, unless what is at `target` has this checksum.
    pub fn ensure_file(&self, what: &str, url: &str, sha256: &str, target: &Path) -> Result<()> {
        if target.exists() && fetch::hash(&self.exec, target)?.eq_ignore_ascii_case(sha256) {
            return Ok(());
        }
        let shown = quote(&target.to_string_lossy());
        let shell = format!("curl -fL --create-dirs -o {shown} {url}");
        if !self.exec.change(&shell) {
            return Ok(());
        }
        let step = self.ui.step(what.to_owned());
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        self.fetcher().file(url, sha256, target)?;
        step.done(tr!(
            "downloaded, checksum from lab.toml",
            "téléchargé, somme de contrôle de lab.toml",
        ));
        Ok(())
    }

    /// The checksum that the release itself states.
    fn published(
        &self,
        fetcher: &Fetcher,
        pin: &Pin,
        platform: &Platform,
        target: &Path,
    ) -> Result<(String, String)> {
        let sums = pin.sums(platform);
        let list = fetcher.text(&sums, &target.with_extension("sums"))?;
        let url = pin.url(platform);
        let file = url.rsplit('/').next().unwrap_or_default();
        let sha256 = fetch::listed(&list, file).ok_or_else(|| {
            Failure::preflight(tr!(
                "{sums} has no checksum of {file}",
                "{sums} n'a pas de somme de contrôle de {file}",
            ))
            .next(tr!(
                "check the mirror in lab.toml, or state the checksum there",
                "vérifiez le miroir dans lab.toml, ou indiquez-y la somme de contrôle",
            ))
        })?;
        Ok((sha256, sums))
    }

    fn remembered(&self, tool: Tool) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&tool).cloned()
    }

    fn remember(&self, tool: Tool, program: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(tool, program.to_owned());
    }
}

fn platform() -> Result<Platform> {
    Platform::here().ok_or_else(|| {
        Failure::preflight(tr!(
            "the tools are not published for this kind of machine",
            "les outils ne sont pas publiés pour ce type de machine",
        ))
        .next(tr!(
            "put k3d, kubectl and packer of the versions in lab.toml on PATH",
            "mettez k3d, kubectl et packer dans les versions de lab.toml dans le PATH",
        ))
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_may_be_one_minor_version_away_and_the_others_not() {
        let pinned = Version(1, 34, 1);
        assert!(Tool::Kubectl.will_do(Version(1, 33, 9), pinned));
        assert!(!Tool::Kubectl.will_do(Version(1, 32, 0), pinned));
        assert!(!Tool::Packer.will_do(Version(1, 34, 2), pinned));
    }
}
