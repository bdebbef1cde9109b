//! The result of a drill: one document, printed with `--json` and kept as
//! `result.json`.

mod group;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;
use terms::lang::number;
use terms::{LabName, tr};

use crate::config::{Mode, Objectives};
use crate::facts::Simplification;

pub use group::{DrillRun, Group};

#[derive(Debug, Serialize)]
pub struct DrillResult {
    pub began: String,
    pub passed: bool,
    /// Every objective that was missed and promise that was broken, in words.
    pub missed: Vec<String>,
    /// What limits how far the figures can be trusted, run by run.
    pub doubts: Vec<String>,
    /// What ended it before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
    /// It was an error, and no interrupt by the person.
    #[serde(skip)]
    pub failed: bool,
    pub seed: u64,
    pub interval_seconds: f64,
    /// The longest time between two backups of the lab's own schedule.
    pub schedule_seconds: Option<f64>,
    /// How long each recovery was put off for a person who decides.
    pub operator_delay_seconds: Option<f64>,
    /// How the measuring client asked.
    pub client: Mode,
    /// How the moments were drawn, in words.
    pub moments: String,
    pub groups: Vec<Group>,
    pub comparison: Vec<String>,
    /// What the figures hold and what they do not, in words.
    pub notes: Vec<String>,
    /// The command that repeats it.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    /// What the engine does more simply than Kubernetes.
    #[serde(
        rename = "milder",
        skip_serializing_if = "<[Simplification]>::is_empty"
    )]
    pub simplifications: &'static [Simplification],
}

/// How a drill draws and recovers; times in seconds.
pub struct Plan {
    pub lab: LabName,
    pub seed: u64,
    /// Over which the moments are drawn.
    pub interval: f64,
    /// What lies between two backups of the lab's own schedule at most.
    pub schedule: Option<f64>,
    pub operator_delay: Option<f64>,
    /// How the measuring client asks.
    pub client: Mode,
}

impl Plan {
    /// How the moments were drawn, and what that does to the losses.
    fn moments(&self) -> String {
        let interval = number(self.interval);
        if self.lab == LabName::Ha {
            return tr!(
                "The moments were drawn uniformly over {interval} s after a steady state.",
                "Les instants ont été tirés uniformément sur les {interval} s qui suivent un état \
                 stable.",
            );
        }
        let drawn = tr!(
            "The moments were drawn uniformly over {interval} s after a backup.",
            "Les instants ont été tirés uniformément sur les {interval} s qui suivent une \
             sauvegarde.",
        );
        match self.schedule {
            Some(schedule) if self.interval < schedule => {
                let schedule = number(schedule);
                tr!(
                    "{drawn} This is shorter than the {schedule} s of the lab's own schedule, and \
                     so are the losses with snapshots alone.",
                    "{drawn} C'est plus court que les {schedule} s du calendrier du lab, et les \
                     pertes avec les points seuls le sont d'autant.",
                )
            }
            _ => drawn,
        }
    }
}

impl DrillResult {
    /// `command` repeats it, `versions` are what makes it.
    pub fn new(plan: &Plan, command: String, versions: BTreeMap<String, String>) -> Self {
        Self {
            began: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            passed: false,
            missed: Vec::new(),
            doubts: Vec::new(),
            cut_off: None,
            failed: false,
            seed: plan.seed,
            interval_seconds: plan.interval,
            schedule_seconds: plan.schedule,
            operator_delay_seconds: plan.operator_delay,
            client: plan.client,
            moments: plan.moments(),
            groups: Vec::new(),
            comparison: Vec::new(),
            notes: Vec::new(),
            commands: vec![command],
            versions,
            simplifications: &[],
        }
    }

    /// How the client asked, as sentences.
    fn on_client(&self) -> Vec<String> {
        let sum = |of: fn(&DrillRun) -> usize| -> usize {
            let runs = self.groups.iter().flat_map(|group| &group.runs);
            runs.map(of).sum()
        };
        let (retried, doubt) = (sum(|run| run.retried), sum(|run| run.in_doubt));
        let kept = self.client.keep_alive.then(|| {
            tr!(
                "The client kept its connections (--keep-alive).",
                "Le client a conservé ses connexions (--keep-alive).",
            )
        });
        let keyed = self.client.retry.then(|| {
            tr!(
                "Each write was sent again until it was answered (--retry): sent more than once: \
                 {retried}; in doubt in the end: {doubt}.",
                "Chaque écriture a été renvoyée jusqu'à sa réponse (--retry) : envoyées plus \
                 d'une fois : {retried} ; douteuses à la fin : {doubt}.",
            )
        });
        kept.into_iter().chain(keyed).collect()
    }

    /// Figures, objectives and the comparison, once all runs are there.
    pub fn judge(&mut self, objectives: &Objectives) {
        // One that never had its turn says nothing.
        self.groups
            .retain(|group| !group.runs.is_empty() || group.cut_off > 0);
        for group in &mut self.groups {
            group.judge(objectives, self.client);
        }
        self.doubts = self.groups.iter().flat_map(Group::doubts).collect();
        self.missed = self.groups.iter().flat_map(Group::missed).collect();
        self.missed
            .extend(self.cut_off.iter().filter(|_| self.failed).cloned());
        self.comparison = self.groups.iter().filter_map(Group::told).collect();
        self.notes.extend(self.on_client());
        self.passed = self.missed.is_empty();
    }
}

#[cfg(test)]
mod tests;
