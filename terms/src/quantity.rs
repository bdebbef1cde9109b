//! What a drill states the spread of.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lang::both;
use crate::{Labelled, PhaseName, Unit, tr};

/// What a drill states the spread of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Lost,
    RpoSeconds,
    RtoSeconds,
    Failed,
    /// Sendings that failed, where writes are sent again: one write can have many.
    AttemptsFailed,
    /// The longest time between two writes that were acknowledged.
    LongestGapSeconds,
    ProtectedSeconds,
    /// From the disaster to the first alert about it, of the runs in which one was raised.
    AlertSeconds,
    /// From the recovery until that alert was resolved.
    AlertResolvedSeconds,
    Phase(PhaseName),
}

/// The prefix of a quantity that is the length of a phase.
const PHASE: &str = "phase ";

impl Quantity {
    pub(crate) const PLAIN: [(Self, &str); 9] = [
        (Self::Lost, "lost"),
        (Self::RpoSeconds, "rpo_seconds"),
        (Self::RtoSeconds, "rto_seconds"),
        (Self::Failed, "failed"),
        (Self::AttemptsFailed, "attempts_failed"),
        (Self::LongestGapSeconds, "longest_gap_seconds"),
        (Self::ProtectedSeconds, "protected_seconds"),
        (Self::AlertSeconds, "alert_seconds"),
        (Self::AlertResolvedSeconds, "alert_resolved_seconds"),
    ];

    pub fn unit(self) -> Unit {
        match self {
            Self::Lost => Unit::Rows,
            Self::Failed => Unit::Writes,
            Self::AttemptsFailed => Unit::Attempts,
            _ => Unit::Seconds,
        }
    }
}

impl Labelled for Quantity {
    fn label(&self) -> String {
        let label = match self {
            Self::Phase(phase) => {
                let phase = phase.label();
                return tr!("phase {phase}", "phase de {phase}");
            }
            Self::Lost => both("lost", "perte"),
            Self::RpoSeconds => both("rpo_seconds", "RPO"),
            Self::RtoSeconds => both("rto_seconds", "RTO"),
            Self::Failed => both("failed", "échecs"),
            Self::AttemptsFailed => both("attempts_failed", "échecs"),
            Self::LongestGapSeconds => both("longest_gap_seconds", "sans écriture"),
            Self::ProtectedSeconds => both("protected_seconds", "de nouveau protégé"),
            Self::AlertSeconds => both("alert_seconds", "alerte"),
            Self::AlertResolvedSeconds => both("alert_resolved_seconds", "fin de l'alerte"),
        };
        label.into()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Phase(phase) = self {
            return write!(f, "{PHASE}{phase}");
        }
        let plain = Self::PLAIN.iter().find(|(one, _)| one == self);
        f.pad(plain.map_or("", |(_, word)| word))
    }
}

impl FromStr for Quantity {
    type Err = serde::de::value::Error;

    /// # Errors
    /// There is no such quantity.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(phase) = text.strip_prefix(PHASE) {
            return Ok(Self::Phase(phase.parse()?));
        }
        let plain = Self::PLAIN.iter().find(|(_, word)| *word == text);
        let unknown = || Error::custom(format!("a drill has no quantity {text:?}"));
        plain.map(|(one, _)| *one).ok_or_else(unknown)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(Error::custom)
    }
}
