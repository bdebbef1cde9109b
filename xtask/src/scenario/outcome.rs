//! What came of a run, as figures: the client's ledger against the database.

use anyhow::Result;
use terms::lang::{both, rows};
use terms::{PointStatus, Protection, tr};

use crate::database;
use crate::engine::Engine;
use crate::measure::client::Client;
use crate::measure::compare::{self, Lost, Rows, Verdict};
use crate::measure::figures::{ClientFigures, milliseconds};
use crate::measure::observed::{Observed, Request};
use crate::measure::promise::{self, Held};
use crate::measure::reader;
use crate::measure::result::{Broken, Moment, Objective, Rpo, Rto, ScenarioResult, Verified};
use crate::measure::schedule::{Backup, ScheduleLoss};
use crate::provenance;
use crate::scenario::run::{Run, SteadyState};

/// What the client did and what the database holds in the end.
pub struct Outcome {
    pub observed: Observed,
    pub before: Rows,
    pub after: Rows,
    pub verdict: Verdict,
    /// What restore points held that bear on the verdict.
    points: Vec<Held>,
}

impl Outcome {
    /// Ends the client, reads the database and compares.
    pub fn compare(client: Client, before: Rows, engine: &dyn Engine) -> Result<Self> {
        Self::of(client.finish()?, before, engine)
    }

    /// The same of a client that has ended.
    pub fn of(observed: Observed, before: Rows, engine: &dyn Engine) -> Result<Self> {
        let after = database::readable(engine).dump()?;
        let verdict = compare::compare(&before, &observed.requests, &after);
        Ok(Self {
            observed,
            before,
            after,
            verdict,
            points: Vec::new(),
        })
    }

    /// Makes one as a step that is shown, with how many rows there are.
    pub fn shown(run: &Run, compare: impl FnOnce() -> Result<Self>) -> Result<Self> {
        let step = run.ctx.ui.step(tr!(
            "rows compared with the client's ledger",
            "lignes comparées au registre du client",
        ));
        let outcome = compare()?;
        step.done(rows(outcome.after.len() as u64));
        Ok(outcome)
    }

    /// Reads what a restore point holds: the restored one first.
    pub fn read_point(&mut self, name: &str, engine: &dyn Engine) -> Result<()> {
        let rows = database::of(engine).dump_point(name)?;
        let name = name.to_owned();
        self.points.push(Held { name, rows });
        Ok(())
    }

    /// Where rows are lost: reads the verified points that are newer than the
    /// restored one, since one of them was the one to restore.
    pub fn read_newer_points(&mut self, engine: &dyn Engine) -> Result<()> {
        if self.verdict.lost.is_empty() {
            return Ok(());
        }
        let restored = self.points.first().map(|point| point.name.clone());
        let database = database::of(engine);
        let listed = database.points()?.into_iter();
        let newer = listed.take_while(|point| Some(&point.name) != restored.as_ref());
        for point in newer.filter(|point| point.status == PointStatus::Verified) {
            if database.is_sound(&point.name)? {
                self.read_point(&point.name, engine)?;
            }
        }
        Ok(())
    }

    /// What the first point that was read alone would have lost of what was
    /// acknowledged until `disaster`: what came later was never the snapshot's to
    /// keep. Everything, where there was no point.
    pub fn snapshot_only(&self, disaster: f64) -> Vec<Lost> {
        let until = |request: &&Request| request.ended <= disaster;
        let requests = self.observed.requests.iter().filter(until);
        let earlier: Vec<Request> = requests.cloned().collect();
        let nothing = Rows::new();
        let kept = self.points.first().map_or(&nothing, |point| &point.rows);
        compare::compare(&self.before, &earlier, kept).lost
    }

    /// Adds the losses that no protection excuses to what is broken; the data
    /// were back at `recovered`.
    pub fn judge_losses(&self, recovered: f64, result: &mut ScenarioResult) {
        let broken = promise::broken(&self.verdict.lost, &self.points, recovered);
        result.rpo.lost_unexcused = broken.rows;
        result.break_promises(broken.said);
    }

    /// Puts what the schedule alone would have lost beside what was lost, and how
    /// old the backup was that the run itself had taken.
    pub fn beside_schedule(
        &self,
        rpo: &mut Rpo,
        steady: &SteadyState,
        backup: Backup,
        disaster: f64,
    ) {
        if let Some(alone) = &mut rpo.snapshots {
            alone.backup_age_seconds = Some(milliseconds(disaster - backup.ended));
            alone.schedule = ScheduleLoss::of(&steady.schedule, &self.observed, backup, disaster);
        }
    }

    /// The result of a run, held against what holds for every scenario; the
    /// scenario adds its own. `outage` is when it was declared and when it ended.
    pub fn result(
        &self,
        run: &Run,
        engine: &dyn Engine,
        steady: SteadyState,
        mut rpo: Rpo,
        mut rto: Rto,
        outage: Option<(f64, f64)>,
    ) -> Result<ScenarioResult> {
        let rate = run.ctx.config.client.rate();
        let client = ClientFigures::new(&self.observed, rate);
        rto.operator_delay_seconds = run.options.operator_delay;
        let backups_resumed = match steady.protection {
            Protection::Replication => {
                rpo.snapshots = None;
                None
            }
            Protection::Journal | Protection::Snapshot => Some(!engine.facts()?.suspended),
        };
        let mut result = ScenarioResult {
            lab: engine.lab(),
            scenario: run.scenario,
            engine: engine.name(),
            auto: false,
            passed: true,
            broken: Vec::new(),
            doubts: client.doubts(rate),
            objectives: Objective::held(
                &run.ctx.config.objectives.with_copies(
                    &run.ctx.config.offsite,
                    engine.lab(),
                    run.scenario,
                ),
                steady.protection,
                rpo.lost as f64,
                rpo.seconds,
                rto.seconds,
            ),
            protection: steady.protection,
            rpo,
            rto,
            client,
            verified: Verified::new(self.after.len(), &self.verdict),
            backups_resumed,
            protected_seconds: None,
            kills: Vec::new(),
            began: self.observed.began.clone(),
            draw: run.options.draw,
            alert: None,
            attack: None,
            taken_away: None,
            moments: Vec::<Moment>::new(),
            lessons: Vec::new(),
            commands: run.changes(),
            simplifications: engine.simplifications(),
            versions: provenance::collect(run.ctx, engine),
            run: run.shown_folder(),
        };
        if run.options.step {
            let said = tr!(
                "the run paused for its reader: the times include that",
                "l'exécution a fait des pauses pour son lecteur : les durées les comprennent",
            );
            result.doubts.push(said.to_owned());
        }
        let missed = result.objectives.iter().filter_map(Objective::missed);
        result.broken.extend(missed.map(Broken::Objective));
        let mut broken = self.broken(outage);
        if result.rto.open {
            let said = tr!(
                "requests failed until the client ended: the service was not back, and the RTO is \
                 longer than what was seen of it",
                "des requêtes ont échoué jusqu'à la fin du client : le service n'était pas \
                 revenu, et le RTO est plus long que ce qui en a été vu",
            );
            broken.push(said.to_owned());
        }
        if result.backups_resumed == Some(false) {
            broken.push(tr!(
                "backups are still suspended",
                "les sauvegardes sont encore suspendues",
            ));
        }
        result.break_promises(broken);
        Ok(result)
    }

    /// Promises about rows that were broken, in words.
    fn broken(&self, outage: Option<(f64, f64)>) -> Vec<String> {
        let found = [
            (
                self.verdict.phantom.len(),
                both(
                    "rows are present that nobody sent",
                    "lignes présentes que personne n'a envoyées",
                ),
            ),
            (
                self.verdict.changed.len(),
                both(
                    "acknowledged rows have another content",
                    "lignes acquittées ont un autre contenu",
                ),
            ),
        ];
        let broken = found.iter().filter(|(count, _)| *count > 0);
        let mut broken: Vec<String> = broken
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let Observed {
            reads, requests, ..
        } = &self.observed;
        let seen = reader::contradictions(reads, requests, outage);
        if let Some(first) = seen.first() {
            broken.push(tr!(
                "readers saw {count} contradictions, the first: {first}",
                "les lecteurs ont vu {count} contradictions, la première : {first}",
                count = seen.len(),
            ));
        }
        broken
    }
}

/// The moment when the data became unreachable for writing: the last
/// acknowledgement before `gone`.
pub fn unreachable_since(requests: &[Request], gone: f64) -> f64 {
    let answered = requests.iter().filter(|request| request.acknowledged());
    let before = answered
        .map(|request| request.ended)
        .filter(|ended| *ended <= gone);
    before.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::Attempts;
    use crate::measure::observed::Outcome::{self as Answer, Acknowledged};

    #[test]
    fn the_data_are_unreachable_from_the_last_answer_before_they_were_gone() {
        let at = |ended: f64, ok: bool| Request {
            n: 0,
            message: String::new(),
            due: ended,
            sent: ended,
            ended,
            outcome: if ok {
                Acknowledged {
                    id: 1,
                    timestamp: String::new(),
                }
            } else {
                Answer::failed("")
            },
            attempts: Attempts::default(),
        };
        let requests = [at(1.0, true), at(2.0, true), at(2.5, false), at(5.0, true)];
        assert_eq!(unreachable_since(&requests, 3.0), 2.0);
    }
}
