//! The stage `deploy`: the cluster holds exactly the manifests of the
//! checkout, brought there by Ansible, and runs what they say.

use anyhow::{Context as _, Result};
use terms::tr;

use super::Kube;
use crate::failure::Failure;
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
        let folder = self.source();
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
        let applied = self.manifests()?;
        let other = Some(applied).filter(|one| *one != self.path(self.workload.manifests));
        let home = self.ctx.workspace.home().join("ansible-home");
        let kubectl = self.kubectl()?.program;
        let kubectl = self.workload.database.map(|_| kubectl.as_str());
        let cmd = ansible::playbook(
            program,
            &playbook,
            context,
            other.as_deref(),
            kubectl,
            &home,
        );
        let cmd = match self.workload.database {
            // The nodes pull what it runs on, and the instances copy each other.
            Some(_) => cmd.limit(wait::PLAYBOOK_OF_SERVERS),
            None => cmd,
        };
        let skipped = self.tag_to_skip()?;
        let cmd = cmd.args(skipped.iter().flat_map(|tag| ["--skip-tags", tag]));
        self.ctx.exec.run(&cmd).map_err(|error| {
            let look = self.typed("get pods,events");
            let failed = Failure::tool(tr!("deploying with Ansible", "déploiement avec Ansible"));
            error.context(self.trouble().unwrap_or_else(|| failed.next(look)))
        })?;
        self.mark_beside()?;
        step.done(tr!("applied, and available", "appliqué, et disponible"));
        Ok(())
    }

    /// Applying would change nothing: read from the objects or, where they
    /// write a value in another way than the manifest, asked of the server.
    pub fn is_deployed(&self) -> Result<bool> {
        let declared = self.declared()?;
        let kubectl = self.kubectl()?;
        let get = kubectl.cmd(["get", "-o", "json"]).args(&declared);
        let live = self.ctx.exec.probe(&get)?;
        if !live.status.success() {
            // Something is not there at all.
            return Ok(false);
        }
        if !self.holds_beside(&live.stdout)? {
            return Ok(false);
        }
        if kube_diff::holds(&live.stdout, &self.wanted()?) {
            return Ok(true);
        }
        let diff = kubectl.cmd(["diff"]).args(&declared);
        Ok(self.ctx.exec.probe(&diff)?.status.success())
    }

    fn wanted(&self) -> Result<Vec<serde_json::Value>> {
        let mut all = Vec::new();
        for file in self.manifest_files()? {
            let read = || kube_diff::documents(&std::fs::read_to_string(&file)?);
            all.extend(read().with_context(|| format!("reading {}", file.display()))?);
        }
        Ok(all)
    }

    pub fn look(&self) -> Result<Running> {
        let said = self.get(kubectl::GET_RUNNING, wait::SHORT_COMMAND)?;
        if !said.status.success() {
            let said = said.stderr.trim();
            return Err(Failure::tool(tr!(
                "the cluster does not say what runs: {said}",
                "le cluster ne dit pas ce qui tourne : {said}",
            ))
            .next(self.typed("get pods"))
            .into());
        }
        kube_running::running(&self.without_others(said.stdout)?, self.workload.deployment)
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
