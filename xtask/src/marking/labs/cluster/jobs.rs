//! Jobs of the work, run to their end and watched from outside.

use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::site::ClusterLab;
use crate::marking::facts::JobEnd;
use crate::marking::labs::fault::why_waiting;
use crate::marking::labs::lab::Wish;
use crate::marking::repository::points::{self, RestoreJob};
use crate::wait;

/// How a job stands.
#[derive(Debug, Default, PartialEq)]
struct Standing {
    succeeded: bool,
    failed: bool,
    failed_once: bool,
}

impl ClusterLab {
    /// The template of the schedule, now.
    pub(super) fn run_cron_job(&self) -> Result<JobEnd> {
        self.serial.set(self.serial.get() + 1);
        let name = format!("check-backup-{}", self.serial.get());
        let from = format!("--from=cronjob/{}", self.cron_job);
        let start = Instant::now();
        self.read(["create", "job", &name, &from])?;
        let end = self.await_job(&name, start)?;
        self.read(["delete", "job", &name, "--cascade=foreground"])?;
        Ok(end)
    }

    /// The jobs that the schedule has begun are over.
    pub(super) fn await_scheduled_jobs(&self) -> Result<()> {
        let over = wait::until(wait::JOBS_GONE, || {
            let jobs = self.get(&["jobs"])?;
            let mut jobs = jobs["items"].as_array().into_iter().flatten();
            let active = jobs.any(|job| job["status"]["active"].as_u64().unwrap_or(0) > 0);
            Ok((!active).then_some(()))
        });
        // One that hangs is the work's affair.
        over.or_else(|_| wait::check_interrupt())
    }

    pub(super) fn scheduled_job_at(&self, had_by: f64) -> Result<Option<f64>> {
        Ok(started_by(&self.get(&["jobs"])?, &self.cron_job, had_by))
    }

    fn await_job(&self, name: &str, start: Instant) -> Result<JobEnd> {
        let standing = wait::until(wait::MARKED_JOB, || {
            let standing = self.standing(name)?;
            let over = standing.succeeded || standing.failed || standing.failed_once;
            Ok(over.then_some(standing))
        });
        let seconds = start.elapsed().as_secs_f64();
        let said = self.said_by(name)?;
        let standing = match standing {
            Ok(standing) => standing,
            Err(error) => {
                wait::check_interrupt()?;
                return Ok(JobEnd {
                    ran: true,
                    said: format!("{error}; {said}"),
                    seconds,
                    ..JobEnd::default()
                });
            }
        };
        Ok(JobEnd {
            ran: true,
            succeeded: standing.succeeded,
            failed_once: standing.failed_once || standing.failed,
            said,
            seconds,
        })
    }

    fn standing(&self, name: &str) -> Result<Standing> {
        let selector = format!("job-name={name}");
        let job = self.get(&["job", name])?;
        let pods = self.get(&["pods", "-l", &selector])?;
        Ok(standing(&job, &pods))
    }

    /// The last of what its pods wrote, or what the cluster says of them.
    fn said_by(&self, name: &str) -> Result<String> {
        let selector = format!("job-name={name}");
        let logs = self.probe(["logs", "-l", &selector, "--tail=5", "--all-containers"])?;
        let logs = logs.stdout.trim().to_owned();
        if !logs.is_empty() {
            return Ok(logs.chars().take(400).collect());
        }
        let pods = self.get(&["pods", "-l", &selector])?;
        Ok(why_waiting(&pods).unwrap_or_default())
    }

    pub(super) fn run_restore(&self, wish: &Wish) -> Result<JobEnd> {
        let start = Instant::now();
        let Some(job) = &self.restore else {
            return Ok(JobEnd {
                said: tr!(
                    "the repository has no job that restores",
                    "le dépôt n'a pas de job qui restaure"
                ),
                ..JobEnd::default()
            });
        };
        match wish {
            Wish::Latest => {
                self.remove_finished(job)?;
                self.run_file(job, start)
            }
            Wish::Again => {
                if self.procedure_removes(job) {
                    self.remove_finished(job)?;
                }
                self.run_file(job, start)
            }
            Wish::Point(written) => self.run_chosen(written, start),
        }
    }

    fn procedure_removes(&self, job: &RestoreJob) -> bool {
        let by_itself = job.value.as_ref();
        let by_itself = by_itself.is_some_and(|job| job["metadata"]["generateName"].is_string());
        !by_itself && points::again(&self.layout, job).is_some()
    }

    /// As a person types it: the file, applied.
    fn run_file(&self, job: &RestoreJob, start: Instant) -> Result<JobEnd> {
        let path = self.root.join(&job.path);
        let path = path.to_string_lossy();
        match &job.value {
            Some(value) => self.run_object(value, &["-f", &path], None, start),
            None => Ok(JobEnd {
                said: tr!(
                    "{path} cannot be applied as it stands",
                    "{path} ne peut pas être appliqué tel quel",
                    path = job.path
                ),
                ..JobEnd::default()
            }),
        }
    }

    fn run_chosen(&self, written: &str, start: Instant) -> Result<JobEnd> {
        let (choice, job) = &self.choice;
        let job = job.as_ref().context("no job takes a point")?;
        let asked = points::asking(choice, job, written);
        let asked = asked.context("the job cannot be asked for a point")?;
        self.remove_finished(job)?;
        self.run_object(&asked, &["-f", "-"], Some(asked.to_string()), start)
    }

    fn remove_finished(&self, job: &RestoreJob) -> Result<()> {
        let name = job
            .value
            .as_ref()
            .and_then(|job| job["metadata"]["name"].as_str());
        let Some(name) = name else { return Ok(()) };
        let delete = [
            "delete",
            "job",
            name,
            "--ignore-not-found",
            "--cascade=foreground",
        ];
        self.ctx
            .exec
            .read(&self.cmd(delete).limit(wait::DELETION))?;
        Ok(())
    }

    fn run_object(
        &self,
        job: &Value,
        args: &[&str],
        input: Option<String>,
        start: Instant,
    ) -> Result<JobEnd> {
        let meta = &job["metadata"];
        let named = meta["name"].as_str();
        let verb = if named.is_some() { "apply" } else { "create" };
        let before = named.map(|name| self.uid(name)).transpose()?.flatten();
        let cmd = self.cmd([verb]).args(args).args(["-o", "json"]);
        let cmd = match input {
            Some(text) => cmd.input(text),
            None => cmd,
        };
        let output = self.ctx.exec.probe(&cmd)?;
        if !output.status.success() {
            return Ok(JobEnd {
                said: output.stderr.trim().chars().take(300).collect(),
                ..JobEnd::default()
            });
        }
        let made: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let made = match made["items"].as_array() {
            Some(items) => items.iter().find(|one| one["kind"] == "Job").cloned(),
            None => Some(made),
        };
        let made = made.unwrap_or_default();
        let name = made["metadata"]["name"].as_str().unwrap_or_default();
        let uid = made["metadata"]["uid"].as_str();
        if before.is_some() && before.as_deref() == uid {
            return Ok(JobEnd {
                said: format!("job.batch/{name} unchanged"),
                ..JobEnd::default()
            });
        }
        let end = self.await_job(name, start)?;
        Ok(end)
    }

    fn uid(&self, name: &str) -> Result<Option<String>> {
        let said = self.read([
            "get",
            "job",
            name,
            "--ignore-not-found",
            "-o",
            "jsonpath={.metadata.uid}",
        ])?;
        Ok(Some(said).filter(|said| !said.is_empty()))
    }
}

/// The last start, up to that moment, of a job of this schedule.
fn started_by(jobs: &Value, cron_job: &str, moment: f64) -> Option<f64> {
    let jobs = jobs["items"].as_array()?.iter();
    let ours = jobs.filter(|job| {
        let owner = &job["metadata"]["ownerReferences"][0];
        owner["kind"] == "CronJob" && owner["name"] == cron_job
    });
    let starts = ours.filter_map(|job| {
        let start = humantime::parse_rfc3339(job["status"]["startTime"].as_str()?).ok()?;
        let since = start.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs_f64())
    });
    starts
        .filter(|start| *start <= moment)
        .max_by(f64::total_cmp)
}

/// A job's conditions, and what its containers have come to.
fn standing(job: &Value, pods: &Value) -> Standing {
    let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    let holds = |kind: &str| {
        let mut all = conditions.clone();
        all.any(|one| one["type"] == kind && one["status"] == "True")
    };
    let pods = pods["items"].as_array().into_iter().flatten();
    let states = pods.flat_map(|pod| {
        let states = pod["status"]["containerStatuses"].as_array();
        states.into_iter().flatten()
    });
    let failed_once = states.into_iter().any(|state| {
        let code = |when: &str| state[when]["terminated"]["exitCode"].as_i64().unwrap_or(0);
        code("state") != 0 || code("lastState") != 0
    });
    Standing {
        succeeded: holds("Complete"),
        failed: holds("Failed"),
        failed_once,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(kind: &str) -> Value {
        json!({"status": {"conditions": [{"type": kind, "status": "True"}]}})
    }

    fn pods(state: &Value, last: &Value) -> Value {
        json!({"items": [{"status": {"containerStatuses": [
            {"state": state, "lastState": last}
        ]}}]})
    }

    #[test]
    fn a_container_that_failed_counts_before_its_job_gives_up() {
        let ended = |code: i64| json!({"terminated": {"exitCode": code}});
        let again = pods(
            &json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            &ended(1),
        );
        let standing = standing(&json!({}), &again);
        assert!(standing.failed_once && !standing.failed && !standing.succeeded);
        let done = super::standing(&job("Complete"), &pods(&ended(0), &json!({})));
        assert!(done.succeeded && !done.failed_once);
    }

    #[test]
    fn the_job_of_a_copy_is_the_last_that_had_begun_by_then() {
        let job = |owner: &str, start: &str| {
            json!({"metadata": {"ownerReferences": [{"kind": "CronJob", "name": owner}]},
                   "status": {"startTime": start}})
        };
        let jobs = json!({"items": [
            job("backup", "1970-01-01T00:01:00Z"),
            job("backup", "1970-01-01T00:02:00Z"),
            job("other", "1970-01-01T00:02:05Z"),
            {"metadata": {}, "status": {"startTime": "1970-01-01T00:02:06Z"}},
            job("backup", "1970-01-01T00:03:00Z"),
        ]});
        assert_eq!(started_by(&jobs, "backup", 130.0), Some(120.0));
        assert_eq!(started_by(&jobs, "backup", 30.0), None);
    }
}
