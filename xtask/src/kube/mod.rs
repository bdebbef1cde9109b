//! What a lab needs of any Kubernetes cluster, whoever made it: kubectl aimed at
//! its namespace, its objects deployed, its jobs run, its state read. Knows
//! nothing of k3d and Docker.

mod deploy;
mod forward;
mod helper;
mod jobs;
mod one_node;
mod state;
mod versions;
mod workload;

use std::path::PathBuf;

use anyhow::Result;

use crate::context::Context;
use crate::exec::{self, Cmd, Output};
use crate::tools::kubectl::Kubectl;
use crate::tools::toolbox::Tool;

/// What a workshop has in a cluster.
#[derive(Clone, Debug)]
pub struct Workload {
    pub namespace: &'static str,
    pub playbook: &'static str,
    pub manifests: &'static str,
    /// The deployment that runs the image.
    pub deployment: &'static str,
    pub ports: Vec<Port>,
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
}

impl Kube {
    /// A path of the checkout.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ctx.workspace.root.join(name)
    }

    /// The folder that is applied: that of the manifests, or its substitute.
    pub fn manifests(&self) -> PathBuf {
        let own = self.path(self.workload.manifests);
        self.substitute_folder().unwrap_or(own)
    }

    /// The same for kubectl, which follows a link where a slash follows it.
    pub fn manifests_argument(&self) -> String {
        format!("{}/", self.manifests().display())
    }

    /// The folder that is applied in place of the manifests, where there is one.
    pub fn substitute_folder(&self) -> Option<PathBuf> {
        self.substitute.clone().filter(|other| other.is_dir())
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
        let (context, namespace) = (&self.context, self.workload.namespace);
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
