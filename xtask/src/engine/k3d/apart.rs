//! A cluster apart from the lab, for as long as somebody's work is tried on it: one
//! node, a kubeconfig of its own, and tools that reach this cluster and no other.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::fence::{Fence, WORKSHOPS, fenced_k3d, with_aliases};
use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::kube::image::docker as daemon;
use crate::tools::docker;
use crate::tools::k3d::{self, FOLDER, OWNER};
use crate::tools::kubectl::Kubectl;
use crate::tools::toolbox::Tool;
use crate::wait;
use crate::workspace;

/// The cluster, removed when this value is dropped.
pub struct Apart {
    ctx: Context,
    pub name: String,
    us: Identity,
    /// k3d was asked for it: only from then on is there anything of ours to remove.
    asked_for: bool,
    /// What playbooks and templates are given.
    fence: Fence,
    kept: Vec<KeptTag>,
}

/// A name of an image before the work's build took it, and what it meant.
struct KeptTag {
    image: String,
    id: Option<String>,
}

impl Apart {
    /// Makes the cluster; one that an interrupted marking left is removed first.
    pub fn create(ctx: &Context, folder: &Path) -> Result<Self> {
        daemon::insist(ctx)?;
        ctx.tools.ensure_all()?;
        let us = Identity::ensure(&ctx.workspace, &ctx.exec)?;
        let id: String = us.id.chars().take(8).collect();
        let mut apart = Self {
            ctx: ctx.clone(),
            name: format!("check-{id}"),
            us,
            asked_for: false,
            fence: Fence::at(folder),
            kept: Vec::new(),
        };
        std::fs::create_dir_all(&apart.fence.bin).context("making the folder of the cluster")?;
        apart.remove_what_is_ours()?;
        let step = ctx.ui.step(tr!(
            "cluster {name} for this marking alone",
            "cluster {name}, pour cette seule notation",
            name = apart.name
        ));
        let create = apart.k3d(apart.creation())?.limit(wait::CLUSTER);
        apart.asked_for = true;
        ctx.exec.run(&create)?;
        apart.write_kubeconfig()?;
        apart.write_tools()?;
        step.done("✓");
        Ok(apart)
    }

    fn creation(&self) -> Vec<String> {
        let us = &self.us;
        let config = &self.ctx.config.k3d;
        let labels = [
            (OWNER, us.id.clone()),
            (FOLDER, us.folder.to_string_lossy().replace('@', "%40")),
        ];
        let mut args = ["cluster", "create", &self.name, "--no-lb", "--image"]
            .map(str::to_owned)
            .to_vec();
        args.push(config.node_image.clone());
        args.extend(["--api-port", "127.0.0.1:random", "--timeout", "300s"].map(str::to_owned));
        args.push("--kubeconfig-update-default=false".to_owned());
        args.push("--kubeconfig-switch-context=false".to_owned());
        for (label, value) in labels {
            let label = format!("{label}={value}@server:0");
            args.extend(["--runtime-label".to_owned(), label]);
        }
        args
    }

    fn k3d<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Cmd> {
        Ok(Cmd::new(self.ctx.tools.program(Tool::K3d)?).args(args))
    }

    /// What bears the name and our mark is ours; anything else is left alone.
    fn remove_what_is_ours(&self) -> Result<()> {
        let list = self.k3d(["cluster", "list", "-o", "json"])?;
        if k3d::find(&self.ctx.exec.read(&list)?, &self.name)?.is_none() {
            return Ok(());
        }
        let marks = Cmd::new("docker").args(docker::labels(&self.name, OWNER, FOLDER));
        let said = self.ctx.exec.read(&marks)?;
        let name = &self.name;
        if said.split_whitespace().next() != Some(self.us.id.as_str()) {
            return Err(Failure::usage(tr!(
                "the cluster {name} is there, and was not made by this checkout: nothing is \
                 changed there",
                "le cluster {name} existe, et ne vient pas de ce dépôt : rien n'y est changé"
            ))
            .next(format!("k3d cluster delete {name}"))
            .into());
        }
        let delete = self.k3d(k3d::delete(&self.name))?;
        self.ctx.exec.run(&delete.limit(wait::CLUSTER))
    }

    /// The context of k3d, and the same under the names that playbooks may state.
    fn write_kubeconfig(&self) -> Result<()> {
        let get = self.k3d(["kubeconfig", "get", &self.name])?;
        let text = self.ctx.exec.read(&get)?;
        let config: Value = serde_norway::from_str(&text).context("reading the kubeconfig")?;
        let config = with_aliases(config, &WORKSHOPS.map(|name| format!("k3d-{name}")));
        let file = &self.fence.kubeconfig;
        workspace::write_file(file, &config.to_string())?;
        let only_ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(file, only_ours).context("protecting the kubeconfig")?;
        let usual = self.fence.home.join(".kube");
        std::fs::create_dir_all(&usual).context("making a home for playbooks")?;
        std::os::unix::fs::symlink(file, usual.join("config"))
            .context("naming the kubeconfig as usual")
    }

    /// kubectl and Packer as they are, and a k3d that knows this cluster alone.
    fn write_tools(&self) -> Result<()> {
        for tool in [Tool::Kubectl, Tool::Packer] {
            let program = self.ctx.tools.program(tool)?;
            let program = which::which(&program).unwrap_or_else(|_| PathBuf::from(&program));
            let link = self.fence.bin.join(tool.name());
            std::os::unix::fs::symlink(program, link).context("naming a tool")?;
        }
        let real = self.ctx.tools.program(Tool::K3d)?;
        let real = which::which(&real).unwrap_or_else(|_| PathBuf::from(&real));
        let script = fenced_k3d(&real, &self.name, &self.fence.kubeconfig);
        let file = self.fence.bin.join("k3d");
        workspace::write_file(&file, &script)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))
            .context("making k3d for playbooks")
    }

    /// What Packer and playbooks are given, so that they meet this cluster and no other.
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.fence.environment(|name| std::env::var(name).ok())
    }

    /// kubectl for this cluster, by a kubeconfig that has no other; a command of it
    /// needs [`Apart::environment`].
    pub fn kubectl(&self, namespace: &str) -> Result<Kubectl> {
        Ok(Kubectl {
            program: self.ctx.tools.program(Tool::Kubectl)?,
            context: format!("k3d-{}", self.name),
            namespace: namespace.to_owned(),
        })
    }

    /// Notes what names of images mean before a build takes them: they are given
    /// back with the cluster's end.
    pub fn keep_tags<'a>(&mut self, images: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for image in images {
            let known = self.kept.iter().any(|kept| kept.image == image);
            if !known {
                let id = self.image_id(image)?;
                let image = image.to_owned();
                self.kept.push(KeptTag { image, id });
            }
        }
        Ok(())
    }

    /// What Docker has under this name.
    pub fn image_id(&self, image: &str) -> Result<Option<String>> {
        let inspect = ["image", "inspect", "--format", "{{.Id}}", image];
        let output = self.ctx.exec.probe(&Cmd::new("docker").args(inspect))?;
        let id = output.stdout.trim().to_owned();
        Ok(Some(id).filter(|_| output.status.success()))
    }

    /// The node gets what Docker has under this name.
    pub fn import(&self, image: &str) -> Result<()> {
        let import = k3d::import(&self.name, image, k3d::Import::Usual);
        self.ctx.exec.run(&self.k3d(import)?.limit(wait::IMPORT))
    }

    fn give_tags_back(&self) -> Result<()> {
        for KeptTag { image, id } in &self.kept {
            let now = self.image_id(image)?;
            if let (Some(id), true) = (id, now != *id) {
                let tag = Cmd::new("docker").args(["tag", id, image]);
                self.ctx.exec.read(&tag)?;
            }
            // What the build made goes by its own name, or without one; what anybody else
            // names stays.
            let built = match (id, &now) {
                (None, Some(_)) => Some(image),
                (Some(id), Some(now)) if now != id && !self.has_name(now)? => Some(now),
                _ => None,
            };
            if let Some(built) = built {
                let remove = Cmd::new("docker").args(["rmi", built]);
                self.ctx.exec.probe(&remove)?;
            }
        }
        Ok(())
    }

    fn has_name(&self, id: &str) -> Result<bool> {
        let inspect = ["image", "inspect", "--format", "{{len .RepoTags}}", id];
        let output = self.ctx.exec.probe(&Cmd::new("docker").args(inspect))?;
        Ok(output.stdout.trim() != "0")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if !self.asked_for {
            return;
        }
        // Also after ctrl-C, which would end this at once; its error is on its way.
        wait::begin_anew();
        if let Err(error) = self.give_tags_back() {
            self.ctx.ui.warn(&tr!(
                "names of images were not given back: {error:#}",
                "des noms d'images n'ont pas été rendus : {error:#}"
            ));
        }
        if let Err(error) = self.remove_what_is_ours() {
            let name = &self.name;
            self.ctx.ui.warn(&tr!(
                "{error:#}; see what is left: k3d cluster list {name}",
                "{error:#} ; voyez ce qui reste : k3d cluster list {name}"
            ));
        }
    }
}
