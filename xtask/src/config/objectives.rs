//! The objectives of `lab.toml`: the limits that a recovery is held against.

use std::collections::BTreeMap;

use serde::Deserialize;
use terms::{LabName, ScenarioName};
use toml::Spanned;

use super::check::{Complaint, complaint, in_range};
use super::offsite::Offsite;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    rpo_rows: Spanned<f64>,
    rpo_seconds: Spanned<f64>,
    rto_seconds: Spanned<f64>,
    /// Other limits for some scenarios of the lab `pra`, by their names.
    #[serde(default)]
    scenario: BTreeMap<Spanned<String>, Exceptions>,
    /// The same for those of the lab `ha`.
    #[serde(default)]
    ha: BTreeMap<Spanned<String>, Exceptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    rpo_rows: Option<Spanned<f64>>,
    rpo_seconds: Option<Spanned<f64>>,
    rto_seconds: Option<Spanned<f64>>,
}

/// The limits that hold for one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Acknowledged rows that may be lost with the journal.
    pub rpo_rows: f64,
    /// Seconds' worth of acknowledged writes that may be lost.
    pub rpo_seconds: f64,
    /// How long the service may be away.
    pub rto_seconds: f64,
}

impl Objectives {
    /// The limits that a run of a scenario is held against. What is lost with everything is the
    /// age of an exported copy, or, where copies elsewhere are made, what those lack.
    pub fn with_copies(&self, offsite: &Offsite, lab: LabName, scenario: ScenarioName) -> Limits {
        let limits = self.of(lab, scenario);
        let of_everything = [
            ScenarioName::ClusterLoss,
            ScenarioName::BothVolumesLoss,
            ScenarioName::Ransomware,
        ];
        match offsite.destination() {
            Some(_) if of_everything.contains(&scenario) => Limits {
                rpo_seconds: offsite.rpo_seconds(),
                ..limits
            },
            _ => limits,
        }
    }

    pub fn of(&self, lab: LabName, scenario: ScenarioName) -> Limits {
        let none = Exceptions::default();
        let of_the_lab = match lab {
            LabName::Ha => &self.ha,
            LabName::Pra | LabName::Image => &self.scenario,
        };
        let own = of_the_lab.get(scenario.word()).unwrap_or(&none);
        let value = |own: &Option<Spanned<f64>>, common: &Spanned<f64>| {
            *own.as_ref().unwrap_or(common).get_ref()
        };
        Limits {
            rpo_rows: value(&own.rpo_rows, &self.rpo_rows),
            rpo_seconds: value(&own.rpo_seconds, &self.rpo_seconds),
            rto_seconds: value(&own.rto_seconds, &self.rto_seconds),
        }
    }

    pub(super) fn check(&self) -> Result<(), Complaint> {
        // Of a misspelt name nothing would ever be held against it.
        let known = || ScenarioName::ALL.iter().map(|one| one.word());
        for (key, scenarios) in [("scenario", &self.scenario), ("ha", &self.ha)] {
            let mut names = scenarios.keys();
            if let Some(name) = names.find(|name| !known().any(|one| one == name.get_ref())) {
                let allowed = known().collect::<Vec<_>>().join(", ");
                return Err(complaint(&format!("objectives.{key}"), name, &allowed));
            }
        }
        let common = [
            ("rpo_rows", Some(&self.rpo_rows)),
            ("rpo_seconds", Some(&self.rpo_seconds)),
            ("rto_seconds", Some(&self.rto_seconds)),
        ];
        let own = self
            .scenario
            .values()
            .chain(self.ha.values())
            .flat_map(|one| {
                [
                    ("rpo_rows", one.rpo_rows.as_ref()),
                    ("rpo_seconds", one.rpo_seconds.as_ref()),
                    ("rto_seconds", one.rto_seconds.as_ref()),
                ]
            });
        for (name, value) in common.into_iter().chain(own) {
            // Infinity says that this does not count.
            if let Some(value) = value.filter(|value| *value.get_ref() != f64::INFINITY) {
                in_range(&format!("objectives.{name}"), value, 0.0..=86_400.0)?;
            }
        }
        Ok(())
    }
}
