//! Whose cluster it is: labels of its first server say which checkout created it,
//! a config map says which one took it over since.

use terms::lang::{Both, both};
use terms::tr;

use anyhow::{Context as _, Result};
use std::path::PathBuf;

use super::site::Site;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::kube::ownership::Owner;
use crate::tools::docker;
use crate::tools::k3d::{Cluster, FOLDER, OWNER};
use crate::wait;
use crate::workspace;

/// Where the mark of a cluster is that was taken over.
const SYSTEM: &str = "kube-system";

impl Site {
    /// Whose the cluster is: who took it over, else who created it.
    pub fn owner(&self) -> Result<Owner> {
        let (adopter, creator) = std::thread::scope(|scope| {
            let creator = scope.spawn(|| self.creator());
            (self.kube.adopter(SYSTEM), wait::join(creator))
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
        self.kube.owner_of(id, &folder.replace("%40", "@"))
    }

    /// Whose it is as far as that is known without its API, which may be silent: this
    /// checkout's where it created the cluster or took it over. Another one may have taken
    /// it over since.
    pub(super) fn presumed_owner(&self) -> Result<Owner> {
        let creator = self.creator()?;
        Ok(match creator != Owner::Us && self.was_taken_over()? {
            true => Owner::Us,
            false => creator,
        })
    }

    /// Whose it is, by what itself says where it answers.
    pub(super) fn likely_owner(&self) -> Result<Owner> {
        match self.owner()? {
            Owner::Unknown => self.presumed_owner(),
            owner => Ok(owner),
        }
    }

    /// Whether this checkout took over the cluster that is there: it has a container of
    /// that one still.
    fn was_taken_over(&self) -> Result<bool> {
        let Ok(text) = std::fs::read_to_string(self.takeover_mark()) else {
            return Ok(false);
        };
        let parts = self.parts()?;
        Ok(text.lines().any(|part| parts.contains(part)))
    }

    /// Names the containers of a cluster that this checkout took over.
    fn takeover_mark(&self) -> PathBuf {
        let name = format!("adopted-{}", self.name);
        self.ctx.workspace.state().join(name)
    }

    /// Before one that is stopped is started, somebody is asked where another made it.
    pub(super) fn agree_to_start(&self) -> Result<Owner> {
        let owner = self.presumed_owner()?;
        if owner != Owner::Us {
            self.ask_to_adopt(&owner)?;
        }
        Ok(owner)
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
        match self.owner()? {
            Owner::Us => Ok(()),
            Owner::Unknown => Err(self.cannot_be_told().into()),
            owner => Err(self.of_another(&owner).into()),
        }
    }

    /// The same as far as that is known without its API.
    pub(super) fn insist_on_presumed(&self) -> Result<()> {
        match self.presumed_owner()? {
            Owner::Us => Ok(()),
            owner => Err(self.of_another(&owner).into()),
        }
    }

    fn of_another(&self, owner: &Owner) -> Failure {
        let name = self.name;
        let there = match owner {
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
        Failure::usage(said).next(tr!(
            "{there}cargo xtask setup, which asks whether to take it over",
            "{there}cargo xtask setup, qui demande s'il faut le reprendre",
        ))
    }

    /// The same before a deletion. One that is silent is started for the question:
    /// who created it may not be who has its data in it.
    pub(super) fn insist_before_deletion(&self, cluster: &Cluster) -> Result<()> {
        let owner = self.owner()?;
        if owner == Owner::Us {
            // Asked again, a server that is cut off may be the one that is asked.
            return Ok(());
        }
        if owner == Owner::Unknown {
            self.insist_on_presumed()?;
            let woken = self.wake(cluster);
            wait::check_interrupt()?;
            woken.map_err(|error| error.context(self.cannot_be_told()))?;
        }
        self.insist_on_ownership()
    }

    /// Brings a cluster to answer, as far as that is possible; one that another made is
    /// not started.
    pub(super) fn wake(&self, cluster: &Cluster) -> Result<()> {
        if self.ctx.exec.dry_run() || !cluster.has_load_balancer() {
            return Err(self.cannot_be_told().into());
        }
        if !cluster.is_running() {
            self.insist_on_presumed()?;
            self.start()?;
        }
        if self.kube.workload.database.is_none() {
            return self.ensure_answers();
        }
        // One that is cut off listens, and says nothing.
        self.connect_again(&cluster.nodes())?;
        self.await_nodes()
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

    /// Asks before a cluster that was made by hand, or by another checkout, is marked as
    /// this one's: also where that is only shown, since whoever pastes it is asked no more.
    pub(super) fn ask_to_adopt(&self, owner: &Owner) -> Result<()> {
        let name = self.name;
        let theirs = match owner {
            Owner::Other(_) => both(
                " with the data of that lab",
                " avec les données de ce lab-là",
            ),
            _ => Both::same(""),
        };
        self.ctx.confirm_even_shown(&tr!(
            "There is a cluster {name}, {owner}. Adopt it? This lab would then deploy there, and \
             its teardown would delete the cluster{theirs}.",
            "Il y a un cluster {name}, {owner}. L'adopter ? Ce lab s'y déploierait alors, et son \
             démontage supprimerait le cluster{theirs}.",
        ))
    }

    /// Marks it so.
    pub(super) fn take_over(&self, owner: &Owner) -> Result<()> {
        self.kube.adopt(SYSTEM, owner)?;
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let parts: Vec<String> = self.parts()?.into_iter().collect();
        workspace::write_file(&self.takeover_mark(), &parts.join("\n"))
            .context("noting that the cluster was taken over")
    }
}
