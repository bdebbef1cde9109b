//! The disasters: what each breaks, what must hold, and how it is run.

pub mod outage;
pub mod outcome;
pub mod pod_crash;
pub mod protection;
pub mod repair;
pub mod run;
pub mod volume_loss;

use anyhow::Result;

use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::measure::result::ScenarioResult;
use run::Run;

/// A disaster that can be asked for by name or number.
pub struct Scenario {
    pub number: u32,
    pub name: &'static str,
    pub title: &'static str,
    pub breaks: &'static str,
    pub holds: &'static str,
    pub takes: &'static str,
    pub play: fn(&Run, &dyn Engine) -> Result<ScenarioResult>,
    /// The changes of the scenario as shell, for a dry run.
    pub show: fn(&Context, &dyn Engine) -> Result<()>,
}

pub const ALL: &[Scenario] = &[
    Scenario {
        number: 1,
        name: "pod-crash",
        title: "PCA: the pod dies",
        breaks: "one replica is killed without warning, then one is asked to stop",
        holds: "the service answers all along; no acknowledged row is missing",
        takes: "about 10 s",
        play: pod_crash::play,
        show: pod_crash::show,
    },
    Scenario {
        number: 2,
        name: "volume-loss",
        title: "PRA: the volume is lost",
        breaks: "the volume pra-data is deleted with the database on it",
        holds: "the latest verified point comes back within the objectives of lab.toml",
        takes: "about 10 s",
        play: volume_loss::play,
        show: volume_loss::show,
    },
];

/// The scenario of that name or number.
pub fn find(asked: &str) -> Result<&'static Scenario> {
    let number: Option<u32> = asked.parse().ok();
    let found = ALL
        .iter()
        .find(|scenario| scenario.name == asked || Some(scenario.number) == number);
    found.ok_or_else(|| {
        let names: Vec<String> = ALL
            .iter()
            .map(|scenario| format!("{} ({})", scenario.name, scenario.number))
            .collect();
        Failure::usage(format!(
            "there is no scenario {asked:?}; there are: {}",
            names.join(", ")
        ))
        .next("cargo xtask scenario --list")
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_found_by_name_and_by_number() {
        assert_eq!(find("2").unwrap().name, "volume-loss");
        assert_eq!(find("pod-crash").unwrap().number, 1);
        let said = find("meteor").err().unwrap().to_string();
        assert!(said.contains("volume-loss (2)"), "{said}");
    }
}
