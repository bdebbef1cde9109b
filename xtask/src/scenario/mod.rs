//! The disasters: what each breaks, what must hold, and how it is run.

pub mod backup_poisoned;
pub mod backup_volume_loss;
pub mod bad_delete;
pub mod cluster_loss;
pub mod course;
pub mod database_corrupt;
pub mod disk_full;
pub mod foreign_delete;
pub mod node_loss;
pub mod outage;
pub mod outcome;
pub mod play;
pub mod pod_crash;
pub mod protection;
pub mod putting_back;
pub mod repair;
pub mod restore_killed;
pub mod run;
pub mod volume_loss;

use anyhow::Result;

use crate::context::Context;
use crate::engine::capability::{self, Capability};
use crate::engine::{self, Engine};
use crate::failure::Failure;
use crate::measure::result::ScenarioResult;
use repair::Repair;
use run::Run;
use terms::EngineName;
use terms::ScenarioName;

/// A disaster that can be asked for by name or number.
pub struct Scenario {
    pub number: u32,
    pub name: ScenarioName,
    pub title: &'static str,
    pub breaks: &'static str,
    pub holds: &'static str,
    pub takes: &'static str,
    /// What it needs of an engine, which not every one has.
    pub needs: &'static [Capability],
    /// Nobody has a part in the recovery: it begins and ends without one.
    pub by_itself: bool,
    /// What it takes from a lab for good, also where it passes: asked about first.
    pub takes_for_good: Option<&'static str>,
    pub play: fn(&Run, &dyn Engine) -> Result<ScenarioResult>,
    /// The changes of the scenario as shell, for a dry run.
    pub show: fn(&Context, &dyn Engine) -> Result<()>,
    /// What puts the lab back after a run that was cut off.
    pub repair: Repair,
}

pub const ALL: &[Scenario] = &[
    Scenario {
        number: 1,
        name: ScenarioName::PodCrash,
        title: "PCA: the pod dies",
        breaks: "one replica is killed without warning, then one is asked to stop",
        holds: "the service answers all along; no acknowledged row is missing",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: true,
        takes_for_good: None,
        play: pod_crash::play,
        show: pod_crash::show,
        repair: Repair::WHERE_MISSING,
    },
    Scenario {
        number: 2,
        name: ScenarioName::VolumeLoss,
        title: "PRA: the volume is lost",
        breaks: "the volume pra-data is deleted with the database on it",
        holds: "the latest verified point comes back within the objectives of lab.toml",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: volume_loss::play,
        show: volume_loss::show,
        repair: Repair::WHERE_MISSING,
    },
    Scenario {
        number: 3,
        name: ScenarioName::DatabaseCorrupt,
        title: "the database's pages are overwritten in place",
        breaks: "every page of the database file, while the application runs",
        holds: "the damage is noticed, and the latest moment comes back within the objectives",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: database_corrupt::play,
        show: database_corrupt::show,
        repair: Repair::LATEST,
    },
    Scenario {
        number: 4,
        name: ScenarioName::BadDelete,
        title: "a DELETE without WHERE, found later",
        breaks: "all rows are deleted through the application's own connection; writing goes on",
        holds: "the moment just before it comes back, and what was written since is kept",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: bad_delete::play,
        show: bad_delete::show,
        repair: bad_delete::REPAIR,
    },
    Scenario {
        number: 5,
        name: ScenarioName::BackupPoisoned,
        title: "the newest restore points are damaged, then the volume is lost",
        breaks: "a byte in each of the two newest points, then the volume pra-data",
        holds: "the last good point is found and comes back within the objectives",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: backup_poisoned::play,
        show: backup_poisoned::show,
        repair: Repair::WHERE_MISSING,
    },
    Scenario {
        number: 6,
        name: ScenarioName::BackupVolumeLoss,
        title: "the volume with the restore points is lost",
        breaks: "the volume pra-backup is deleted, with all points and the journal",
        holds: "no row is lost, and protection is rebuilt on a new volume",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: backup_volume_loss::play,
        show: backup_volume_loss::show,
        repair: backup_volume_loss::REPAIR,
    },
    Scenario {
        number: 7,
        name: ScenarioName::DiskFull,
        title: "both volumes run full, in turn",
        breaks: "the room on pra-backup, then on pra-data, by an empty file as large as the volume",
        holds: "writes without room are refused and say so, reading goes on, nothing is lost; all \
                goes on by itself once there is room",
        takes: "about 15 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: disk_full::play,
        show: disk_full::show,
        repair: disk_full::REPAIR,
    },
    Scenario {
        number: 8,
        name: ScenarioName::RestoreKilled,
        title: "the restore itself is killed, then begun again",
        breaks: "the volume pra-data, and the job that restores it",
        holds: "the second restore brings everything back; the first left nothing half-way",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: restore_killed::play,
        show: restore_killed::show,
        repair: Repair::WHERE_MISSING,
    },
    Scenario {
        number: 9,
        name: ScenarioName::NodeLoss,
        title: "the node that holds the volumes stops and returns",
        breaks: "the container of that node is killed, and started again once users notice",
        holds: "the service comes back with the node; no acknowledged row is missing",
        takes: "about 25 s",
        needs: &[Capability::Url, Capability::Nodes],
        by_itself: false,
        takes_for_good: None,
        play: node_loss::play,
        show: node_loss::show,
        repair: node_loss::REPAIR,
    },
    Scenario {
        number: 10,
        name: ScenarioName::ClusterLoss,
        title: "everything is gone but an exported copy",
        breaks: "the lab with both volumes, as teardown does, once a copy was exported",
        holds: "what was acknowledged before the export began is back on a new lab, unchanged; \
                what came after is lost, and counted",
        takes: "about 10 s on the local engine, a minute and a half on k3d",
        needs: &[Capability::Url, Capability::Teardown],
        by_itself: false,
        takes_for_good: Some(
            "every restore point and the journal; what is written behind the copy",
        ),
        play: cluster_loss::play,
        show: cluster_loss::show,
        repair: cluster_loss::REPAIR,
    },
    Scenario {
        number: 11,
        name: ScenarioName::ForeignDelete,
        title: "the same DELETE typed into a foreign sqlite3, past the journal",
        breaks: "all rows, by who removes the write guards first; without that it is refused",
        holds: "the next write finds out and is refused; the latest moment comes back",
        takes: "about 10 s",
        needs: &[Capability::Url],
        by_itself: false,
        takes_for_good: None,
        play: foreign_delete::play,
        show: foreign_delete::show,
        repair: Repair::LATEST,
    },
];

impl Scenario {
    /// Its first words: a command that breaks something names the lab it does it to.
    pub fn announced(&self, engine: EngineName) -> String {
        format!("Scenario {} on {engine}, {}", self.number, self.title)
    }

    /// The engines on which this disaster cannot be had, and why.
    pub fn not_on(&self) -> impl Iterator<Item = (EngineName, &'static str)> {
        let engines = EngineName::ALL.iter().copied();
        engines.filter_map(|engine| Some((engine, self.hindrance(engine)?)))
    }

    /// Refuses an engine on which this disaster cannot be had.
    pub fn insist_on(&self, engine: EngineName) -> Result<()> {
        let Some(why) = self.hindrance(engine) else {
            return Ok(());
        };
        let refused = capability::refusal(self.name.word(), engine, why);
        Err(refused.next("cargo xtask scenario --list").into())
    }

    fn hindrance(&self, engine: EngineName) -> Option<&'static str> {
        capability::hindrance(self.needs, engine::lacks(engine))
    }

    /// Refuses a person's time where no person has a part.
    pub fn insist_on_decider(&self, operator_delay: Option<f64>) -> Result<()> {
        if operator_delay.is_none() || !self.by_itself {
            return Ok(());
        }
        let said = format!(
            "--operator-delay means nothing for {}: it recovers by itself, nobody decides anything",
            self.name
        );
        Err(Failure::usage(said)
            .next(format!("cargo xtask scenario {}", self.name))
            .into())
    }
}

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
        let failure = Failure::usage(format!("there is no scenario {asked:?}"));
        let next = match nearest(asked) {
            Some(name) => format!("did you mean {name}? cargo xtask scenario --list has them all"),
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
