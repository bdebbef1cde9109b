//! What replicas and jobs stand on: the lab, the manifests, the service.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use crate::lab::Lab;
use crate::manifests::Manifests;
use crate::manifests::model::PodSpec;
use crate::place::Place;
use crate::ui::Ui;

use super::event::Event;
use super::forward::Routes;
use super::launch;
use super::process::{self, Process};
use super::release::Release;
use super::wishes::Wishes;

pub struct Ground {
    pub lab: Lab,
    pub ui: Ui,
    pub manifests: Manifests,
    /// What a replica that begins now runs.
    pub release: Release,
    pub wishes: Wishes,
    pub routes: Arc<Routes>,
    pub events: Sender<Event>,
    /// Of the supervisor's lock, and so of the whole folder.
    pub place: Place,
}

impl Ground {
    /// A number that no pod of this lab has had.
    pub fn next_serial(&mut self) -> u64 {
        self.wishes.serial += 1;
        if !self.place.holds() {
            // What lies there now is another lab's.
            return self.wishes.serial;
        }
        if let Err(error) = self.wishes.save(&self.lab) {
            // The replica is needed now; only a later supervisor could reuse
            // its name.
            self.note(&format!("{error:#}"));
        }
        self.wishes.serial
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
            process::clean(&self.lab, pod);
        }
    }

    /// Why a pod cannot start yet.
    pub fn obstacle(&self, pod: &PodSpec) -> Option<String> {
        let missing = pod
            .claims()
            .find(|claim| !launch::is_volume(&self.lab.volumes().join(claim)))?;
        Some(format!(
            "volume {missing} does not exist (cargo xtask local apply creates it)"
        ))
    }

    /// Starts the process of a pod.
    pub fn start(
        &self,
        name: &str,
        run: u64,
        pod: &PodSpec,
        set: &[(String, String)],
    ) -> anyhow::Result<Process> {
        let launch = launch::launch(&self.lab, &self.manifests, pod, name, set);
        let grace = Duration::from_secs(pod.termination_grace_period_seconds);
        Process::start(&self.lab, name, run, &launch, grace, &self.events)
    }
}

/// The nth delay of an exponential back-off: Kubernetes begins at ten seconds
/// and goes on to five minutes; a lab is watched by people, so ours is ten
/// times as fast and ends at thirty seconds.
pub fn back_off(failures: u32) -> Duration {
    let doubled = 1_u64 << failures.saturating_sub(1).min(5);
    Duration::from_secs(doubled.min(30))
}
