//! What every scenario does: a steady state before, a client that writes all
//! along, and the comparison at the end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use terms::lang::fixed;
use terms::{EngineName, Protection, ScenarioName, tr};

use crate::config::Mode;
use crate::context::Context;
use crate::database::{self, State};
use crate::engine::{self, Engine};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::measure::client::{Client, Load};
use crate::measure::compare::Rows;
use crate::measure::ledger::Ledger;
use crate::measure::result::Draw;
use crate::measure::writing::Form;
use crate::progress::Progress;
use crate::runs;
use crate::wait;

/// One run of a scenario and the folder that keeps its results.
pub struct Run<'a> {
    pub ctx: &'a Context,
    pub scenario: ScenarioName,
    pub folder: PathBuf,
    /// What onlookers read of it.
    pub progress: Progress,
    /// What the client's messages begin with: unique to this run.
    prefix: String,
    pub options: RunOptions,
    /// Changes that this invocation made before the run.
    earlier: usize,
}

/// Options of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Pause before each part and show its changes.
    pub step: bool,
    /// When the disaster comes; without it, as soon as there is something to
    /// lose.
    pub draw: Option<Draw>,
    /// The lab restores by itself, and nobody does.
    pub auto: bool,
    /// Seconds that stand for a person, who takes notice and decides.
    pub operator_delay: Option<f64>,
    /// How the client asks, beside what is declared.
    pub mode: Mode,
}

/// Seconds that the client writes on after the backup, so that there is something to
/// lose.
const SOMETHING_TO_LOSE: f64 = 1.0;

/// The steady state: the lab as it has to be before and after a disaster.
pub struct SteadyState {
    pub url: String,
    pub protection: Protection,
    /// When backups are made, as the cron job says it.
    pub schedule: String,
}

impl<'a> Run<'a> {
    pub fn create(
        ctx: &'a Context,
        engine: EngineName,
        scenario: ScenarioName,
        options: RunOptions,
    ) -> Result<Self> {
        let (stamp, folder) = runs::create(ctx, scenario.word())?;
        let progress = Progress::begin(&folder, &ctx.ui, ctx.options.lab, engine, scenario);
        Ok(Self {
            ctx,
            scenario,
            folder,
            progress,
            prefix: format!("{scenario}-{stamp}"),
            options,
            earlier: ctx.exec.changes().len(),
        })
    }

    /// The lab in its steady state, and what its database holds.
    pub fn begin(&self, engine: &dyn Engine) -> Result<(SteadyState, Rows)> {
        let step = self.ctx.ui.step(tr!("steady state", "état stable"));
        let steady = self.steady_state(engine)?;
        let before = database::readable(engine).dump()?;
        step.done(tr!(
            "all replicas ready",
            "toutes les répliques sont prêtes"
        ));
        Ok((steady, before))
    }

    /// The steady state, insisted on.
    pub fn steady_state(&self, engine: &dyn Engine) -> Result<SteadyState> {
        steady_state(engine)
    }

    /// Shows what the next part will do, and waits for the reader, where a run
    /// is to be followed step by step.
    pub fn pause(
        &self,
        what: &str,
        show: impl Fn(&Context, &dyn Engine) -> Result<()>,
    ) -> Result<()> {
        if !self.options.step {
            return Ok(());
        }
        let ui = &self.ctx.ui;
        ui.note(&tr!(
            "Next: {what}. As shell:",
            "Ensuite : {what}. En shell :"
        ));
        let shown = self.ctx.shown_only();
        show(&shown, engine::select(&shown)?.as_ref())?;
        ui.wait_for_reader()
    }

    /// The disaster comes at its own moment after the backup, not when we are
    /// ready.
    pub fn wait_for_the_moment(&self, backup: Instant) -> Result<()> {
        let moment = self
            .options
            .draw
            .map_or(SOMETHING_TO_LOSE, |draw| draw.moment_seconds);
        let shown = fixed(moment, 1);
        let step = self.ctx.ui.step(tr!(
            "the client writes on, {shown} s",
            "le client continue d'écrire, {shown} s",
        ));
        wait::until_moment(backup + Duration::from_secs_f64(moment))?;
        step.done(tr!("the moment has come", "le moment est venu"));
        Ok(())
    }

    /// The changes of this run, as shell.
    pub fn changes(&self) -> Vec<String> {
        self.ctx.exec.changes().split_off(self.earlier)
    }

    /// Starts the measuring client with its ledger in the run's folder.
    pub fn client(&self, url: &str) -> Result<Client> {
        self.start_client(url, 0, self.options.mode)
    }

    /// The same with messages of at least so many bytes.
    pub fn client_writing(&self, url: &str, bytes: usize) -> Result<Client> {
        self.start_client(url, bytes, self.options.mode)
    }

    /// The same where each write is sent again until it is answered.
    pub fn retrying_client(&self, url: &str) -> Result<Client> {
        let mode = Mode {
            retry: true,
            ..self.options.mode
        };
        self.start_client(url, 0, mode)
    }

    fn start_client(&self, url: &str, bytes: usize, mode: Mode) -> Result<Client> {
        let load = Load {
            rate: self.ctx.config.client.rate(),
            connections: self.ctx.config.client.connections(),
            reads: self.ctx.config.client.reads(),
            mode: self.ctx.config.client.mode(mode),
            form: Form::Post,
        };
        let path = self.folder.join("ledger.jsonl");
        let prefix = format!("{:x<bytes$}", self.prefix);
        Client::start(url, &prefix, load, &path)
    }

    /// Waits until the client had that many acknowledgements since a moment.
    pub fn acknowledged(
        &self,
        engine: &dyn Engine,
        ledger: &Ledger,
        since: f64,
        count: usize,
    ) -> Result<()> {
        wait::until(wait::APP_SERVES, || {
            engine.insist_on_life()?;
            Ok((ledger.acknowledged_since(since) >= count).then_some(()))
        })
        .map_err(|error| match ledger.last_refusal() {
            Some(reason) => error.context(tr!(
                "the last write failed: {reason}",
                "la dernière écriture a échoué : {reason}",
            )),
            None => error,
        })
    }

    /// The folder as a person would type it.
    pub fn shown_folder(&self) -> String {
        let folder = self.folder.strip_prefix(&self.ctx.workspace.root);
        folder.unwrap_or(&self.folder).display().to_string()
    }
}

/// Fails unless every replica is ready, backups run on schedule and the database is
/// there.
pub fn steady_state(engine: &dyn Engine) -> Result<SteadyState> {
    let facts = engine.facts()?;
    let url = facts.url.clone().unwrap_or_default();
    let state = database::readable(engine).state(&url)?;
    if let Some(trouble) = unsteady(&facts, &state) {
        return Err(Failure::promise(tr!(
            "the lab is not in its steady state: {trouble}",
            "le lab n'est pas dans son état stable : {trouble}",
        ))
        .next("cargo xtask status")
        .into());
    }
    Ok(SteadyState {
        url,
        protection: state.protection,
        schedule: facts.schedule,
    })
}

fn unsteady(facts: &Facts, state: &State) -> Option<String> {
    if facts.ready() < facts.wanted as usize || facts.wanted == 0 {
        let (ready, wanted) = (facts.ready(), facts.wanted);
        return Some(tr!(
            "{ready} of {wanted} replicas are ready",
            "{ready} répliques sur {wanted} sont prêtes",
        ));
    }
    if facts.suspended {
        return Some(tr!(
            "backups are suspended",
            "les sauvegardes sont suspendues"
        ));
    }
    if state.needs_restore {
        return Some(tr!(
            "the database is gone and waits for a restore",
            "la base de données a disparu et attend une restauration",
        ));
    }
    state.trouble.clone()
}
