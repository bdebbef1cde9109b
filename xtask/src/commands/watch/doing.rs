//! What a scenario or a drill is doing that has the lab, from what its run has written so far.

use std::time::SystemTime;

use serde::Serialize;
use terms::lang::fixed;
use terms::{Labelled, PhaseName, ScenarioName, tr};

use crate::measure::ledger_file::{self, SoFar};
use crate::progress::{self, Line};
use crate::runs;
use crate::workspace::Workspace;

/// A run that goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doing {
    pub run: String,
    pub scenario: ScenarioName,
    /// The step that goes on, and for how long.
    pub step: Option<String>,
    pub step_seconds: Option<f64>,
    /// The phase of the recovery that goes on.
    pub phase: Option<PhaseName>,
    /// Since the newest disaster of the run.
    pub disaster_seconds: Option<f64>,
    /// What its client has, attempts that were followed by others included.
    pub acknowledged: usize,
    pub failed: usize,
}

/// What the command does that has the lab; `None` where that is no run of a scenario.
pub fn of(workspace: &Workspace, holder: &str) -> Option<Doing> {
    let folder = runs::folders(&workspace.runs()).ok()?.pop()?;
    let lines = progress::read(&folder);
    let (process, scenario) = lines.iter().find_map(|line| match line {
        Line::Began {
            process, scenario, ..
        } => Some((*process, *scenario)),
        _ => None,
    })?;
    // An earlier run may be the newest while a command has not begun its own.
    if !holder.contains(&format!("(process {process})")) {
        return None;
    }
    // There is none yet, or what it holds is cut off by a full disk.
    let ledger = ledger_file::read(&folder.join("ledger.jsonl")).ok();
    let now = SystemTime::now();
    Some(Doing {
        run: runs::name_of(&folder),
        ..as_written(scenario, &lines, ledger.as_ref(), now)
    })
}

fn as_written(
    scenario: ScenarioName,
    lines: &[Line],
    ledger: Option<&SoFar>,
    now: SystemTime,
) -> Doing {
    let mut doing = Doing {
        run: String::new(),
        scenario,
        step: None,
        step_seconds: None,
        phase: None,
        disaster_seconds: None,
        acknowledged: 0,
        failed: 0,
    };
    for line in lines {
        match line {
            Line::Step { wall, what } => {
                doing.step = Some(what.clone());
                doing.step_seconds = seconds_since(wall, now);
            }
            // What went on around it goes on.
            Line::Done { what, .. } if doing.step.as_ref() == Some(what) => {
                doing.step = None;
                doing.step_seconds = None;
            }
            Line::Disaster { at } => {
                doing.disaster_seconds = ledger.map(|ledger| (ledger.at(now) - at).max(0.0));
            }
            Line::Phase { name, .. } => doing.phase = *name,
            Line::Began { .. } | Line::Done { .. } | Line::Moment { .. } => {}
        }
    }
    if let Some(ledger) = ledger {
        let (acknowledged, failed) = ledger.since(0.0);
        doing.acknowledged = acknowledged;
        doing.failed = failed + ledger.attempts().count();
    }
    doing
}

fn seconds_since(wall: &str, now: SystemTime) -> Option<f64> {
    let began = humantime::parse_rfc3339(wall).ok()?;
    Some(now.duration_since(began).unwrap_or_default().as_secs_f64())
}

impl Doing {
    /// In a sentence.
    pub fn told(&self) -> String {
        let mut parts = vec![self.scenario.label()];
        if let Some(step) = &self.step {
            let seconds = self.step_seconds.map(|seconds| fixed(seconds, 0));
            let seconds = seconds.map(|seconds| format!(" ({seconds} s)"));
            parts.push(format!("{step}{}", seconds.unwrap_or_default()));
        }
        if let Some(seconds) = self.disaster_seconds {
            let seconds = fixed(seconds, 0);
            parts.push(tr!(
                "disaster {seconds} s ago",
                "sinistre il y a {seconds} s"
            ));
        }
        if let Some(phase) = self.phase {
            parts.push(format!("phase {}", phase.label()));
        }
        parts.push(tr!(
            "client: {acknowledged} acknowledged, {failed} failed",
            "client : {acknowledged} acquittées, {failed} en échec",
            acknowledged = self.acknowledged,
            failed = self.failed,
        ));
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WALL: &str = "2026-11-30T10:00:00Z";

    fn step(what: &str) -> Line {
        Line::Step {
            wall: WALL.to_owned(),
            what: what.to_owned(),
        }
    }

    fn done(what: &str) -> Line {
        Line::Done {
            wall: WALL.to_owned(),
            what: what.to_owned(),
            outcome: "done".to_owned(),
        }
    }

    #[test]
    fn what_goes_on_is_the_newest_step_that_is_not_over() {
        let now = humantime::parse_rfc3339(WALL).unwrap() + Duration::from_secs(4);
        let told = |lines: &[Line]| as_written(ScenarioName::VolumeLoss, lines, None, now);
        let one = told(&[step("backup"), done("backup"), step("restore")]);
        assert_eq!(one.step.as_deref(), Some("restore"));
        assert_eq!(one.step_seconds, Some(4.0));
        assert!(one.told().contains("restore (4 s)"), "{}", one.told());
        assert_eq!(told(&[step("backup"), done("backup")]).step, None);
        let phase = |name| Line::Phase { at: 2.0, name };
        let back = told(&[phase(Some(PhaseName::Serving)), phase(None)]);
        assert_eq!(back.phase, None);
    }
}
