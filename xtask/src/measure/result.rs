//! The result of a scenario: one document, printed with `--json` and kept as
//! `result.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use terms::lang::{self, listed, number};
use terms::{Death, EngineName, LabName, ObjectiveName, Protection, ScenarioName, tr};

use crate::config::Limits;
use crate::facts::Simplification;

use super::attack::Attack;
use super::compare::{Lost, Verdict, seconds_lost};
use super::figures::{ClientFigures, milliseconds};
use super::observed::Request;
pub use super::rto::{Phase, Rto, persons_part};
use super::schedule::ScheduleLoss;

#[derive(Debug, Serialize)]
pub struct ScenarioResult {
    pub lab: LabName,
    pub scenario: ScenarioName,
    pub engine: EngineName,
    pub protection: Protection,
    /// The lab restored by itself, and nobody did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    pub passed: bool,
    /// Why it did not pass, in words; empty when it did.
    pub broken: Vec<Broken>,
    /// What limits how far the figures can be trusted, in words.
    pub doubts: Vec<String>,
    pub objectives: Vec<Objective>,
    pub rpo: Rpo,
    pub rto: Rto,
    pub client: ClientFigures,
    pub verified: Verified,
    /// Where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups_resumed: Option<bool>,
    /// From the first failed request until a new verified backup existed and a
    /// write was journaled; outside `rto.seconds`.
    pub protected_seconds: Option<f64>,
    /// One entry for each replica that was made to die.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<KillFigures>,
    /// The wall clock when the client began; its ledger counts from there.
    pub began: String,
    /// How the moment of the disaster was drawn, where it was: in a drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
    /// The first alert about the disaster, where something watched the lab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<FirstAlert>,
    /// What an attack took from the lab and its copies, where the disaster was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
    /// When the recovery itself took the service away, in seconds of the ledger's clock; `None`
    /// where the disaster did.
    #[serde(skip)]
    pub taken_away: Option<f64>,
    /// What was done, in seconds of the ledger's clock.
    pub moments: Vec<Moment>,
    /// What there is to learn from it, in plain words.
    pub lessons: Vec<String>,
    /// Every change that was made, as shell.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
    /// What the engine does more simply than Kubernetes; by the name that documents
    /// of earlier runs have for it.
    #[serde(
        rename = "milder",
        skip_serializing_if = "<[Simplification]>::is_empty"
    )]
    pub simplifications: &'static [Simplification],
    /// Where this document and the ledger are kept.
    pub run: String,
}

impl ScenarioResult {
    /// Where nothing is restored, nothing may be lost, whatever protects the lab.
    pub fn insist_on_no_loss(&mut self) {
        let said = tr!(
            "missing, though acknowledged: {rows}",
            "il manque, bien qu'acquitté : {rows}",
            rows = lang::rows(self.rpo.lost as u64),
        );
        self.break_promises((self.rpo.lost > 0).then_some(said));
        self.rpo.lost_unexcused = self.rpo.lost;
    }

    /// Notes promises that were broken; without any, nothing changes but that the
    /// run is judged by all that is known.
    pub fn break_promises(&mut self, said: impl IntoIterator<Item = String>) {
        self.broken.extend(said.into_iter().map(Broken::Promise));
        self.passed = self.broken.is_empty();
    }

    /// All that was broken, as one line.
    pub fn broken_in_words(&self) -> String {
        let words: Vec<String> = self.broken.iter().map(Broken::to_string).collect();
        listed(&words)
    }
}

/// An alert of what watches the lab.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FirstAlert {
    pub name: String,
    pub severity: String,
    /// From the disaster until it was raised.
    pub fired_seconds: f64,
    /// From the recovery until it was resolved: absent where it was not by the time that this
    /// was written, negative where it was before.
    pub resolved_seconds: Option<f64>,
}

/// A moment that was drawn for a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Draw {
    /// The seed of all draws of the drill.
    pub seed: u64,
    /// Which of its draws this is, from 1.
    pub number: u32,
    /// Seconds after a backup.
    pub moment_seconds: f64,
}

/// A limit of `lab.toml` and what was measured against it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    pub name: ObjectiveName,
    pub limit: f64,
    pub measured: f64,
    pub met: bool,
}

impl Objective {
    /// What was measured against the limits of `lab.toml` that hold under this
    /// protection; an infinite one says that it does not count.
    pub fn held(
        limits: &Limits,
        protection: Protection,
        lost: f64,
        rpo: f64,
        rto: f64,
    ) -> Vec<Self> {
        use ObjectiveName::{RpoRows, RpoSeconds, RtoSeconds};
        let every_row = protection != Protection::Snapshot;
        let rows = every_row.then_some((RpoRows, limits.rpo_rows, lost));
        let seconds = [
            (RpoSeconds, limits.rpo_seconds, rpo),
            (RtoSeconds, limits.rto_seconds, rto),
        ];
        let all = rows.into_iter().chain(seconds);
        let counted = all.filter(|(_, limit, _)| limit.is_finite());
        counted
            .map(|(name, limit, measured)| Self {
                name,
                limit,
                measured,
                met: measured <= limit,
            })
            .collect()
    }

    /// Why it is missed, in words.
    pub fn missed(&self) -> Option<String> {
        let (limit, measured) = (number(self.limit), number(self.measured));
        let said = match self.name {
            ObjectiveName::RpoRows => {
                tr!(
                    "{measured} acknowledged rows are lost; the objective is {limit}",
                    "{measured} lignes acquittées sont perdues ; l'objectif est {limit}",
                )
            }
            ObjectiveName::RpoSeconds => {
                tr!(
                    "{measured} s of acknowledged writes are lost; the objective is {limit} s",
                    "{measured} s d'écritures acquittées sont perdues ; l'objectif est {limit} s",
                )
            }
            ObjectiveName::RtoSeconds => {
                tr!(
                    "the service was away for {measured} s; the objective is {limit} s",
                    "le service a été absent pendant {measured} s ; l'objectif est {limit} s",
                )
            }
        };
        (!self.met).then_some(said)
    }
}

/// A promise that was not kept; a result has it in words.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    /// An objective that was missed.
    Objective(String),
    Promise(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Objective(said) | Self::Promise(said)) = self;
        f.write_str(said)
    }
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    pub at: f64,
    pub what: String,
}

/// What was lost.
#[derive(Debug, Serialize)]
pub struct Rpo {
    pub acknowledged: usize,
    pub lost: usize,
    pub lost_ids: Vec<i64>,
    pub seconds: f64,
    /// How many of the lost rows were there before the run: they are none of
    /// the acknowledged ones.
    pub lost_from_before: usize,
    /// How many of the lost rows had to be kept under every protection.
    pub lost_unexcused: usize,
    /// Where restore points protect the lab.
    #[serde(flatten)]
    pub snapshots: Option<Snapshots>,
}

/// What restore points alone would have lost.
#[derive(Debug, Default, Serialize)]
pub struct Snapshots {
    /// What the newest snapshot from before the disaster would have lost; with
    /// `backup_age_seconds`, that is one that was taken on purpose.
    pub snapshot_only_lost: usize,
    pub snapshot_only_seconds: f64,
    /// How long before the disaster the run itself had taken a backup.
    pub backup_age_seconds: Option<f64>,
    /// What the schedule alone would lose: computed, where the rest is measured.
    pub schedule: Option<ScheduleLoss>,
}

#[derive(Debug, Serialize)]
pub struct Verified {
    pub rows: usize,
    pub phantom: usize,
    pub changed: usize,
    pub in_doubt: usize,
    /// Ids that were acknowledged twice, since the first row was lost.
    pub reused_ids: usize,
}

#[derive(Debug, Serialize)]
pub struct KillFigures {
    pub pod: String,
    pub how: Death,
    pub failed: usize,
    /// Reads that failed.
    pub reads_failed: usize,
    /// Requests under way at that moment, over all replicas.
    pub under_way: usize,
    /// Until as many replicas as before were ready again.
    pub replaced_seconds: f64,
}

impl Rpo {
    /// Figures of what is lost and what snapshots alone would have lost, given
    /// the moment when the data became unreachable for writing.
    pub fn new(
        requests: &[Request],
        verdict: &Verdict,
        snapshot_only: &[Lost],
        disaster: f64,
    ) -> Self {
        Self {
            acknowledged: requests.iter().filter(|r| r.acknowledged()).count(),
            lost: verdict.lost.len(),
            lost_from_before: verdict.lost.iter().filter(|l| l.sent.is_none()).count(),
            // Whatever it restored decides; a run that restores nothing excuses none.
            lost_unexcused: verdict.lost.len(),
            lost_ids: verdict.lost_ids(),
            seconds: milliseconds(seconds_lost(&verdict.lost, disaster)),
            snapshots: Some(Snapshots {
                snapshot_only_lost: snapshot_only.len(),
                snapshot_only_seconds: milliseconds(seconds_lost(snapshot_only, disaster)),
                ..Snapshots::default()
            }),
        }
    }

    /// How many rows the newest restore point alone would have lost.
    pub fn lost_by_snapshots_alone(&self) -> usize {
        let alone = self.snapshots.as_ref();
        alone.map_or(0, |alone| alone.snapshot_only_lost)
    }

    /// What snapshots alone lose, measured and computed, as a sentence.
    pub fn on_schedule(&self) -> Option<String> {
        let alone = self.snapshots.as_ref()?;
        let (age, schedule) = (number(alone.backup_age_seconds?), alone.schedule.as_ref()?);
        Some(tr!(
            "Snapshots alone would have lost {lost} rows, {seconds} s worth (measured): a backup \
             had been taken on purpose {age} s before the disaster began, and what was \
             acknowledged during it counts too. On their schedule they lose, up to its beginning, \
             {told} (computed from {interval} s between backups and {rate} rows a second).",
            "Les points seuls auraient perdu {lost} lignes, soit {seconds} s d'écritures \
             (mesuré) : une sauvegarde avait été prise exprès {age} s avant le début du sinistre, \
             et ce qui a été acquitté pendant celui-ci compte aussi. Selon leur calendrier ils \
             perdent, jusqu'à ce début, {told} (calculé à partir de {interval} s entre deux \
             sauvegardes et de {rate} lignes par seconde).",
            lost = alone.snapshot_only_lost,
            seconds = number(alone.snapshot_only_seconds),
            told = schedule.told(),
            interval = number(schedule.interval_seconds),
            rate = number(schedule.rate),
        ))
    }
}

impl Verified {
    pub fn new(rows: usize, verdict: &Verdict) -> Self {
        Self {
            rows,
            phantom: verdict.phantom.len(),
            changed: verdict.changed.len(),
            in_doubt: verdict.in_doubt.len(),
            reused_ids: verdict.reused.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_without_a_limit_does_not_count() {
        let limits = |rpo_rows: f64, rto_seconds: f64| Limits {
            rpo_rows,
            rpo_seconds: 90.0,
            rto_seconds,
        };
        let held = |limits: &Limits, protection: Protection| -> Vec<(ObjectiveName, bool)> {
            let all = Objective::held(limits, protection, 1.0, 2.0, 3.0);
            all.iter().map(|one| (one.name, one.met)).collect()
        };
        let finite = limits(0.0, 3.0);
        assert_eq!(
            held(&finite, Protection::Journal),
            [
                (ObjectiveName::RpoRows, false),
                (ObjectiveName::RpoSeconds, true),
                (ObjectiveName::RtoSeconds, true)
            ]
        );
        assert_eq!(held(&finite, Protection::Snapshot).len(), 2);
        assert_eq!(held(&finite, Protection::Replication).len(), 3);
        // There is no such number in JSON.
        let infinite = limits(f64::INFINITY, f64::INFINITY);
        assert_eq!(
            held(&infinite, Protection::Journal),
            [(ObjectiveName::RpoSeconds, true)]
        );
    }
}
