//! Whose cluster it is: labels of its first server say which checkout created it,
//! a config map says which one took it over since.

use std::fmt;
use std::path::PathBuf;
use terms::lang::{Both, both};
use terms::tr;

use anyhow::Result;

use super::site::Site;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::tools::docker;
use crate::tools::k3d::{Cluster, FOLDER, OWNER};
use crate::wait;

/// The config map in `kube-system` that names who took a cluster over.
const MARK: &str = "atelier-pra";
const VALUES: &str = "jsonpath={.data.owner}{\"\\n\"}{.data.folder}";

/// Who may change and delete a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This checkout.
    Us,
    /// Another one, and where it was when it wrote that.
    Other(PathBuf),
    /// Nobody who says so: it was made by hand.
    Nobody,
    /// It does not answer, and who took it over is known inside alone.
    Unknown,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Us => both("which is this checkout's", "qui est celui de ce dépôt").fmt(f),
            Self::Nobody => both(
                "which was neither created nor adopted by the lab",
                "que le lab n'a ni créé ni adopté",
            )
            .fmt(f),
            Self::Unknown => both(
                "which does not answer: whether another checkout took it over is not known",
                "qui ne répond pas : on ne sait pas si un autre dépôt l'a repris",
            )
            .fmt(f),
            Self::Other(folder) => {
                let shown = folder.display();
                f.write_str(&tr!(
                    "which is the lab of another checkout, {shown}",
                    "qui est le lab d'un autre dépôt, {shown}",
                ))?;
                if folder.exists() {
                    return Ok(());
                }
                both(" (where there is none any more)", " (où il n'y en a plus)").fmt(f)
            }
        }
    }
}

impl Site {
    /// Who this checkout is, for a mark that is about to be made.
    pub(super) fn identity(&self) -> Result<Identity> {
        Identity::ensure(&self.ctx.workspace, &self.ctx.exec)
    }

    /// Whose the cluster is: who took it over, else who created it.
    pub fn owner(&self) -> Result<Owner> {
        let (adopter, creator) = std::thread::scope(|scope| {
            let creator = scope.spawn(|| self.creator());
            (self.adopter(), wait::join(creator))
        });
        Ok(match adopter? {
            Owner::Nobody => creator?,
            adopter => adopter,
        })
    }

    /// By the labels of its container, which stay as they were made.
    pub(super) fn creator(&self) -> Result<Owner> {
        let args = docker::labels(self.name, OWNER, FOLDER);
        let said = self.ctx.exec.read(&Cmd::new("docker").args(args))?;
        let line = said.lines().next().unwrap_or_default();
        let (id, folder) = line.split_once(' ').unwrap_or((line, ""));
        self.owner_of(id, &folder.replace("%40", "@"))
    }

    fn adopter(&self) -> Result<Owner> {
        let kubectl = self.kube.kubectl()?.within("kube-system");
        let get = ["get", "configmap", MARK, "--ignore-not-found", "-o", VALUES];
        let output = self.ctx.exec.probe(&kubectl.cmd(get))?;
        if !output.status.success() {
            return Ok(Owner::Unknown);
        }
        let (id, folder) = output.stdout.split_once('\n').unwrap_or_default();
        self.owner_of(id, folder)
    }

    fn owner_of(&self, id: &str, folder: &str) -> Result<Owner> {
        let id = id.trim();
        if id.is_empty() {
            return Ok(Owner::Nobody);
        }
        let us = Identity::of(&self.ctx.workspace)?;
        Ok(match us.is_some_and(|us| us.id == id) {
            true => Owner::Us,
            false => Owner::Other(PathBuf::from(folder.trim())),
        })
    }

    /// Refuses to touch what is not this checkout's.
    pub fn insist_on_ownership(&self) -> Result<()> {
        let name = self.name;
        if self.cluster()?.is_none() {
            return Err(Failure::tool(tr!(
                "there is no cluster {name}",
                "il n'y a pas de cluster {name}",
            ))
            .next("cargo xtask setup")
            .into());
        }
        let owner = self.owner()?;
        let there = match &owner {
            Owner::Us => return Ok(()),
            Owner::Unknown => return Err(self.cannot_be_told().into()),
            Owner::Other(folder) if folder.exists() => {
                tr!(
                    "use it from {folder}, or ",
                    "utilisez-le depuis {folder}, ou ",
                    folder = folder.display(),
                )
            }
            _ => String::new(),
        };
        let said = tr!(
            "the cluster {name} is there, {owner}: nothing is changed there",
            "le cluster {name} est là, {owner} : rien n'y est modifié",
        );
        Err(Failure::usage(said)
            .next(tr!(
                "{there}cargo xtask setup, which asks whether to take it over",
                "{there}cargo xtask setup, qui demande s'il faut le reprendre",
            ))
            .into())
    }

    /// The same before a deletion. One that is silent is started for the question:
    /// who created it may not be who has its data in it.
    pub(super) fn insist_before_deletion(&self, cluster: &Cluster) -> Result<()> {
        if self.owner()? == Owner::Unknown {
            let woken = self.wake(cluster);
            wait::check_interrupt()?;
            woken.map_err(|error| error.context(self.cannot_be_told()))?;
        }
        self.insist_on_ownership()
    }

    /// Brings a cluster to answer, as far as that is possible.
    pub(super) fn wake(&self, cluster: &Cluster) -> Result<()> {
        if self.ctx.exec.dry_run() || !cluster.has_load_balancer() {
            return Err(self.cannot_be_told().into());
        }
        if !cluster.is_running() {
            self.start()?;
        }
        self.ensure_answers()
    }

    fn cannot_be_told(&self) -> Failure {
        let name = self.name;
        let owner = Owner::Unknown;
        Failure::tool(tr!(
            "the cluster {name} is there, {owner}: nothing is changed there",
            "le cluster {name} est là, {owner} : rien n'y est modifié",
        ))
        .next(tr!(
            "k3d cluster start {name}, and the same command again; where it is broken for good \
             and nobody needs its data: k3d cluster delete {name}",
            "k3d cluster start {name}, puis la même commande ; s'il est cassé pour de bon et que \
             personne n'a besoin de ses données : k3d cluster delete {name}",
        ))
    }

    /// Marks a cluster that was made by hand, or by another checkout, as this
    /// one's.
    pub(super) fn take_over(&self, owner: &Owner) -> Result<()> {
        let name = self.name;
        let theirs = match owner {
            Owner::Other(_) => both(
                " with the data of that lab",
                " avec les données de ce lab-là",
            ),
            _ => Both::same(""),
        };
        self.ctx.confirm(&tr!(
            "There is a cluster {name}, {owner}. Adopt it? This lab would then deploy there, and \
             its teardown would delete the cluster{theirs}.",
            "Il y a un cluster {name}, {owner}. L'adopter ? Ce lab s'y déploierait alors, et son \
             démontage supprimerait le cluster{theirs}.",
        ))?;
        let us = self.identity()?;
        let kubectl = self.kube.kubectl()?.within("kube-system");
        if *owner != Owner::Nobody {
            let delete = kubectl.cmd(["delete", "configmap", MARK, "--ignore-not-found"]);
            self.ctx.exec.run(&delete)?;
        }
        let id = format!("--from-literal=owner={}", us.id);
        let folder = format!("--from-literal=folder={}", us.folder.display());
        let create = kubectl.cmd(["create", "configmap", MARK, &id, &folder]);
        self.ctx.exec.run(&create)
    }
}
