//! Jobs of a local lab, run to their ends.

use anyhow::Result;
use terms::tr;

use super::LocalEngine;
use super::words::job_words;
use crate::engine::Engine as _;
use crate::facts::{Job, JobOutcome, JobSource, JobState};
use crate::local::protocol::Ask;
use crate::local::{client, logs};
use crate::manifests;
use crate::wait;

impl LocalEngine {
    pub(super) fn run(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>> {
        if !self.change(&job_words(name, source)) {
            return Ok(None);
        }
        if matches!(source, JobSource::Restore { .. }) {
            // What proves it afterwards goes by them: refused before anything is changed.
            manifests::load(&self.workspace.root)?;
        }
        // A command that was interrupted leaves its job running.
        ended(|| self.job_named(name))?;
        let ask = Ask::RunJob {
            name: name.to_owned(),
            source: source.clone(),
        };
        let pod: String = self.request(&ask)?;
        let job = ended(|| self.job_in(&pod))?;
        let gone = || {
            Some(tr!(
                "it was deleted, or the supervisor ended",
                "il a été supprimé, ou le superviseur s'est arrêté",
            ))
        };
        Ok(Some(JobOutcome {
            succeeded: job
                .as_ref()
                .is_some_and(|job| job.state == JobState::Succeeded),
            reason: job.map_or_else(gone, |job| job.reason),
            log: logs::read(&self.workspace, &pod),
        }))
    }

    fn job_named(&self, name: &str) -> Result<Option<Job>> {
        let jobs = self.facts()?.jobs;
        Ok(jobs.into_iter().find(|job| job.name == name))
    }

    /// Another one may have taken its name since.
    fn job_in(&self, pod: &str) -> Result<Option<Job>> {
        if !client::is_alive(&self.workspace) {
            return Ok(None);
        }
        client::ask(&self.workspace, &Ask::Job(pod.to_owned()))
    }
}

/// How a job ended; `None` where it is not there any more.
fn ended(look: impl Fn() -> Result<Option<Job>>) -> Result<Option<Job>> {
    wait::until(wait::JOB_DONE, || {
        let found = look()?;
        let state = found.as_ref().map(|job| job.state);
        Ok((state != Some(JobState::Running)).then_some(found))
    })
}
