//! One work: copied, read, tried, judged.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::json;
use terms::{EngineName, LabName, tr};

use crate::context::Context;
use crate::failure::Failure;
use crate::marking::facts::LabFacts;
use crate::marking::labs::cluster::ClusterLab;
use crate::marking::labs::fault::is_of_the_work;
use crate::marking::labs::local::{self, LocalLab};
use crate::marking::labs::page;
use crate::marking::marked::Marked;
use crate::marking::observe::database::Reader;
use crate::marking::page_facts::PageFacts;
use crate::marking::repository::history::{self, History};
use crate::marking::repository::layout::Layout;
use crate::marking::repository::readme::{self, Readme};
use crate::marking::repository::{Handed, hand_in};
use crate::marking::sheet::{Open, Section, Total};
use crate::marking::show::harmless;
use crate::marking::{judge, observe};
use crate::tools::python;
use crate::wait;
use crate::workspace;

/// A work on its way to its mark.
pub struct Marking<'a> {
    ctx: &'a Context,
    engine: EngineName,
    handed: Handed,
    layout: Layout,
    history: Option<History>,
    readme: Readme,
    /// The base that was named, where the history has no such commit.
    unknown_base: Option<String>,
    /// Folders of ours, for this work alone.
    scratch: PathBuf,
}

/// The folder of a work.
pub fn find(named: &Path) -> Result<PathBuf> {
    named.canonicalize().map_err(|error| {
        let shown = named.display();
        Failure::usage(tr!(
            "{shown} cannot be read: {error}",
            "{shown} ne peut pas être lu : {error}"
        ))
        .next("cargo xtask check --help")
        .into()
    })
}

impl<'a> Marking<'a> {
    /// Copies the work and reads what it is.
    pub fn begin(
        ctx: &'a Context,
        work: &Path,
        engine: EngineName,
        base: Option<&str>,
    ) -> Result<Self> {
        let scratch = ctx.workspace.marking();
        ctx.workspace.insist_on_own_folder(&scratch.join("repo"))?;
        clear(&scratch)?;
        let handed = hand_in(&ctx.exec, work, &scratch.join("repo"))?;
        let layout = Layout::read(&handed.copy);
        let history = match handed.commit {
            Some(_) => Some(history::read(&ctx.exec, &handed.copy, base)?),
            None => None,
        };
        let named = |history: &History| {
            let known = history.base.as_deref().zip(base);
            known.is_some_and(|(found, named)| found.starts_with(named))
        };
        let guessed = base.is_some() && !history.as_ref().is_some_and(named);
        let original = history
            .as_ref()
            .and_then(|history| history.base.as_deref())
            .and_then(|base| readme::at(&ctx.exec, &handed.copy, base));
        let readme = readme::read(&layout, &original.unwrap_or_default());
        Ok(Self {
            ctx,
            engine,
            handed,
            layout,
            unknown_base: base.filter(|_| guessed).map(str::to_owned),
            history,
            readme,
            scratch,
        })
    }

    pub fn mark(self) -> Result<Marked> {
        match self.ctx.options.lab {
            LabName::Pra => self.mark_recovery(),
            LabName::Image => self.mark_page(),
            LabName::Ha => Err(Self::refuse_ha().into()),
        }
    }

    /// Nobody hands one in.
    fn refuse_ha() -> Failure {
        Failure::usage(tr!(
            "there is no scheme for marking the lab ha",
            "il n'y a pas de barème pour le lab ha",
        ))
        .next("cargo xtask --lab pra check --help")
    }

    fn mark_page(self) -> Result<Marked> {
        let facts = self.page_facts()?;
        let mut sections = judge::page::lab(&facts);
        sections.push(judge::texts::readme(&self.readme, 4.0));
        sections.push(judge::texts::process(self.history.as_ref()));
        let place = facts.place.clone();
        self.marked("image", place, sections, self.remarks(), json!(facts))
    }

    /// What this machine lacks is not the work's affair.
    fn page_facts(&self) -> Result<PageFacts> {
        let untried = |why: String| PageFacts {
            place: why.clone(),
            untried: Some(why),
            ..PageFacts::default()
        };
        if self.engine != EngineName::K3d {
            return Ok(untried(tr!(
                "this workshop has a cluster, which needs k3d",
                "cet atelier a un cluster, donc besoin de k3d"
            )));
        }
        let observed = page::observe(self.ctx, &self.handed.copy, &self.scratch, &self.layout);
        observed.or_else(|error| {
            wait::check_interrupt()?;
            self.ctx.ui.note(&harmless(&format!("{error:#}")));
            Ok(untried(format!("{error:#}")))
        })
    }

    fn mark_recovery(self) -> Result<Marked> {
        let facts = self.facts()?;
        let mut sections = vec![judge::texts::exercises(&self.readme)];
        sections.extend(judge::lab(&facts, judge::texts::runbook(&self.readme)));
        sections.push(judge::texts::readme(&self.readme, 3.0));
        sections.push(judge::texts::process(self.history.as_ref()));
        let place = facts.place.clone();
        let mut remarks = self.remarks();
        remarks.extend(facts.remarks.iter().cloned());
        self.marked("pra", place, sections, remarks, json!(facts))
    }

    /// What was observed. A build, a playbook or pods that fail are the work's affair;
    /// whatever else kept it from being tried costs no point.
    fn facts(&self) -> Result<LabFacts> {
        let observed = match self.engine {
            EngineName::K3d => self.on_a_cluster(),
            _ => self.on_the_local_engine(),
        };
        observed.or_else(|error| {
            wait::check_interrupt()?;
            let said = format!("{error:#}");
            self.ctx.ui.note(&harmless(&said));
            let mut facts = LabFacts {
                place: self.engine.to_string(),
                not_deployed: Some(said.chars().take(600).collect()),
                ..LabFacts::default()
            };
            if !is_of_the_work(&error) {
                facts.place = said.clone();
                facts.beyond = judge::all_of_the_lab()
                    .map(|name| (name, said.clone()))
                    .collect();
            }
            Ok(facts)
        })
    }

    fn on_a_cluster(&self) -> Result<LabFacts> {
        let (ctx, root) = (self.ctx, &self.handed.copy);
        let mut lab = ClusterLab::up(ctx, root, &self.scratch, self.layout.clone())?;
        let mut facts = self.observe(&mut lab)?;
        facts.remarks.extend(lab.deployed().remarks());
        Ok(facts)
    }

    fn on_the_local_engine(&self) -> Result<LabFacts> {
        self.insist_on_what_is_ours()?;
        let root = &self.handed.copy;
        local::insist_on_our_layout(root)?;
        self.share_packages(root)?;
        let lab_toml = root.join("lab.toml");
        let text = std::fs::read_to_string(&lab_toml).context("reading lab.toml of the copy")?;
        workspace::write_file(&lab_toml, &local::settings(&text)?)?;
        let step = self.ctx.ui.step(tr!("a lab of its own", "un lab à lui"));
        let mut lab = LocalLab::up(&self.ctx.exec, &self.ctx.ui, root, self.layout.clone())?;
        step.done("✓");
        self.observe(&mut lab)
    }

    /// A process of the local engine has the rights of whoever marks, and no container
    /// around it.
    fn insist_on_what_is_ours(&self) -> Result<()> {
        let root = self.ctx.workspace.root.canonicalize();
        if root.is_ok_and(|root| root == self.handed.named) {
            return Ok(());
        }
        Err(Failure::preflight(tr!(
            "a work of somebody else is tried in containers alone, on k3d",
            "le travail de quelqu'un d'autre n'est essayé que dans des conteneurs, sur k3d"
        ))
        .next("cargo xtask check --engine k3d DIR")
        .into())
    }

    /// The packages of this checkout, where the copy wants the same.
    fn share_packages(&self, root: &Path) -> Result<()> {
        let wanted = std::fs::read(root.join("app/requirements.txt")).unwrap_or_default();
        let venv = self.ctx.venv();
        venv.ensure(&self.ctx.exec, &self.ctx.ui)?;
        let ours = std::fs::read(&venv.lock).unwrap_or_default();
        if wanted != ours {
            return Ok(());
        }
        std::fs::create_dir_all(root.join(".lab")).context("making the copy's .lab")?;
        std::os::unix::fs::symlink(self.ctx.workspace.venv(), root.join(".lab/venv"))
            .context("sharing the Python packages")
    }

    fn observe(&self, lab: &mut dyn crate::marking::labs::lab::Lab) -> Result<LabFacts> {
        let reader = Reader {
            exec: &self.ctx.exec,
            python: python::any()?,
        };
        let folder = self.scratch.join("copies");
        observe::observe(lab, &self.ctx.ui, reader, &folder)
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.handed.uncommitted > 0 {
            let uncommitted = self.handed.uncommitted;
            remarks.push(tr!(
                "changed files that are not committed, and were not marked: {uncommitted}",
                "fichiers modifiés hors de tout commit, qui n'ont pas été notés : {uncommitted}"
            ));
        }
        if self.handed.shallow {
            remarks.push(tr!(
                "the clone is shallow: older commits are not in it, and the process is judged \
                 without them (git fetch --unshallow)",
                "le clone est superficiel : les commits plus anciens n'y sont pas, et le \
                 processus est jugé sans eux (git fetch --unshallow)"
            ));
        }
        if let (Some(base), false) = (&self.unknown_base, self.history.is_none()) {
            remarks.push(tr!(
                "--base {base} is no commit of this history: where the work begins was guessed",
                "--base {base} n'est pas un commit de cet historique : le début du travail a été \
                 deviné"
            ));
        }
        remarks
    }

    fn marked(
        &self,
        lab: &'static str,
        place: String,
        sections: Vec<Section>,
        remarks: Vec<String>,
        facts: serde_json::Value,
    ) -> Result<Marked> {
        clear(&self.scratch)?;
        let marked = Marked {
            work: self.handed.named.display().to_string(),
            lab,
            commit: self.handed.commit.clone(),
            at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            place,
            technical: Total::default(),
            open: Open::default(),
            untried: 0.0,
            sections,
            remarks,
            history: self.history.clone(),
            readme: self.readme.clone(),
            facts,
        };
        Ok(marked.summed())
    }
}

/// Removes what an earlier marking left, and makes the folder anew.
fn clear(scratch: &Path) -> Result<()> {
    let removed = std::fs::remove_dir_all(scratch);
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("removing {}", scratch.display()));
    }
    std::fs::create_dir_all(scratch).with_context(|| format!("creating {}", scratch.display()))
}
