//! What the runbook takes: the recovery that a game day is held against.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use terms::{EngineName, FaultName, LabName, ParSource, Protection, Read, ScenarioName};

use crate::config::Objectives;
use crate::context::Context;
use crate::measure::figures::milliseconds;
use crate::measure::result_file;
use crate::measure::statistics;
use crate::runs;

use super::faults;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Par {
    pub seconds: f64,
    pub source: ParSource,
    /// So many runs are behind it.
    pub runs: usize,
}

/// The part of a run's result that is read here.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Run {
    scenario: Read<ScenarioName>,
    engine: Read<EngineName>,
    protection: Read<Protection>,
    passed: bool,
    /// The lab restored by itself, as none does in a game day.
    auto: bool,
    rto: Rto,
}

impl Run {
    /// It is what the runbook alone takes: nobody's time to decide is in it.
    fn is_of_the_runbook(&self) -> bool {
        self.rto.operator_delay_seconds.is_none() && !self.auto
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Rto {
    seconds: f64,
    operator_delay_seconds: Option<f64>,
}

impl Par {
    /// The median RTO of the scenario of each fault, of the runs on this engine that are
    /// kept and passed; where one has none, its objective stands for it.
    pub fn of(
        ctx: &Context,
        engine: EngineName,
        with: Protection,
        faults: &[FaultName],
    ) -> Result<Self> {
        let folders = runs::folders(&ctx.workspace.runs())?;
        let texts = folders
            .iter()
            .filter_map(|folder| std::fs::read_to_string(folder.join(result_file::FILE)).ok());
        let runs: Vec<Run> = texts
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect();
        Ok(sum(&runs, &ctx.config.objectives, (engine, with), faults))
    }
}

fn sum(
    runs: &[Run],
    objectives: &Objectives,
    (engine, protection): (EngineName, Protection),
    faults: &[FaultName],
) -> Par {
    let mut par = Par {
        seconds: 0.0,
        source: ParSource::Runs,
        runs: 0,
    };
    // Damaged points come with a loss of their own in their scenario.
    let poisoned = faults
        .iter()
        .filter(|one| **one == FaultName::BackupPoisoned);
    let counted: Vec<&FaultName> = match poisoned.clone().count() {
        0 => faults.iter().collect(),
        _ => poisoned.collect(),
    };
    for fault in counted {
        let scenario = faults::of(*fault).scenario;
        let same = runs.iter().filter(|run| {
            let here = run.engine == engine && run.protection == protection;
            here && run.passed
                && run.is_of_the_runbook()
                && scenario.is_some_and(|name| run.scenario == name)
        });
        let seconds: Vec<f64> = same.map(|run| run.rto.seconds).collect();
        par.runs += seconds.len();
        par.seconds += match statistics::median(&seconds) {
            Some(median) => median,
            None => {
                par.source = ParSource::Objectives;
                objectives
                    .of(LabName::Pra, scenario.unwrap_or(ScenarioName::PodCrash))
                    .rto_seconds
            }
        };
    }
    par.seconds = milliseconds(par.seconds);
    par
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTIVES: &str = "rpo_rows = 0\nrpo_seconds = 90\nrto_seconds = 30";

    fn run(scenario: &str, engine: &str, passed: bool, rto: f64) -> Run {
        let text = serde_json::json!({
            "scenario": scenario, "engine": engine, "protection": "journal",
            "passed": passed, "rto": {"seconds": rto},
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn the_runbook_takes_what_its_scenario_took_here_or_else_its_objective() {
        let runs = [
            run("volume-loss", "local", true, 1.0),
            run("volume-loss", "local", true, 3.0),
            run("volume-loss", "local", true, 2.0),
            run("volume-loss", "k3d", true, 50.0),
            run("volume-loss", "local", false, 90.0),
        ];
        let mut delayed = run("volume-loss", "local", true, 300.0);
        delayed.rto.operator_delay_seconds = Some(299.0);
        let mut alone = run("volume-loss", "local", true, 0.5);
        alone.auto = true;
        let runs = [&runs[..], &[delayed, alone]].concat();
        let objectives: Objectives = toml::from_str(OBJECTIVES).unwrap();
        let here = (EngineName::Local, Protection::Journal);
        let par = sum(&runs, &objectives, here, &[FaultName::VolumeLoss]);
        assert_eq!(
            (par.seconds, par.source, par.runs),
            (2.0, ParSource::Runs, 3)
        );
        // Of two, halfway between them.
        let two = [
            run("volume-loss", "local", true, 1.771),
            run("volume-loss", "local", true, 2.467),
        ];
        let par = sum(&two, &objectives, here, &[FaultName::VolumeLoss]);
        assert_eq!((par.seconds, par.runs), (2.119, 2));
        let both = [FaultName::VolumeLoss, FaultName::Stopped];
        let par = sum(&runs, &objectives, here, &both);
        assert_eq!((par.seconds, par.source), (32.0, ParSource::Objectives));
        let poisoned = [FaultName::BackupPoisoned, FaultName::VolumeLoss];
        let par = sum(&runs, &objectives, here, &poisoned);
        assert_eq!((par.seconds, par.source), (30.0, ParSource::Objectives));
    }
}
