//! The supervisor: what is wanted and what runs, brought together step by step.

mod copied;
mod declared;
mod watched;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use terms::lang::both;
use terms::tr;

use crate::cron;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::wait;

use super::copying::{self, Copying};
use super::desired::DesiredState;
use super::job::JobRun;
use super::jobs::{self, Jobs};
use super::protocol::{Answer, Ask};
use super::replica::Replica;
use super::shared::Shared;
use super::storing::{self, Storing};
use super::watching::{self, Watching};
use super::{logs, volumes};

pub struct Supervisor {
    shared: Shared,
    replicas: Vec<Replica>,
    jobs: Jobs,
    watching: Option<Watching>,
    copying: Option<Copying>,
    storing: Option<Storing>,
    stopping: bool,
    logs_seen: Instant,
}

impl Supervisor {
    pub fn new(shared: Shared) -> Self {
        Self {
            shared,
            replicas: Vec::new(),
            jobs: Jobs::default(),
            watching: None,
            copying: None,
            storing: None,
            stopping: false,
            logs_seen: Instant::now(),
        }
    }

    /// Does what is due; says whether everything is over.
    pub fn advance(&mut self) -> bool {
        self.end_without_a_folder();
        if !self.stopping {
            self.jobs
                .keep_schedule(&mut self.shared, jobs::since_1970());
        }
        self.jobs.advance(&self.shared);
        for replica in &mut self.replicas {
            replica.advance(&self.shared);
        }
        self.replicas.retain(|replica| !replica.is_gone());
        if !self.stopping {
            self.reconcile();
        }
        self.keep_watch();
        self.keep_copies();
        self.keep_logs_small();
        let all_ended = self.replicas.is_empty() && self.jobs.all_done();
        let alone = self.watching.is_none() && self.makes_no_copies();
        self.stopping && all_ended && alone
    }

    /// Pods know their volumes by paths that lead nowhere now, or to another lab.
    fn end_without_a_folder(&mut self) {
        if !self.stopping && !self.shared.place.holds() {
            self.shared
                .note("the folder of this lab is gone, or another one has its place");
            self.stop();
        }
    }

    /// Makes as many replicas as are wanted, of the release that is declared: a
    /// new one comes, and is ready, before an outdated one goes.
    fn reconcile(&mut self) {
        let wanted = self.shared.desired.replicas as usize;
        let staying = self.replicas.iter().filter(|one| !one.is_leaving());
        let (current, outdated): (Vec<_>, Vec<_>) =
            staying.partition(|one| one.is_current(&self.shared));
        let ready = current.iter().filter(|one| one.is_ready()).count();
        let (current, outdated) = (current.len(), outdated.len());
        if current < wanted && current + outdated <= wanted {
            self.replicas.push(Replica::create(&mut self.shared));
        }
        let kept = if outdated > 0 { ready } else { current };
        self.stop_some((kept + outdated).saturating_sub(wanted));
    }

    /// Stops outdated replicas first, then those nobody is served by, then the
    /// newest.
    fn stop_some(&mut self, count: usize) {
        let staying = self.replicas.iter_mut().rev();
        let mut staying: Vec<_> = staying.filter(|one| !one.is_leaving()).collect();
        staying.sort_by_key(|one| (one.is_current(&self.shared), one.is_ready()));
        for replica in staying.into_iter().take(count) {
            replica.stop(&self.shared);
        }
    }

    fn keep_logs_small(&mut self) {
        let due = self.logs_seen.elapsed() >= wait::HOUSEKEEPING;
        if !due || !self.shared.place.holds() {
            return;
        }
        self.logs_seen = Instant::now();
        let replicas = self.replicas.iter().map(|replica| &replica.name);
        let jobs = self.jobs.iter().map(|job| &job.pod);
        let beside = [watching::NAME, copying::NAME, storing::NAME].map(str::to_owned);
        let alive: BTreeSet<&String> = replicas.chain(jobs).chain(&beside).collect();
        if let Err(error) = logs::keep_small(&self.shared.workspace, &alive) {
            self.shared.note(&format!("{error:#}"));
        }
    }

    pub fn stop(&mut self) {
        if self.stopping {
            return;
        }
        self.shared.note("stops");
        self.stopping = true;
        let staying = self.replicas.iter_mut().filter(|one| !one.is_leaving());
        for replica in staying {
            replica.stop(&self.shared);
        }
        self.jobs.end_all(&self.shared, "the lab was stopped");
        if let Some(watching) = &mut self.watching {
            watching.stop();
        }
        self.stop_copies();
    }

    pub fn answer(&mut self, ask: Ask) -> Answer {
        Ok(self.done(ask)?)
    }

    /// Does what is asked for; returns the answer.
    fn done(&mut self, ask: Ask) -> Result<Value> {
        self.end_without_a_folder();
        if self.stopping && !matches!(ask, Ask::Facts) {
            return refuse(
                both(
                    "the supervisor is about to end",
                    "le superviseur est sur le point de s'arrêter",
                )
                .text(),
                "cargo xtask setup",
            );
        }
        match ask {
            Ask::Facts => json(self.facts()),
            Ask::Apply(copying) => json(self.apply(copying)?),
            Ask::Pending(copying) => json(self.pending(copying)?),
            Ask::Settings => json(&self.shared.release.settings),
            Ask::RunJob { name, source } => json(self.jobs.run(&mut self.shared, &name, source)?),
            Ask::Scale(replicas) => {
                json(self.change_desired(|desired| desired.replicas = replicas)?)
            }
            Ask::Suspend(suspended) => json(self.suspend(suspended)?),
            Ask::Job(pod) => {
                let job = self.jobs.iter().find(|job| job.pod == pod);
                json(job.map(JobRun::facts))
            }
            Ask::DeleteJobs => {
                self.jobs.delete_all(&self.shared);
                json(())
            }
            Ask::DeleteVolume(claim) => json(self.delete_volume(&claim)?),
            Ask::Stop => {
                self.stop();
                json(())
            }
            Ask::Kill { pod, hard } => json(self.kill(&pod, hard)?),
            Ask::Watch(wanted) => json(self.watch(wanted)?),
            Ask::Watched => json(self.watching.as_ref().map(Watching::facts)),
            Ask::Copying => json(self.shipping()),
        }
    }

    fn facts(&self) -> Facts {
        let shared = &self.shared;
        let url = |port| format!("http://127.0.0.1:{port}");
        Facts {
            running: !self.stopping,
            url: shared.desired.port.map(url),
            wanted: shared.desired.replicas,
            pods: self.replicas.iter().map(Replica::facts).collect(),
            schedule: shared.manifests.cron_job.spec.schedule.clone(),
            suspended: shared.desired.suspended,
            volumes: volumes::list(&shared.workspace, &shared.manifests.claims),
            jobs: self.jobs.iter().map(JobRun::facts).collect(),
            instances: None,
        }
    }

    /// Changes what is wanted: on disk first, so that it is not forgotten.
    fn change_desired(&mut self, change: impl FnOnce(&mut DesiredState)) -> Result<()> {
        let mut desired = self.shared.desired.clone();
        change(&mut desired);
        desired.save(&self.shared.workspace)?;
        self.shared.desired = desired;
        Ok(())
    }

    fn suspend(&mut self, suspended: bool) -> Result<()> {
        let now = if suspended { "suspended" } else { "resumed" };
        self.shared.note(&format!("backups are {now}"));
        self.change_desired(|desired| desired.suspended = suspended)
    }

    fn delete_volume(&mut self, claim: &str) -> Result<()> {
        let claims = &self.shared.manifests.claims;
        if !claims.iter().any(|known| known == claim) {
            let known = claims.join(", ");
            let message = tr!(
                "k8s/ declares no claim {claim}; it declares {known}",
                "k8s/ ne déclare aucune demande de volume {claim} ; il déclare {known}",
            );
            return refuse(&message, "cargo xtask status");
        }
        let users = self.users(claim);
        if !users.is_empty() {
            let message = tr!(
                "volume {claim} is in use by {users}",
                "le volume {claim} est utilisé par {users}",
                users = users.join(", "),
            );
            let next = "cargo xtask local scale 0 && cargo xtask local delete-jobs";
            return refuse(&message, next);
        }
        if volumes::set_aside(&self.shared.workspace, claim)? {
            self.shared.note(&format!("volume {claim} is deleted"));
        }
        Ok(())
    }

    fn users(&self, claim: &str) -> Vec<String> {
        let replicas = self.replicas.iter().filter(|replica| replica.mounts(claim));
        let jobs = self.jobs.iter().filter(|job| job.mounts(claim));
        replicas
            .map(|replica| replica.name.clone())
            .chain(jobs.map(|job| format!("job {}", job.name)))
            .collect()
    }

    fn kill(&mut self, pod: &str, hard: bool) -> Result<()> {
        let mut replicas = self.replicas.iter_mut();
        let Some(replica) = replicas.find(|replica| replica.name == pod) else {
            let known: Vec<&str> = self.replicas.iter().map(|one| one.name.as_str()).collect();
            let message = tr!(
                "there is no pod {pod}; there are: {pods}",
                "il n'y a pas de pod {pod} ; il y a : {pods}",
                pods = known.join(", "),
            );
            return refuse(&message, "cargo xtask status");
        };
        if hard {
            replica.kill(&self.shared);
        } else {
            replica.stop(&self.shared);
        }
        Ok(())
    }
}

/// A lab that is new has missed no run yet.
pub fn this_minute() -> cron::Minute {
    cron::minute(jobs::since_1970())
}

fn json(answer: impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(answer)?)
}

fn refuse<T>(message: &str, next: &str) -> Result<T> {
    Err(Failure::usage(message).next(next).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::JobSource;
    use crate::local::shared::testing;

    #[test]
    fn a_job_is_known_by_its_pod_and_not_by_the_next_one_of_its_name() {
        let mut shared = testing::shared("by-pod");
        let spec = &mut shared.manifests.cron_job.spec.job_template.spec;
        spec.template.spec.containers[0].command = vec!["true".into()];
        let mut supervisor = Supervisor::new(shared);
        let pods = [(); 2].map(|()| {
            let (name, source) = ("now".to_owned(), JobSource::Backup);
            let pod = supervisor.answer(Ask::RunJob { name, source }).unwrap();
            wait::until(wait::JOB_DONE, || {
                supervisor.jobs.advance(&supervisor.shared);
                Ok(supervisor.jobs.all_done().then_some(()))
            })
            .unwrap();
            pod.as_str().unwrap().to_owned()
        });
        let [first, second] = pods.map(|pod| supervisor.answer(Ask::Job(pod)).unwrap());
        assert_eq!(first, Value::Null);
        assert_eq!(second["state"], "succeeded");
        testing::remove(&supervisor.shared);
    }
}
