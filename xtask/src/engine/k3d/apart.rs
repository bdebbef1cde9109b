//! A cluster apart from the lab, for as long as somebody's work is tried on it: one
//! node, a kubeconfig of its own, and tools that reach this cluster and no other.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use terms::tr;

use crate::context::Context;
use crate::exec::{Cmd, quote, quote_path};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::tools::docker;
use crate::tools::k3d::{self, FOLDER, OWNER};
use crate::tools::kubectl::Kubectl;
use crate::tools::toolbox::Tool;
use crate::wait;
use crate::workspace;

/// The clusters of the workshops, as playbooks name them.
const WORKSHOPS: [&str; 2] = ["pra", "lab"];

/// The cluster, removed when this value is dropped.
pub struct Apart {
    ctx: Context,
    pub name: String,
    /// Where its kubeconfig and the tools of playbooks are.
    folder: PathBuf,
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
        super::docker::insist(ctx)?;
        ctx.tools.ensure_all()?;
        let us = Identity::ensure(&ctx.workspace, &ctx.exec)?;
        let id: String = us.id.chars().take(8).collect();
        let apart = Self {
            ctx: ctx.clone(),
            name: format!("check-{id}"),
            folder: folder.to_path_buf(),
            kept: Vec::new(),
        };
        std::fs::create_dir_all(apart.bin()).context("making the folder of the cluster")?;
        apart.remove_left_over(&us)?;
        let step = ctx.ui.step(tr!(
            "cluster {name} for this marking alone",
            "cluster {name}, pour cette seule notation",
            name = apart.name
        ));
        let create = apart.k3d(apart.creation(&us))?.limit(wait::CLUSTER);
        ctx.exec.run(&create)?;
        apart.write_kubeconfig()?;
        apart.write_tools()?;
        step.done("✓");
        Ok(apart)
    }

    fn creation(&self, us: &Identity) -> Vec<String> {
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
    fn remove_left_over(&self, us: &Identity) -> Result<()> {
        let list = self.k3d(["cluster", "list", "-o", "json"])?;
        if k3d::find(&self.ctx.exec.read(&list)?, &self.name)?.is_none() {
            return Ok(());
        }
        let marks = Cmd::new("docker").args(docker::labels(&self.name, OWNER, FOLDER));
        let said = self.ctx.exec.read(&marks)?;
        let name = &self.name;
        if said.split_whitespace().next() != Some(us.id.as_str()) {
            return Err(Failure::usage(tr!(
                "the cluster {name} is there, and was not made by this checkout: nothing is \
                 changed there",
                "le cluster {name} existe, et ne vient pas de ce dépôt : rien n'y est changé"
            ))
            .next(format!("k3d cluster delete {name}"))
            .into());
        }
        self.delete()
    }

    fn delete(&self) -> Result<()> {
        let delete = self.k3d(k3d::delete(&self.name))?;
        self.ctx.exec.run(&delete.limit(wait::CLUSTER))
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// The context of k3d, and the same under the names that playbooks may state.
    fn write_kubeconfig(&self) -> Result<()> {
        let get = self.k3d(["kubeconfig", "get", &self.name])?;
        let text = self.ctx.exec.read(&get)?;
        let config: Value = serde_norway::from_str(&text).context("reading the kubeconfig")?;
        let config = with_aliases(config, &WORKSHOPS.map(|name| format!("k3d-{name}")));
        let file = self.kubeconfig();
        workspace::write_file(&file, &config.to_string())?;
        let only_ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, only_ours).context("protecting the kubeconfig")
    }

    /// kubectl and Packer as they are, and a k3d that knows this cluster alone.
    fn write_tools(&self) -> Result<()> {
        for tool in [Tool::Kubectl, Tool::Packer] {
            let program = self.ctx.tools.program(tool)?;
            let program = which::which(&program).unwrap_or_else(|_| PathBuf::from(&program));
            let link = self.bin().join(tool.name());
            std::os::unix::fs::symlink(program, link).context("naming a tool")?;
        }
        let real = self.ctx.tools.program(Tool::K3d)?;
        let real = which::which(&real).unwrap_or_else(|_| PathBuf::from(&real));
        let script = fenced_k3d(&real, &self.name, &self.kubeconfig());
        let file = self.bin().join("k3d");
        workspace::write_file(&file, &script)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))
            .context("making k3d for playbooks")
    }

    /// What a playbook is given, so that it meets this cluster and no other.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let kubeconfig = self.kubeconfig().to_string_lossy().into_owned();
        [
            ("PATH", format!("{}:{path}", self.bin().display())),
            ("K8S_AUTH_KUBECONFIG", kubeconfig.clone()),
            ("KUBECONFIG", kubeconfig),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
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
            if now == *id {
                continue;
            }
            if let Some(id) = id {
                let tag = Cmd::new("docker").args(["tag", id, image]);
                self.ctx.exec.probe(&tag)?;
            }
            // The build's image, by its name where that means nothing else again.
            let built = match (id, &now) {
                (Some(_), Some(now)) => now,
                _ => image,
            };
            self.ctx
                .exec
                .probe(&Cmd::new("docker").args(["rmi", built]))?;
        }
        Ok(())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // Also after ctrl-C, which would end this at once; its error is on its way.
        wait::begin_anew();
        if let Err(error) = self.give_tags_back().and_then(|()| self.delete()) {
            let name = &self.name;
            self.ctx.ui.warn(&tr!(
                "{error:#}; remove what is left with: k3d cluster delete {name}",
                "{error:#} ; retirez ce qui reste par : k3d cluster delete {name}"
            ));
        }
    }
}

/// The contexts of the workshops' names, all leading to the one cluster.
fn with_aliases(mut config: Value, names: &[String]) -> Value {
    let context = config["contexts"][0]["context"].clone();
    if let Some(contexts) = config["contexts"].as_array_mut() {
        contexts.extend(
            names
                .iter()
                .map(|name| json!({"name": name, "context": context})),
        );
    }
    config
}

/// k3d for playbooks: whichever cluster they name, this one is meant; none is made,
/// stopped or deleted.
fn fenced_k3d(real: &Path, cluster: &str, kubeconfig: &Path) -> String {
    let (real, config) = (quote_path(real), quote_path(kubeconfig));
    let cluster = quote(cluster);
    // Each as the line of the one there is; that line itself comes last.
    let aliases = WORKSHOPS.map(|name| format!("-e 'h;s/^'{cluster}'/{name}/p;g'"));
    let aliases = aliases.join(" ");
    format!(
        r#"#!/bin/sh
# Made by cargo xtask check: whichever cluster is named, {cluster} is meant.
case "${{1:-}} ${{2:-}}" in
"cluster list" | "cluster ls" | "cluster get")
    {real} cluster list {cluster} | sed {aliases} ;;
"cluster create" | "cluster start")
    echo "check: {cluster} is there already" ;;
"cluster "* | "node "* | "registry "*)
    echo "check: k3d $1 ${{2:-}} is not done in a marking" >&2
    exit 1 ;;
"image import" | "image load" | "images import")
    shift 2
    images=
    while [ $# -gt 0 ]; do
        case "$1" in
        -c | --cluster | -m | --mode) shift ;;
        -*) ;;
        *) images="$images $1" ;;
        esac
        [ $# -gt 0 ] && shift
    done
    exec {real} image import -c {cluster} $images ;;
"kubeconfig get") cat {config} ;;
"kubeconfig "*) echo {config} ;;
*) exec {real} "$@" ;;
esac
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::output;

    fn fenced(args: &[&str]) -> (bool, String) {
        let script = fenced_k3d(Path::new("echo"), "check-1", Path::new("/config"));
        let mut all = vec!["-c", script.as_str(), "k3d"];
        all.extend(args);
        let output = output(&Cmd::new("sh").args(all)).unwrap();
        (output.status.success(), output.stdout)
    }

    #[test]
    fn a_playbook_reaches_the_cluster_of_the_marking_and_no_other() {
        let import = ["image", "import", "pra/flask-sqlite:1.0", "-c", "pra"];
        let done = "image import -c check-1 pra/flask-sqlite:1.0\n";
        assert_eq!(fenced(&import), (true, done.to_owned()));
        let other = ["image", "import", "--cluster=lab", "a:1", "b:1"];
        assert_eq!(fenced(&other).1, "image import -c check-1 a:1 b:1\n");
        for refused in [["cluster", "delete"], ["cluster", "stop"]] {
            assert_eq!(fenced(&refused), (false, String::new()), "{refused:?}");
        }
        assert!(fenced(&["cluster", "create", "pra"]).1.contains("already"));
        assert_eq!(fenced(&["version"]).1, "version\n");
    }

    #[test]
    fn the_cluster_is_listed_under_the_names_of_the_workshops_too() {
        let script = fenced_k3d(Path::new("fake"), "check-1", Path::new("/config"));
        let script = format!("fake() {{ echo 'check-1 1/1 0/0'; }}\n{script}");
        let listed = Cmd::new("sh").args(["-c", &script, "k3d", "cluster", "list"]);
        let listed = output(&listed).unwrap().stdout;
        assert_eq!(listed.lines().count(), 3, "{listed}");
        for name in ["check-1", "pra", "lab"] {
            assert!(
                listed.lines().any(|line| line.starts_with(name)),
                "{listed}"
            );
        }
    }

    #[test]
    fn the_contexts_of_the_workshops_lead_to_the_same_cluster() {
        let one = json!({"cluster": "k3d-check-1", "user": "admin"});
        let config = json!({"contexts": [{"name": "k3d-check-1", "context": one}]});
        let config = with_aliases(config, &["k3d-pra".to_owned()]);
        assert_eq!(config["contexts"][1]["name"], "k3d-pra");
        assert_eq!(config["contexts"][1]["context"], one);
    }
}
