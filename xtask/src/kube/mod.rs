//! What a lab needs of any Kubernetes cluster, whoever made it: kubectl aimed at
//! its namespace, its objects deployed, its jobs run, its state read, whose it is;
//! and the image that runs there, which [`image`] builds. Knows nothing of k3d.

mod beside;
pub mod copying;
mod deploy;
pub mod fingerprint;
mod forward;
mod helper;
pub mod image;
mod jobs;
mod keeper;
pub mod machine;
pub mod monitoring;
pub mod offsite;
mod one_node;
pub mod operator;
pub mod ownership;
mod render;
pub mod rendering;
mod replicas;
mod sight;
mod state;
mod trouble;
mod versions;
mod witness;
mod workload;
pub mod workshops;

use std::path::PathBuf;

use anyhow::Result;

use crate::context::Context;
use crate::exec::{self, Cmd, Output};
use crate::manifests;
pub use crate::tools::kube_events::{Happened, NOBODY, Sighting};
use crate::tools::kubectl::Kubectl;
use crate::tools::toolbox::Tool;
use rendering::Rendering;
pub use sight::Sight;
use terms::EngineName;

/// What a workshop has in a cluster.
#[derive(Clone, Debug)]
pub struct Workload {
    pub namespace: String,
    pub playbook: &'static str,
    pub manifests: &'static str,
    /// The deployment that runs the image.
    pub deployment: &'static str,
    /// The cluster of the database's instances, where it has several.
    pub database: Option<&'static str>,
    pub ports: Vec<Port>,
    /// Those that lead to what watches it, once something does.
    pub watching: Vec<Port>,
}

/// A port of this machine that leads to a service.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// 0: any free one.
    pub host: u16,
    pub node: u16,
    pub service: &'static str,
}

/// A workshop in a cluster that kubectl reaches.
#[derive(Clone)]
pub struct Kube {
    pub ctx: Context,
    /// What the cluster is called in files of ours.
    pub cluster: String,
    /// The same in the kubeconfig.
    pub context: String,
    pub workload: Workload,
    /// The folder that is applied in place of the manifests while it exists.
    pub substitute: Option<PathBuf>,
    /// How the manifests are changed before they are applied, where they are.
    pub rendering: Option<Rendering>,
    /// Which engine it is, for a process that keeps something of it alive.
    pub engine: EngineName,
    pub sight: Sight,
}

impl Kube {
    /// A path of the checkout.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ctx.workspace.root.join(name)
    }

    /// Where the manifests are declared: their own folder, or its substitute.
    fn source(&self) -> PathBuf {
        let own = self.path(self.workload.manifests);
        self.substitute_folder().unwrap_or(own)
    }

    /// The folder that is applied.
    pub fn manifests(&self) -> Result<PathBuf> {
        self.rendered_folder()
    }

    /// The same for kubectl, which follows a link where a slash follows it.
    fn manifests_argument(&self) -> Result<String> {
        Ok(format!("{}/", self.manifests()?.display()))
    }

    /// The folder that is applied in place of the manifests, where there is one.
    fn substitute_folder(&self) -> Option<PathBuf> {
        self.substitute.clone().filter(|other| other.is_dir())
    }

    /// The files that declare it: where the folder has others too, those with a number.
    fn source_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = manifests::yaml_files(&self.source())?;
        if self.workload.database.is_some() {
            files.retain(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(|first: char| first.is_ascii_digit())
            });
        }
        Ok(files)
    }

    /// The files that are applied.
    pub fn manifest_files(&self) -> Result<Vec<PathBuf>> {
        match self.rendering.is_some() {
            true => manifests::yaml_files(&self.manifests()?),
            false => self.source_files(),
        }
    }

    /// The same as options of kubectl, which would take what else is in the folder too.
    pub fn declared(&self) -> Result<Vec<String>> {
        if self.workload.database.is_none() {
            return Ok(vec!["-f".to_owned(), self.manifests_argument()?]);
        }
        let files = self.manifest_files()?.into_iter();
        let options = files.flat_map(|file| ["-f".to_owned(), file.display().to_string()]);
        Ok(options.collect())
    }

    pub fn kubectl(&self) -> Result<Kubectl> {
        Ok(Kubectl {
            program: self.ctx.tools.program(Tool::Kubectl)?,
            context: self.context.clone(),
            namespace: self.workload.namespace.to_owned(),
        })
    }

    /// The same as a person types it.
    pub fn typed(&self, words: &str) -> String {
        let (context, namespace) = (&self.context, &self.workload.namespace);
        format!("kubectl --context {context} -n {namespace} {words}")
    }

    /// Runs a short change and returns what it said; `None` in a dry run.
    pub fn change(&self, cmd: &Cmd) -> Result<Option<Output>> {
        if !self.ctx.exec.change(&cmd.to_string()) {
            return Ok(None);
        }
        exec::output(cmd).map(Some)
    }
}
