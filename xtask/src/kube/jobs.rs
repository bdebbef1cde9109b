//! Running a job to its end and reading its log.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use terms::lang::both;
use terms::tr;

use super::Kube;
use crate::exec::{self, Cmd, Output};
use crate::facts::{Facts, JobOutcome, JobSource};
use crate::failure::Failure;
use crate::names::{BACKUP_CLAIM, CRON_JOB, DATA_CLAIM};
use crate::tools::kube_state::{self, Progress};
use crate::tools::kubectl;
use crate::wait;

/// The file of the restore job, and what it restores as it stands.
pub(super) const RESTORE_FILE: &str = "pra/50-job-restore.yaml";
const AS_IT_STANDS: (&str, &str) = ("PRA_RESTORE_POINT", "latest");

impl Kube {
    /// Runs a job under this name; a finished one of that name is replaced.
    pub fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>> {
        let create = match source {
            JobSource::Backup => self
                .kubectl()?
                .cmd(kubectl::create_from_cron_job(name, CRON_JOB)),
            JobSource::Restore { env } => self.create_restore(name, env)?,
        };
        self.create_and_follow(name, &create)
    }

    /// The job as its file says where nothing else is asked for: the same as
    /// a person types.
    fn create_restore(&self, name: &str, env: &[(String, String)]) -> Result<Cmd> {
        let kubectl = self.kubectl()?;
        let plain = env
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        if name == crate::names::RESTORE_JOB && plain.eq([AS_IT_STANDS]) {
            let file = self.rendered_file(self.path(RESTORE_FILE))?;
            return Ok(kubectl.cmd(kubectl::create(&file.to_string_lossy())));
        }
        let mut job = self.restore_manifest()?;
        job["metadata"]["name"] = name.into();
        set_env(&mut job, env);
        Ok(kubectl.cmd(kubectl::create("-")).input(job.to_string()))
    }

    /// The restore job as its file declares it.
    pub fn restore_manifest(&self) -> Result<Value> {
        let text = self.rendered_text(self.path(RESTORE_FILE))?;
        serde_norway::from_str(&text).with_context(|| format!("reading {RESTORE_FILE}"))
    }

    /// `python -m pra ARGS` with the volumes that there are, where no replica runs.
    pub fn pra_without_replica(&self, args: &[&str], facts: Facts) -> Result<Output> {
        if self.workload.database.is_some() {
            return Err(no_replica().into());
        }
        let claims: Vec<String> = facts.volumes.into_iter().map(|one| one.claim).collect();
        self.ctx.ui.note(
            both(
                "no replica runs: a pod of its own does this",
                "aucune réplique ne tourne : un pod à part s'en charge",
            )
            .text(),
        );
        self.pra_alone(args, &claims)
    }

    /// `python -m pra ARGS` in a pod of its own, for when no replica runs.
    pub fn pra_alone(&self, args: &[&str], claims: &[String]) -> Result<Output> {
        let name = format!("pra-look-{}", std::process::id());
        let mut job = self.restore_manifest()?;
        job["metadata"]["name"] = name.as_str().into();
        job["spec"]["backoffLimit"] = 0.into();
        job["spec"]["ttlSecondsAfterFinished"] = 30.into();
        let container = &mut job["spec"]["template"]["spec"]["containers"][0];
        container["command"] = json!([&["python", "-m", "pra"], args].concat());
        without_missing_claims(&mut job, claims);
        let create = self
            .kubectl()?
            .cmd(kubectl::create("-"))
            .input(job.to_string());
        // Reading is no change of the lab: it happens in a dry run too.
        let created = exec::output(&create)?;
        let outcome = self.follow(&name, &uid(&created, &create)?)?;
        self.ctx
            .exec
            .read(&self.kubectl()?.cmd(kubectl::delete_job(&name)))?;
        Ok(outcome.into())
    }

    fn create_and_follow(&self, name: &str, create: &Cmd) -> Result<Option<JobOutcome>> {
        let delete = self.kubectl()?.cmd(kubectl::delete_job(name));
        if self.ctx.exec.dry_run() {
            self.show(name, &delete, create)?;
            return Ok(None);
        }
        let Some(mut created) = self.change(create)? else {
            return Ok(None);
        };
        if !created.status.success() && kubectl::exists_already(&created.stderr) {
            self.ctx.exec.run(&delete.limit(wait::DELETION))?;
            created = exec::output(create)?;
        }
        self.follow(name, &uid(&created, create)?).map(Some)
    }

    /// The same as shell, which cannot ask first whether there is an earlier job,
    /// and fails where the job fails.
    fn show(&self, name: &str, delete: &Cmd, create: &Cmd) -> Result<()> {
        let kubectl = self.kubectl()?;
        let ended = kubectl.cmd(kubectl::wait_until_ended(name, wait::JOB_PROGRESS.limit));
        let log = kubectl.cmd(kubectl::logs(&format!("job/{name}"), false));
        let verdict = kubectl.cmd(kubectl::wait_until_complete(name, wait::JOB_VERDICT));
        for cmd in [delete, create, &ended, &log, &verdict] {
            self.ctx.exec.show(&cmd.to_string());
        }
        Ok(())
    }

    /// Waits for the job's end. Its log is followed while it runs: that ends
    /// with the container, before the cluster has noticed.
    fn follow(&self, name: &str, uid: &str) -> Result<JobOutcome> {
        let kubectl = self.kubectl()?;
        let look = kubectl.cmd(kubectl::GET_JOBS);
        let mut log = None;
        let mut complaint = None;
        let ended = wait::until(wait::JOB_PROGRESS, || {
            match kube_state::progress(&self.ctx.exec.read(&look)?, uid)? {
                Progress::Waiting(why) => {
                    if why.is_some() && why != complaint {
                        complaint = why;
                        let why = complaint.as_deref().unwrap_or_default();
                        self.ctx
                            .ui
                            .note(&tr!("{name} waits: {why}", "{name} attend : {why}"));
                    }
                    Ok(None)
                }
                Progress::Running { pod } => {
                    if log.as_ref().is_none_or(|(of, _)| *of != pod) {
                        let text = self.log_of(&pod, true)?;
                        log = Some((pod, text));
                    }
                    Ok(None)
                }
                ended => Ok(Some(ended)),
            }
        })?;
        let (pod, reason) = match ended {
            Progress::Succeeded { pod } => (Some(pod), None),
            Progress::Failed { pod, reason } => (pod, Some(reason)),
            Progress::Waiting(_) | Progress::Running { .. } => (None, None),
        };
        let log = match (log, pod) {
            (Some((of, text)), Some(pod)) if of == pod => text,
            (_, Some(pod)) => self.log_of(&pod, false)?,
            (_, None) => String::new(),
        };
        Ok(JobOutcome {
            succeeded: reason.is_none(),
            reason,
            log,
        })
    }

    fn log_of(&self, pod: &str, follow: bool) -> Result<String> {
        let cmd = self.kubectl()?.cmd(kubectl::logs(pod, follow));
        self.ctx.exec.read(&cmd.limit(wait::JOB_LOG))
    }
}

impl From<JobOutcome> for Output {
    fn from(outcome: JobOutcome) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = i32::from(!outcome.succeeded);
        Self {
            status: std::process::ExitStatus::from_raw(code << 8),
            stdout: outcome.log,
            stderr: outcome.reason.unwrap_or_default(),
        }
    }
}

/// The uid of the job that was created.
fn uid(created: &Output, create: &Cmd) -> Result<String> {
    if !created.status.success() {
        let said = created.stderr.trim();
        return Err(Failure::tool(tr!(
            "the job could not be created: {said}",
            "le job n'a pas pu être créé : {said}",
        ))
        .next(tr!(
            "try it by hand: {create}",
            "essayez à la main : {create}"
        ))
        .into());
    }
    let job: Value = serde_json::from_str(&created.stdout).context("reading the created job")?;
    let uid = job["metadata"]["uid"].as_str();
    Ok(uid.context("the created job has no uid")?.to_owned())
}

/// Sets environment values of the job's container, new ones at the end.
fn set_env(job: &mut Value, env: &[(String, String)]) {
    let container = &mut job["spec"]["template"]["spec"]["containers"][0];
    if !container["env"].is_array() {
        container["env"] = json!([]);
    }
    let Some(list) = container["env"].as_array_mut() else {
        return;
    };
    for (key, value) in env {
        match list.iter_mut().find(|one| one["name"] == key.as_str()) {
            Some(one) => one["value"] = value.as_str().into(),
            None => list.push(json!({"name": key, "value": value})),
        }
    }
}

/// A pod waits for ever for a claim that does not exist. Its place is taken by
/// an empty folder, which the application calls what it is: no data.
fn without_missing_claims(job: &mut Value, claims: &[String]) {
    let volumes = &mut job["spec"]["template"]["spec"]["volumes"];
    for volume in volumes.as_array_mut().into_iter().flatten() {
        let claim = &volume["persistentVolumeClaim"]["claimName"];
        let is_missing = |name: &str| claim == name && !claims.iter().any(|one| one == name);
        if is_missing(DATA_CLAIM) || is_missing(BACKUP_CLAIM) {
            *volume = json!({"name": volume["name"], "emptyDir": {}});
        }
    }
}

/// Where a pod of its own could not take a replica's place: there is no volume to look at.
fn no_replica() -> Failure {
    Failure::tool(tr!(
        "no replica of the application answers",
        "aucune réplique de l'application ne répond",
    ))
    .next("cargo xtask status")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Value {
        serde_norway::from_str(include_str!("../../../pra/50-job-restore.yaml")).unwrap()
    }

    #[test]
    fn the_file_restores_the_latest_point_as_it_stands() {
        let job = job();
        let env = &job["spec"]["template"]["spec"]["containers"][0]["env"];
        let (name, value) = AS_IT_STANDS;
        let pair = json!({"name": name, "value": value});
        assert!(env.as_array().unwrap().contains(&pair), "{env}");
    }

    #[test]
    fn a_value_is_replaced_and_a_new_one_added() {
        let mut job = job();
        let env = |job: &Value| {
            let env = &job["spec"]["template"]["spec"]["containers"][0]["env"];
            env.as_array().unwrap().clone()
        };
        let before = env(&job).len();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        set_env(
            &mut job,
            &[pair("PRA_RESTORE_POINT", "app-1.db"), pair("X", "1")],
        );
        let after = env(&job);
        assert_eq!(after.len(), before + 1);
        assert!(after.contains(&json!({"name": "PRA_RESTORE_POINT", "value": "app-1.db"})));
        assert!(after.contains(&json!({"name": "X", "value": "1"})));
    }

    #[test]
    fn a_missing_claim_is_replaced_by_an_empty_folder() {
        let mut job = job();
        without_missing_claims(&mut job, &[BACKUP_CLAIM.to_owned()]);
        let volumes = &job["spec"]["template"]["spec"]["volumes"];
        let of = |name: &str| {
            let mut all = volumes.as_array().unwrap().iter();
            all.find(|one| one["name"] == name).unwrap().clone()
        };
        assert_eq!(of("data"), json!({"name": "data", "emptyDir": {}}));
        assert_eq!(
            of("backup")["persistentVolumeClaim"]["claimName"],
            BACKUP_CLAIM
        );
    }
}
