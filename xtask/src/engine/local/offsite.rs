//! Copies elsewhere of a local lab, and the store that it runs for them.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
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
use crate::offsite::{self, PLACE, Settings, bucket, store};
use crate::wait;

/// Ends the store with whoever started it, however that ends; ends where the store does. A
/// process in the background has no standard input of its own.
const TIED: &str = r#"exec 3<&0; "$@" 3<&- & store=$!
{ cat <&3 > /dev/null; kill "$store"; } & exec 3<&-; wait "$store""#;

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
        if !self.copies_to(&settings)? {
            offsite::insist_on_folder(&self.offsite, &self.workspace)?;
        }
        Ok(Some(Copies {
            settings,
            store: wanted,
        }))
    }

    /// Whether the lab does so already. Its disk may not be mounted just now, which `status` tells
    /// and nothing that brings the lab back waits for.
    fn copies_to(&self, wanted: &Settings) -> Result<bool> {
        let desired = DesiredState::load(&self.workspace)?;
        let copies = desired.and_then(|desired| desired.copying);
        Ok(copies.is_some_and(|copies| copies.settings.get(PLACE) == wanted.get(PLACE)))
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
            true => self.store_in_force()?,
            false => None,
        };
        if let Some(before) = before.filter(|one| one.program == program) {
            let troubled = self.shipping()?.is_some_and(|one| one.trouble.is_some());
            if !troubled || is_up(&before) {
                return Ok(before);
            }
        }
        self.store_on_free_ports(program)
    }

    /// As the supervisor was asked for it last.
    fn store_in_force(&self) -> Result<Option<store::Wanted>> {
        let desired = DesiredState::load(&self.workspace)?;
        Ok(desired.and_then(|desired| desired.copying?.store))
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
        let Some(wanted) = self.store_in_force()?.filter(|_| !self.exec.dry_run()) else {
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
        let store = wanted.owned(&self.workspace);
        let python = self.venv.python();
        let said = bucket::ensure(&self.offsite, &self.workspace, &python, &store)?;
        step.done(said);
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
        if self.folder_of_store().is_none() {
            return Err(store::never_ran().into());
        }
        // Also one that has outlived its supervisor: a second one would have the same data.
        let left = self.store_in_force()?.filter(is_up);
        let wanted = match left {
            Some(left) => left,
            None => self.wanted_store()?,
        };
        let store = wanted.store(&self.workspace);
        if is_up(&wanted) {
            return Ok(Running { store, end: None });
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
        let process = self.store_for_this_command(&wanted)?;
        Ok(Running {
            store,
            end: Some(Box::new(|| process.end(wait::STORE_ENDS))),
        })
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
        offsite::insist_on_folder(&self.offsite, &self.workspace)?;
        let wanted = self.store_in_force()?;
        let settings = self.settings_of_copies(wanted.as_ref())?;
        let cmd = self.in_a_replica(args)?.envs(&settings);
        Ok(cmd.secrets(environment::of_the_store()).limit(wait::COPY))
    }

    pub(super) fn python_of_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        let cmd = self.beside_copies(&[&["-c", script], args].concat())?;
        self.exec.change_reading(&cmd.to_string(), &cmd)
    }

    /// Where its copies are; `None` where the store never ran.
    pub(super) fn folder_of_store(&self) -> Option<PathBuf> {
        let data = store::data(&self.workspace);
        store::ran(&data).then_some(data)
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
        && leading().is_ok_and(|said| store::knows_volumes(&said.body))
}
