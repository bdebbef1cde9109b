//! All jobs, and the schedule that makes the regular ones.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use terms::tr;

use crate::cron::{self, Schedule};
use crate::facts::{JobSource, JobState};
use crate::failure::Failure;
use crate::manifests;

use super::job::{JobRun, Origin};
use super::shared::Shared;

#[derive(Default)]
pub struct Jobs(Vec<JobRun>);

impl Jobs {
    pub fn iter(&self) -> impl Iterator<Item = &JobRun> {
        self.0.iter()
    }

    /// Runs a job at a person's wish; returns the pod that it runs in.
    ///
    /// # Errors
    /// What is in its way.
    pub fn run(&mut self, shared: &mut Shared, name: &str, source: JobSource) -> Result<String> {
        let refused = |why: String| Err(Failure::usage(why).next("cargo xtask status").into());
        if !manifests::is_object_name(name) {
            let allowed = "a-z, 0-9 and -, 63 at most";
            return refused(tr!(
                "{name:?} cannot be a job's name: {allowed}",
                "{name:?} ne peut pas être le nom d'un job : {allowed}",
            ));
        }
        if self.runs(name) {
            return refused(tr!(
                "job {name} is still running",
                "le job {name} tourne encore"
            ));
        }
        let (origin, spec, set) = match source {
            JobSource::Backup => {
                let template = &shared.manifests.cron_job.spec.job_template;
                (Origin::Template, template.spec.clone(), Vec::new())
            }
            JobSource::Restore { env } => {
                let job = manifests::load_restore_job(&shared.workspace.root, &shared.manifests)?;
                (Origin::Manifest, job.spec, env)
            }
        };
        self.0.retain(|job| job.name != name);
        let job = JobRun::begin(shared, name, origin, spec, set);
        let pod = job.pod.clone();
        self.0.push(job);
        Ok(pod)
    }

    fn runs(&self, name: &str) -> bool {
        self.iter().any(|job| job.name == name && !job.is_done())
    }

    /// Ends all jobs; they go away once they have ended.
    pub fn delete_all(&mut self, shared: &Shared) {
        self.end_all(shared, "it was deleted");
        for job in &mut self.0 {
            job.deleted = true;
        }
    }

    pub fn end_all(&mut self, shared: &Shared, why: &str) {
        for job in &mut self.0 {
            job.end(shared, why);
        }
    }

    pub fn all_done(&self) -> bool {
        self.iter().all(JobRun::is_done)
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared) {
        for job in &mut self.0 {
            job.advance(shared);
        }
        self.0.retain(|job| !(job.deleted && job.is_done()));
        let spec = &shared.manifests.cron_job.spec;
        self.forget(JobState::Succeeded, spec.successful_jobs_history_limit);
        self.forget(JobState::Failed, spec.failed_jobs_history_limit);
    }

    /// Forgets the oldest jobs of the cron job that ended so, but for that many.
    fn forget(&mut self, state: JobState, limit: usize) {
        let ended = |job: &JobRun| job.origin != Origin::Manifest && job.state() == state;
        let mut excess = self.iter().filter(|job| ended(job)).count();
        excess = excess.saturating_sub(limit);
        self.0.retain(|job| {
            let goes = excess > 0 && ended(job);
            excess -= usize::from(goes);
            !goes
        });
    }

    /// Starts the scheduled run that is due.
    pub fn keep_schedule(&mut self, shared: &mut Shared, now: Duration) {
        let busy = self
            .iter()
            .any(|job| job.origin == Origin::Schedule && !job.is_done());
        let begun = cron::minute(now) == shared.desired.last_run;
        // Two at a time are forbidden.
        if shared.desired.suspended || busy || begun {
            return;
        }
        let spec = &shared.manifests.cron_job.spec;
        // It was checked when the manifests were read.
        let Ok(schedule) = Schedule::parse(&spec.schedule) else {
            return;
        };
        let last = shared.desired.last_run;
        let Some(minute) = schedule.due(last, now, spec.starting_deadline_seconds) else {
            return;
        };
        if minute < last {
            shared.note("the clock was set back: the schedule goes on from there");
        }
        shared.desired.last_run = minute;
        let name = format!("{}-{minute}", shared.manifests.cron_job.name());
        if self.runs(&name) {
            // A person's, whose name it would take; a cluster refuses it as well.
            return shared.note(&format!("job {name} runs already: its minute is left out"));
        }
        // Of the same minute, before the clock was set back.
        self.0.retain(|job| job.name != name);
        let spec = shared.manifests.cron_job.spec.job_template.spec.clone();
        self.0.push(JobRun::begin(
            shared,
            &name,
            Origin::Schedule,
            spec,
            Vec::new(),
        ));
    }
}

/// The time of day is asked for here alone: everything else counts from it.
pub fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use crate::local::shared::testing;
    use crate::wait;

    /// A minute's beginning; the clock of these tests moves by hand.
    const NOON: u64 = 1_795_348_800;

    struct Clock {
        shared: Shared,
        jobs: Jobs,
    }

    impl Clock {
        /// The project's manifests, with a backup that does `work`.
        fn new(name: &str, work: &str) -> Self {
            let mut shared = testing::shared(name);
            let spec = &mut shared.manifests.cron_job.spec.job_template.spec;
            spec.template.spec.containers[0].command = vec!["sh".into(), "-c".into(), work.into()];
            shared.desired.last_run = NOON / 60 - 1;
            let jobs = Jobs::default();
            Self { shared, jobs }
        }

        /// How many jobs there are once the clock says NOON and `seconds`.
        fn at(&mut self, seconds: u64) -> usize {
            let now = Duration::from_secs(NOON + seconds);
            self.jobs.keep_schedule(&mut self.shared, now);
            self.jobs.0.len()
        }

        /// Until every process has ended; a job that failed begins again once its
        /// back-off is over.
        fn let_all_end(&mut self) {
            wait::until(wait::JOB_DONE, || {
                self.jobs.advance(&self.shared);
                Ok(self.jobs.all_done().then_some(()))
            })
            .unwrap();
        }

        fn names(&self) -> Vec<&str> {
            self.jobs.iter().map(|job| job.name.as_str()).collect()
        }
    }

    impl Drop for Clock {
        fn drop(&mut self) {
            testing::remove(&self.shared);
        }
    }

    fn of_minute(minute: u64) -> String {
        format!("sqlite-backup-{minute}")
    }

    #[test]
    fn a_run_that_takes_long_keeps_the_next_ones_from_beginning() {
        let mut clock = Clock::new("forbid", "sleep 60");
        assert_eq!(clock.at(0), 1);
        assert_eq!(clock.at(1), 1, "once a minute");
        assert_eq!(clock.at(60), 1, "Forbid");
        clock.jobs.end_all(&clock.shared, "enough");
        clock.let_all_end();
        assert_eq!(clock.at(95), 1, "its starting deadline of 30 s is over");
        assert_eq!(clock.at(120), 2);
    }

    #[test]
    fn a_job_that_a_person_runs_keeps_its_name() {
        let mut clock = Clock::new("taken", "sleep 60");
        let name = of_minute(NOON / 60);
        let run = clock.jobs.run(&mut clock.shared, &name, JobSource::Backup);
        let pod = run.unwrap();
        assert_eq!(clock.at(0), 1);
        assert_eq!(clock.jobs.0[0].pod, pod, "it was dropped while it ran");
        assert_eq!(clock.at(60), 2, "the next minute has its run");
    }

    #[test]
    fn the_schedule_goes_on_where_the_clock_was_set_back() {
        let mut clock = Clock::new("set-back", "true");
        for seconds in [0, 60] {
            clock.at(seconds);
            clock.let_all_end();
        }
        // Ten minutes later by everybody's watch, an hour earlier by the clock.
        let back = Duration::from_secs(NOON - 3600);
        clock.jobs.keep_schedule(&mut clock.shared, back);
        let last = of_minute(NOON / 60 - 60);
        assert_eq!(clock.names().last(), Some(&last.as_str()));
        clock.let_all_end();
        // The minutes that it had before come again, each with one job.
        for seconds in [0, 60] {
            clock.at(seconds);
            clock.let_all_end();
        }
        let again = [of_minute(NOON / 60), of_minute(NOON / 60 + 1)];
        assert_eq!(clock.names(), again);
    }

    #[test]
    fn a_suspended_schedule_begins_nothing_and_makes_up_for_the_last_run_in_time() {
        let mut clock = Clock::new("suspend", "true");
        clock.shared.desired.suspended = true;
        assert_eq!(clock.at(0), 0);
        assert_eq!(clock.at(61), 0);
        clock.shared.desired.suspended = false;
        assert_eq!(clock.at(89), 1, "the run of a minute ago, not both");
        assert_eq!(clock.at(90), 1);
    }

    #[test]
    fn each_attempt_of_a_job_has_its_identity_and_no_other_job_has() {
        let mut clock = Clock::new("identity", "echo $REQUEST >> $PRA_DATA_DIR/seen; exit 4");
        let asked = "{name: REQUEST, valueFrom: {fieldRef: \
                     {fieldPath: \"metadata.labels['batch.kubernetes.io/controller-uid']\"}}}";
        for (minute, retries) in [(0, 1), (1, 0)] {
            let spec = &mut clock.shared.manifests.cron_job.spec.job_template.spec;
            spec.backoff_limit = retries;
            let container = &mut spec.template.spec.containers[0];
            container.env = vec![serde_norway::from_str(asked).unwrap()];
            assert_eq!(clock.at(60 * minute), 1 + minute as usize);
            clock.let_all_end();
        }
        let seen = clock.shared.workspace.volumes().join("pra-data/seen");
        let seen = fs::read_to_string(seen).unwrap();
        let seen: Vec<&str> = seen.lines().collect();
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen[0].len() == 32 && seen[0] == seen[1], "{seen:?}");
        assert!(seen[2].len() == 32 && seen[0] != seen[2], "{seen:?}");
    }

    #[test]
    fn as_many_ended_jobs_stay_as_the_history_limits_say() {
        let mut clock = Clock::new("history", "true");
        for minute in 0..4 {
            clock.at(60 * minute);
            clock.let_all_end();
        }
        let mut kept = [of_minute(NOON / 60 + 2), of_minute(NOON / 60 + 3)];
        assert_eq!(clock.names(), kept);
        // A person's count too, as they do on a cluster.
        let run = clock.jobs.run(&mut clock.shared, "now", JobSource::Backup);
        run.unwrap();
        clock.let_all_end();
        kept.rotate_left(1);
        kept[1] = "now".to_owned();
        assert_eq!(clock.names(), kept);
    }
}
