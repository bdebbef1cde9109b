//! One workshop on a cluster of k3d: what it is made of, and the tools aimed at it.

use anyhow::Result;

use crate::context::Context;
use crate::exec::Cmd;
use crate::kube::image::{Images, Recipe, docker};
use crate::kube::{Kube, Workload};
use crate::manifests::substitute;
use crate::tools::k3d::{self, Cluster};
use crate::tools::toolbox::{Found, Tool};
use terms::{EngineName, LabName};

/// What a workshop is made of.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// k3d's name; the context is `k3d-` and this.
    pub cluster: &'static str,
    /// The file that declares its nodes; else lab.toml counts them.
    pub nodes: Option<&'static str>,
    pub image: Recipe,
    pub workload: Workload,
}

impl Blueprint {
    /// Of the lab that is meant.
    pub fn of(ctx: &Context) -> Self {
        match ctx.options.lab {
            LabName::Pra => Self::pra(ctx),
            LabName::Image => Self::image_workshop(ctx),
            LabName::Ha => Self::ha(ctx),
        }
    }

    /// Of every lab.
    pub fn all(ctx: &Context) -> [Self; 3] {
        [Self::pra(ctx), Self::image_workshop(ctx), Self::ha(ctx)]
    }

    pub fn pra(ctx: &Context) -> Self {
        Self {
            cluster: "pra",
            nodes: None,
            image: Recipe::flask(ctx),
            workload: Workload::pra(ctx),
        }
    }

    pub fn ha(ctx: &Context) -> Self {
        Self {
            cluster: "ha",
            nodes: Some("ha/k3d.yaml"),
            image: Recipe::flask(ctx),
            workload: Workload::ha(ctx),
        }
    }

    pub fn image_workshop(ctx: &Context) -> Self {
        Self {
            cluster: "lab",
            nodes: None,
            image: Recipe {
                repository: "atelier/nginx",
                template: "packer/nginx",
                base: ctx.config.images.nginx_base.clone(),
            },
            workload: Workload::image_workshop(ctx),
        }
    }
}

/// A workshop on this machine: its cluster, its image, and what is in the cluster.
#[derive(Clone)]
pub struct Site {
    pub ctx: Context,
    /// k3d's name of the cluster.
    pub name: &'static str,
    /// The file that declares its nodes.
    pub nodes: Option<&'static str>,
    pub images: Images,
    pub kube: Kube,
}

impl Site {
    pub fn new(ctx: &Context, plan: Blueprint) -> Self {
        let substitute = substitute::path(&ctx.workspace.root, EngineName::K3d);
        let of_the_lab = plan.workload.manifests == substitute::FOLDER;
        Self {
            ctx: ctx.clone(),
            name: plan.cluster,
            nodes: plan.nodes,
            images: Images {
                ctx: ctx.clone(),
                recipe: plan.image,
            },
            kube: Kube {
                ctx: ctx.clone(),
                cluster: plan.cluster.to_owned(),
                context: format!("k3d-{}", plan.cluster),
                workload: plan.workload,
                substitute: of_the_lab.then_some(substitute),
                rendering: None,
                engine: EngineName::K3d,
                sight: Default::default(),
            },
        }
    }

    pub fn k3d<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Cmd> {
        Ok(Cmd::new(self.ctx.tools.program(Tool::K3d)?).args(args))
    }

    /// Whether the pinned k3d is at hand, which the first setup downloads.
    pub fn has_k3d(&self) -> Result<bool> {
        let found = self.ctx.tools.find_once(Tool::K3d)?;
        Ok(matches!(found, Found::Ready { .. }))
    }

    /// The cluster, where there is one; running or not.
    pub fn cluster(&self) -> Result<Option<Cluster>> {
        if self.ctx.exec.dry_run() && !self.has_k3d()? {
            // What would be downloaded first was only shown.
            return Ok(None);
        }
        let cmd = self.k3d(["cluster", "list", "-o", "json"])?;
        let listed = self.ctx.exec.read(&cmd);
        let listed = listed.map_err(|error| docker::explain(&self.ctx, error))?;
        k3d::find(&listed, self.name)
    }
}
