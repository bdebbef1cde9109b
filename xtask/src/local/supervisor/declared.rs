//! What is declared in the checkout, brought into force.

use std::sync::Arc;

use anyhow::Result;

use super::Supervisor;
use crate::local::release::Release;
use crate::local::volumes;
use crate::manifests::{self, declared::Manifests};

impl Supervisor {
    /// As `kubectl apply`; replicas of another release are replaced.
    pub(super) fn apply(&mut self) -> Result<Vec<String>> {
        let (declared, release) = self.declared()?;
        let mut changes = self.changes(&declared, &release);
        for claim in volumes::create_missing(&self.shared.workspace, &declared.claims)? {
            changes.push(format!("volume {claim} was created"));
        }
        for change in &changes {
            self.shared.note(change);
        }
        let replicas = declared.deployment.spec.replicas;
        let suspend = declared.cron_job.spec.suspend;
        self.change_desired(|desired| {
            desired.replicas = replicas;
            desired.suspended = suspend.unwrap_or(desired.suspended);
        })?;
        self.shared.manifests = declared;
        self.shared.release = Arc::new(release);
        Ok(changes)
    }

    /// What [`Supervisor::apply`] would change.
    pub(super) fn pending(&self) -> Result<Vec<String>> {
        let (declared, release) = self.declared()?;
        Ok(self.changes(&declared, &release))
    }

    fn declared(&self) -> Result<(Manifests, Release)> {
        let workspace = &self.shared.workspace;
        let manifests = manifests::load(&workspace.root)?;
        let release = Release::declared(workspace, &manifests)?;
        Ok((manifests, release))
    }

    fn changes(&self, declared: &Manifests, release: &Release) -> Vec<String> {
        let running = &self.shared.manifests;
        let mut changes = self.shared.release.changes(release);
        if running.cron_job.spec != declared.cron_job.spec {
            changes.push("the backup schedule and its job".to_owned());
        }
        let (now, wanted) = (
            self.shared.desired.replicas,
            declared.deployment.spec.replicas,
        );
        if now != wanted {
            changes.push(format!("replicas: {now} -> {wanted}"));
        }
        changes
    }
}
