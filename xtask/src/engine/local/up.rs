//! Bringing the local lab to what is declared, and to a supervisor that can
//! serve it.

use anyhow::{Context as _, Result};
use terms::lang::both;
use terms::tr;

use super::{LocalEngine, OTHER_BUILD};
use crate::engine::Engine as _;
use crate::facts::{Facts, Pod};
use crate::failure::Failure;
use crate::local::client::{self, Look};
use crate::local::desired::DesiredState;
use crate::local::logs;
use crate::local::protocol::Ask;
use crate::wait;

/// With the pauses between them this takes some eleven seconds.
const HOPELESS_RESTARTS: u32 = 3;

impl LocalEngine {
    /// Applies what is declared; each change is said.
    pub fn apply_and_say(&self) -> Result<()> {
        for change in self.apply_changes()? {
            self.ui
                .note(&tr!("Applied: {change}", "Appliqué : {change}"));
        }
        Ok(())
    }

    pub(super) fn apply_changes(&self) -> Result<Vec<String>> {
        if !self.change("apply") {
            return Ok(Vec::new());
        }
        if !client::is_alive(&self.workspace) {
            self.start()?;
        }
        self.request(&Ask::Apply(self.copying()?))
    }

    /// A supervisor runs that can be asked, with as many replicas as there were.
    pub(super) fn ensure_supervisor(&self) -> Result<()> {
        if self.exec.dry_run() || DesiredState::load(&self.workspace)?.is_none() {
            return Ok(());
        }
        let found = client::look(&self.workspace)?;
        if found.is_some_and(|found| found.facts.is_some_and(|facts| facts.running)) {
            return Ok(());
        }
        // Nothing of one that is about to end, or of another version, can be asked.
        self.stop()?;
        self.start()
    }

    pub(super) fn start(&self) -> Result<()> {
        self.preconditions()?;
        let step = self
            .ui
            .step(tr!("starting the supervisor", "démarrage du superviseur"));
        client::start(&self.workspace)?;
        step.done(tr!("it answers", "il répond"));
        Ok(())
    }

    /// Ends a supervisor that cannot serve this lab any more.
    pub(super) fn make_way(&self) -> Result<()> {
        let Some(found) = client::look(&self.workspace)? else {
            return Ok(());
        };
        let Some(reason) = self.unfit(found)? else {
            self.ui.note(
                both(
                    "The supervisor is already running.",
                    "Le superviseur tourne déjà.",
                )
                .text(),
            );
            return Ok(());
        };
        self.ui.note(&tr!(
            "Replacing the supervisor: {reason}.",
            "Remplacement du superviseur : {reason}.",
        ));
        self.stop()
    }

    /// Why the supervisor that runs cannot stay.
    fn unfit(&self, found: Look) -> Result<Option<String>> {
        let Some(facts) = found.facts else {
            return Ok(Some(
                both("it is of another version", "il est d'une autre version").into(),
            ));
        };
        if !facts.running {
            return Ok(Some(
                both("it is about to end", "il est sur le point de s'arrêter").into(),
            ));
        }
        let port = DesiredState::load(&self.workspace)?.and_then(|desired| desired.port);
        if self.port != 0 && port != Some(self.port) {
            return Ok(Some(tr!(
                "lab.toml says port {port} now",
                "lab.toml dit maintenant le port {port}",
                port = self.port,
            )));
        }
        if !found.ours {
            return Ok(Some(OTHER_BUILD.into()));
        }
        Ok(None)
    }

    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let step = self.ui.step(tr!(
            "waiting for the application",
            "attente de l'application"
        ));
        let before = self.facts()?;
        let facts = wait::until(wait::APP_READY, || {
            self.insist_on_life()?;
            let facts = self.facts()?;
            self.insist_on_progress(&before, &facts)?;
            let ready = facts.ready() >= facts.wanted as usize;
            // No more, either: outdated ones may still have to go.
            let settled = facts.pods.len() == facts.wanted as usize;
            Ok((ready && settled).then_some(facts))
        })
        .with_context(|| {
            let logs = self.workspace.logs().join("pods");
            tr!(
                "what the replicas say is in {folder}",
                "ce que disent les répliques est dans {folder}",
                folder = logs.display(),
            )
        })?;
        step.done(tr!(
            "{count} replicas are ready",
            "{count} répliques sont prêtes",
            count = facts.ready(),
        ));
        Ok(())
    }

    /// A replica that ends again and again will not be ready by waiting.
    fn insist_on_progress(&self, before: &Facts, now: &Facts) -> Result<()> {
        let earlier = |name: &str| {
            let same = before.pods.iter().find(|pod| pod.name == name);
            same.map_or(0, |pod| pod.restarts)
        };
        let hopeless = |pod: &&Pod| pod.restarts >= earlier(&pod.name) + HOPELESS_RESTARTS;
        let Some(pod) = now.pods.iter().find(hopeless) else {
            return Ok(());
        };
        let said = logs::read(&self.workspace, &pod.name);
        let last: Vec<&str> = said.trim_end().lines().rev().take(8).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(Failure::tool(tr!(
            "replica {name} ends as soon as it is started; it said:\n    {said}",
            "la réplique {name} s'arrête dès qu'elle est démarrée ; elle a dit :\n    {said}",
            name = pod.name,
            said = last.join("\n    "),
        ))
        .next(tr!(
            "correct what it complains of, then: cargo xtask setup",
            "corrigez ce dont elle se plaint, puis : cargo xtask setup",
        ))
        .into())
    }
}
