//! What is declared in the checkout, brought into force.

use std::sync::Arc;
use terms::tr;

use anyhow::Result;

use super::Supervisor;
use crate::local::desired::{Copies, DesiredState};
use crate::local::release::Release;
use crate::local::volumes;
use crate::manifests::declared::Manifests;

impl Supervisor {
    /// As `kubectl apply`; replicas of another release are replaced.
    pub(super) fn apply(&mut self, copying: Option<Copies>) -> Result<Vec<String>> {
        let (declared, release) = self.declared(copying.as_ref())?;
        let mut changes = self.changes(&declared, &release);
        for claim in volumes::create_missing(&self.shared.workspace, &declared.claims)? {
            changes.push(tr!(
                "volume {claim} was created",
                "le volume {claim} a été créé"
            ));
        }
        for change in &changes {
            self.shared.note(change);
        }
        let replicas = declared.deployment.spec.replicas;
        let suspend = declared.cron_job.spec.suspend;
        self.change_desired(|desired| {
            desired.replicas = replicas;
            desired.suspended = suspend.unwrap_or(desired.suspended);
            desired.copying = copying;
        })?;
        self.shared.manifests = declared;
        self.shared.release = Arc::new(release);
        Ok(changes)
    }

    /// What [`Supervisor::apply`] would change, and what replicas that stay run
    /// otherwise while an earlier one is still rolled out.
    pub(super) fn pending(&self, copying: Option<Copies>) -> Result<Vec<String>> {
        let (declared, release) = self.declared(copying.as_ref())?;
        let mut changes = self.changes(&declared, &release);
        let staying = self.replicas.iter().filter(|one| !one.is_leaving());
        for change in staying.flat_map(|one| one.changes(&release)) {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        Ok(changes)
    }

    fn declared(&self, copying: Option<&Copies>) -> Result<(Manifests, Release)> {
        let workspace = &self.shared.workspace;
        let wanted = DesiredState {
            copying: copying.cloned(),
            ..DesiredState::default()
        };
        let manifests = wanted.declared(workspace)?;
        let release = Release::declared(workspace, &manifests)?;
        Ok((manifests, release))
    }

    fn changes(&self, declared: &Manifests, release: &Release) -> Vec<String> {
        let running = &self.shared.manifests;
        let mut changes = self.shared.release.changes(release);
        if running.cron_job.spec != declared.cron_job.spec {
            changes.push(tr!(
                "the backup schedule and its job",
                "le calendrier des sauvegardes et leur job",
            ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::replica::Replica;
    use crate::local::shared::testing;

    #[test]
    fn what_a_replica_runs_otherwise_is_pending_until_it_leaves() {
        let mut shared = testing::shared("pending");
        let k8s = concat!(env!("CARGO_MANIFEST_DIR"), "/../k8s");
        std::os::unix::fs::symlink(k8s, shared.workspace.root.join("k8s")).unwrap();
        let release = Arc::make_mut(&mut shared.release);
        release.pod.containers[0].command = vec!["sleep".into(), "60".into()];
        release.settings.insert("EARLIER".into(), "1".into());
        let replica = Replica::create(&mut shared);
        let mut supervisor = Supervisor::new(shared);
        supervisor.replicas.push(replica);
        let changes = ["EARLIER is gone", "the deployment's template"];
        assert_eq!(supervisor.pending(None).unwrap()[..2], changes);
        supervisor.apply(None).unwrap();
        assert_eq!(supervisor.pending(None).unwrap(), changes, "it runs still");
        supervisor.replicas[0].stop(&supervisor.shared);
        assert!(supervisor.pending(None).unwrap().is_empty());
        testing::remove(&supervisor.shared);
    }
}
