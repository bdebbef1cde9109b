//! The disasters: what each breaks, what must hold, and how it is run.

pub mod backup_poisoned;
mod backup_volume_loss;
mod bad_delete;
mod both_volumes_loss;
mod cluster_loss;
pub mod course;
mod database_corrupt;
pub mod definition;
mod disk_full;
mod foreign_delete;
pub mod interrupted;
mod node_loss;
pub mod outage;
pub mod outcome;
pub mod play;
mod pod_crash;
pub mod protection;
pub mod repair;
mod restore_killed;
pub mod run;
mod volume_loss;

use anyhow::Result;
use terms::{ScenarioName, tr};

use crate::failure::Failure;
pub use definition::Scenario;

/// Every scenario, by its number.
pub const ALL: &[Scenario] = &[
    pod_crash::SCENARIO,
    volume_loss::SCENARIO,
    database_corrupt::SCENARIO,
    bad_delete::SCENARIO,
    backup_poisoned::SCENARIO,
    backup_volume_loss::SCENARIO,
    disk_full::SCENARIO,
    restore_killed::SCENARIO,
    node_loss::SCENARIO,
    cluster_loss::SCENARIO,
    foreign_delete::SCENARIO,
    both_volumes_loss::SCENARIO,
];

/// The scenario of that name.
pub fn of(name: ScenarioName) -> &'static Scenario {
    let found = ALL.iter().find(|scenario| scenario.name == name);
    found.expect("a test compares the names with the scenarios")
}

/// The scenario of that name or number.
pub fn find(asked: &str) -> Result<&'static Scenario> {
    let number: Option<u32> = asked.parse().ok();
    let found = ALL
        .iter()
        .find(|scenario| scenario.name.word() == asked || Some(scenario.number) == number);
    found.ok_or_else(|| {
        let failure = Failure::usage(tr!(
            "there is no scenario {asked:?}",
            "il n'y a pas de scénario {asked:?}",
        ));
        let next = match nearest(asked) {
            Some(name) => tr!(
                "did you mean {name}? cargo xtask scenario --list has them all",
                "vouliez-vous dire {name} ? cargo xtask scenario --list les donne tous",
            ),
            None => "cargo xtask scenario --list".to_owned(),
        };
        failure.next(next).into()
    })
}

/// The name that was most likely meant, by the measure that clap takes too.
fn nearest(asked: &str) -> Option<&'static str> {
    let likeness = |name: &str| strsim::jaro(asked, name);
    let names = ALL.iter().map(|one| one.name.word());
    names
        .filter(|name| likeness(name) > 0.7)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::EngineName;

    #[test]
    fn a_scenario_is_found_by_name_and_by_number() {
        assert_eq!(find("2").unwrap().name, ScenarioName::VolumeLoss);
        assert_eq!(find("pod-crash").unwrap().number, 1);
    }

    #[test]
    fn a_misspelt_name_gets_the_one_that_was_meant() {
        for (asked, meant) in [("volume-los", "volume-loss"), ("podcrash", "pod-crash")] {
            let error = find(asked).err().unwrap();
            let next = crate::failure::next(&error).unwrap();
            assert!(next.contains(&format!("did you mean {meant}?")), "{next}");
        }
        let error = find("meteor").err().unwrap();
        assert_eq!(
            crate::failure::next(&error),
            Some("cargo xtask scenario --list")
        );
    }

    #[test]
    fn an_engine_without_nodes_loses_none() {
        let scenario = find("9").unwrap();
        scenario.insist_on(EngineName::K3d).unwrap();
        let said = scenario
            .insist_on(EngineName::Local)
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("node-loss is not possible on local"),
            "{said}"
        );
    }

    #[test]
    fn nobody_decides_where_the_lab_recovers_by_itself() {
        find("2").unwrap().insist_on_decider(Some(5.0)).unwrap();
        let alone = find("pod-crash").unwrap();
        alone.insist_on_decider(None).unwrap();
        let said = alone.insist_on_decider(Some(5.0)).unwrap_err().to_string();
        assert!(said.contains("recovers by itself"), "{said}");
    }

    #[test]
    fn only_a_lost_node_is_started_again() {
        let stopped = ALL.iter().filter(|one| one.repair.stops_nodes);
        let names: Vec<ScenarioName> = stopped.map(|one| one.name).collect();
        assert_eq!(names, [ScenarioName::NodeLoss]);
    }

    /// Each name has one scenario, and each scenario one name.
    #[test]
    fn every_name_is_a_scenario() {
        let names: Vec<ScenarioName> = ALL.iter().map(|one| one.name).collect();
        assert_eq!(names, ScenarioName::ALL);
        for name in ScenarioName::ALL {
            assert_eq!(of(*name).name, *name);
        }
    }
}
