//! The result of a drill: one document, printed with `--json` and kept as
//! `result.json`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use crate::config::Objectives;

use super::figures::milliseconds;
use super::result::{Objective, ScenarioResult};
use super::statistics::{Figure, failing_share};

#[derive(Debug, Serialize)]
pub struct DrillResult {
    pub began: String,
    pub passed: bool,
    /// Every objective that was missed and promise that was broken, in words.
    pub missed: Vec<String>,
    /// What limits how far the figures can be trusted, run by run.
    pub doubts: Vec<String>,
    /// What ended it before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
    /// That was no wish of its reader.
    #[serde(skip)]
    pub failed: bool,
    pub seed: u64,
    pub interval_seconds: f64,
    /// How the moments were drawn, in words.
    pub moments: String,
    pub groups: Vec<Group>,
    pub comparison: Vec<String>,
    /// The command that repeats it.
    pub commands: Vec<String>,
    pub versions: BTreeMap<String, String>,
}

/// The runs of one scenario under one protection.
#[derive(Debug, Serialize)]
pub struct Group {
    pub scenario: &'static str,
    pub engine: &'static str,
    pub protection: String,
    pub runs: Vec<DrillRun>,
    pub figures: Vec<Figure>,
    pub objectives: Vec<Objective>,
    #[serde(skip)]
    /// In the order of the recovery, not of the alphabet.
    phases: Vec<(&'static str, Vec<f64>)>,
}

#[derive(Debug, Serialize)]
pub struct DrillRun {
    pub run: String,
    pub number: u32,
    /// Seconds after the backup.
    pub moment_seconds: f64,
    pub passed: bool,
    pub broken: Vec<String>,
    pub doubts: Vec<String>,
    pub lost: usize,
    pub rpo_seconds: f64,
    pub rto_seconds: f64,
    pub protected_seconds: Option<f64>,
    pub failed: usize,
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
            protected_seconds: run.protected_seconds,
            failed: run.client.failed,
        }
    }
}

impl Group {
    pub fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            engine: "",
            protection: String::new(),
            runs: Vec::new(),
            figures: Vec::new(),
            objectives: Vec::new(),
            phases: Vec::new(),
        }
    }

    pub fn add(&mut self, run: DrillRun, result: &ScenarioResult) {
        self.engine = result.engine;
        self.protection.clone_from(&result.protection);
        for phase in &result.rto.phases {
            match self.phases.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, values)) => values.push(phase.seconds),
                None => self.phases.push((phase.name, vec![phase.seconds])),
            }
        }
        self.runs.push(run);
    }

    pub fn title(&self) -> String {
        format!(
            "{}, {}, {}: {} run{}",
            self.scenario,
            self.protection,
            self.engine,
            self.runs.len(),
            if self.runs.len() == 1 { "" } else { "s" }
        )
    }

    fn values(&self, of: fn(&DrillRun) -> Option<f64>) -> Vec<f64> {
        self.runs.iter().filter_map(of).collect()
    }

    fn judge(&mut self, objectives: &Objectives) {
        let lost = self.values(|run| Some(run.lost as f64));
        let rpo = self.values(|run| Some(run.rpo_seconds));
        let rto = self.values(|run| Some(run.rto_seconds));
        let whole = [
            Figure::of("lost", "rows", &lost),
            Figure::of("rpo_seconds", "s", &rpo),
            Figure::of("rto_seconds", "s", &rto),
            Figure::of(
                "failed",
                "requests",
                &self.values(|run| Some(run.failed as f64)),
            ),
            Figure::of(
                "protected_seconds",
                "s",
                &self.values(|run| run.protected_seconds),
            ),
        ];
        let phases = self.phases.iter();
        let phases =
            phases.filter_map(|(name, values)| Figure::of(format!("phase {name}"), "s", values));
        self.figures = whole.into_iter().flatten().chain(phases).collect();
        let limits = objectives.of(self.scenario);
        let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let (lost, rpo, rto) = (worst(&lost), worst(&rpo), worst(&rto));
        self.objectives = Objective::held(&limits, &self.protection, lost, rpo, rto);
    }

    /// How messages call a run of this group, or all of them.
    fn prefix(&self) -> String {
        format!("{} with {}", self.scenario, self.protection)
    }

    /// What limits how far the figures can be trusted.
    fn doubts(&self) -> Vec<String> {
        let prefix = self.prefix();
        let runs = self.runs.iter();
        let doubts = runs.flat_map(|run| run.doubts.iter().map(move |one| (run.number, one)));
        doubts
            .map(|(number, one)| format!("{prefix}, run {number}: {one}"))
            .collect()
    }

    fn missed(&self) -> Vec<String> {
        let prefix = self.prefix();
        let missed = self.objectives.iter().filter_map(|objective| {
            let said = objective.missed()?;
            Some(format!("{prefix}: {} is missed: {said}", objective.name))
        });
        let mut missed: Vec<String> = missed.collect();
        let broken = self.runs.iter().filter(|run| !run.passed);
        // A run that only missed an objective is in that list already.
        let words = broken.flat_map(|run| run.broken.iter().map(move |one| (run, one)));
        let other = words.filter(|(_, one)| !one.contains("the objective is"));
        missed.extend(other.map(|(run, one)| format!("{prefix}, run {}: {one}", run.number)));
        missed
    }

    fn told(&self) -> Option<String> {
        let figure = |name: &str| self.figures.iter().find(|figure| figure.name == name);
        let (lost, rpo, rto) = (
            figure("lost")?,
            figure("rpo_seconds")?,
            figure("rto_seconds")?,
        );
        let title = self.title();
        let (rows, worth, away) = (
            lost.median,
            milliseconds(rpo.median),
            milliseconds(rto.median),
        );
        let mut told = if lost.n == 1 {
            format!("{title}: lost {rows} rows ({worth} s worth); RTO {away} s.")
        } else {
            format!(
                "{title}: lost a median of {rows} rows ({worth} s worth), {} rows ({} s) at most; \
                 RTO a median of {away} s, {} s at most.",
                lost.max, rpo.max, rto.max
            )
        };
        if lost.max == 0.0 {
            told.push_str(&format!(
                " No run lost a row: with 95 % confidence, fewer than {:.1} % of such disasters do.",
                failing_share(lost.n) * 100.0
            ));
        }
        Some(told)
    }
}

impl DrillResult {
    /// `command` repeats it, `versions` are what makes it.
    pub fn new(
        seed: u64,
        interval: f64,
        command: String,
        versions: BTreeMap<String, String>,
    ) -> Self {
        let shortened = if interval < 60.0 {
            " This is shorter than the minute of the lab's own schedule, and so are the losses \
             with snapshots alone."
        } else {
            ""
        };
        Self {
            began: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            passed: false,
            missed: Vec::new(),
            doubts: Vec::new(),
            cut_off: None,
            failed: false,
            seed,
            interval_seconds: interval,
            moments: format!(
                "The moments were drawn uniformly over {interval} s after a backup.{shortened}"
            ),
            groups: Vec::new(),
            comparison: Vec::new(),
            commands: vec![command],
            versions,
        }
    }

    /// Figures, objectives and the comparison, once all runs are there.
    pub fn judge(&mut self, objectives: &Objectives) {
        // One that never had its turn says nothing.
        self.groups.retain(|group| !group.runs.is_empty());
        for group in &mut self.groups {
            group.judge(objectives);
        }
        self.doubts = self.groups.iter().flat_map(Group::doubts).collect();
        self.missed = self.groups.iter().flat_map(Group::missed).collect();
        self.missed
            .extend(self.cut_off.iter().filter(|_| self.failed).cloned());
        self.comparison = self.groups.iter().filter_map(Group::told).collect();
        self.passed = self.missed.is_empty();
    }
}
