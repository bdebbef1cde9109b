//! Copies elsewhere of a local lab, and the store that it runs for them.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::lang::both;
use terms::tr;

use super::LocalEngine;
use crate::config::Destination;
use crate::engine::Engine as _;
use crate::engine::offsite::Running;
use crate::exec::{self, Cmd, Output, Tied, environment, quote_path};
use crate::failure::Failure;
use crate::http;
use crate::local::desired::{Copies, DesiredState};
use crate::local::{client, ports};
use crate::offsite::{self, Settings, store};
use crate::wait;

/// Ends the store with whoever started it, however that ends.
const TIED: &str = r#""$@" & store=$!; cat > /dev/null; kill "$store"; wait "$store""#;

impl LocalEngine {
    /// Copies elsewhere as they are declared; `None` where none are to be made.
    pub(super) fn copying(&self) -> Result<Option<Copies>> {
        let Some(destination) = self.offsite.destination() else {
            return Ok(None);
        };
        let wanted = match destination {
            Destination::Embedded => Some(self.wanted_store()?),
            Destination::Folder(_) | Destination::Bucket(_) => None,
        };
        let settings = self.settings_of_copies(wanted.as_ref())?;
        Ok(Some(Copies {
            settings,
            store: wanted,
        }))
    }

    fn settings_of_copies(&self, wanted: Option<&store::Wanted>) -> Result<Settings> {
        let store = wanted.map(|wanted| wanted.store(&self.workspace));
        offsite::copying(&self.offsite, &self.workspace, store.as_ref())
    }

    /// The one that runs, or one on ports that are free: those of one that does not run may be
    /// another program's by now.
    fn wanted_store(&self) -> Result<store::Wanted> {
        let program = self.store_venv.dir.join("bin/weed").display().to_string();
        let before = match client::is_alive(&self.workspace) {
            true => DesiredState::load(&self.workspace)?,
            false => None,
        };
        let before = before.and_then(|desired| desired.copying?.store);
        if let Some(before) = before.filter(|one| one.program == program) {
            let troubled = self.shipping()?.is_some_and(|one| one.trouble.is_some());
            if !troubled || is_up(&before) {
                return Ok(before);
            }
        }
        self.store_on_free_ports(program)
    }

    fn store_on_free_ports(&self, program: String) -> Result<store::Wanted> {
        // Held until all are found, so that no two are the same.
        let mut held = Vec::new();
        for _ in 0..store::PORTS {
            held.push(ports::hold_free()?);
        }
        let ports: Vec<u16> = held.iter().map(ports::Held::port).collect();
        let ports = ports.try_into().ok().context("as many as were asked for")?;
        Ok(store::Wanted { program, ports })
    }

    /// The store's program is there, and its folder, where it is wanted.
    pub(super) fn ensure_store(&self) -> Result<()> {
        if self.offsite.destination() != Some(Destination::Embedded) {
            return Ok(());
        }
        self.store_venv.ensure(&self.exec, &self.ui)?;
        if self.exec.dry_run() {
            return Ok(());
        }
        self.insist_on_program()?;
        self.workspace.create()?;
        store::ensure(&self.workspace)
    }

    fn insist_on_program(&self) -> Result<()> {
        if self.store_venv.dir.join("bin/weed").is_file() {
            return Ok(());
        }
        Err(Failure::preflight(tr!(
            "SeaweedFS, the embedded store, has no program for this system",
            "SeaweedFS, le stockage intégré, n'a pas de programme pour ce système",
        ))
        .next(tr!(
            "state a folder or a bucket in lab.toml, to of [offsite]",
            "indiquez un dossier ou un bucket dans lab.toml, to de [offsite]",
        ))
        .into())
    }

    /// Its bucket is there and locked as declared; the store is being started.
    pub(super) fn ensure_bucket(&self) -> Result<()> {
        let wanted = DesiredState::load(&self.workspace)?;
        let wanted = wanted.and_then(|desired| desired.copying?.store);
        let Some(wanted) = wanted.filter(|_| !self.exec.dry_run()) else {
            return Ok(());
        };
        let step = self.ui.step(tr!("store for copies", "stockage des copies"));
        wait::until(wait::STORE_UP, || {
            self.insist_on_life()?;
            if let Some(trouble) = self.shipping()?.and_then(|shipping| shipping.trouble)
                && !is_up(&wanted)
            {
                return Err(self.store_does_not_run(&trouble).into());
            }
            Ok(is_up(&wanted).then_some(()))
        })?;
        let days = self.offsite.lock_days().to_string();
        let store = wanted.owned(&self.workspace);
        let settings = offsite::place(&self.offsite, Some(&store))?;
        let making = ["bucket", "--json", "--lock-days", &days];
        let python = self.venv.python();
        let cmd = offsite::on_this_machine(&python, &self.workspace, &settings, &making);
        let output = exec::output(&cmd)?;
        if !output.status.success() {
            let said = output.stderr.trim();
            return Err(Failure::tool(tr!(
                "the bucket for copies could not be made: {said}",
                "le bucket des copies n'a pas pu être créé : {said}",
            ))
            .next("cargo xtask status")
            .into());
        }
        step.done(tr!(
            "locked for {days} days",
            "verrouillé pour {days} jours"
        ));
        Ok(())
    }

    fn store_does_not_run(&self, trouble: &str) -> Failure {
        let log = self.workspace.logs().join("pods/store.log");
        Failure::tool(tr!(
            "the store for copies does not run: {trouble}",
            "le stockage des copies ne tourne pas : {trouble}",
        ))
        .next(format!("tail {}", quote_path(&log)))
    }

    /// As the supervisor runs it, or for this command alone where none does.
    pub(super) fn running_store(&self) -> Result<Running> {
        if !store::exists(&self.workspace) {
            return Err(Failure::usage(tr!(
                "the embedded store has no copies: it never ran in this checkout",
                "le stockage intégré n'a pas de copies : il n'a jamais tourné ici",
            ))
            .next("cargo xtask setup")
            .into());
        }
        let wanted = self.wanted_store()?;
        let store = wanted.store(&self.workspace);
        if is_up(&wanted) {
            return Ok(Running {
                store,
                process: None,
            });
        }
        if let Some(shipping) = self.shipping()? {
            // Two of them on the same data would damage that.
            let trouble = shipping.trouble.unwrap_or_else(|| {
                both("it is being started", "il est en cours de démarrage").into()
            });
            return Err(self.store_does_not_run(&trouble).into());
        }
        self.store_venv.ensure(&self.exec, &self.ui)?;
        self.insist_on_program()?;
        let process = Some(self.store_for_this_command(&wanted)?);
        Ok(Running { store, process })
    }

    fn store_for_this_command(&self, wanted: &store::Wanted) -> Result<Tied> {
        let path = self.workspace.logs().join("store.log");
        let log = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
        let program = wanted.command(&self.workspace);
        let cmd = Cmd::new("sh").args(["-c", TIED, "store", &program.program]);
        let cmd = cmd.args(&program.args).cwd(store::folder(&self.workspace));
        let mut process = Tied::start(&cmd, &log)?;
        wait::until(wait::STORE_UP, || {
            if process.has_ended() {
                let said = tr!(
                    "the store for copies ended as soon as it was started",
                    "le stockage des copies s'est arrêté dès qu'il a été démarré",
                );
                let next = format!("tail {}", quote_path(&path));
                return Err(Failure::tool(said).next(next).into());
            }
            Ok(is_up(wanted).then_some(()))
        })?;
        Ok(process)
    }

    /// Python with what a replica has, and what reaches the copies besides.
    pub(super) fn beside_copies(&self, args: &[&str]) -> Result<Cmd> {
        let wanted = DesiredState::load(&self.workspace)?;
        let wanted = wanted.and_then(|desired| desired.copying?.store);
        let settings = self.settings_of_copies(wanted.as_ref())?;
        let cmd = self.in_a_replica(args)?.envs(&settings);
        Ok(cmd.secrets(environment::of_the_store()).limit(wait::COPY))
    }

    pub(super) fn python_of_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        let cmd = self.beside_copies(&[&["-c", script], args].concat())?;
        self.exec.change_reading(&cmd.to_string(), &cmd)
    }

    /// `None` where the store never ran.
    pub(super) fn folder_of_store(&self) -> Option<PathBuf> {
        store::exists(&self.workspace).then(|| store::folder(&self.workspace))
    }

    pub(super) fn of_copies(&self, args: &[&str]) -> Result<Option<Output>> {
        let cmd = self.beside_copies(&[&["-m", "pra", "offsite"], args].concat())?;
        if !self.exec.change(&cmd.to_string()) {
            return Ok(None);
        }
        exec::output(&cmd).map(Some)
    }
}

/// It answers, and what it has can be read: what leads it learns that some seconds later.
fn is_up(wanted: &store::Wanted) -> bool {
    let leading = || {
        let client = http::Client::within(false, Duration::from_secs(1), 0);
        client.get(&wanted.leader(), "/dir/status", &[])
    };
    http::answers(&format!("{}/healthz", wanted.endpoint()), 1)
        && leading().is_ok_and(|said| knows_volumes(&said.body))
}

/// Whether what leads the store has heard of the program that holds the volumes.
fn knows_volumes(status: &Value) -> bool {
    let within = |place: &Value, key: &str| place[key].as_array().cloned().unwrap_or_default();
    within(&status["Topology"], "DataCenters")
        .iter()
        .flat_map(|center| within(center, "Racks"))
        .any(|rack| !within(&rack, "DataNodes").is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As SeaweedFS says it before and after the first word of its volumes.
    #[test]
    fn a_store_that_does_not_know_its_volumes_yet_is_not_up() {
        for without in [
            json!({"Topology": {"DataCenters": null}}),
            json!({"Topology": {"DataCenters": []}}),
            json!({"Topology": {"DataCenters": [{"Racks": [{"DataNodes": null}]}]}}),
        ] {
            assert!(!knows_volumes(&without), "{without}");
        }
        let node = json!({"Url": "127.0.0.1:1", "Volumes": 7});
        let with = json!({"Topology": {"DataCenters": [{"Racks": [{"DataNodes": [node]}]}]}});
        assert!(knows_volumes(&with));
    }
}
