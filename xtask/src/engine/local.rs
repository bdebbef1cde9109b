//! The local engine: pods are processes of this machine under a supervisor,
//! volumes are folders of `.lab`.

mod jobs;
mod lacks;
mod monitoring;
mod needs;
mod offsite;
mod teardown;
mod up;
mod words;

use anyhow::Result;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::Check;
use crate::config::Offsite;
use crate::context::Context;
use crate::exec::{Cmd, Exec, Output, Piped, kept_in, quote};
use crate::facts::offsite::Shipping;
use crate::facts::{Facts, Job, JobOutcome, JobSource, LogSource, Simplification};
use crate::local::desired::DesiredState;
use crate::local::protocol::Ask;
use crate::local::{self, client, launch, logs, simplifications, volumes};
use crate::manifests;
use crate::names::{CRON_JOB, RESTORE_JOB};
use crate::offsite::store;
use crate::tools::venv::Venv;
use crate::ui::Ui;
use crate::wait;
use crate::workspace::Workspace;
use terms::lang::{Both, both};
use terms::{Death, EngineName};

use super::capability::Lack;
use super::monitoring::Monitoring;
use super::offsite::Running;
use super::seam::{Engine, Entry, no_logs};
use words::python_words;

/// Why a supervisor is replaced that a build has overtaken.
const OTHER_BUILD: Both = both(
    "the supervisor is of another build of the program",
    "le superviseur vient d'une autre version du programme",
);

pub const ENTRY: Entry = Entry {
    name: EngineName::Local,
    lacks: lacks::LACKS,
    suits: |_| {
        Some(both(
            "no Docker daemon answers",
            "aucun démon Docker ne répond",
        ))
    },
    new: |ctx| Ok(Box::new(LocalEngine::new(ctx))),
};

pub struct LocalEngine {
    workspace: Workspace,
    /// `service.port` of lab.toml.
    port: u16,
    /// `monitoring.prometheus_port` of lab.toml.
    watch_port: u16,
    /// `[offsite]` of lab.toml.
    offsite: Offsite,
    exec: Exec,
    ui: Ui,
    /// What the application runs in.
    venv: Venv,
    /// What the store for copies runs in.
    store_venv: Venv,
}

impl LocalEngine {
    pub fn new(ctx: &Context) -> Self {
        Self {
            workspace: ctx.workspace.clone(),
            port: ctx.config.service.port(),
            watch_port: ctx.config.monitoring.ports()[0],
            offsite: ctx.config.offsite.clone(),
            exec: ctx.exec.clone(),
            ui: ctx.ui.clone(),
            venv: ctx.venv(),
            store_venv: ctx.store_venv(),
        }
    }

    /// Shows `cargo xtask local WORDS`; says whether to do it.
    fn change(&self, words: &str) -> bool {
        self.exec.change(&format!("cargo xtask local {words}"))
    }

    /// Asks for a change, of a supervisor that is started again where an
    /// earlier one was killed.
    fn request<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T> {
        if !client::is_alive(&self.workspace) && DesiredState::load(&self.workspace)?.is_some() {
            self.ui.note(
                both(
                    "the supervisor was gone: starting it again, as it was",
                    "le superviseur avait disparu : il est redémarré, tel qu'il était",
                )
                .text(),
            );
            self.start()?;
        }
        client::ask(&self.workspace, ask)
    }

    /// The same where there is nothing to answer.
    fn tell(&self, ask: &Ask) -> Result<()> {
        self.request(ask)
    }

    /// What has to hold before anything is changed.
    fn preconditions(&self) -> Result<()> {
        let manifests = manifests::load(&self.workspace.root)?;
        manifests::load_restore_job(&self.workspace.root, &manifests)?;
        // In a dry run, what would have installed it did not.
        if !self.exec.dry_run() {
            self.insist_on_python(&manifests)?;
        }
        self.copying()?;
        if self.port != 0 && !self.holds_port(self.port)? {
            local::port_is_free(&self.workspace, self.port)?;
        }
        Ok(())
    }

    /// Python as a replica has it: its settings, its volumes, its folder.
    fn in_a_replica(&self, args: &[&str]) -> Result<Cmd> {
        self.insist_on_application()?;
        let manifests = manifests::load(&self.workspace.root)?;
        self.insist_on_python(&manifests)?;
        let (pod, set) = (manifests.replica(), self.in_force()?);
        let mut cmd = launch::launch(&self.workspace, &manifests, pod, "pra", &set).cmd;
        // Nothing of it outlives the command, so the system's folder will do.
        cmd.env.remove("TMPDIR");
        cmd.program = self
            .workspace
            .venv()
            .join("bin/python")
            .display()
            .to_string();
        cmd.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Ok(cmd)
    }

    /// The settings that were applied: those of the files may be newer.
    fn in_force(&self) -> Result<Vec<(String, String)>> {
        if !client::is_alive(&self.workspace) {
            return Ok(Vec::new());
        }
        client::ask::<BTreeMap<_, _>>(&self.workspace, &Ask::Settings).map(Vec::from_iter)
    }

    /// The lab as its files tell, where no supervisor runs.
    fn facts_at_rest(&self) -> Result<Facts> {
        let manifests = manifests::load(&self.workspace.root)?;
        let desired = DesiredState::load(&self.workspace)?.unwrap_or_default();
        Ok(Facts {
            wanted: desired.replicas,
            schedule: manifests.cron_job.spec.schedule.clone(),
            suspended: desired.suspended,
            volumes: volumes::list(&self.workspace, &manifests.claims),
            ..Facts::default()
        })
    }
}

impl Engine for LocalEngine {
    fn name(&self) -> EngineName {
        EngineName::Local
    }

    fn checks(&self) -> Vec<Check> {
        Vec::new()
    }

    fn lacks(&self) -> &'static [Lack] {
        lacks::LACKS
    }

    fn simplifications(&self) -> &'static [Simplification] {
        simplifications::ALL
    }

    fn facts(&self) -> Result<Facts> {
        let found = client::look(&self.workspace)?;
        match found.and_then(|found| found.facts) {
            Some(facts) => Ok(facts),
            None => self.facts_at_rest(),
        }
    }

    fn insist_on_life(&self) -> Result<()> {
        client::insist_on_life(&self.workspace)
    }

    /// Also of a supervisor that cannot be asked, being of another version.
    fn holds_port(&self, port: u16) -> Result<bool> {
        let desired = DesiredState::load(&self.workspace)?.unwrap_or_default();
        Ok(client::is_alive(&self.workspace) && desired.port == Some(port))
    }

    fn up(&self) -> Result<()> {
        self.insist_on_application()?;
        self.venv.ensure(&self.exec, &self.ui)?;
        self.ensure_store()?;
        self.preconditions()?;
        self.make_way()?;
        self.apply_and_say()?;
        self.ensure_bucket()?;
        if self.exec.dry_run() {
            return Ok(());
        }
        self.wait_until_ready()
    }

    fn down(&self) -> Result<()> {
        self.remove_all()
    }

    fn apply(&self) -> Result<()> {
        self.apply_changes().map(drop)
    }

    fn pending(&self) -> Result<Vec<String>> {
        let mut pending: Vec<String> =
            client::ask(&self.workspace, &Ask::Pending(self.copying()?))?;
        let found = client::look(&self.workspace)?;
        if found.is_some_and(|found| !found.ours) {
            pending.push(OTHER_BUILD.into());
        }
        Ok(pending)
    }

    fn wake(&self) -> Result<()> {
        self.ensure_supervisor()
    }

    fn scale(&self, replicas: u32) -> Result<()> {
        if self.change(&format!("scale {replicas}")) {
            self.tell(&Ask::Scale(replicas))?;
        }
        Ok(())
    }

    fn suspend_backups(&self, suspend: bool) -> Result<()> {
        if self.change(if suspend { "suspend" } else { "resume" }) {
            self.tell(&Ask::Suspend(suspend))?;
        }
        Ok(())
    }

    fn resuming_backups(&self) -> String {
        "cargo xtask local resume".to_owned()
    }

    fn delete_jobs(&self) -> Result<()> {
        if !self.change("delete-jobs") {
            return Ok(());
        }
        let before = self.facts()?.jobs;
        self.tell(&Ask::DeleteJobs)?;
        wait::until(wait::JOBS_GONE, || {
            let left = self.facts()?.jobs;
            let gone = |job: &Job| left.iter().all(|one| one.name != job.name);
            Ok(before.iter().all(gone).then_some(()))
        })
    }

    fn delete_volume(&self, claim: &str) -> Result<()> {
        if self.change(&format!("delete-volume {} --yes", quote(claim))) {
            self.tell(&Ask::DeleteVolume(claim.to_owned()))?;
        }
        Ok(())
    }

    fn run_job(&self, name: &str, source: &JobSource) -> Result<Option<JobOutcome>> {
        self.run(name, source)
    }

    fn pra(&self, args: &[&str]) -> Result<Output> {
        let cmd = self.in_a_replica(&[&["-m", "pra"], args].concat())?;
        self.exec.probe(&cmd)
    }

    fn stream(&self, args: &[&str], file: Piped) -> Result<Option<Output>> {
        let cmd = self.in_a_replica(&[&["-m", "pra"], args].concat())?;
        self.exec.stream(&cmd.file(file).limit(wait::COPY))
    }

    fn offsite(&self, args: &[&str]) -> Result<Option<Output>> {
        self.of_copies(args)
    }

    fn python_beside_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        self.python_of_copies(script, args)
    }

    fn embedded_store(&self) -> Result<Running> {
        self.running_store()
    }

    fn kept_copies(&self) -> Option<PathBuf> {
        self.folder_of_store()
    }

    fn remove_copies(&self) -> Result<()> {
        let doomed = self.folder_of_store();
        doomed.map_or(Ok(()), |one| {
            self.remove(&store::with_credentials(&self.workspace, &one))
        })
    }

    fn shipping(&self) -> Result<Option<Shipping>> {
        if !client::is_alive(&self.workspace) {
            return Ok(None);
        }
        client::ask(&self.workspace, &Ask::Copying)
    }

    fn logs(&self, of: LogSource, lines: u32, follow: bool) -> Result<Cmd> {
        let pods: Vec<String> = match of {
            LogSource::App => self.facts()?.pods.into_iter().map(|pod| pod.name).collect(),
            LogSource::Backup => logs::newest(&self.workspace, &["backup-now", CRON_JOB]),
            LogSource::Restore => logs::newest(&self.workspace, &[RESTORE_JOB]),
        };
        if pods.is_empty() {
            return Err(no_logs());
        }
        Ok(logs::tail(&self.workspace, &pods, lines, follow))
    }

    fn python(&self, script: &str) -> Result<Option<String>> {
        let cmd = self.in_a_replica(&["-c", script])?.limit(wait::DELETION);
        self.exec.change_reading(&python_words(script), &cmd)
    }

    fn show_python(&self, variable: &str, script: &str) -> Result<()> {
        self.exec.show(&kept_in(variable, &python_words(script)));
        Ok(())
    }

    fn monitoring(&self) -> &dyn Monitoring {
        self
    }

    fn insist_on_ownership(&self) -> Result<()> {
        // Its processes and volumes are those of this folder.
        Ok(())
    }

    /// Of a hard death it returns when the replica is gone; one that is asked to
    /// stop takes its time.
    fn kill(&self, pod: &str, death: Death) -> Result<f64> {
        let hard = death == Death::Hard;
        let force = if hard { " --force" } else { "" };
        if !self.change(&format!("kill {}{force}", quote(pod))) {
            return Ok(0.0);
        }
        let ask = Ask::Kill {
            pod: pod.to_owned(),
            hard,
        };
        self.tell(&ask)?;
        wait::until(wait::APP_STOPPED, || {
            let gone = |facts: Facts| facts.pods.iter().all(|one| one.name != pod);
            Ok((!hard || gone(self.facts()?)).then_some(()))
        })?;
        Ok(0.0)
    }
}
