//! The stages `image` and `import`: the image is built from what is in the
//! checkout, and every node holds exactly that one.

use anyhow::{Context as _, Result};

use super::site::Site;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::docker::{self, Image};
use crate::tools::k3d::{self, Import};
use crate::tools::kube_state;
use crate::tools::packer;
use crate::tools::toolbox::Tool;
use crate::wait;

impl Site {
    /// Builds the image unless there is one made from the same inputs.
    pub fn ensure_image(&self) -> Result<()> {
        let image = self.plan.image();
        let before = self.image_here()?;
        let built = before.as_ref().and_then(Image::inputs);
        if let Some(built) = built
            && self.inputs()?.as_deref() == Some(built)
        {
            self.ctx.ui.note(&format!("{image} is up to date"));
            return Ok(());
        }
        let step = self.ctx.ui.step(format!("image {image}"));
        let folder = self.path(self.plan.template);
        let packer = self.ctx.tools.program(Tool::Packer)?;
        let init = packer::cmd(&packer, packer::init(&folder));
        self.ctx.exec.run(&init).map_err(explain_plugin)?;
        let pull = !self.has_base()?;
        let build = packer::cmd(&packer, packer::build(&folder, &self.plan.vars(), pull));
        self.ctx.exec.run(&build).map_err(explain_build)?;
        if let Some(before) = before.filter(|_| !self.ctx.exec.dry_run()) {
            self.forget(&before)?;
        }
        step.done("built");
        Ok(())
    }

    /// The image as Docker has it.
    pub fn image_here(&self) -> Result<Option<Image>> {
        let cmd = Cmd::new("docker").args(docker::inspect_image(&self.plan.image()));
        let output = self.ctx.exec.probe(&cmd)?;
        match output.status.success() {
            true => Image::parse(&output.stdout).map(Some),
            false => Ok(None),
        }
    }

    /// The hash of what the image would be made from; `None` while Packer has
    /// no plugin yet.
    fn inputs(&self) -> Result<Option<String>> {
        let packer = self.ctx.tools.program(Tool::Packer)?;
        let folder = self.path(self.plan.template);
        let args = packer::inputs(&folder, &self.plan.vars());
        let cmd = packer::cmd(&packer, args).input(packer::INPUTS_QUESTION);
        Ok(packer::parse_inputs(&self.ctx.exec.probe(&cmd)?.stdout))
    }

    fn has_base(&self) -> Result<bool> {
        let cmd = Cmd::new("docker").args(["image", "inspect", &self.plan.base]);
        Ok(self.ctx.exec.probe(&cmd)?.status.success())
    }

    /// Removes the image that lost its tag to the new one.
    fn forget(&self, before: &Image) -> Result<()> {
        if self.image_here()?.is_some_and(|now| now.id == before.id) {
            return Ok(());
        }
        let cmd = Cmd::new("docker").args(["rmi", &before.id]);
        // A container that still uses it keeps it, which is right.
        self.ctx.exec.probe(&cmd)?;
        Ok(())
    }

    /// Imports the image where a node lacks exactly it.
    pub fn ensure_imported(&self) -> Result<()> {
        let image = self.plan.image();
        if self.ctx.exec.dry_run() {
            return self.import(&image, Import::Usual);
        }
        let lacking = self.lacking_nodes(&image)?;
        if lacking.is_empty() {
            self.ctx.ui.note(&format!("every node holds this {image}"));
            return Ok(());
        }
        let step = self.ctx.ui.step(format!("import of {image}"));
        self.import_somehow(&image)?;
        step.done(format!("{} nodes lacked it", lacking.len()));
        Ok(())
    }

    /// The nodes that do not hold exactly the image that is built here.
    fn lacking_nodes(&self, image: &str) -> Result<Vec<String>> {
        let here = self
            .image_here()?
            .with_context(|| format!("{image} is not built"))?;
        let cluster = self.cluster()?.context("the cluster is gone")?;
        std::thread::scope(|scope| {
            let ask = |node| scope.spawn(move || Ok((node, self.identities_on(node)?)));
            let asked: Vec<_> = cluster.nodes().into_iter().map(ask).collect();
            let told = asked.into_iter().map(join);
            let told = told.collect::<Result<Vec<_>>>()?;
            let lacks = |(_, ids): &(&str, Vec<String>)| !ids.contains(&here.id);
            let lacking = told.into_iter().filter(lacks);
            Ok(lacking.map(|(node, _)| node.to_owned()).collect())
        })
    }

    /// Under which names a node knows the image; none where it lacks it.
    fn identities_on(&self, node: &str) -> Result<Vec<String>> {
        let image = self.plan.image();
        let list = Cmd::new("docker").args(docker::node_image(node, &image));
        let listed = self.ctx.exec.probe(&list)?;
        let Some(digest) = docker::node_digest(&listed.stdout, &image) else {
            return Ok(Vec::new());
        };
        let get = Cmd::new("docker").args(docker::node_manifest(node, &digest));
        let manifest = self.ctx.exec.probe(&get)?.stdout;
        Ok(docker::node_identities(&digest, &manifest))
    }

    fn import(&self, image: &str, how: Import) -> Result<()> {
        let cmd = self.k3d(k3d::import(self.plan.cluster, image, how))?;
        self.ctx.exec.run(&cmd.limit(wait::IMPORT))?;
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        // k3d reports success also where a node refused the image.
        let lacking = self.lacking_nodes(image)?;
        if lacking.is_empty() {
            return Ok(());
        }
        let said = format!(
            "k3d reported success, yet it is not on {}",
            lacking.join(", ")
        );
        Err(Failure::tool(said).into())
    }

    /// Newer Docker versions save some images in a form that one way of the
    /// import chokes on and another does not (k3d#1538).
    fn import_somehow(&self, image: &str) -> Result<()> {
        let Err(first) = self.import(image, Import::Usual) else {
            return Ok(());
        };
        wait::check_interrupt()?;
        self.ctx.ui.warn(&format!(
            "importing failed ({}): another way",
            reason(&first)
        ));
        let Err(second) = self.import(image, Import::Direct) else {
            return Ok(());
        };
        wait::check_interrupt()?;
        self.ctx.ui.warn(&format!(
            "importing directly failed ({}): by archive",
            reason(&second)
        ));
        let archive = self.ctx.lab.home().join("image.tar");
        let path = archive.to_string_lossy();
        let save = Cmd::new("docker").args(["save", "--output", &path, image]);
        self.ctx.exec.run(&save.limit(wait::IMPORT))?;
        let imported = self.import(image, Import::Archive(&path));
        std::fs::remove_file(&archive).context("removing the archive of the image")?;
        imported.map_err(|error| {
            error.context(
                Failure::tool(format!(
                    "{image} could not be imported in any of three ways"
                ))
                .next(format!(
                    "k3d image import {image} -c {} says what the nodes refuse",
                    self.plan.cluster
                )),
            )
        })
    }

    /// Pods that run another image of the same tag are replaced.
    pub fn ensure_rolled_out(&self) -> Result<()> {
        let Some(here) = self.image_here()? else {
            return Ok(());
        };
        let selector = format!("app={}", self.plan.deployment);
        let kubectl = self.kubectl()?;
        let pods = kubectl.cmd(["get", "pods", "-l", &selector, "-o", "json"]);
        let running = kube_state::image_ids(&self.ctx.exec.read(&pods)?)?;
        if self.all_run(&running, &here)? {
            return Ok(());
        }
        let deployment = format!("deployment/{}", self.plan.deployment);
        let step = self.ctx.ui.step("rollout of the new image");
        self.ctx
            .exec
            .run(&kubectl.cmd(["rollout", "restart", &deployment]))?;
        let status = kubectl.cmd(["rollout", "status", &deployment, "--timeout=120s"]);
        self.ctx.exec.run(&status.limit(wait::PLAYBOOK))?;
        step.done("every replica runs it");
        Ok(())
    }

    /// A node may call the image by its manifest where Docker does not.
    fn all_run(&self, running: &[String], here: &Image) -> Result<bool> {
        let strangers = |known: &[String]| {
            let known = |id: &&String| known.iter().any(|name| id.ends_with(name.as_str()));
            running.iter().filter(|id| !known(id)).count()
        };
        if strangers(std::slice::from_ref(&here.id)) == 0 {
            return Ok(true);
        }
        let cluster = self.cluster()?.context("the cluster is gone")?;
        let nodes = cluster.nodes();
        let first = nodes.first().context("the cluster has no nodes")?;
        Ok(strangers(&self.identities_on(first)?) == 0)
    }
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(anyhow::anyhow!("asking a node for its images panicked")))
}

/// The line that says what went wrong, for a remark.
fn reason(error: &anyhow::Error) -> String {
    let said = format!("{error:#}");
    let known = "content digest";
    let line = said.lines().find(|line| line.contains(known));
    let line = line.or_else(|| said.lines().next());
    line.unwrap_or_default().trim().chars().take(160).collect()
}

fn explain_plugin(error: anyhow::Error) -> anyhow::Error {
    error.context(
        Failure::tool("Packer's Docker plugin could not be installed")
            .next("check the network (it comes from github.com), then run the same command again"),
    )
}

/// Puts into plain words why a build fails on students' machines.
fn explain_build(error: anyhow::Error) -> anyhow::Error {
    let said = format!("{error:#}");
    let failure = if said.contains("toomanyrequests") || said.contains("429") {
        Failure::preflight("Docker Hub refuses further downloads for a while (429)")
            .next("docker login, or wait an hour, then run the same command again")
    } else if said.contains("DO NOT MATCH THE HASHES") {
        Failure::preflight("a downloaded package is not the locked one (its hash differs)")
            .next("check the package index or proxy in use")
    } else {
        return error;
    };
    error.context(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    #[test]
    fn the_reason_of_a_failed_import_is_the_line_that_matters() {
        let error: anyhow::Error = Failure::tool(
            "`k3d` failed (exit status: 1):\n    INFO importing\n    \
             ERRO content digest sha256:1: not found",
        )
        .into();
        assert_eq!(reason(&error), "ERRO content digest sha256:1: not found");
    }

    #[test]
    fn a_rate_limit_is_no_broken_template() {
        let error = explain_build(Failure::tool("toomanyrequests: rate limit").into());
        assert_eq!(kind(&error), Kind::Preflight);
    }
}
