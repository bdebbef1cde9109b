//! The lab in one namespace of a cluster that is there already: what it is made of, and
//! the tools aimed at it.

use std::path::PathBuf;

use anyhow::Result;
use terms::{EngineName, LabName, tr};

use crate::config::{Kubernetes, Reach};
use crate::context::Context;
use crate::failure::Failure;
use crate::kube::image::{Images, Recipe};
use crate::kube::rendering::Rendering;
use crate::kube::{Kube, Workload};
use crate::manifests::substitute;
use crate::tools::toolbox::Tool;

/// The tools that are run: k3d is none of them.
pub const TOOLS: [Tool; 2] = [Tool::Kubectl, Tool::Packer];

#[derive(Clone)]
pub struct Site {
    pub ctx: Context,
    pub images: Images,
    pub kube: Kube,
    /// As the lab that is meant has them.
    settings: Kubernetes,
}

impl Site {
    /// # Errors
    /// Usage, where `lab.toml` does not say which cluster, or which registry.
    pub fn new(ctx: &Context) -> Result<Self> {
        let stated = &ctx.config.kubernetes;
        let name = EngineName::Kubernetes;
        let (settings, workload, cluster) = match ctx.options.lab {
            LabName::Ha => {
                let class = ctx.config.ha.storage_class().get_ref();
                let cluster = format!("{name}-{}", LabName::Ha);
                (stated.for_ha(class), Workload::ha(ctx), cluster)
            }
            LabName::Pra | LabName::Image => (stated.clone(), Workload::pra(ctx), name.to_string()),
        };
        insist_on_stated(&settings)?;
        let recipe = Recipe::flask(ctx);
        let replicated = workload.database.is_some();
        let rendering = Rendering::new(&settings, recipe.repository, replicated, folder(ctx));
        let substitute = substitute::path(&ctx.workspace.root, name);
        Ok(Self {
            ctx: ctx.clone(),
            kube: Kube {
                ctx: ctx.clone(),
                cluster,
                context: settings.context.clone(),
                workload: Workload {
                    namespace: settings.namespace().to_owned(),
                    ..workload
                },
                substitute: (!replicated).then_some(substitute),
                rendering: Some(rendering),
                engine: name,
                sight: Default::default(),
            },
            images: Images {
                ctx: ctx.clone(),
                recipe,
            },
            settings,
        })
    }

    pub fn settings(&self) -> &Kubernetes {
        &self.settings
    }

    /// The database has instances on several nodes.
    pub fn is_replicated(&self) -> bool {
        self.kube.workload.database.is_some()
    }

    /// The key of lab.toml that names the namespace.
    pub fn namespace_key(&self) -> &'static str {
        match self.is_replicated() {
            true => "kubernetes.ha_namespace",
            false => "kubernetes.namespace",
        }
    }

    /// Where it keeps what it knows of the lab there.
    pub fn folder(&self) -> PathBuf {
        folder(&self.ctx)
    }

    pub fn namespace(&self) -> &str {
        self.settings().namespace()
    }

    pub fn is_forwarded(&self) -> bool {
        self.settings().service == Reach::PortForward
    }
}

fn folder(ctx: &Context) -> PathBuf {
    ctx.workspace
        .lab_state()
        .join(EngineName::Kubernetes.to_string())
}

fn insist_on_stated(settings: &Kubernetes) -> Result<()> {
    let missing = |key: &str, next: String| {
        Failure::usage(tr!(
            "the engine kubernetes needs kubernetes.{key} in lab.toml, which is empty",
            "le moteur kubernetes a besoin de kubernetes.{key} dans lab.toml, qui est vide",
        ))
        .next(next)
    };
    if settings.context.is_empty() {
        let next = tr!(
            "kubectl config get-contexts -o name, and one of them as context in lab.toml",
            "kubectl config get-contexts -o name, et l'un d'eux comme context dans lab.toml",
        );
        return Err(missing("context", next).into());
    }
    if settings.registry().is_empty() {
        let next = tr!(
            "a registry that the nodes can pull from, as registry in lab.toml: \
             \"registry.example:5000/team\"",
            "un registre d'où les nœuds peuvent tirer, comme registry dans lab.toml : \
             \"registry.example:5000/team\"",
        );
        return Err(missing("registry", next).into());
    }
    // What the lab of the recovery has for it, lab.toml cannot be read without.
    if settings.service == Reach::Ingress && settings.host().is_empty() {
        let next = tr!(
            "the host name that the ingress of the lab ha is to answer to, as ha_host in lab.toml",
            "le nom d'hôte auquel l'ingress du lab ha doit répondre, comme ha_host dans lab.toml",
        );
        return Err(missing("ha_host", next).into());
    }
    Ok(())
}
