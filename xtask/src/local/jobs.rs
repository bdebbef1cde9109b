//! All jobs, and the schedule that makes the regular ones.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use crate::engine::JobSource;
use crate::manifests;
use crate::manifests::model::{ConcurrencyPolicy, JobSpec};

use super::cron::{self, Schedule};
use super::ground::Ground;
use super::job::{JobRun, Origin, earlier};
use super::protocol::Reply;

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

    pub fn exited(&mut self, ground: &Ground, run: u64, succeeded: bool, how: &str) {
        if let Some(job) = self.all.iter_mut().find(|job| job.runs(run)) {
            job.exited(ground, succeeded, how);
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
        let due = schedule.due(ground.wishes.last_run, now, spec.starting_deadline_seconds);
        if let Some(minute) = due {
            ground.wishes.last_run = minute;
            let name = format!("{}-{minute}", ground.manifests.cron_job.metadata.name);
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
