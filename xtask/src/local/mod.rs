//! The local engine's supervisor: it runs the lab's pods as processes of this
//! machine. It is a process of its own, started by `setup` and ended by
//! `teardown`, and outlives the terminal that started it.

pub mod client;
mod copying;
pub mod desired;
mod job;
mod jobs;
mod kept;
pub mod launch;
pub mod logs;
pub mod orphans;
mod paths;
pub mod ports;
mod probe;
mod process;
pub mod protocol;
mod release;
mod replica;
mod shared;
pub mod simplifications;
mod storing;
mod supervisor;
pub mod volumes;
pub mod watching;

use std::fs::{File, TryLockError};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use terms::tr;

use crate::balance;
use crate::config::Config;
use crate::failure::{self, Failure};
use crate::place::Place;
use crate::ui::Ui;
use crate::wait;
use crate::workspace::Workspace;

use desired::DesiredState;
use protocol::Ask;
use release::Release;
use shared::Shared;
use supervisor::Supervisor;

/// Runs the supervisor until it is asked to stop.
pub fn supervise(workspace: &Workspace, config: &Config, ui: &Ui) -> Result<()> {
    // Out of reach of the terminal's ctrl-C and hang-up. It fails where we
    // lead a group of our own already, which does as well.
    let _ = nix::unistd::setsid();
    workspace.create()?;
    let lock = take_lock(workspace)?;
    let ended = watch_signals()?;
    std::env::set_current_dir(workspace.state()).context("entering the state folder")?;
    let mut desired = DesiredState::load(workspace)?.unwrap_or_else(|| DesiredState {
        last_run: supervisor::this_minute(),
        ..DesiredState::default()
    });
    let manifests = desired.declared(workspace)?;
    let release = Release::declared(workspace, &manifests)?;
    let listener = listen(config, &desired, ui)?;
    let address = listener.local_addr().context("reading our own port")?;
    desired.port = Some(address.port());
    desired.save(workspace)?;
    let orphans = process::end_orphans(workspace)?;
    volumes::sweep(workspace)?;
    let place = Place::of(&lock, &paths::lock(workspace))?;
    let shared = Shared {
        workspace: workspace.clone(),
        ui: ui.clone(),
        manifests,
        release: Arc::new(release),
        desired,
        routes: Arc::default(),
        place: place.clone(),
    };
    let pid = std::process::id();
    shared.note(&format!(
        "supervisor {pid} begins; {orphans} left-over pods ended"
    ));
    balance::serve(listener, Arc::clone(&shared.routes)).context("starting the service")?;
    run(workspace, Supervisor::new(shared), &ended)?;
    if place.holds() {
        // So that nobody tries to connect; a left-over would only be replaced.
        let _ = std::fs::remove_file(paths::socket(workspace));
    }
    Ok(())
}

/// Answers and advances, in turn, until everything is over.
fn run(workspace: &Workspace, supervisor: Supervisor, ended: &AtomicBool) -> Result<()> {
    let supervisor = Arc::new(Mutex::new(supervisor));
    let (asked, own) = (Arc::clone(&supervisor), workspace.clone());
    protocol::listen(workspace, move |ask| {
        let deletes = matches!(ask, Ask::DeleteVolume(_));
        let mut supervisor = turn(&asked);
        let reply = supervisor.answer(ask);
        // Whoever asks for the facts next finds what was asked for under way.
        supervisor.advance();
        drop(supervisor);
        if deletes && reply.is_ok() {
            // It may take long: nobody else waits for it, and no ctrl-C of who
            // asked leaves it half done.
            volumes::sweep(&own)?;
        }
        reply
    })?;
    loop {
        if ended.load(Ordering::Relaxed) {
            turn(&supervisor).stop();
        }
        if turn(&supervisor).advance() {
            return Ok(());
        }
        thread::sleep(wait::SUPERVISION);
    }
}

fn turn(supervisor: &Mutex<Supervisor>) -> MutexGuard<'_, Supervisor> {
    supervisor.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes us the only supervisor of this lab, for as long as we live.
fn take_lock(workspace: &Workspace) -> Result<File> {
    let path = paths::lock(workspace);
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    // Those who only look hold it for a moment.
    wait::until(wait::SUPERVISOR_LOCK, || match lock.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
    })
    .map_err(|error| match failure::kind(&error) {
        failure::Kind::Timeout => Failure::usage(tr!(
            "another supervisor of this lab is running",
            "un autre superviseur de ce lab tourne",
        ))
        .next("cargo xtask status")
        .into(),
        _ => error,
    })?;
    lock.set_len(0)
        .context("naming the holder of the supervisor's lock")?;
    writeln!(lock, "{}", std::process::id())
        .context("naming the holder of the supervisor's lock")?;
    Ok(lock)
}

/// SIGTERM and SIGINT stop it in good order; a terminal that goes away does
/// not concern it.
fn watch_signals() -> Result<Arc<AtomicBool>> {
    // A handler that does nothing, rather than none: programs that we start
    // begin with the default again.
    flag::register(SIGHUP, Arc::default())?;
    let ended = Arc::<AtomicBool>::default();
    for signal in [SIGTERM, SIGINT] {
        flag::register(signal, Arc::clone(&ended))?;
    }
    Ok(ended)
}

/// The port of the service: the one of lab.toml, or any that is free, and then
/// always the same.
fn listen(config: &Config, desired: &DesiredState, ui: &Ui) -> Result<TcpListener> {
    if config.service.port() != 0 {
        return ports::take(config.service.port());
    }
    let Some(port) = desired.port else {
        return ports::find_free();
    };
    ports::take(port).or_else(|error| {
        ui.warn(&format!("{error:#}; another one is taken"));
        ports::find_free()
    })
}

/// Whether the service can have a port, and who has it where not. A supervisor
/// whose folder was ours and is gone is about to let go of it.
pub fn port_is_free(workspace: &Workspace, port: u16) -> Result<()> {
    let Err(error) = ports::take(port) else {
        return Ok(());
    };
    if !orphans::linger(workspace) {
        return Err(error);
    }
    wait::until(wait::STRAY_GONE, || {
        Ok((!orphans::linger(workspace)).then_some(()))
    })?;
    ports::take(port).map(drop)
}

/// Pods that a supervisor which was killed left behind.
pub fn leftovers(workspace: &Workspace) -> Vec<String> {
    if client::is_alive(workspace) {
        return Vec::new();
    }
    process::living(workspace)
}

/// Ends what a supervisor that was killed left behind.
pub fn end_leftovers(workspace: &Workspace) -> Result<()> {
    // Nobody may start anything meanwhile.
    let _lock = take_lock(workspace)?;
    process::end_orphans(workspace)?;
    Ok(())
}

/// The files of the engine in the lab's state folder.
pub fn files(workspace: &Workspace) -> [PathBuf; 6] {
    [
        paths::pods(workspace),
        // The pods of the next lab have the same names.
        paths::pod_logs(workspace),
        paths::monitoring(workspace),
        paths::socket(workspace),
        paths::desired(workspace),
        paths::lock(workspace),
    ]
}
