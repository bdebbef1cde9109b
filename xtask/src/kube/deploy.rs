//! The stage `deploy`: the cluster holds exactly the manifests of the
//! checkout, brought there by Ansible, and runs what they say.

use anyhow::{Context as _, Result};
use terms::tr;

use super::Kube;
use crate::failure::Failure;
use crate::manifests;
use crate::tools::ansible;
use crate::tools::kube_diff;
use crate::tools::kube_running::{self, Running};
use crate::tools::kubectl;
use crate::wait;

impl Kube {
    /// Runs the playbook unless the cluster holds these manifests already.
    pub fn ensure_deployed(&self) -> Result<()> {
        if !self.ctx.exec.dry_run() && self.is_deployed()? {
            self.remark_deployed();
            return Ok(());
        }
        self.deploy()
    }

    pub fn remark_deployed(&self) {
        let folder = self.manifests();
        let shown = folder
            .strip_prefix(&self.ctx.workspace.root)
            .unwrap_or(&folder);
        let said = tr!(
            "the cluster holds what {folder}/ says",
            "le cluster contient ce que dit {folder}/",
            folder = shown.display(),
        );
        self.ctx.ui.note(&said);
    }

    /// Runs the playbook.
    pub fn deploy(&self) -> Result<()> {
        let venv = self.ctx.ansible();
        venv.ensure(&self.ctx.exec, &self.ctx.ui)?;
        let step = self
            .ctx
            .ui
            .step(format!("playbook {}", self.workload.playbook));
        let playbook = self.path(self.workload.playbook);
        let program = venv.bin("ansible-playbook");
        let context = &self.context;
        let other = self.substitute_folder();
        let home = self.ctx.workspace.home().join("ansible-home");
        let cmd = ansible::playbook(program, &playbook, context, other.as_deref(), &home);
        self.ctx.exec.run(&cmd).map_err(|error| {
            let look = self.typed("get pods,events");
            error.context(
                Failure::tool(tr!("deploying with Ansible", "déploiement avec Ansible",))
                    .next(look),
            )
        })?;
        step.done(tr!("applied, and available", "appliqué, et disponible"));
        Ok(())
    }

    /// Applying would change nothing: read from the objects or, where they
    /// write a value in another way than the manifest, asked of the server.
    pub fn is_deployed(&self) -> Result<bool> {
        let folder = self.manifests_argument();
        let kubectl = self.kubectl()?;
        let get = kubectl.cmd(["get", "-f", &folder, "-o", "json"]);
        let live = self.ctx.exec.probe(&get)?;
        if !live.status.success() {
            // Something is not there at all.
            return Ok(false);
        }
        if kube_diff::holds(&live.stdout, &self.wanted()?) {
            return Ok(true);
        }
        let diff = kubectl.cmd(["diff", "-f", &folder]);
        Ok(self.ctx.exec.probe(&diff)?.status.success())
    }

    fn wanted(&self) -> Result<Vec<serde_json::Value>> {
        let mut all = Vec::new();
        for file in manifests::yaml_files(&self.manifests())? {
            let read = || kube_diff::documents(&std::fs::read_to_string(&file)?);
            all.extend(read().with_context(|| format!("reading {}", file.display()))?);
        }
        Ok(all)
    }

    pub fn look(&self) -> Result<Running> {
        let cmd = self.kubectl()?.cmd(kubectl::GET_RUNNING);
        kube_running::running(&self.ctx.exec.read(&cmd)?, self.workload.deployment)
    }

    /// Replaces pods that run another image of the same tag, as the nodes know it, or
    /// that began before their settings changed.
    pub fn roll_out_where_stale(
        &self,
        running: &Running,
        is_current: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let stale = running.images.iter().any(|id| !is_current(id));
        let what = match (stale, running.outdated) {
            (true, _) => "image",
            (false, true) => "configuration",
            (false, false) => return Ok(()),
        };
        let kubectl = self.kubectl()?;
        let deployment = format!("deployment/{}", self.workload.deployment);
        let step = self
            .ctx
            .ui
            .step(tr!("rollout of the new {what}", "déploiement : {what}"));
        let restart = kubectl.cmd(["rollout", "restart", &deployment]);
        self.ctx.exec.run(&restart)?;
        let words = kubectl::rollout_status(self.workload.deployment, wait::ROLLOUT);
        let status = kubectl.cmd(words);
        self.ctx.exec.run(&status.limit(wait::PLAYBOOK))?;
        step.done(tr!("every replica runs it", "chaque réplique l'exécute"));
        Ok(())
    }
}
