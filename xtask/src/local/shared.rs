//! What replicas and jobs share: the workspace, the manifests, the service.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use terms::tr;

use crate::manifests::declared::Manifests;
use crate::manifests::model::PodSpec;
use crate::place::Place;
use crate::ui::Ui;
use crate::workspace::Workspace;

use super::desired::DesiredState;
use super::launch;
use super::process::{self, Process};
use super::release::Release;
use super::volumes;
use crate::balance::Routes;

pub struct Shared {
    pub workspace: Workspace,
    pub ui: Ui,
    pub manifests: Manifests,
    /// What a replica that begins now runs.
    pub release: Arc<Release>,
    pub desired: DesiredState,
    pub routes: Arc<Routes>,
    /// Of the supervisor's lock, and so of the whole folder.
    pub place: Place,
}

impl Shared {
    /// A name that no pod of this lab has had.
    pub fn next_name(&mut self, of: &str) -> String {
        self.desired.serial += 1;
        // What lies in our place may be another lab's.
        if self.place.holds()
            && let Err(error) = self.desired.save(&self.workspace)
        {
            // The pod is needed now; only a later supervisor could reuse its name.
            self.note(&format!("{error:#}"));
        }
        format!("{of}-{}", self.desired.serial)
    }

    /// One line of the supervisor's log.
    pub fn note(&self, text: &str) {
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        self.ui.note(&format!("{now} {text}"));
    }

    /// Removes what a pod leaves behind, except its log.
    pub fn clean(&self, pod: &str) {
        // In the folder that has taken the place of ours there may be a pod of
        // that name.
        if self.place.holds() {
            process::clean(&self.workspace, pod);
        }
    }

    /// Why a pod cannot start yet.
    pub fn obstacle(&self, pod: &PodSpec) -> Option<String> {
        let missing = pod
            .claims()
            .find(|claim| !volumes::is_volume(&self.workspace.volumes().join(claim)))?;
        Some(tr!(
            "volume {missing} does not exist (cargo xtask local apply creates it)",
            "le volume {missing} n'existe pas (cargo xtask local apply le crée)",
        ))
    }

    /// Starts the process of a pod.
    pub fn start(&self, name: &str, pod: &PodSpec, set: &[(String, String)]) -> Result<Process> {
        let launch = launch::launch(&self.workspace, &self.manifests, pod, name, set);
        let grace = Duration::from_secs(pod.termination_grace_period_seconds);
        Process::start(&self.workspace, name, &launch, grace)
    }
}

/// How long a process that ended for the nth time in a row waits for its next
/// start: a kubelet starts it again at once, then after ten seconds, doubled
/// each time up to five minutes.
pub fn restart_back_off(ends: u32) -> Duration {
    match ends {
        0 | 1 => Duration::ZERO,
        _ => doubled(ends - 2, 300),
    }
}

/// How long a job waits after its nth failure, as Kubernetes' job controller
/// has it: ten seconds, doubled each time up to ten minutes.
pub fn job_back_off(failures: u32) -> Duration {
    doubled(failures.saturating_sub(1), 600)
}

fn doubled(times: u32, most: u64) -> Duration {
    Duration::from_secs((10 << times.min(16)).min(most))
}

/// A ground for tests: the project's manifests in a lab of its own.
#[cfg(test)]
pub mod testing {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::manifests;

    pub fn shared(name: &str) -> Shared {
        let root = format!("xtask-{name}-{}", std::process::id());
        let workspace = Workspace::at(std::env::temp_dir().join(root));
        // Left by an earlier run that was killed.
        let _ = fs::remove_dir_all(&workspace.root);
        workspace.create().unwrap();
        fs::create_dir(workspace.root.join("app")).unwrap();
        let project = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let manifests = manifests::load(&project).unwrap();
        volumes::create_missing(&workspace, &manifests.claims).unwrap();
        let lock = workspace.state().join("version");
        let place = Place::of(&fs::File::open(&lock).unwrap(), &lock).unwrap();
        Shared {
            release: Arc::new(Release::declared(&workspace, &manifests).unwrap()),
            workspace,
            place,
            ui: Ui::quiet(),
            manifests,
            desired: DesiredState::default(),
            routes: Arc::default(),
        }
    }

    /// With all that runs on it.
    pub fn remove(shared: &Shared) {
        process::end_orphans(&shared.workspace).unwrap();
        fs::remove_dir_all(&shared.workspace.root).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_kubernetes() {
        let counts = [1, 2, 3, 4, 5, 6, 7, 99];
        let restarts = counts.map(|count| restart_back_off(count).as_secs());
        assert_eq!(restarts, [0, 10, 20, 40, 80, 160, 300, 300]);
        let attempts = counts.map(|count| job_back_off(count).as_secs());
        assert_eq!(attempts, [10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
