//! What can break on a game day: by the same code as in the scenarios, without their
//! recovery.

use anyhow::Result;
use terms::lang::{Both, both};
use terms::{EngineName, FaultName, ScenarioName};

use crate::context::Context;
use crate::database::{self, Volume};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::scenario::definition::Strike;
use crate::scenario::{self, backup_poisoned, outage};

pub struct Fault {
    pub name: FaultName,
    /// What broke, as it is told at the end.
    pub broke: Both,
    /// The scenario that causes and recovers it, where there is one.
    pub scenario: Option<ScenarioName>,
    /// Of several, the one with the smaller number comes first: some need an
    /// application that runs.
    order: u8,
    cause: Cause,
}

enum Cause {
    /// As that scenario does.
    Scenario,
    Own(Strike),
}

impl Fault {
    /// Breaks it.
    pub fn strike(&self, ctx: &Context, engine: &dyn Engine) -> Result<()> {
        let own = match self.cause {
            Cause::Own(strike) => Some(strike),
            Cause::Scenario => self.scenario.and_then(|name| scenario::of(name).strike()),
        };
        let strike = own.expect("a test looks for what each fault does");
        strike(ctx, engine)
    }

    /// Whether this engine can have it.
    pub fn is_possible_on(&self, engine: EngineName) -> bool {
        let possible = |name| scenario::of(name).insist_on(engine).is_ok();
        self.scenario.is_none_or(possible)
    }
}

pub fn of(name: FaultName) -> &'static Fault {
    let found = ALL.iter().find(|fault| fault.name == name);
    found.expect("a test compares the names with the faults")
}

/// In the order in which they have to strike.
pub fn in_order(names: &[FaultName]) -> Vec<&'static Fault> {
    let mut faults: Vec<&Fault> = names.iter().map(|name| of(*name)).collect();
    faults.sort_by_key(|fault| fault.order);
    faults
}

/// What the recovery will need, taken while the client writes.
pub fn prepare(ctx: &Context, engine: &dyn Engine, names: &[FaultName]) -> Result<()> {
    let poisoned = names.contains(&FaultName::BackupPoisoned);
    let points = if poisoned {
        backup_poisoned::POISONED + 1
    } else {
        1
    };
    (0..points).try_for_each(|_| outage::verified_backup(ctx, engine))
}

const ALL: &[Fault] = &[
    Fault {
        name: FaultName::Stopped,
        broke: both(
            "The application was scaled to zero: no replica was asked for any more.",
            "L'application a été réduite à zéro : plus aucune réplique n'était demandée.",
        ),
        scenario: None,
        order: 4,
        cause: Cause::Own(|_, engine| engine.scale(0)),
    },
    Fault {
        name: FaultName::VolumeLoss,
        broke: both(
            "The volume pra-data was deleted, with the database on it.",
            "Le volume pra-data a été supprimé, avec la base de données.",
        ),
        scenario: Some(ScenarioName::VolumeLoss),
        order: 3,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::DatabaseCorrupt,
        broke: both(
            "Every page of the database file was overwritten in place.",
            "Toutes les pages du fichier de la base ont été écrasées sur place.",
        ),
        scenario: Some(ScenarioName::DatabaseCorrupt),
        order: 3,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::BadDelete,
        broke: both(
            "A DELETE without WHERE went through the application: every row was deleted.",
            "Un DELETE sans WHERE est passé par l'application : toutes les lignes ont été \
             supprimées.",
        ),
        scenario: Some(ScenarioName::BadDelete),
        order: 0,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::ForeignDelete,
        broke: both(
            "Somebody removed the write guards and deleted every row with a foreign sqlite3, past \
             the journal.",
            "Quelqu'un a retiré les garde-fous d'écriture et supprimé toutes les lignes avec un \
             sqlite3 extérieur, à l'insu du journal.",
        ),
        scenario: Some(ScenarioName::ForeignDelete),
        order: 3,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::BackupVolumeLoss,
        broke: both(
            "The volume pra-backup was deleted, with all restore points and the journal.",
            "Le volume pra-backup a été supprimé, avec tous les points de restauration et le \
             journal.",
        ),
        scenario: Some(ScenarioName::BackupVolumeLoss),
        order: 3,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::DataFull,
        broke: both(
            "The volume pra-data ran full: a file named ballast took all its room.",
            "Le volume pra-data était plein : un fichier nommé ballast en occupait toute la place.",
        ),
        scenario: Some(ScenarioName::DiskFull),
        order: 2,
        cause: Cause::Own(|_, engine| fill(engine, Volume::Data)),
    },
    Fault {
        name: FaultName::BackupFull,
        broke: both(
            "The volume pra-backup ran full: a file named ballast took all its room.",
            "Le volume pra-backup était plein : un fichier nommé ballast en occupait toute la \
             place.",
        ),
        scenario: Some(ScenarioName::DiskFull),
        order: 2,
        cause: Cause::Own(|_, engine| fill(engine, Volume::Backup)),
    },
    Fault {
        name: FaultName::NodeLoss,
        broke: both(
            "The node that holds the volumes was stopped.",
            "Le nœud qui porte les volumes a été arrêté.",
        ),
        scenario: Some(ScenarioName::NodeLoss),
        order: 4,
        cause: Cause::Scenario,
    },
    Fault {
        name: FaultName::BackupPoisoned,
        broke: both(
            "A byte was changed in each of the two newest restore points.",
            "Un octet a été modifié dans chacun des deux derniers points de restauration.",
        ),
        scenario: Some(ScenarioName::BackupPoisoned),
        order: 1,
        cause: Cause::Own(|_, engine| {
            backup_poisoned::poison(engine)?;
            // What else is wrong is for the player to find.
            engine.suspend_backups(false)
        }),
    },
];

/// As the scenario does, which insists on it as well.
fn fill(engine: &dyn Engine, volume: Volume) -> Result<()> {
    let database = database::of(engine);
    database.fill(volume)?;
    let url = engine.facts()?.url.unwrap_or_default();
    if database.state(&url)?.full.contains(&volume) {
        return Ok(());
    }
    database.make_room(volume)?;
    let setting = database.size_setting(volume);
    let said = terms::tr!(
        "{claim} cannot run full: {setting} sets it no size",
        "{claim} ne peut pas être plein : {setting} ne lui donne pas de taille",
        claim = database.claim(volume)
    );
    let next = terms::tr!(
        "state {setting} in k8s/05-config.yaml, then: cargo xtask setup",
        "indiquez {setting} dans k8s/05-config.yaml, puis : cargo xtask setup"
    );
    Err(Failure::usage(said).next(next).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_fault_that_something_causes() {
        let mut names: Vec<FaultName> = ALL.iter().map(|fault| fault.name).collect();
        names.sort_unstable();
        let mut all = FaultName::ALL.to_vec();
        all.sort_unstable();
        assert_eq!(names, all);
        for fault in ALL {
            let caused = match fault.cause {
                Cause::Own(_) => true,
                Cause::Scenario => scenario::of(fault.scenario.unwrap()).strike().is_some(),
            };
            assert!(caused, "{}", fault.name);
        }
    }

    #[test]
    fn what_needs_a_running_application_comes_before_what_ends_it() {
        use FaultName::{BackupFull, BadDelete, Stopped, VolumeLoss};
        let order = |names: &[FaultName]| -> Vec<FaultName> {
            in_order(names).iter().map(|fault| fault.name).collect()
        };
        assert_eq!(order(&[VolumeLoss, BackupFull]), [BackupFull, VolumeLoss]);
        assert_eq!(order(&[Stopped, BadDelete]), [BadDelete, Stopped]);
    }

    #[test]
    fn a_machine_without_nodes_loses_none() {
        let node = of(FaultName::NodeLoss);
        assert!(node.is_possible_on(EngineName::K3d));
        assert!(!node.is_possible_on(EngineName::Local));
        assert!(of(FaultName::Stopped).is_possible_on(EngineName::Local));
    }
}
