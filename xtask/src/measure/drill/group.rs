//! The runs of one scenario under one protection, and what they say together.

use serde::Serialize;
use terms::lang::{Both, both, fixed, number, plural};
use terms::{EngineName, LabName, Labelled, PhaseName, Protection, Quantity, ScenarioName, tr};

use crate::config::{Mode, Objectives};
use crate::measure::figures::milliseconds;
use crate::measure::result::{Broken, FirstAlert, Objective, ScenarioResult};
use crate::measure::statistics::{Figure, failing_share};

/// The runs of one scenario under one protection.
#[derive(Debug, Serialize)]
pub struct Group {
    pub lab: LabName,
    pub scenario: ScenarioName,
    pub engine: EngineName,
    pub protection: Protection,
    /// The lab restored by itself, and nobody did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    pub runs: Vec<DrillRun>,
    /// Runs that were begun and not ended: they are in no figure.
    pub cut_off: usize,
    pub figures: Vec<Figure>,
    pub objectives: Vec<Objective>,
    #[serde(skip)]
    /// In the order of the recovery, not of the alphabet.
    phases: Vec<(PhaseName, Vec<f64>)>,
}

#[derive(Debug, Serialize)]
pub struct DrillRun {
    pub run: String,
    pub number: u32,
    /// Seconds after the backup.
    pub moment_seconds: f64,
    pub passed: bool,
    pub broken: Vec<Broken>,
    pub doubts: Vec<String>,
    pub lost: usize,
    pub rpo_seconds: f64,
    pub rto_seconds: f64,
    /// Between two writes that were acknowledged.
    pub longest_gap_seconds: f64,
    pub protected_seconds: Option<f64>,
    /// Writes that were not acknowledged in the end.
    pub failed: usize,
    /// Sendings that failed, of all writes.
    pub attempts_failed: usize,
    /// Writes that were sent more than once, and those that nobody knows of in the end.
    pub retried: usize,
    pub in_doubt: usize,
    /// The first alert about it, where something watched the lab and one was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<FirstAlert>,
}

impl DrillRun {
    pub fn new(run: &ScenarioResult, number: u32, moment: f64) -> Self {
        Self {
            run: run.run.clone(),
            number,
            moment_seconds: milliseconds(moment),
            passed: run.passed,
            broken: run.broken.clone(),
            doubts: run.doubts.clone(),
            lost: run.rpo.lost,
            rpo_seconds: run.rpo.seconds,
            rto_seconds: run.rto.seconds,
            longest_gap_seconds: run.client.longest_gap_seconds,
            protected_seconds: run.protected_seconds,
            failed: run.client.failed,
            attempts_failed: run.client.attempts_failed,
            retried: run.client.retried,
            in_doubt: run.verified.in_doubt,
            alert: run.alert.clone(),
        }
    }
}

impl Group {
    pub fn new(
        lab: LabName,
        scenario: ScenarioName,
        engine: EngineName,
        protection: Protection,
        auto: bool,
    ) -> Self {
        Self {
            lab,
            scenario,
            engine,
            protection,
            auto,
            runs: Vec::new(),
            cut_off: 0,
            figures: Vec::new(),
            objectives: Vec::new(),
            phases: Vec::new(),
        }
    }

    pub fn add(&mut self, run: DrillRun, result: &ScenarioResult) {
        for phase in &result.rto.phases {
            match self.phases.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, values)) => values.push(phase.seconds),
                None => self.phases.push((phase.name, vec![phase.seconds])),
            }
        }
        self.runs.push(run);
    }

    pub fn title(&self) -> String {
        let more = match self.cut_off {
            0 => String::new(),
            count => tr!(", and {count} cut off", " ; interrompues : {count}"),
        };
        let runs = self.runs.len();
        let name = format!(
            "{}, {}, {}",
            self.played(),
            self.protection.label(),
            self.engine.label()
        );
        let s = plural(runs as u64);
        tr!(
            "{name}: {runs} run{s}{more}",
            "{name} : {runs} exécution{s}{more}",
        )
    }

    /// The scenario as it is typed.
    fn played(&self) -> String {
        let auto = if self.auto { " --auto" } else { "" };
        format!("{}{auto}", self.scenario)
    }

    fn values(&self, of: fn(&DrillRun) -> Option<f64>) -> Vec<f64> {
        self.runs.iter().filter_map(of).collect()
    }

    pub(super) fn judge(&mut self, objectives: &Objectives, client: Mode) {
        let lost = self.values(|run| Some(run.lost as f64));
        let rpo = self.values(|run| Some(run.rpo_seconds));
        let rto = self.values(|run| Some(run.rto_seconds));
        let failed = self.values(|run| Some(run.failed as f64));
        // Where each is sent once, those are the same.
        let attempts = match client.retry {
            true => self.values(|run| Some(run.attempts_failed as f64)),
            false => Vec::new(),
        };
        // Where nobody recovers anything, writes may stand still although none fails.
        let gap = match self.lab {
            LabName::Ha => self.values(|run| Some(run.longest_gap_seconds)),
            LabName::Pra | LabName::Image => Vec::new(),
        };
        let protected = self.values(|run| run.protected_seconds);
        let alert = self.values(|run| Some(run.alert.as_ref()?.fired_seconds));
        let resolved = self.values(|run| run.alert.as_ref()?.resolved_seconds);
        let whole = [
            Figure::of(Quantity::Lost, &lost),
            Figure::of(Quantity::RpoSeconds, &rpo),
            Figure::of(Quantity::RtoSeconds, &rto),
            Figure::of(Quantity::Failed, &failed),
            Figure::of(Quantity::AttemptsFailed, &attempts),
            Figure::of(Quantity::LongestGapSeconds, &gap),
            Figure::of(Quantity::ProtectedSeconds, &protected),
            Figure::of(Quantity::AlertSeconds, &alert),
            Figure::of(Quantity::AlertResolvedSeconds, &resolved),
        ];
        let phases = self.phases.iter();
        let phases = phases.filter_map(|(name, values)| Figure::of(Quantity::Phase(*name), values));
        self.figures = whole.into_iter().flatten().chain(phases).collect();
        if self.runs.is_empty() {
            // No objective is met by what never ended.
            return;
        }
        let limits = objectives.of(self.lab, self.scenario);
        let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let (lost, rpo, rto) = (worst(&lost), worst(&rpo), worst(&rto));
        self.objectives = Objective::held(&limits, self.protection, lost, rpo, rto);
    }

    /// How messages call a run of this group, or all of them.
    fn prefix(&self) -> String {
        let (scenario, protection) = (self.played(), self.protection.label());
        tr!(
            "{scenario} with {protection}",
            "{scenario} avec {protection}"
        )
    }

    /// What limits how far the figures can be trusted.
    pub(super) fn doubts(&self) -> Vec<String> {
        let prefix = self.prefix();
        let runs = self.runs.iter();
        let doubts = runs.flat_map(|run| run.doubts.iter().map(move |one| (run.number, one)));
        let mut doubts: Vec<String> = doubts
            .map(|(number, one)| {
                tr!(
                    "{prefix}, run {number}: {one}",
                    "{prefix}, exécution {number} : {one}",
                )
            })
            .collect();
        if self.cut_off > 0 {
            doubts.push(tr!(
                "{prefix}: {begun} begun and not ended, and in none of the figures: whoever waits \
                 no longer cuts the slowest off",
                "{prefix} : commencées et non terminées : {begun}, absentes des chiffres ; qui \
                 n'attend plus écarte les plus lentes",
                begun = counted(
                    self.cut_off,
                    both("run was", "exécution"),
                    both("runs were", "exécutions")
                ),
            ));
        }
        doubts
    }

    pub(super) fn missed(&self) -> Vec<String> {
        let prefix = self.prefix();
        let missed = self.objectives.iter().filter_map(|objective| {
            let said = objective.missed()?;
            Some(tr!(
                "{prefix}: {name} is missed: {said}",
                "{prefix} : {name} est manqué : {said}",
                name = objective.name.label(),
            ))
        });
        let mut missed: Vec<String> = missed.collect();
        let broken = self.runs.iter().filter(|run| !run.passed);
        // A run that only missed an objective is in that list already.
        let words = broken.flat_map(|run| run.broken.iter().map(move |one| (run, one)));
        let other = words.filter(|(_, one)| matches!(one, Broken::Promise(_)));
        missed.extend(other.map(|(run, one)| {
            tr!(
                "{prefix}, run {number}: {one}",
                "{prefix}, exécution {number} : {one}",
                number = run.number,
            )
        }));
        missed
    }

    pub(super) fn told(&self) -> Option<String> {
        let figure = |name: Quantity| self.figures.iter().find(|figure| figure.name == name);
        let (lost, rpo, rto) = (
            figure(Quantity::Lost)?,
            figure(Quantity::RpoSeconds)?,
            figure(Quantity::RtoSeconds)?,
        );
        let title = self.title();
        let (rows, worth, away) = (number(lost.median), number(rpo.median), number(rto.median));
        let mut told = if lost.n == 1 {
            tr!(
                "{title}: lost {rows} rows ({worth} s worth); RTO {away} s.",
                "{title} : lignes perdues : {rows} (soit {worth} s d'écritures) ; RTO {away} s.",
            )
        } else {
            tr!(
                "{title}: lost a median of {rows} rows ({worth} s worth), {most} rows ({seconds} \
                 s) at most; RTO a median of {away} s, {longest} s at most.",
                "{title} : lignes perdues : médiane {rows} (soit {worth} s d'écritures), au plus \
                 {most} ({seconds} s) ; RTO : médiane {away} s, au plus {longest} s.",
                most = number(lost.max),
                seconds = number(rpo.max),
                longest = number(rto.max),
            )
        };
        if lost.max == 0.0 {
            told.push(' ');
            told.push_str(&self.no_loss_so_far());
        }
        Some(told)
    }

    /// What runs without a loss say of all such disasters. One that was cut off
    /// may have lost rows, so it counts as if it had.
    pub(super) fn no_loss_so_far(&self) -> String {
        let count = self.runs.len() + self.cut_off;
        let share = fixed(failing_share(count, self.cut_off) * 100.0, 1);
        let counting = match self.cut_off {
            0 => both(": ", " : ").into(),
            cut_off => tr!(
                " that ended; {more} cut off and counted as if it had: ",
                " parmi celles qui sont terminées ; interrompues et comptées comme si : {more} ; ",
                more = counted(
                    cut_off,
                    both("more was", "de plus"),
                    both("more were", "de plus")
                ),
            ),
        };
        tr!(
            "No run lost a row{counting}with 95 % confidence, fewer than {share} % of such \
             disasters do.",
            "Aucune exécution n'a perdu de ligne{counting}avec 95 % de confiance, c'est le cas de \
             moins de {share} % de ces sinistres.",
        )
    }
}

fn counted(count: usize, one: Both, more: Both) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
