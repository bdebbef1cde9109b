//! The disasters: what each breaks, what must hold, and how it is run.

pub mod alerted;
pub mod backup_poisoned;
mod backup_volume_loss;
mod bad_delete;
mod both_volumes_loss;
mod cluster_loss;
pub mod course;
mod database_corrupt;
pub mod definition;
mod disk_full;
mod elsewhere;
pub mod everything;
mod foreign_delete;
mod ha;
pub mod healing;
pub mod interrupted;
mod node_loss;
pub mod outage;
pub mod outcome;
pub mod play;
mod pod_crash;
pub mod protection;
mod ransomware;
pub mod repair;
mod restore_killed;
pub mod run;
mod volume_loss;

use anyhow::Result;
use terms::{LabName, ScenarioName, tr};

use crate::failure::Failure;
pub use definition::Scenario;

/// Every scenario of a lab, by its number.
pub fn all(lab: LabName) -> &'static [Scenario] {
    match lab {
        LabName::Pra => OF_THE_RECOVERY,
        // It keeps no data.
        LabName::Image => &[],
        LabName::Ha => ha::ALL,
    }
}

const OF_THE_RECOVERY: &[Scenario] = &[
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
    ransomware::SCENARIO,
];

/// The scenario of that name in the lab of the recovery, which has it.
pub fn of(name: ScenarioName) -> &'static Scenario {
    let found = OF_THE_RECOVERY.iter().find(|one| one.name == name);
    found.expect("only names of that lab's scenarios are asked for")
}

/// The scenario of a lab that was left half-way.
///
/// # Errors
/// The lab has none of that name.
pub fn left_in(lab: LabName, name: ScenarioName) -> Result<&'static Scenario> {
    let found = all(lab).iter().find(|one| one.name == name);
    found.ok_or_else(|| unknown(lab, name.word()).into())
}

/// The scenario of that name or number.
pub fn find(lab: LabName, asked: &str) -> Result<&'static Scenario> {
    let number: Option<u32> = asked.parse().ok();
    let found = all(lab)
        .iter()
        .find(|scenario| scenario.name.word() == asked || Some(scenario.number) == number);
    found.ok_or_else(|| unknown(lab, asked).into())
}

fn unknown(lab: LabName, asked: &str) -> Failure {
    let failure = Failure::usage(tr!(
        "there is no scenario {asked:?} in the lab {lab}",
        "il n'y a pas de scénario {asked:?} dans le lab {lab}",
    ));
    let next = match nearest(lab, asked) {
        Some(name) => tr!(
            "did you mean {name}? cargo xtask scenario --list has them all",
            "vouliez-vous dire {name} ? cargo xtask scenario --list les donne tous",
        ),
        None => "cargo xtask scenario --list".to_owned(),
    };
    failure.next(next)
}

/// The name that was most likely meant, by the measure that clap takes too.
fn nearest(lab: LabName, asked: &str) -> Option<&'static str> {
    let likeness = |name: &str| strsim::jaro(asked, name);
    let names = all(lab).iter().map(|one| one.name.word());
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
        assert_eq!(
            find(LabName::Pra, "2").unwrap().name,
            ScenarioName::VolumeLoss
        );
        assert_eq!(find(LabName::Pra, "pod-crash").unwrap().number, 1);
    }

    #[test]
    fn a_misspelt_name_gets_the_one_that_was_meant() {
        for (asked, meant) in [("volume-los", "volume-loss"), ("podcrash", "pod-crash")] {
            let error = find(LabName::Pra, asked).err().unwrap();
            let next = crate::failure::next(&error).unwrap();
            assert!(next.contains(&format!("did you mean {meant}?")), "{next}");
        }
        let error = find(LabName::Pra, "meteor").err().unwrap();
        assert_eq!(
            crate::failure::next(&error),
            Some("cargo xtask scenario --list")
        );
    }

    #[test]
    fn an_engine_without_nodes_loses_none() {
        let scenario = find(LabName::Pra, "9").unwrap();
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
        find(LabName::Pra, "2")
            .unwrap()
            .insist_on_decider(Some(5.0))
            .unwrap();
        let alone = find(LabName::Pra, "pod-crash").unwrap();
        alone.insist_on_decider(None).unwrap();
        let said = alone.insist_on_decider(Some(5.0)).unwrap_err().to_string();
        assert!(said.contains("recovers by itself"), "{said}");
    }

    #[test]
    fn only_a_lost_node_is_started_again() {
        let stopped = OF_THE_RECOVERY.iter().filter(|one| one.repair.stops_nodes);
        let names: Vec<ScenarioName> = stopped.map(|one| one.name).collect();
        assert_eq!(names, [ScenarioName::NodeLoss]);
    }

    /// Each name is a scenario's, and no lab has two of one name or number.
    #[test]
    fn every_name_is_a_scenario() {
        for name in ScenarioName::ALL {
            let of = LabName::ALL
                .iter()
                .filter(|lab| left_in(**lab, *name).is_ok());
            assert!(of.count() > 0, "{name} is nowhere");
        }
        for lab in LabName::ALL {
            for (place, one) in all(*lab).iter().enumerate() {
                assert_eq!(one.number as usize, place + 1, "{lab}: {}", one.name);
                assert_eq!(left_in(*lab, one.name).unwrap().number, one.number);
            }
        }
    }
}
