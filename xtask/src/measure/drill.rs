//! The result of a drill: one document, printed with `--json` and kept as
//! `result.json`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use crate::config::Objectives;
use crate::engine::Milder;

use super::group::Group;

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
    /// That was no wish of its reader.
    #[serde(skip)]
    pub failed: bool,
    pub seed: u64,
    pub interval_seconds: f64,
    /// The longest time between two backups of the lab's own schedule.
    pub schedule_seconds: Option<f64>,
    /// How long each recovery was put off for a person who decides.
    pub operator_delay_seconds: Option<f64>,
    /// How the moments were drawn, in words.
    pub moments: String,
    pub groups: Vec<Group>,
    pub comparison: Vec<String>,
    /// What the figures hold and what they do not, in words.
    pub notes: Vec<String>,
    /// The command that repeats it.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    /// Where the engine is kinder than Kubernetes.
    #[serde(skip_serializing_if = "<[Milder]>::is_empty")]
    pub milder: &'static [Milder],
}

/// How a drill draws and recovers; times in seconds.
pub struct Plan {
    pub seed: u64,
    /// Over which the moments are drawn.
    pub interval: f64,
    /// What lies between two backups of the lab's own schedule at most.
    pub schedule: Option<f64>,
    pub operator_delay: Option<f64>,
}

impl Plan {
    /// How the moments were drawn, and what that does to the losses.
    fn moments(&self) -> String {
        let Self { interval, .. } = self;
        let drawn = format!("The moments were drawn uniformly over {interval} s after a backup.");
        match self.schedule {
            Some(schedule) if *interval < schedule => format!(
                "{drawn} This is shorter than the {schedule} s of the lab's own schedule, and so \
                 are the losses with snapshots alone."
            ),
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
            moments: plan.moments(),
            groups: Vec::new(),
            comparison: Vec::new(),
            notes: Vec::new(),
            commands: vec![command],
            versions,
            milder: &[],
        }
    }

    /// Figures, objectives and the comparison, once all runs are there.
    pub fn judge(&mut self, objectives: &Objectives) {
        // One that never had its turn says nothing.
        self.groups
            .retain(|group| !group.runs.is_empty() || group.cut_off > 0);
        for group in &mut self.groups {
            group.judge(objectives);
        }
        self.doubts = self.groups.iter().flat_map(Group::doubts).collect();
        self.missed = self.groups.iter().flat_map(Group::missed).collect();
        self.missed
            .extend(self.cut_off.iter().filter(|_| self.failed).cloned());
        self.comparison = self.groups.iter().filter_map(Group::told).collect();
        self.passed = self.missed.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::super::group::tests::group;
    use super::*;

    fn plan(interval: f64) -> Plan {
        Plan {
            seed: 1,
            interval,
            schedule: Some(60.0),
            operator_delay: None,
        }
    }

    #[test]
    fn an_interval_shorter_than_the_schedules_says_that_it_flatters_snapshots() {
        assert!(plan(2.0).moments().contains("shorter than the 60 s"));
        assert!(!plan(60.0).moments().contains("shorter"));
    }

    #[test]
    fn a_group_of_which_no_run_ended_is_kept_and_meets_no_objective() {
        let config = crate::config::example();
        let mut drill = DrillResult::new(&plan(60.0), String::new(), BTreeMap::new());
        drill.groups = vec![group(2, 0), group(0, 1), group(0, 0)];
        drill.judge(&config.objectives);
        let kept: Vec<usize> = drill.groups.iter().map(|group| group.runs.len()).collect();
        assert_eq!(kept, [2, 0]);
        assert!(drill.groups[1].objectives.is_empty());
        assert!(!drill.groups[0].objectives.is_empty());
        assert_eq!(drill.doubts.len(), 1, "{:?}", drill.doubts);
    }
}
