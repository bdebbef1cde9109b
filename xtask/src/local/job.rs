//! One run of a job: attempts with back-off, within a deadline.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::facts::{Job, JobState};
use crate::manifests::model::{JobSpec, PodSpec};

use super::ground::{Ground, job_back_off};
use super::logs;
use super::process::Process;
use super::protocol::Reply;

/// Where a job comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The schedule.
    Schedule,
    /// The cron job's template, at a person's wish.
    CronJob,
    /// A manifest of its own.
    Manifest,
}

pub struct JobRun {
    pub name: String,
    pub origin: Origin,
    spec: JobSpec,
    set: Vec<(String, String)>,
    created: Instant,
    /// The pods of its attempts.
    pods: Vec<String>,
    state: State,
    /// Why it is being ended before its time.
    doom: Option<String>,
    deleted: bool,
    waiting: Vec<Sender<Reply>>,
}

enum State {
    Waiting {
        reason: String,
    },
    Running(Process),
    BackOff {
        until: Instant,
    },
    Done {
        succeeded: bool,
        reason: Option<String>,
        at: Instant,
    },
}

impl JobRun {
    pub fn begin(
        ground: &mut Ground,
        name: &str,
        origin: Origin,
        mut spec: JobSpec,
        set: Vec<(String, String)>,
    ) -> Self {
        // What the API server would give the job, once for all of its attempts.
        let identity = format!("{:032x}", fastrand::u128(..));
        spec.template.spec.tell_identity(&identity);
        let mut job = Self {
            name: name.to_owned(),
            origin,
            spec,
            set,
            created: Instant::now(),
            pods: Vec::new(),
            state: State::BackOff {
                until: Instant::now(),
            },
            doom: None,
            deleted: false,
            waiting: Vec::new(),
        };
        job.attempt(ground);
        job
    }

    fn pod(&self) -> &PodSpec {
        &self.spec.template.spec
    }

    fn attempt(&mut self, ground: &mut Ground) {
        if let Some(reason) = ground.obstacle(self.pod()) {
            self.state = State::Waiting { reason };
            return;
        }
        let run = ground.next_serial();
        let pod = format!("{}-{run}", self.name);
        self.pods.push(pod.clone());
        match ground.start(&pod, run, self.pod(), &self.set) {
            Ok(process) => self.state = State::Running(process),
            Err(error) => self.failed(ground, &format!("could not be started: {error:#}")),
        }
    }

    fn failed(&mut self, ground: &Ground, how: &str) {
        let attempts = u32::try_from(self.pods.len()).unwrap_or(u32::MAX);
        if attempts > self.spec.backoff_limit {
            let reason = match attempts {
                1 => format!("its only attempt failed: {how}"),
                _ => format!("all {attempts} attempts failed (backoffLimit), the last: {how}"),
            };
            return self.finish(ground, false, Some(reason));
        }
        let pause = job_back_off(attempts);
        ground.note(&format!(
            "job {}: {how}; again in {} s",
            self.name,
            pause.as_secs()
        ));
        self.state = State::BackOff {
            until: Instant::now() + pause,
        };
    }

    fn finish(&mut self, ground: &Ground, succeeded: bool, reason: Option<String>) {
        let how = if succeeded { "succeeded" } else { "failed" };
        let why = reason
            .as_ref()
            .map_or(String::new(), |reason| format!(": {reason}"));
        ground.note(&format!("job {} {how}{why}", self.name));
        self.state = State::Done {
            succeeded,
            reason,
            at: Instant::now(),
        };
        for waiting in std::mem::take(&mut self.waiting) {
            self.tell(ground, &waiting);
        }
    }

    fn tell(&self, ground: &Ground, waiting: &Sender<Reply>) {
        if let State::Done {
            succeeded, reason, ..
        } = &self.state
        {
            let log = self
                .pods
                .iter()
                .map(|pod| logs::read(&ground.lab, pod))
                .collect();
            let reply = Reply::Job {
                succeeded: *succeeded,
                reason: reason.clone(),
                log,
            };
            // Whoever asked may have gone away since.
            let _ = waiting.send(reply);
        }
    }

    /// `waiting` hears how the job ends.
    pub fn report_to(&mut self, ground: &Ground, waiting: Sender<Reply>) {
        self.tell(ground, &waiting);
        self.waiting.push(waiting);
    }

    pub fn exited(&mut self, ground: &Ground, code: Option<i32>, how: &str) {
        if let Some(pod) = self.pods.last() {
            ground.clean(pod);
        }
        if let Some(doom) = self.doom.take() {
            return self.finish(ground, false, Some(doom));
        }
        match code {
            Some(0) => self.finish(ground, true, None),
            Some(code) if self.spec.fails_for_good(code) => {
                let reason = format!("another attempt would not help (podFailurePolicy): {how}");
                self.finish(ground, false, Some(reason));
            }
            _ => self.failed(ground, how),
        }
    }

    /// Ends the job before its time.
    pub fn end(&mut self, ground: &Ground, why: &str) {
        match &mut self.state {
            State::Running(process) => {
                self.doom.get_or_insert_with(|| why.to_owned());
                process.ask();
            }
            State::Waiting { .. } | State::BackOff { .. } => {
                self.finish(ground, false, Some(why.to_owned()));
            }
            State::Done { .. } => {}
        }
    }

    /// Ends it where it still runs; it goes away once it has ended.
    pub fn delete(&mut self, ground: &Ground) {
        self.deleted = true;
        self.end(ground, "it was deleted");
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    pub fn succeeded(&self) -> bool {
        matches!(
            self.state,
            State::Done {
                succeeded: true,
                ..
            }
        )
    }

    pub fn runs(&self, run: u64) -> bool {
        matches!(&self.state, State::Running(process) if process.run == run)
    }

    pub fn mounts(&self, claim: &str) -> bool {
        let idle = matches!(self.state, State::Done { .. } | State::Waiting { .. });
        !idle && self.pod().claims().any(|mounted| mounted == claim)
    }

    pub fn pods(&self) -> &[String] {
        &self.pods
    }

    pub fn facts(&self) -> Job {
        let (state, reason) = match &self.state {
            State::Waiting { reason } => (JobState::Running, Some(reason.clone())),
            State::Running(_) | State::BackOff { .. } => (JobState::Running, None),
            State::Done {
                succeeded: true, ..
            } => (JobState::Succeeded, None),
            State::Done { reason, .. } => (JobState::Failed, reason.clone()),
        };
        Job {
            name: self.name.clone(),
            state,
            reason,
        }
    }

    /// When its whole time is over.
    fn deadline(&self) -> Option<Instant> {
        let limit = Duration::from_secs(self.spec.active_deadline_seconds?);
        self.created.checked_add(limit)
    }

    /// Does what is due; says when to look again.
    pub fn advance(&mut self, ground: &mut Ground) -> Option<Instant> {
        let now = Instant::now();
        if !self.is_done() && self.deadline().is_some_and(|deadline| deadline <= now) {
            let limit = self.spec.active_deadline_seconds.unwrap_or_default();
            let waits = match &self.state {
                State::Waiting { reason } => format!("; {reason}"),
                _ => String::new(),
            };
            self.end(
                ground,
                &format!("it took longer than {limit} s (activeDeadlineSeconds){waits}"),
            );
        }
        if let State::Running(process) = &mut self.state
            && process.asked()
        {
            return process.advance(0);
        }
        match &self.state {
            State::BackOff { until } if *until > now => earlier(Some(*until), self.deadline()),
            State::Waiting { .. } if ground.obstacle(self.pod()).is_some() => self.deadline(),
            State::BackOff { .. } | State::Waiting { .. } => {
                self.attempt(ground);
                self.deadline()
            }
            State::Running(_) => self.deadline(),
            State::Done { at, .. } => {
                let limit = Duration::from_secs(self.spec.ttl_seconds_after_finished?);
                let over = *at + limit;
                self.deleted |= over <= now;
                Some(over)
            }
        }
    }
}

/// The earlier of two moments, where there are any.
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        _ => a.or(b),
    }
}
