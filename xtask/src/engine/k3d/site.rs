//! One workshop on one cluster: what it is made of, and the tools aimed at it.

use anyhow::Result;
use std::path::PathBuf;

use crate::context::Context;
use crate::exec::{self, Cmd, Output};
use crate::manifests::substitute;
use crate::tools::k3d::{self, Cluster};
use crate::tools::kubectl::Kubectl;
use crate::tools::packer::Vars;
use crate::tools::toolbox::Tool;

/// The tag of the images, as the workshop types it.
pub const TAG: &str = "1.0";

/// What a workshop is made of.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// k3d's name; the context is `k3d-` and this.
    pub cluster: &'static str,
    pub namespace: &'static str,
    /// The image without its tag, and the folder of its Packer template.
    pub repository: &'static str,
    pub template: &'static str,
    pub base: String,
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

impl Blueprint {
    pub fn pra(ctx: &Context) -> Self {
        Self {
            cluster: "pra",
            namespace: "pra",
            repository: "pra/flask-sqlite",
            template: "packer/flask",
            base: ctx.config.images.flask_base.clone(),
            playbook: "ansible/playbook.yml",
            manifests: substitute::FOLDER,
            deployment: crate::names::DEPLOYMENT,
            ports: vec![Port {
                host: ctx.config.service.port,
                node: 30080,
                service: "flask",
            }],
        }
    }

    pub fn image_lab(ctx: &Context) -> Self {
        let port = |host, node, service| Port {
            host,
            node,
            service,
        };
        Self {
            cluster: "lab",
            namespace: "image",
            repository: "atelier/nginx",
            template: "packer/nginx",
            base: ctx.config.images.nginx_base.clone(),
            playbook: "ansible/image.yml",
            manifests: "image",
            deployment: "nginx",
            ports: vec![
                port(ctx.config.image_lab.mario_port, 30081, "mario"),
                port(ctx.config.image_lab.nginx_port, 30082, "nginx"),
            ],
        }
    }

    pub fn image(&self) -> String {
        format!("{}:{TAG}", self.repository)
    }

    pub fn context(&self) -> String {
        format!("k3d-{}", self.cluster)
    }

    pub fn vars(&self) -> Vars<'_> {
        Vars {
            tag: TAG,
            base: &self.base,
        }
    }
}

/// A workshop's blueprint on this machine.
#[derive(Clone)]
pub struct Site {
    pub ctx: Context,
    pub plan: Blueprint,
}

impl Site {
    pub fn new(ctx: &Context, plan: Blueprint) -> Self {
        Self {
            ctx: ctx.clone(),
            plan,
        }
    }

    /// A path of the checkout.
    pub fn path(&self, name: &str) -> PathBuf {
        self.ctx.lab.root.join(name)
    }

    /// The folder of the manifests, or what stands for it.
    pub fn manifests(&self) -> PathBuf {
        let own = self.path(self.plan.manifests);
        self.stands_for_the_manifests().unwrap_or(own)
    }

    /// The same for kubectl, which follows a link where a slash is behind it.
    pub fn manifests_argument(&self) -> String {
        format!("{}/", self.manifests().display())
    }

    /// What is applied in the place of the lab's manifests, where anything is.
    pub fn stands_for_the_manifests(&self) -> Option<PathBuf> {
        let other = substitute::path(&self.ctx.lab.root, terms::EngineName::K3d);
        (self.plan.manifests == substitute::FOLDER && other.is_dir()).then_some(other)
    }

    pub fn kubectl(&self) -> Result<Kubectl> {
        Ok(Kubectl {
            program: self.ctx.tools.program(Tool::Kubectl)?,
            context: self.plan.context(),
            namespace: self.plan.namespace.to_owned(),
        })
    }

    pub fn k3d<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Cmd> {
        Ok(Cmd::new(self.ctx.tools.program(Tool::K3d)?).args(args))
    }

    /// The cluster, where there is one; running or not.
    pub fn cluster(&self) -> Result<Option<Cluster>> {
        let cmd = self.k3d(["cluster", "list", "-o", "json"])?;
        k3d::find(&self.ctx.exec.read(&cmd)?, self.plan.cluster)
    }

    /// Runs a short change and returns what it said; `None` in a dry run.
    pub fn change(&self, cmd: &Cmd) -> Result<Option<Output>> {
        if !self.ctx.exec.change(&cmd.to_string()) {
            return Ok(None);
        }
        exec::output(cmd).map(Some)
    }
}
