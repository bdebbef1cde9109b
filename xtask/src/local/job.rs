//! One run of a job: attempts with back-off, within a deadline.

use std::time::{Duration, Instant};
use terms::tr;

use crate::facts::{Job, JobState};
use crate::manifests::model::{JobSpec, PodSpec};

use super::process::{Ended, Process};
use super::shared::{Shared, job_back_off};

pub struct JobRun {
    pub name: String,
    pub origin: Origin,
    /// What its attempts run in, one after the other.
    pub pod: String,
    spec: JobSpec,
    set: Vec<(String, String)>,
    created: Instant,
    attempts: u32,
    state: State,
    /// Why it is being ended before its time.
    doom: Option<String>,
    /// It goes away once it has ended.
    pub deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Schedule,
    /// A person, from the cron job's template.
    Template,
    /// A person, from a manifest of its own.
    Manifest,
}

enum State {
    /// For what it mounts, as a pending pod does.
    Waiting(String),
    Running(Process),
    BackOff {
        until: Instant,
    },
    Succeeded,
    Failed(String),
}

impl JobRun {
    pub fn begin(
        shared: &mut Shared,
        name: &str,
        origin: Origin,
        mut spec: JobSpec,
        set: Vec<(String, String)>,
    ) -> Self {
        shared.note(&format!("job {name} begins"));
        // What the API server would give the job, once for all of its attempts.
        let identity = format!("{:032x}", fastrand::u128(..));
        spec.template.spec.tell_identity(&identity);
        let mut job = Self {
            name: name.to_owned(),
            origin,
            pod: shared.next_name(name),
            spec,
            set,
            created: Instant::now(),
            attempts: 0,
            state: State::BackOff {
                until: Instant::now(),
            },
            doom: None,
            deleted: false,
        };
        job.attempt(shared);
        job
    }

    fn template(&self) -> &PodSpec {
        &self.spec.template.spec
    }

    fn attempt(&mut self, shared: &Shared) {
        if let Some(reason) = shared.obstacle(self.template()) {
            self.state = State::Waiting(reason);
            return;
        }
        self.attempts += 1;
        match shared.start(&self.pod, self.template(), &self.set) {
            Ok(process) => self.state = State::Running(process),
            Err(error) => self.failed(shared, &format!("could not be started: {error:#}")),
        }
    }

    fn failed(&mut self, shared: &Shared, how: &str) {
        if self.attempts > self.spec.backoff_limit {
            let reason = match self.attempts {
                1 => tr!(
                    "its only attempt failed: {how}",
                    "sa seule tentative a échoué : {how}"
                ),
                all => tr!(
                    "all {all} attempts failed (backoffLimit), the last: {how}",
                    "les {all} tentatives ont échoué (backoffLimit), la dernière : {how}",
                ),
            };
            return self.finish(shared, Err(reason));
        }
        let pause = job_back_off(self.attempts);
        let seconds = pause.as_secs();
        shared.note(&format!("job {}: {how}; again in {seconds} s", self.name));
        self.state = State::BackOff {
            until: Instant::now() + pause,
        };
    }

    fn finish(&mut self, shared: &Shared, result: Result<(), String>) {
        let name = &self.name;
        self.state = match result {
            Ok(()) => {
                shared.note(&format!("job {name} succeeded"));
                State::Succeeded
            }
            Err(reason) => {
                shared.note(&format!("job {name} failed: {reason}"));
                State::Failed(reason)
            }
        };
    }

    fn ended(&mut self, shared: &Shared, ended: &Ended) {
        shared.clean(&self.pod);
        if let Some(doom) = self.doom.take() {
            return self.finish(shared, Err(doom));
        }
        let how = &ended.how;
        match ended.code {
            Some(0) => self.finish(shared, Ok(())),
            Some(code) if self.spec.fails_for_good(code) => {
                let reason = tr!(
                    "another attempt would not help (podFailurePolicy): {how}",
                    "une autre tentative n'aiderait pas (podFailurePolicy) : {how}",
                );
                self.finish(shared, Err(reason));
            }
            _ => self.failed(shared, how),
        }
    }

    /// Ends the job before its time.
    pub fn end(&mut self, shared: &Shared, why: &str) {
        match &mut self.state {
            State::Running(process) => {
                self.doom.get_or_insert_with(|| why.to_owned());
                process.ask();
            }
            State::Waiting(_) | State::BackOff { .. } => self.finish(shared, Err(why.to_owned())),
            State::Succeeded | State::Failed(_) => {}
        }
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared) {
        self.insist_on_deadline(shared);
        match &mut self.state {
            State::Running(process) => {
                if let Some(ended) = process.advance(0) {
                    self.ended(shared, &ended);
                }
            }
            State::BackOff { until } if *until > Instant::now() => {}
            State::BackOff { .. } | State::Waiting(_) => self.attempt(shared),
            State::Succeeded | State::Failed(_) => {}
        }
    }

    fn insist_on_deadline(&mut self, shared: &Shared) {
        let Some(limit) = self.spec.active_deadline_seconds else {
            return;
        };
        if self.created.elapsed() < Duration::from_secs(limit) {
            return;
        }
        let waits = match &self.state {
            State::Waiting(reason) => format!("; {reason}"),
            _ => String::new(),
        };
        let why = format!("it took longer than {limit} s (activeDeadlineSeconds){waits}");
        self.end(shared, &why);
    }

    pub fn is_done(&self) -> bool {
        self.state() != JobState::Running
    }

    pub fn mounts(&self, claim: &str) -> bool {
        let busy = matches!(self.state, State::Running(_) | State::BackOff { .. });
        busy && self.template().claims().any(|mounted| mounted == claim)
    }

    pub fn state(&self) -> JobState {
        match &self.state {
            State::Waiting(_) | State::Running(_) | State::BackOff { .. } => JobState::Running,
            State::Succeeded => JobState::Succeeded,
            State::Failed(_) => JobState::Failed,
        }
    }

    pub fn facts(&self) -> Job {
        let reason = match &self.state {
            State::Waiting(reason) | State::Failed(reason) => Some(reason.clone()),
            _ => None,
        };
        Job {
            name: self.name.clone(),
            state: self.state(),
            reason,
        }
    }
}
