//! What commands and scenarios ask of the lab's objects.

use anyhow::Result;
use terms::{Death, tr};

use super::Kube;
use crate::exec::{Cmd, Output, Piped, kept_in, quote};
use crate::facts::{Facts, LogSource};
use crate::failure::Failure;
use crate::names::PART_OF;
use crate::names::{CRON_JOB, RESTORE_JOB};
use crate::tools::kubectl;
use crate::wait;

impl Kube {
    pub fn apply(&self) -> Result<()> {
        self.ask(kubectl::apply(&self.declared()?))
    }

    /// Does not wait, but in the shell of a dry run, whose next line may need that no
    /// replica is left.
    pub fn scale(&self, replicas: u32) -> Result<()> {
        let deployment = self.workload.deployment;
        self.ask(kubectl::scale(deployment, replicas))?;
        if replicas == 0 {
            let limit = wait::APP_STOPPED.limit;
            self.show_only(kubectl::wait_until_gone(&self.labels(deployment), limit))?;
        }
        Ok(())
    }

    pub fn suspend_backups(&self, suspend: bool) -> Result<()> {
        self.ask(kubectl::suspend(CRON_JOB, suspend))
    }

    /// What a person types for that.
    pub fn resuming_backups(&self) -> String {
        let words = kubectl::suspend(CRON_JOB, false);
        let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
        self.typed(&words.join(" "))
    }

    pub fn delete_jobs(&self) -> Result<()> {
        self.ask(kubectl::delete_all_jobs())
    }

    /// A claim in use is not deleted but hangs as Terminating.
    pub fn delete_claim(&self, claim: &str, facts: &Facts) -> Result<()> {
        let pod = facts.pods.first();
        if let Some(pod) = pod.filter(|_| !self.ctx.exec.dry_run()) {
            return Err(Failure::usage(tr!(
                "{claim} is in use by the pod {pod}",
                "{claim} est utilisé par le pod {pod}",
                pod = pod.name,
            ))
            .next(tr!(
                "scale the deployment to 0 first",
                "mettez d'abord le déploiement à 0",
            ))
            .into());
        }
        self.ask(kubectl::delete_claim(claim))
    }

    /// Kills a pod; says for how long it may live on. The API server forgets it at once, and its
    /// kubelet hears of that, and ends the container within its shortest grace, after it.
    pub fn kill(&self, pod: &str, death: Death) -> Result<f64> {
        self.show_only(self.all_ready())?;
        self.ask(kubectl::delete_pod(pod, death == Death::Hard))?;
        Ok(match death {
            Death::Hard => 2.0,
            Death::Graceful => 0.0,
        })
    }

    /// `python -m pra ARGS` in a replica; `None` where none runs.
    pub fn pra_in_replica(&self, args: &[&str]) -> Result<Option<Output>> {
        let Some(replica) = self.replica_that_answers()? else {
            return Ok(None);
        };
        let cmd = self.kubectl()?.cmd(kubectl::exec(&replica, &pra(args)));
        let output = self.ctx.exec.probe(&cmd.limit(wait::JOB_LOG))?;
        let ran = kubectl::command_ran(output.status.success(), &output.stderr);
        Ok(ran.then_some(output))
    }

    /// `python -m pra ARGS` with a file, in a replica or, where none runs, in a pod
    /// for that alone.
    pub fn stream(&self, args: &[&str], file: &Piped, replicas: bool) -> Result<Option<Output>> {
        let run = |target: &str| {
            let words = match file {
                Piped::From(_) => kubectl::exec_with_input(target, &pra(args)),
                Piped::Into(_) => kubectl::exec(target, &pra(args)),
            };
            let cmd = self.kubectl()?.cmd(words).file(file.clone());
            self.ctx.exec.stream(&cmd.limit(wait::COPY))
        };
        match replicas {
            true => run(&self.replica()),
            false => self.with_helper(run),
        }
    }

    pub fn logs(&self, of: LogSource, lines: u32, follow: bool) -> Result<Cmd> {
        let app = match of {
            LogSource::App => self.workload.deployment,
            LogSource::Backup => CRON_JOB,
            LogSource::Restore => RESTORE_JOB,
        };
        let words = kubectl::logs_of_all(&self.labels(app), lines, follow);
        Ok(self.kubectl()?.cmd(words))
    }

    /// What selects the pods of one part of the lab: in a namespace that the lab was given,
    /// others may have the same `app`.
    fn labels(&self, app: &str) -> String {
        match self.rendering.is_some() {
            true => format!("app={app},{PART_OF}"),
            false => format!("app={app}"),
        }
    }

    pub fn python(&self, script: &str) -> Result<Option<String>> {
        self.show_only(self.all_ready())?;
        let cmd = self.python_cmd(script)?;
        self.ctx.exec.change_reading(&cmd.to_string(), &cmd)
    }

    /// As [`crate::engine::Engine::show_python`] says.
    pub fn show_python(&self, variable: &str, script: &str) -> Result<()> {
        self.show_only(self.all_ready())?;
        let cmd = self.python_cmd(script)?;
        self.ctx.exec.show(&kept_in(variable, &cmd.to_string()));
        Ok(())
    }

    fn python_cmd(&self, script: &str) -> Result<Cmd> {
        let args = kubectl::exec(&self.replica(), &["python", "-c", script]);
        Ok(self.kubectl()?.cmd(args).limit(wait::DELETION))
    }

    /// Any replica, as kubectl names it.
    pub(super) fn replica(&self) -> String {
        format!("deployment/{}", self.workload.deployment)
    }

    /// One to be asked: where a node can be lost, not one that may have been on it.
    fn replica_that_answers(&self) -> Result<Option<String>> {
        if self.workload.database.is_none() {
            return Ok(Some(self.replica()));
        }
        let topology = self.topology()?;
        let runs = |node: &str| {
            topology
                .nodes
                .iter()
                .any(|one| one.name == node && one.ready)
        };
        let mut replicas = topology.replicas.iter();
        let found = replicas.find(|one| one.ready && runs(&one.node));
        Ok(found.map(|one| format!("pod/{}", one.name)))
    }

    fn all_ready(&self) -> Vec<String> {
        kubectl::rollout_status(self.workload.deployment, wait::APP_READY.limit)
    }

    /// What the shell of a dry run has to wait for before its next line, where a run
    /// looks at the lab's state instead.
    fn show_only<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        let cmd = self.kubectl()?.cmd(args);
        self.ctx.exec.show(&cmd.to_string());
        Ok(())
    }

    pub(super) fn ask<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        let cmd = self.kubectl()?.cmd(args).limit(wait::DELETION);
        self.ctx.exec.run(&cmd)
    }
}

fn pra<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["python", "-m", "pra"], args].concat()
}
