//! A drill's runs of one scenario under one protection, and what they tell.

use serde::Serialize;
use terms::{EngineName, PhaseName, Protection, Quantity, ScenarioName};

use crate::config::Objectives;

use super::figures::milliseconds;
use super::result::{Broken, Objective, ScenarioResult};
use super::statistics::{Figure, failing_share};

/// The runs of one scenario under one protection.
#[derive(Debug, Serialize)]
pub struct Group {
    pub scenario: ScenarioName,
    pub engine: EngineName,
    pub protection: Protection,
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
    /// The service was not back when the client ended: the RTO is longer than that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rto_open: bool,
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
            rto_open: run.rto.open,
            protected_seconds: run.protected_seconds,
            failed: run.client.failed,
        }
    }
}

impl Group {
    pub fn new(scenario: ScenarioName, engine: EngineName, protection: Protection) -> Self {
        Self {
            scenario,
            engine,
            protection,
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
            count => format!(", and {count} cut off"),
        };
        format!(
            "{}, {}, {}: {} run{}{more}",
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

    pub fn judge(&mut self, objectives: &Objectives) {
        let lost = self.values(|run| Some(run.lost as f64));
        let rpo = self.values(|run| Some(run.rpo_seconds));
        let rto = self.values(|run| Some(run.rto_seconds));
        let failed = self.values(|run| Some(run.failed as f64));
        let protected = self.values(|run| run.protected_seconds);
        let whole = [
            Figure::of(Quantity::Lost, &lost),
            Figure::of(Quantity::RpoSeconds, &rpo),
            Figure::of(Quantity::RtoSeconds, &rto),
            Figure::of(Quantity::Failed, &failed),
            Figure::of(Quantity::ProtectedSeconds, &protected),
        ];
        let phases = self.phases.iter();
        let phases = phases.filter_map(|(name, values)| Figure::of(Quantity::Phase(*name), values));
        self.figures = whole.into_iter().flatten().chain(phases).collect();
        if self.runs.is_empty() {
            // No objective is met by what never ended.
            return;
        }
        let limits = objectives.of(self.scenario);
        let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let (lost, rpo, rto) = (worst(&lost), worst(&rpo), worst(&rto));
        self.objectives = Objective::held(&limits, self.protection, lost, rpo, rto);
    }

    /// How messages call a run of this group, or all of them.
    fn prefix(&self) -> String {
        format!("{} with {}", self.scenario, self.protection)
    }

    /// What limits how far the figures can be trusted.
    pub fn doubts(&self) -> Vec<String> {
        let prefix = self.prefix();
        let runs = self.runs.iter();
        let doubts = runs.flat_map(|run| run.doubts.iter().map(move |one| (run.number, one)));
        let mut doubts: Vec<String> = doubts
            .map(|(number, one)| format!("{prefix}, run {number}: {one}"))
            .collect();
        let open = self.runs.iter().filter(|run| run.rto_open);
        doubts.extend(open.map(|run| {
            format!(
                "{prefix}, run {}: the service was not back when its client ended, so its RTO is \
                 at least {} s, and every figure of the RTO is too small",
                run.number, run.rto_seconds
            )
        }));
        if self.cut_off > 0 {
            doubts.push(format!(
                "{prefix}: {} begun and not ended, and in none of the figures: whoever waits no \
                 longer cuts the slowest off",
                counted(self.cut_off, "run was", "runs were")
            ));
        }
        doubts
    }

    pub fn missed(&self) -> Vec<String> {
        let prefix = self.prefix();
        let missed = self.objectives.iter().filter_map(|objective| {
            let said = objective.missed()?;
            Some(format!("{prefix}: {} is missed: {said}", objective.name))
        });
        let mut missed: Vec<String> = missed.collect();
        let broken = self.runs.iter().filter(|run| !run.passed);
        // A run that only missed an objective is in that list already.
        let words = broken.flat_map(|run| run.broken.iter().map(move |one| (run, one)));
        let other = words.filter(|(_, one)| matches!(one, Broken::Promise(_)));
        missed.extend(other.map(|(run, one)| format!("{prefix}, run {}: {one}", run.number)));
        missed
    }

    pub fn told(&self) -> Option<String> {
        let figure = |name: Quantity| self.figures.iter().find(|figure| figure.name == name);
        let (lost, rpo, rto) = (
            figure(Quantity::Lost)?,
            figure(Quantity::RpoSeconds)?,
            figure(Quantity::RtoSeconds)?,
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
            told.push_str(&self.no_loss_so_far());
        }
        Some(told)
    }

    /// What runs without a loss say of all such disasters. One that was cut off
    /// may have lost rows, so it counts as if it had.
    fn no_loss_so_far(&self) -> String {
        let count = self.runs.len() + self.cut_off;
        let share = failing_share(count, self.cut_off) * 100.0;
        let counting = match self.cut_off {
            0 => ": ".to_owned(),
            cut_off => format!(
                " that ended; {} cut off and counted as if it had: ",
                counted(cut_off, "more was", "more were")
            ),
        };
        format!(
            " No run lost a row{counting}with 95 % confidence, fewer than {share:.1} % of such \
             disasters do."
        )
    }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn group(ended: u32, cut_off: usize) -> Group {
        let mut group = Group::new(
            ScenarioName::VolumeLoss,
            EngineName::Local,
            Protection::Journal,
        );
        group.runs = (1..=ended).map(without_loss).collect();
        group.cut_off = cut_off;
        group
    }

    fn without_loss(number: u32) -> DrillRun {
        DrillRun {
            run: String::new(),
            number,
            moment_seconds: 1.0,
            passed: true,
            broken: Vec::new(),
            doubts: Vec::new(),
            lost: 0,
            rpo_seconds: 0.0,
            rto_seconds: 1.0,
            rto_open: false,
            protected_seconds: Some(2.0),
            failed: 3,
        }
    }

    #[test]
    fn a_run_that_was_cut_off_is_said_and_counted_as_one_that_may_have_lost() {
        let whole = group(20, 0);
        assert!(whole.no_loss_so_far().contains("fewer than 13.9 %"));
        assert!(whole.doubts().is_empty());
        assert!(whole.title().ends_with(": 20 runs"), "{}", whole.title());

        let cut = group(19, 1);
        let said = cut.no_loss_so_far();
        assert!(said.contains("1 more was cut off"), "{said}");
        assert!(said.contains("fewer than 21.6 %"), "{said}");
        let title = cut.title();
        assert!(title.ends_with(": 19 runs, and 1 cut off"), "{title}");
        let doubts = cut.doubts();
        assert!(
            doubts[0].contains("in none of the figures") && doubts.len() == 1,
            "{doubts:?}"
        );
        assert_eq!(serde_json::to_value(&cut).unwrap()["cut_off"], 1);
    }

    #[test]
    fn an_objective_is_missed_once_and_a_promise_is_not_taken_for_one() {
        let mut group = group(1, 0);
        let run = &mut group.runs[0];
        run.passed = false;
        run.rto_seconds = 31.0;
        run.broken = vec![
            Broken::Objective("the service was away for 31 s".into()),
            Broken::Promise("rows are gone, whatever the objective is".into()),
        ];
        group.judge(&crate::config::example().objectives);
        let missed = group.missed();
        assert_eq!(missed.len(), 2, "{missed:?}");
        assert!(missed[0].contains("rto_seconds is missed"), "{missed:?}");
        assert!(missed[1].ends_with("whatever the objective is"));
        let document = serde_json::to_value(&group.runs[0]).unwrap();
        assert_eq!(document["broken"][0], "the service was away for 31 s");
    }

    #[test]
    fn a_service_that_never_came_back_is_no_measured_time() {
        let mut group = group(3, 0);
        group.runs[1].rto_open = true;
        let doubts = group.doubts();
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(
            doubts[0].contains("run 2") && doubts[0].contains("at least 1 s"),
            "{doubts:?}"
        );
    }
}
