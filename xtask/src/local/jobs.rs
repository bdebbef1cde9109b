//! All jobs, and the schedule that makes the regular ones.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use crate::facts::JobSource;
use crate::manifests;
use crate::manifests::model::{ConcurrencyPolicy, JobSpec};

use super::ground::Ground;
use super::job::{JobRun, Origin, earlier};
use super::protocol::Reply;
use crate::cron::{self, Schedule};

#[derive(Default)]
pub struct Jobs {
    all: Vec<JobRun>,
    /// Who waits for the deletion of all jobs.
    deleting: Vec<Sender<Reply>>,
}

impl Jobs {
    pub fn iter(&self) -> impl Iterator<Item = &JobRun> {
        self.all.iter()
    }

    /// Runs a job at a person's wish.
    ///
    /// # Errors
    /// What is in its way.
    pub fn run(
        &mut self,
        ground: &mut Ground,
        name: &str,
        source: JobSource,
        waiting: Sender<Reply>,
    ) -> anyhow::Result<Result<(), String>> {
        if !manifests::is_object_name(name) {
            let allowed = "a-z, 0-9 and -, 63 at most";
            return Ok(Err(format!("{name:?} cannot be a job's name: {allowed}")));
        }
        if self
            .all
            .iter()
            .any(|job| job.name == name && !job.is_done())
        {
            return Ok(Err(format!("job {name} is still running")));
        }
        let (origin, spec, set) = match source {
            JobSource::Backup => {
                let template = &ground.manifests.cron_job.spec.job_template;
                (Origin::CronJob, template.spec.clone(), Vec::new())
            }
            JobSource::Restore { env } => {
                let job = manifests::load_restore_job(&ground.lab.root, &ground.manifests)?;
                (Origin::Manifest, job.spec, env)
            }
        };
        self.all.retain(|job| job.name != name);
        self.begin(ground, name, origin, spec, set)
            .report_to(ground, waiting);
        Ok(Ok(()))
    }

    fn begin(
        &mut self,
        ground: &mut Ground,
        name: &str,
        origin: Origin,
        spec: JobSpec,
        set: Vec<(String, String)>,
    ) -> &mut JobRun {
        ground.note(&format!("job {name} begins"));
        let job = JobRun::begin(ground, name, origin, spec, set);
        let index = self.all.len();
        self.all.push(job);
        &mut self.all[index]
    }

    /// Ends and removes all jobs; `waiting` hears when their processes are gone.
    pub fn delete_all(&mut self, ground: &Ground, waiting: Sender<Reply>) {
        for job in &mut self.all {
            job.delete(ground);
        }
        self.deleting.push(waiting);
    }

    /// The supervisor is going: so are they.
    pub fn end_all(&mut self, ground: &Ground) {
        for job in &mut self.all {
            job.end(ground, "the lab was stopped");
        }
    }

    pub fn all_done(&self) -> bool {
        self.all.iter().all(JobRun::is_done)
    }

    pub fn exited(&mut self, ground: &Ground, run: u64, code: Option<i32>, how: &str) {
        if let Some(job) = self.all.iter_mut().find(|job| job.runs(run)) {
            job.exited(ground, code, how);
        }
    }

    /// Does what is due; says when to look again.
    pub fn advance(&mut self, ground: &mut Ground) -> Option<Instant> {
        let again = self
            .all
            .iter_mut()
            .fold(None, |again, job| earlier(again, job.advance(ground)));
        self.all.retain(|job| !(job.is_deleted() && job.is_done()));
        self.limit_history(ground);
        if !self.all.iter().any(JobRun::is_deleted) {
            for waiting in self.deleting.drain(..) {
                // Whoever asked may have gone away since.
                let _ = waiting.send(Reply::Done);
            }
        }
        again
    }

    /// Forgets the oldest ended jobs of the cron job beyond its limits.
    fn limit_history(&mut self, ground: &Ground) {
        let spec = &ground.manifests.cron_job.spec;
        let mut room = [
            spec.failed_jobs_history_limit,
            spec.successful_jobs_history_limit,
        ];
        let mut newest_first: Vec<bool> = Vec::with_capacity(self.all.len());
        for job in self.all.iter().rev() {
            let counts = job.is_done() && job.origin != Origin::Manifest;
            let room = &mut room[usize::from(job.succeeded())];
            newest_first.push(!counts || *room > 0);
            *room -= usize::from(counts && *room > 0);
        }
        let mut keep = newest_first.into_iter().rev();
        self.all.retain(|_| keep.next().unwrap_or(true));
    }

    /// Starts the scheduled run that is due; says when to look again.
    pub fn keep_schedule(&mut self, ground: &mut Ground, now: Duration) -> Instant {
        let next = Instant::now() + cron::until_next_minute(now);
        let spec = &ground.manifests.cron_job.spec;
        let busy = self
            .all
            .iter()
            .any(|job| job.origin == Origin::Schedule && !job.is_done());
        let barred = spec.concurrency_policy == ConcurrencyPolicy::Forbid && busy;
        if ground.wishes.suspended || barred {
            return next;
        }
        // It was checked when the manifests were read.
        let Ok(schedule) = Schedule::parse(&spec.schedule) else {
            return next;
        };
        let deadline = spec.starting_deadline_seconds;
        let last = cron::last_before(ground.wishes.last_run, now);
        if last != ground.wishes.last_run {
            let back = ground.wishes.last_run - last;
            ground.wishes.last_run = last;
            ground.note(&format!(
                "the clock was set back by some {back} min: the schedule goes on from there"
            ));
        }
        let spec = &ground.manifests.cron_job.spec;
        let due = schedule.due(last, now, deadline);
        if let Some(minute) = due {
            ground.wishes.last_run = minute;
            let name = format!("{}-{minute}", ground.manifests.cron_job.metadata.name);
            // Of the same minute, before the clock was set back.
            self.all.retain(|job| job.name != name || !job.is_done());
            let spec = spec.job_template.spec.clone();
            self.begin(ground, &name, Origin::Schedule, spec, Vec::new());
        }
        next
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
    use std::sync::mpsc::Receiver;

    use crate::local::event::Event;
    use crate::local::ground::testing;
    use crate::manifests::model::{EnvVar, FieldRef, JOB_IDENTITY, ValueFrom};

    /// A minute's beginning; the clock of these tests moves by hand.
    const NOON: u64 = 1_795_348_800;

    struct Clock {
        ground: Ground,
        jobs: Jobs,
        inbox: Receiver<Event>,
    }

    impl Clock {
        /// The project's manifests, with a backup that does `work`.
        fn new(name: &str, work: &str) -> Self {
            let (mut ground, inbox) = testing::ground(name);
            let spec = &mut ground.manifests.cron_job.spec.job_template.spec;
            spec.template.spec.containers[0].command = vec!["sh".into(), "-c".into(), work.into()];
            ground.wishes.last_run = NOON / 60 - 1;
            let jobs = Jobs::default();
            Self {
                ground,
                jobs,
                inbox,
            }
        }

        /// How many jobs there are once the clock says NOON and `seconds`.
        fn at(&mut self, seconds: u64) -> usize {
            let now = Duration::from_secs(NOON + seconds);
            self.jobs.keep_schedule(&mut self.ground, now);
            self.jobs.all.len()
        }

        /// Until the next process has ended.
        fn let_one_end(&mut self) {
            let until = Instant::now() + Duration::from_secs(60);
            loop {
                // A job that failed begins again once its back-off is over.
                self.jobs.advance(&mut self.ground);
                match self.inbox.recv_timeout(Duration::from_millis(20)) {
                    Ok(Event::Exited { run, code, how }) => {
                        return self.jobs.exited(&self.ground, run, code, &how);
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => assert!(Instant::now() < until, "nothing ended"),
                }
            }
        }
    }

    impl Drop for Clock {
        fn drop(&mut self) {
            testing::remove(&self.ground);
        }
    }

    #[test]
    fn a_run_that_takes_long_keeps_the_next_ones_from_beginning() {
        let mut clock = Clock::new("forbid", "sleep 60");
        assert_eq!(clock.at(0), 1);
        assert_eq!(clock.at(1), 1, "once a minute");
        assert_eq!(clock.at(60), 1, "Forbid");
        clock.jobs.end_all(&clock.ground);
        clock.jobs.advance(&mut clock.ground);
        clock.let_one_end();
        assert_eq!(clock.at(95), 1, "its starting deadline of 30 s is over");
        assert_eq!(clock.at(120), 2);
    }

    #[test]
    fn the_schedule_goes_on_where_the_clock_was_set_back() {
        let mut clock = Clock::new("set-back", "true");
        for seconds in [0, 60] {
            clock.at(seconds);
            clock.let_one_end();
            clock.jobs.advance(&mut clock.ground);
        }
        // Ten minutes later by everybody's watch, an hour earlier by the clock.
        let back = Duration::from_secs(NOON - 3600);
        clock.jobs.keep_schedule(&mut clock.ground, back);
        let names: Vec<&str> = clock.jobs.iter().map(|job| job.name.as_str()).collect();
        assert_eq!(
            names.last(),
            Some(&&*format!("sqlite-backup-{}", NOON / 60 - 60))
        );
        clock.let_one_end();
        clock.jobs.advance(&mut clock.ground);
        // The minutes that it had before come again, each with one job.
        for seconds in [0, 60] {
            clock.at(seconds);
            clock.let_one_end();
            clock.jobs.advance(&mut clock.ground);
        }
        let names: Vec<&str> = clock.jobs.iter().map(|job| job.name.as_str()).collect();
        let name = |minute| format!("sqlite-backup-{}", NOON / 60 + minute);
        assert_eq!(names, [name(0), name(1)]);
    }

    #[test]
    fn a_suspended_schedule_begins_nothing_and_makes_up_for_the_last_run_in_time() {
        let mut clock = Clock::new("suspend", "true");
        clock.ground.wishes.suspended = true;
        assert_eq!(clock.at(0), 0);
        assert_eq!(clock.at(61), 0);
        clock.ground.wishes.suspended = false;
        assert_eq!(clock.at(89), 1, "the run of a minute ago, not both");
        assert_eq!(clock.at(90), 1);
    }

    #[test]
    fn each_attempt_of_a_job_has_its_identity_and_no_other_job_has() {
        let mut clock = Clock::new("identity", "echo $REQUEST >> /data/seen; exit 4");
        let spec = &mut clock.ground.manifests.cron_job.spec.job_template.spec;
        spec.backoff_limit = 1;
        spec.template.spec.containers[0].env.push(EnvVar {
            name: "REQUEST".to_owned(),
            value: String::new(),
            value_from: Some(ValueFrom {
                field_ref: FieldRef {
                    field_path: JOB_IDENTITY.to_owned(),
                },
            }),
        });
        for minute in 0..2 {
            assert_eq!(clock.at(60 * minute), 1 + minute as usize);
            clock.let_one_end();
            clock.let_one_end();
            assert!(clock.jobs.all_done());
        }
        let seen = clock.ground.lab.volumes().join("pra-data/seen");
        let seen = fs::read_to_string(seen).unwrap();
        let seen: Vec<&str> = seen.lines().collect();
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert!(seen[0].len() == 32 && seen[0] == seen[1], "{seen:?}");
        assert!(seen[2] == seen[3] && seen[0] != seen[2], "{seen:?}");
    }

    #[test]
    fn as_many_ended_jobs_stay_as_the_history_limits_say() {
        let mut clock = Clock::new("history", "true");
        for minute in 0..4 {
            clock.at(60 * minute);
            clock.let_one_end();
            clock.jobs.advance(&mut clock.ground);
        }
        let kept: Vec<&str> = clock.jobs.iter().map(|job| job.name.as_str()).collect();
        let name = |minute| format!("sqlite-backup-{}", NOON / 60 + minute);
        assert_eq!(kept, [name(2), name(3)]);
    }
}
