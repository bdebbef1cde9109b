//! What came of a run, as figures: the client's ledger against the database.

use anyhow::Result;

use crate::app;
use crate::engine::Engine;
use crate::measure::client::Client;
use crate::measure::compare::{self, Lost, Rows, Verdict};
use crate::measure::figures::{ClientFigures, milliseconds};
use crate::measure::journey::{Journey, Request};
use crate::measure::reader;
use crate::measure::result::{Moment, Objective, Rpo, Rto, ScenarioResult, Verified};
use crate::measure::schedule::{Backup, ScheduleLoss};
use crate::provenance;
use crate::scenario::run::{Run, Steady};

/// What the client did and what the database holds in the end.
pub struct Outcome {
    pub journey: Journey,
    pub before: Rows,
    pub after: Rows,
    pub verdict: Verdict,
}

impl Outcome {
    /// Ends the client, reads the database and compares.
    pub fn settle(client: Client, before: Rows, engine: &dyn Engine) -> Result<Self> {
        let journey = client.finish()?;
        let after = app::dump(engine)?;
        let verdict = compare::compare(&before, &journey.requests, &after);
        Ok(Self {
            journey,
            before,
            after,
            verdict,
        })
    }

    /// When the first request sent at or after `since` was acknowledged whose
    /// row is really there: the service is back.
    pub fn first_verified(&self, since: f64) -> Option<&Request> {
        use crate::measure::journey::Outcome::Acknowledged;
        let verified = self.journey.requests.iter().filter(|request| {
            let Acknowledged { id, .. } = request.outcome else {
                return false;
            };
            let row = self.after.get(&id);
            request.sent >= since && row.is_some_and(|row| row.message == request.message)
        });
        verified.min_by(|a, b| a.ended.total_cmp(&b.ended))
    }

    /// When the last request failed that was sent until `restored`, no earlier
    /// than `gone`: while some are served and others are not, the service is
    /// not back.
    pub fn last_failure(&self, restored: f64, gone: f64) -> f64 {
        let requests = self.journey.requests.iter();
        let failed = requests.filter(|r| !r.acknowledged() && r.sent <= restored);
        failed.map(|r| r.sent).fold(gone, f64::max)
    }

    /// What the snapshot `point` alone would have lost of what was acknowledged
    /// until `disaster`: what came later was never the snapshot's to keep.
    pub fn snapshot_only(
        &self,
        point: &str,
        disaster: f64,
        engine: &dyn Engine,
    ) -> Result<Vec<Lost>> {
        let kept = app::dump_point(engine, point)?;
        let until = |request: &&Request| request.ended <= disaster;
        let requests = self.journey.requests.iter().filter(until);
        let earlier: Vec<Request> = requests.cloned().collect();
        Ok(compare::compare(&self.before, &earlier, &kept).lost)
    }

    /// Puts what the schedule alone would have lost beside what was lost, and how
    /// old the backup was that the run itself had taken.
    pub fn beside_schedule(&self, rpo: &mut Rpo, steady: &Steady, backup: Backup, disaster: f64) {
        rpo.backup_age_seconds = Some(milliseconds(disaster - backup.ended));
        rpo.schedule = ScheduleLoss::of(&steady.schedule, &self.journey, backup, disaster);
    }

    /// The result of a run, held against what holds for every scenario; the
    /// scenario adds its own. `outage` is when it was declared and when it ended.
    pub fn result(
        &self,
        run: &Run,
        engine: &dyn Engine,
        steady: Steady,
        rpo: Rpo,
        mut rto: Rto,
        outage: Option<(f64, f64)>,
    ) -> Result<ScenarioResult> {
        let rate = run.ctx.config.client.rate();
        let client = ClientFigures::new(&self.journey, rate);
        rto.operator_delay_seconds = run.how.operator_delay;
        let backups_resumed = !engine.facts()?.suspended;
        let mut result = ScenarioResult {
            scenario: run.scenario,
            engine: engine.name(),
            passed: true,
            broken: self.broken(outage),
            doubts: client.doubts(rate),
            objectives: Objective::held(
                &run.ctx.config.objectives.of(run.scenario),
                &steady.protection,
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
            began: self.journey.began.clone(),
            draw: run.how.draw,
            moments: Vec::<Moment>::new(),
            lessons: Vec::new(),
            commands: run.changes(),
            versions: provenance::collect(run.ctx, engine),
            run: run.shown_folder(),
        };
        if run.how.step {
            let said = "the run paused for its reader: the times include that";
            result.doubts.push(said.to_owned());
        }
        let missed = result.objectives.iter().filter_map(Objective::missed);
        result.broken.extend(missed);
        if !result.backups_resumed {
            result.broken.push("backups are still suspended".into());
        }
        result.passed = result.broken.is_empty();
        Ok(result)
    }

    /// Promises about rows that were broken, in words.
    fn broken(&self, outage: Option<(f64, f64)>) -> Vec<String> {
        let found = [
            (
                self.verdict.phantom.len(),
                "rows are present that nobody sent",
            ),
            (
                self.verdict.changed.len(),
                "acknowledged rows have another content",
            ),
        ];
        let broken = found.iter().filter(|(count, _)| *count > 0);
        let mut broken: Vec<String> = broken
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let Journey {
            reads, requests, ..
        } = &self.journey;
        let seen = reader::contradictions(reads, requests, outage);
        if let Some(first) = seen.first() {
            broken.push(format!(
                "readers saw {} contradictions, the first: {first}",
                seen.len()
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
    use crate::measure::journey::Outcome::{Acknowledged, Failed};

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
                Failed {
                    reason: String::new(),
                }
            },
        };
        let requests = [at(1.0, true), at(2.0, true), at(2.5, false), at(5.0, true)];
        assert_eq!(unreachable_since(&requests, 3.0), 2.0);
    }
}
