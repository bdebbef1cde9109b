//! What watches a local lab: a Prometheus of this machine, which the supervisor keeps running.

use anyhow::Result;
use terms::lang::both;
use terms::tr;

use super::LocalEngine;
use crate::balance::free_port;
use crate::engine::Engine as _;
use crate::engine::monitoring::Monitoring;
use crate::exec::quote_path;
use crate::facts::monitoring::Watched;
use crate::failure::Failure;
use crate::http;
use crate::local::desired::{DesiredState, Wanted};
use crate::local::protocol::Ask;
use crate::local::{client, logs, watching};
use crate::wait;

impl Monitoring for LocalEngine {
    fn start(&self, dashboards: bool) -> Result<()> {
        if dashboards {
            return Err(no_grafana().into());
        }
        let program = which::which(watching::NAME).map_err(|_| missing())?;
        if !self.exec.change("cargo xtask --engine local monitor") {
            return Ok(());
        }
        watching::configure(&self.workspace)?;
        let step = self.ui.step(tr!("monitoring", "surveillance"));
        let port = self.port_to_watch_on()?;
        let program = program.display().to_string();
        self.tell(&Ask::Watch(Some(Wanted { program, port })))?;
        wait::until(wait::WATCH_UP, || {
            self.insist_on_life()?;
            let found = self.watched()?;
            let part = found.and_then(|mut found| found.parts.pop());
            match part.map(|part| (part.ready, part.trouble)) {
                Some((true, _)) => Ok(Some(())),
                Some((false, Some(trouble))) => Err(self.ends_at_once(&trouble).into()),
                _ => Ok(None),
            }
        })?;
        step.done(tr!("ready", "prête"));
        Ok(())
    }

    fn stop(&self) -> Result<bool> {
        if self.asked()?.is_none() {
            return Ok(false);
        }
        if !self.exec.change("cargo xtask --engine local monitor --off") {
            return Ok(true);
        }
        let step = self.ui.step(tr!("monitoring", "surveillance"));
        self.tell(&Ask::Watch(None))?;
        wait::until(wait::WATCH_DOWN, || {
            Ok(self.asked()?.is_none().then_some(()))
        })?;
        watching::remove(&self.workspace)?;
        step.done(tr!("removed", "supprimée"));
        Ok(true)
    }

    fn tell_runs(&self, rules: &str) -> Result<()> {
        watching::tell_runs(&self.workspace, rules)?;
        let desired = DesiredState::load(&self.workspace)?;
        match desired.and_then(|desired| desired.watching) {
            // The one that runs reads its files anew.
            Some(wanted) => self.tell(&Ask::Watch(Some(wanted))),
            None => Ok(()),
        }
    }

    fn watched(&self) -> Result<Option<Watched>> {
        let Some(mut found) = self.asked()? else {
            return Ok(None);
        };
        let page = found.prometheus.clone().unwrap_or_default();
        for part in &mut found.parts {
            part.ready = part.ready && http::answers(&format!("{page}/-/ready"), 1);
        }
        Ok(Some(found))
    }
}

impl LocalEngine {
    /// As the supervisor knows it.
    fn asked(&self) -> Result<Option<Watched>> {
        if !client::is_alive(&self.workspace) {
            return Ok(None);
        }
        client::ask(&self.workspace, &Ask::Watched)
    }

    /// The one that it has already, or the one that is declared.
    fn port_to_watch_on(&self) -> Result<u16> {
        let page = self.asked()?.and_then(|found| found.prometheus);
        let port = page.and_then(|page| page.rsplit_once(':')?.1.parse().ok());
        match port {
            Some(port) if self.watch_port == 0 || self.watch_port == port => Ok(port),
            _ => free_port(self.watch_port),
        }
    }

    fn ends_at_once(&self, trouble: &str) -> Failure {
        let said = logs::read(&self.workspace, watching::NAME);
        let last = said.trim_end().lines().last().unwrap_or_default();
        let folder = quote_path(&self.workspace.logs().join("pods"));
        Failure::tool(tr!(
            "Prometheus does not run: {trouble}: {last}",
            "Prometheus ne tourne pas : {trouble} : {last}",
        ))
        .next(format!("tail {folder}/{}.log", watching::NAME))
    }
}

fn no_grafana() -> Failure {
    Failure::usage(tr!(
        "the local engine runs no Grafana",
        "le moteur local ne lance pas de Grafana",
    ))
    .next(
        both(
            "cargo xtask --engine local monitor, then import the files of monitoring/dashboards \
             into a Grafana of yours that has this Prometheus; or --engine k3d",
            "cargo xtask --engine local monitor, puis importez les fichiers de \
             monitoring/dashboards dans un Grafana à vous qui a ce Prometheus ; ou --engine k3d",
        )
        .text(),
    )
}

fn missing() -> Failure {
    Failure::preflight(tr!(
        "there is no prometheus on PATH, which watches a lab on the local engine",
        "il n'y a pas de prometheus dans le PATH, qui surveille un lab du moteur local",
    ))
    .next(
        both(
            "install it (Debian, Ubuntu: apt-get install prometheus; macOS: brew install \
             prometheus), then the same command again; cargo xtask status evaluates the rules of \
             the protection without it",
            "installez-le (Debian, Ubuntu : apt-get install prometheus ; macOS : brew install \
             prometheus), puis relancez la même commande ; cargo xtask status évalue sans lui les \
             règles de la protection",
        )
        .text(),
    )
}
