//! What is declared in the checkout, brought into force.

use anyhow::Result;

use super::Supervisor;
use crate::local::protocol::Reply;
use crate::local::release::{self, Release};
use crate::local::volumes;
use crate::manifests;
use crate::manifests::declared::Manifests;

impl Supervisor {
    /// As `kubectl apply`: new pods begin with what is declared now, and those of
    /// another template are replaced.
    pub(super) fn apply(&mut self) -> Result<Option<Reply>> {
        let declared = manifests::load(&self.ground.lab.root)?;
        let release = Release::declared(&self.ground.lab, &declared)?;
        let mut changes = self.undeclared(&declared);
        for claim in volumes::create_missing(&self.ground.lab, &declared.claims)? {
            changes.push(format!("volume {claim} was created"));
        }
        for change in &changes {
            self.ground.note(change);
        }
        let replicas = declared.deployment.spec.replicas;
        let suspend = declared.cron_job.spec.suspend;
        self.wish(|wishes| {
            wishes.replicas = replicas;
            wishes.suspended = suspend.unwrap_or(wishes.suspended);
        })?;
        self.ground.manifests = declared;
        self.ground.release = release;
        Ok(Some(Reply::Changes(changes)))
    }

    /// As `kubectl rollout restart`, where there is a reason.
    pub(super) fn roll_out(&mut self) -> Reply {
        let release = self.ground.release.clone();
        let changes = self.changes_to(&release);
        for replica in &mut self.replicas {
            if *replica.release() != release {
                replica.outdate();
            }
        }
        for change in &changes {
            self.ground.note(change);
        }
        Reply::Changes(changes)
    }

    /// What [`Supervisor::apply`] and [`Supervisor::roll_out`] would change.
    pub(super) fn pending(&self) -> Result<Option<Reply>> {
        let declared = manifests::load(&self.ground.lab.root)?;
        let release = Release::declared(&self.ground.lab, &declared)?;
        let mut changes = self.undeclared(&declared);
        changes.extend(self.changes_to(&release));
        Ok(Some(Reply::Changes(changes)))
    }

    fn undeclared(&self, declared: &Manifests) -> Vec<String> {
        let mut changes = release::declarations(&self.ground.manifests, declared);
        let (wanted, now) = (
            declared.deployment.spec.replicas,
            self.ground.wishes.replicas,
        );
        if wanted != now {
            changes.push(format!("replicas: {now} -> {wanted}"));
        }
        changes
    }

    /// What replicas that stay run otherwise than that.
    fn changes_to(&self, release: &Release) -> Vec<String> {
        let mut changes = Vec::new();
        for replica in self.replicas.iter().filter(|replica| !replica.is_leaving()) {
            for change in replica.release().changes(release) {
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
        }
        changes
    }

    pub(super) fn settings(&self) -> Reply {
        Reply::Settings(self.ground.release.settings().clone())
    }
}
