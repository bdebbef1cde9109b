//! One workshop on a cluster of k3d: what it is made of, and the tools aimed at it.

use anyhow::Result;

use super::image::{Images, Recipe};
use crate::context::Context;
use crate::exec::Cmd;
use crate::kube::{Kube, Port, Workload};
use crate::manifests::substitute;
use crate::names;
use crate::tools::k3d::{self, Cluster};
use crate::tools::toolbox::{Found, Tool};
use terms::EngineName;

/// What a workshop is made of.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// k3d's name; the context is `k3d-` and this.
    pub cluster: &'static str,
    pub image: Recipe,
    pub workload: Workload,
}

impl Blueprint {
    pub fn pra(ctx: &Context) -> Self {
        Self {
            cluster: "pra",
            image: Recipe {
                repository: "pra/flask-sqlite",
                template: "packer/flask",
                base: ctx.config.images.flask_base.clone(),
            },
            workload: Workload {
                namespace: "pra",
                playbook: "ansible/playbook.yml",
                manifests: substitute::FOLDER,
                deployment: names::DEPLOYMENT,
                ports: vec![Port {
                    host: ctx.config.service.port,
                    node: 30080,
                    service: "flask",
                }],
            },
        }
    }

    pub fn image_workshop(ctx: &Context) -> Self {
        let port = |host, node, service| Port {
            host,
            node,
            service,
        };
        Self {
            cluster: "lab",
            image: Recipe {
                repository: "atelier/nginx",
                template: "packer/nginx",
                base: ctx.config.images.nginx_base.clone(),
            },
            workload: Workload {
                namespace: "image",
                playbook: "ansible/image.yml",
                manifests: "image",
                deployment: "nginx",
                ports: vec![
                    port(ctx.config.image_workshop.mario_port, 30081, "mario"),
                    port(ctx.config.image_workshop.nginx_port, 30082, "nginx"),
                ],
            },
        }
    }
}

/// A workshop on this machine: its cluster, its image, and what is in the cluster.
#[derive(Clone)]
pub struct Site {
    pub ctx: Context,
    /// k3d's name of the cluster.
    pub name: &'static str,
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
            images: Images {
                ctx: ctx.clone(),
                cluster: plan.cluster,
                recipe: plan.image,
            },
            kube: Kube {
                ctx: ctx.clone(),
                cluster: plan.cluster.to_owned(),
                context: format!("k3d-{}", plan.cluster),
                workload: plan.workload,
                substitute: of_the_lab.then_some(substitute),
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
        k3d::find(&self.ctx.exec.read(&cmd)?, self.name)
    }
}
