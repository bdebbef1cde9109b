//! The stage `deploy`: the cluster holds exactly the manifests of the
//! checkout, brought there by Ansible.

use anyhow::Result;

use super::site::Site;
use crate::failure::Failure;
use crate::tools::ansible;

impl Site {
    /// Runs the playbook unless the cluster holds these manifests already.
    pub fn ensure_deployed(&self) -> Result<()> {
        if !self.ctx.exec.dry_run() && self.is_deployed()? {
            self.remark_deployed();
            return Ok(());
        }
        self.deploy()
    }

    pub(super) fn remark_deployed(&self) {
        let manifests = self.plan.manifests;
        let said = format!("the cluster holds what {manifests}/ says");
        self.ctx.ui.note(&said);
    }

    /// Runs the playbook.
    pub(super) fn deploy(&self) -> Result<()> {
        let venv = self.ctx.ansible();
        venv.ensure(&self.ctx.exec, &self.ctx.ui)?;
        let step = self.ctx.ui.step(format!("playbook {}", self.plan.playbook));
        let playbook = self.path(self.plan.playbook);
        let program = venv.bin("ansible-playbook");
        let other = self.stands_for_the_manifests();
        let cmd = ansible::playbook(program, &playbook, &self.plan.context(), other.as_deref());
        self.ctx.exec.run(&cmd).map_err(|error| {
            error.context(Failure::tool("deploying with Ansible").next(format!(
                "kubectl --context {} -n {} get pods,events",
                self.plan.context(),
                self.plan.namespace
            )))
        })?;
        step.done("applied, and available");
        Ok(())
    }

    /// Asks the server what applying would change.
    pub(super) fn is_deployed(&self) -> Result<bool> {
        let cmd = self.kubectl()?.cmd(["diff", "-f", &self.manifests()]);
        // 1 is a difference; more than that, something is not there at all.
        Ok(self.ctx.exec.probe(&cmd)?.status.success())
    }
}
