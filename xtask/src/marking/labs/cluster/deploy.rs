//! How the first workshop comes onto its cluster, and again after a loss.

use anyhow::Result;

use super::site::{ASKED, ClusterLab};
use crate::marking::labs::building::{build, manifests, play, short};
use crate::marking::labs::fault::{is_of_the_work, of_the_work};
use crate::wait;

/// Where the workshop has its playbook.
const PLAYBOOKS: &[&str] = &["ansible/playbook.yml", "ansible/deploy.yml"];

impl ClusterLab {
    pub(super) fn deploy(&mut self) -> Result<()> {
        let built = build(&self.ctx, &mut self.apart, &self.root, &self.layout);
        match built {
            Ok(images) => self.deployed.images = images,
            Err(error) if !is_of_the_work(&error) => return Err(error),
            Err(error) => {
                wait::check_interrupt()?;
                self.deployed.no_image = Some(short(&error));
            }
        }
        let playbook = play(&self.ctx, &self.apart, &self.root, &self.layout, PLAYBOOKS);
        match playbook {
            Ok(path) => self.deployed.playbook = Some(path),
            Err(error) if !is_of_the_work(&error) => return Err(error),
            Err(error) => {
                wait::check_interrupt()?;
                self.deployed.no_playbook = Some(short(&error));
                self.apply().map_err(of_the_work)?;
            }
        }
        Ok(())
    }

    /// `kubectl apply` of all that is no job and no template, in the order of names.
    pub(super) fn apply(&self) -> Result<()> {
        let files = manifests(&self.layout);
        anyhow::ensure!(!files.is_empty(), "there are no manifests");
        let step = self.ctx.ui.step("kubectl apply");
        for file in files {
            let path = self.root.join(&file);
            let cmd = self.cmd(["apply", "-f", &path.to_string_lossy()]);
            self.ctx.exec.read(&cmd.limit(ASKED))?;
        }
        step.done("✓");
        Ok(())
    }

    /// What is declared is applied again, as after the loss of a volume.
    pub(super) fn apply_again(&self) -> Result<()> {
        match manifests(&self.layout).is_empty() {
            false => self.apply(),
            true => play(&self.ctx, &self.apart, &self.root, &self.layout, PLAYBOOKS).map(drop),
        }
    }
}
