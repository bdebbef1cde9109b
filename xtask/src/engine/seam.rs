//! The interface of every engine: what a lab can be asked, whatever it runs on.
//! Commands and scenarios are written once, against [`Engine`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use terms::lang::{Both, both};
use terms::{Death, EngineName, LabName, tr};

use super::capability::{self, Capability, Lack, Nodes};
use super::monitoring::Monitoring;
use super::offsite::Running;
use crate::check::Check;
use crate::context::Context;
use crate::exec::{Cmd, Output, Piped};
use crate::facts::offsite::Shipping;
use crate::facts::{Facts, JobOutcome, JobSource, LogSource, Simplification};
use crate::failure::Failure;
use crate::kube::Kube;

/// The error where there is no log to show.
pub fn no_logs() -> anyhow::Error {
    Failure::usage(tr!(
        "nothing of that kind has run yet",
        "rien de ce genre n'a encore tourné"
    ))
    .next("cargo xtask status")
    .into()
}

/// The refusal of a lab that has one of everything.
pub(super) fn not_replicated(lab: LabName) -> anyhow::Error {
    Failure::usage(tr!(
        "the lab {lab} has one database, and no second one to go on with",
        "le lab {lab} a une seule base de données, et pas de seconde pour continuer",
    ))
    .next("cargo xtask --lab ha setup")
    .into()
}

fn no_copies_elsewhere(engine: EngineName) -> Failure {
    Failure::usage(tr!(
        "the {engine} engine makes no copies elsewhere by itself",
        "le moteur {engine} ne fait pas de copies ailleurs par lui-même",
    ))
    .next(
        both(
            "docs/runbook.md, \"Copies in a bucket or on another disk\", says how it is done by hand",
            "docs/runbook.md, \"Copies in a bucket or on another disk\", dit comment le faire à la main",
        )
        .text(),
    )
}

/// An engine in the list of all, before there is a lab on it.
pub struct Entry {
    pub name: EngineName,
    pub lacks: &'static [Lack],
    /// Why `--engine auto` takes it on this machine, if none before it in the list
    /// was taken; `None` where it does not.
    pub suits: fn(&Context) -> Option<Both>,
    /// # Errors
    /// What it needs is not declared.
    pub new: fn(&Context) -> Result<Box<dyn Engine>>,
}

impl Entry {
    /// Whether a lab can be on it. The image workshop asks for none.
    pub fn carries(&self, lab: LabName) -> bool {
        lab != LabName::Ha || self.name != EngineName::Local
    }
}

/// A place where the lab runs. Every method that changes something shows it as
/// shell, and does nothing else in a dry run.
pub trait Engine: Sync {
    /// As in `--engine` and in results.
    fn name(&self) -> EngineName;

    /// What runs on it.
    fn lab(&self) -> LabName {
        LabName::Pra
    }

    /// What it needs of this machine, beyond what every engine does.
    fn checks(&self) -> Vec<Check>;

    /// What it cannot do that others can.
    fn lacks(&self) -> &'static [Lack];

    /// What it does more simply than a cluster, so that its figures are not those of
    /// one.
    fn simplifications(&self) -> &'static [Simplification] {
        &[]
    }

    /// Names and versions of what it is made of; what does not answer is absent.
    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// # Errors
    /// Where the engine does not answer; a lab that is down is no error.
    fn facts(&self) -> Result<Facts>;

    /// Refuses to wait for a lab that is gone, where that can be told at next to no cost.
    fn insist_on_life(&self) -> Result<()> {
        Ok(())
    }

    /// Whether users reach it on the port of this machine that is declared.
    fn needs_port(&self) -> bool {
        true
    }

    /// Whether the lab itself has this port of the machine, up or not.
    fn holds_port(&self, port: u16) -> Result<bool>;

    /// Downloads and builds what [`Engine::up`] needs, as far as that needs no lab and is
    /// not the application's Python, which every engine's commands need.
    fn fetch(&self) -> Result<()> {
        Ok(())
    }

    /// Brings the whole lab up, from whatever is there: infrastructure,
    /// claims, application, schedule. Says what was already done. Returns when
    /// every replica is ready.
    fn up(&self) -> Result<()>;

    /// `kubectl apply -f k8s/`: claims exist and the declared replicas are
    /// asked for again. Does not wait for them, and does not resume backups.
    fn apply(&self) -> Result<()>;

    /// What is declared and not in force, in words: what [`Engine::up`] would
    /// change. Of a lab that is up; changes nothing.
    fn pending(&self) -> Result<Vec<String>>;

    /// Has that run which the volumes are reached through, with as many replicas as it had;
    /// nothing where the lab is gone, or runs.
    fn wake(&self) -> Result<()>;

    /// Asks for so many replicas; does not wait.
    fn scale(&self, replicas: u32) -> Result<()>;

    /// Suspends or resumes the backup schedule.
    fn suspend_backups(&self, suspend: bool) -> Result<()>;

    /// What a person types to resume it.
    fn resuming_backups(&self) -> String;

    /// Ends and removes all jobs; returns when their processes are gone.
    fn delete_jobs(&self) -> Result<()>;

    /// Deletes a volume with everything on it; refused while pods use it.
    fn delete_volume(&self, claim: &str) -> Result<()>;

    /// Runs a job to its end under this name; a finished one of the same name
    /// is replaced. `None` in a dry run.
    fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>>;

    /// `python -m pra ARGS` with both volumes at hand, whether or not a
    /// replica runs. Read-only verbs.
    fn pra(&self, args: &[&str]) -> Result<Output>;

    /// `python -m pra ARGS` with both volumes at hand, whether or not a replica
    /// runs; the file is its standard input or output. `None` in a dry run.
    fn stream(&self, args: &[&str], file: Piped) -> Result<Option<Output>>;

    /// `python -m pra offsite ARGS` with both volumes at hand, and with what reaches the place of
    /// copies elsewhere; `None` in a dry run.
    fn offsite(&self, args: &[&str]) -> Result<Option<Output>> {
        let _ = args;
        Err(no_copies_elsewhere(self.name()).into())
    }

    /// `python -c SCRIPT ARGS` where [`Engine::offsite`] runs, with the settings and credentials of
    /// what copies: the hand of whoever has stolen them. Returns what it printed; `None` in a dry
    /// run.
    fn python_beside_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        let _ = (script, args);
        Err(no_copies_elsewhere(self.name()).into())
    }

    /// The store that `to = "embedded"` of `[offsite]` means, for who reads copies.
    fn embedded_store(&self) -> Result<Running> {
        Err(no_copies_elsewhere(self.name()).into())
    }

    /// Where that store keeps its copies, which outlive the lab; `None` where it never ran.
    fn kept_copies(&self) -> Option<PathBuf> {
        None
    }

    /// Removes all of them, once the lab is down.
    fn remove_copies(&self) -> Result<()> {
        Err(no_copies_elsewhere(self.name()).into())
    }

    /// What makes such copies all the time; `None` where nothing does.
    fn shipping(&self) -> Result<Option<Shipping>> {
        Ok(None)
    }

    /// The command that prints the last lines of what pods wrote, and goes on
    /// with what they write, where it is to follow them.
    ///
    /// # Errors
    /// There is nothing of that kind.
    fn logs(&self, of: LogSource, lines: u32, follow: bool) -> Result<Cmd>;

    /// `python -c SCRIPT` where a replica runs, with its volumes and settings:
    /// the hand of an accident, or of an administrator. Returns what it
    /// printed; `None` in a dry run.
    fn python(&self, script: &str) -> Result<Option<String>>;

    /// Shows, in a dry run alone, how a shell keeps in a variable what
    /// [`Engine::python`] would print.
    fn show_python(&self, variable: &str, script: &str) -> Result<()>;

    /// Its nodes.
    ///
    /// # Errors
    /// It has none that could be stopped.
    fn nodes(&self) -> Result<&dyn Nodes> {
        let refused = capability::lacking(self.name(), Capability::Nodes, self.lacks());
        Err(refused.next("cargo xtask scenario --list").into())
    }

    /// The lab as one that goes on without any one of its parts, which is in Kubernetes
    /// always.
    ///
    /// # Errors
    /// It has one of something, or is another checkout's.
    fn replicated(&self) -> Result<&Kube> {
        Err(not_replicated(self.lab()))
    }

    /// What watches it.
    fn monitoring(&self) -> &dyn Monitoring;

    /// Removes the lab and everything that belongs to it, and nothing else.
    fn down(&self) -> Result<()>;

    /// Removes the marker of a deletion that had not begun when it was interrupted. The
    /// caller has the lab's lock.
    fn forget_unstarted_deletion(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses where the lab that answers is another checkout's.
    fn insist_on_ownership(&self) -> Result<()>;

    /// Makes one replica die; its replacement is the engine's own doing. Says for how long it may
    /// live on once this has returned, in seconds.
    fn kill(&self, pod: &str, death: Death) -> Result<f64>;
}
