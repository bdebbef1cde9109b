//! The names that results on disk, options and texts share: each is written here once,
//! as it is stored, shown and typed.

pub mod lang;
mod quantity;

use std::fmt;
use std::str::FromStr;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

use lang::{Both, both};
pub use quantity::Quantity;

/// With fewer values than this the 95th percentile is the maximum, and is not stated.
pub const LEAST_FOR_P95: usize = 20;

/// What is shown to people where results, options and commands have a word.
pub trait Labelled {
    /// In the language that is chosen; in English it is the word itself.
    fn label(&self) -> String;
}

/// A word in English and in French, which may have none of its own.
macro_rules! label {
    ($word:literal) => {
        Both::same($word)
    };
    ($word:literal, $french:literal) => {
        both($word, $french)
    };
}

/// An enum whose variants have one spelling each, for serde, `Display` and `FromStr`, and
/// a French label beside it.
macro_rules! words {
    ($(#[$about:meta])* $name:ident {
        $($(#[$note:meta])* $variant:ident = $word:literal $(| $label:literal)?),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$note])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl Labelled for $name {
            fn label(&self) -> String {
                let label = match self {
                    $(Self::$variant => label!($word $(, $label)?)),+
                };
                label.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $name {
            type Err = serde::de::value::Error;

            /// # Errors
            /// The word is none of these; the message lists them.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::deserialize(text.into_deserializer())
            }
        }
    };
}

words! {
    /// A disaster.
    ScenarioName {
        PodCrash = "pod-crash" | "mort d'un pod",
        VolumeLoss = "volume-loss" | "perte du volume",
        DatabaseCorrupt = "database-corrupt" | "base corrompue",
        BadDelete = "bad-delete" | "suppression malheureuse",
        BackupPoisoned = "backup-poisoned" | "sauvegardes endommagées",
        BackupVolumeLoss = "backup-volume-loss" | "perte du volume de sauvegarde",
        DiskFull = "disk-full" | "volumes pleins",
        RestoreKilled = "restore-killed" | "restauration tuée",
        NodeLoss = "node-loss" | "perte du nœud",
        ClusterLoss = "cluster-loss" | "perte du cluster",
        ForeignDelete = "foreign-delete" | "suppression étrangère",
        BothVolumesLoss = "both-volumes-loss" | "perte des deux volumes",
        Ransomware = "ransomware" | "rançongiciel",
        PrimaryLoss = "primary-loss" | "perte du primaire",
        ServerLoss = "server-loss" | "perte de serveurs",
        Partition = "partition" | "coupure du réseau",
        Drain = "drain" | "nœud vidé",
    }
}

/// What a game day is called where results name a scenario.
pub const GAMEDAY: &str = "gameday";

words! {
    /// What a game day can break.
    FaultName {
        /// No replica is asked for any more.
        Stopped = "stopped",
        VolumeLoss = "volume-loss",
        DatabaseCorrupt = "database-corrupt",
        BadDelete = "bad-delete",
        ForeignDelete = "foreign-delete",
        BackupVolumeLoss = "backup-volume-loss",
        /// The volume with the database runs full.
        DataFull = "data-full",
        /// The volume with the restore points runs full.
        BackupFull = "backup-full",
        NodeLoss = "node-loss",
        /// The newest restore points are damaged.
        BackupPoisoned = "backup-poisoned",
    }
}

words! {
    /// By what the moment is known at which the player of a game day had noticed.
    NoticedBy {
        /// The player said so.
        Said = "said",
        /// The first command that changes the lab.
        Command = "command",
        /// The first change of the lab that was seen, by whatever means.
        Change = "change",
        /// Nothing before the first verification that was asked for.
        End = "end",
    }
}

words! {
    /// Where the time of the runbook comes from that a game day is held against.
    ParSource {
        /// The runs of those scenarios that are kept.
        Runs = "runs",
        /// The objectives of `lab.toml`.
        Objectives = "objectives",
    }
}

words! {
    /// A lab: what runs, wherever it does.
    LabName {
        Pra = "pra",
        Image = "image",
        Ha = "ha",
    }
}

impl LabName {
    /// One line of help for `--lab`.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Pra => "Disaster recovery, on the cluster `pra`",
            Self::Image => "From an image to a page, on the cluster `lab`",
            Self::Ha => {
                "High availability: a replicated database on three servers, the cluster `ha`"
            }
        }
    }
}

words! {
    /// Where the pods run.
    EngineName {
        Local = "local",
        K3d = "k3d",
        Kubernetes = "kubernetes",
    }
}

impl EngineName {
    /// One line of help for `--engine`.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Local => "Processes of this machine: no Docker, no root",
            Self::K3d => "A Kubernetes cluster in Docker",
            Self::Kubernetes => {
                "A Kubernetes cluster that is there already: [kubernetes] in lab.toml"
            }
        }
    }
}

words! {
    /// How the data are protected, as `/status` says it.
    Protection {
        /// Snapshots alone, as in the original workshop.
        Snapshot = "snapshot" | "points seuls",
        /// Snapshots, and each transaction in the journal before its commit.
        Journal = "journal",
        /// Each transaction on two servers at least before it is acknowledged.
        Replication = "replication" | "réplication",
    }
}

words! {
    /// A part of the time without service.
    PhaseName {
        /// Until the first failed request was noticed.
        Detected = "detected" | "détection",
        /// Until a person had decided what to do.
        Decided = "decided" | "décision",
        /// Until the operator of the database had noticed.
        Noticed = "noticed" | "constat",
        /// Until it had given the old primary up, and chosen the next one.
        GivenUp = "given-up" | "renoncement",
        /// Until that one took writes.
        Promoted = "promoted" | "promotion",
        /// Until volumes and replicas existed again.
        Provisioned = "provisioned" | "reconstruction",
        /// Until there was room again.
        Freed = "freed" | "libération",
        /// Until the data were back.
        Restored = "restored" | "restauration",
        /// Until writes were acknowledged and really there.
        Serving = "serving" | "remise en service",
    }
}

words! {
    /// A limit of `lab.toml`.
    ObjectiveName {
        RpoRows = "rpo_rows" | "RPO (lignes)",
        RpoSeconds = "rpo_seconds" | "RPO (s)",
        RtoSeconds = "rto_seconds" | "RTO (s)",
    }
}

words! {
    /// How a replica is made to die.
    Death {
        /// No warning: its processes are killed.
        Hard = "hard" | "brutale",
        /// Asked to stop, as a node being drained does.
        Graceful = "graceful" | "ordonnée",
    }
}

words! {
    /// What a restore point is good for.
    PointStatus {
        Verified = "verified" | "vérifié",
        Quarantined = "quarantined" | "en quarantaine",
        Foreign = "foreign" | "étranger",
        Damaged = "damaged" | "endommagé",
        /// Kept by a restore, of what was there before it.
        Safety = "safety" | "de sécurité",
    }
}

words! {
    /// What a figure of a drill is counted in.
    Unit {
        Rows = "rows" | "lignes",
        Seconds = "s",
        Writes = "writes" | "écritures",
        Attempts = "attempts" | "tentatives",
        /// Of results before writes and attempts were told apart.
        Requests = "requests" | "requêtes",
    }
}

/// A word read from a result: one that this version knows, or the text that another
/// version wrote, shown unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Read<T> {
    Known(T),
    Other(String),
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl<T: PartialEq> PartialEq<T> for Read<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Self::Known(known) if known == other)
    }
}

impl<T: fmt::Display> fmt::Display for Read<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Other(text) => f.pad(text),
        }
    }
}

impl<T: Labelled> Labelled for Read<T> {
    fn label(&self) -> String {
        match self {
            Self::Known(known) => known.label(),
            Self::Other(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::{Lang, speaking};

    #[test]
    fn a_label_follows_the_language_and_a_word_does_not() {
        let phase = PhaseName::Restored;
        let quantity = Quantity::Phase(phase);
        assert_eq!(
            (phase.label(), quantity.label()),
            ("restored".into(), "phase restored".into())
        );
        for quantity in Quantity::PLAIN.map(|(one, _)| one) {
            assert_eq!(quantity.label(), quantity.to_string());
        }
        speaking(Lang::French, || {
            assert_eq!(
                (phase.label(), phase.to_string()),
                ("restauration".into(), "restored".into())
            );
            let unknown: Read<PhaseName> = Read::Other("dreamt".into());
            assert_eq!(unknown.label(), "dreamt");
        });
    }

    /// Results on disk have these names; a change would orphan them.
    #[test]
    fn words_are_written_as_results_have_them() {
        let words = |all: &[&str]| all.join(" ");
        let names: Vec<&str> = ScenarioName::ALL.iter().map(|one| one.word()).collect();
        assert_eq!(
            words(&names),
            "pod-crash volume-loss database-corrupt bad-delete backup-poisoned \
             backup-volume-loss disk-full restore-killed node-loss cluster-loss foreign-delete \
             both-volumes-loss ransomware primary-loss server-loss partition drain"
        );
        let names: Vec<&str> = PhaseName::ALL.iter().map(|one| one.word()).collect();
        assert_eq!(
            words(&names),
            "detected decided noticed given-up promoted provisioned freed restored serving"
        );
        assert_eq!(written(&Protection::Journal), "\"journal\"");
        assert_eq!(written(&Protection::Replication), "\"replication\"");
        assert_eq!(written(&LabName::Ha), "\"ha\"");
        assert_eq!(written(&EngineName::K3d), "\"k3d\"");
        assert_eq!(written(&ObjectiveName::RpoRows), "\"rpo_rows\"");
        assert_eq!(written(&Death::Graceful), "\"graceful\"");
        assert_eq!(
            written(&Quantity::Phase(PhaseName::Restored)),
            "\"phase restored\""
        );
    }

    fn written(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for name in ScenarioName::ALL {
            assert_eq!(name.to_string().parse(), Ok(*name));
        }
        for quantity in Quantity::PLAIN.map(|(one, _)| one) {
            assert_eq!(quantity.to_string().parse(), Ok(quantity));
        }
        assert_eq!("phase freed".parse(), Ok(Quantity::Phase(PhaseName::Freed)));
        let said = "volume".parse::<ScenarioName>().unwrap_err().to_string();
        assert!(said.contains("volume-loss"), "{said}");
    }

    #[test]
    fn a_word_of_another_version_is_kept_as_it_is() {
        let read = |text: &str| serde_json::from_str::<Read<PhaseName>>(text).unwrap();
        assert_eq!(read("\"serving\""), PhaseName::Serving);
        assert_eq!(read("\"dreamt\""), Read::Other("dreamt".into()));
        assert_eq!(read("\"dreamt\"").to_string(), "dreamt");
        assert_ne!(read("\"dreamt\""), PhaseName::Serving);
    }
}
