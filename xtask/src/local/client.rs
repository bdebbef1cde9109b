//! How commands reach the supervisor: find it, start it, replace it, ask it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;

use crate::exec::{self, Cmd, quote_path};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::wait;
use crate::workspace::Workspace;

use super::protocol::{self, Ask, Response};
use super::{orphans, paths, process};

/// What a Unix socket's name can hold on every system.
const LONGEST_NAME: usize = 100;

/// Whether a supervisor lives: the lock is held exactly as long.
pub fn is_alive(workspace: &Workspace) -> bool {
    process::is_held(&paths::lock(workspace))
}

/// Asks, and returns the answer.
///
/// # Errors
/// Where the supervisor refuses, fails, or does not answer.
pub fn ask<T: DeserializeOwned>(workspace: &Workspace, ask: &Ask) -> Result<T> {
    let response = exchange(workspace, ask)?.ok_or_else(protocol::stranger)?;
    let answer = response.answer.map_err(Failure::from)?;
    serde_json::from_value(answer).map_err(|_| protocol::stranger().into())
}

/// `None` where the supervisor speaks as another version does.
fn exchange(workspace: &Workspace, ask: &Ask) -> Result<Option<Response>> {
    let stream = wait::until(wait::SUPERVISOR_UP, || {
        match connect(&paths::socket(workspace)) {
            Ok(stream) => Ok(Some(stream)),
            // It is about to listen, or about to end.
            Err(_) if is_alive(workspace) => Ok(None),
            Err(_) => Err(Failure::tool("the lab is down: no supervisor runs")
                .next("cargo xtask setup")
                .into()),
        }
    })?;
    protocol::send(&stream, ask)?;
    let line = read_line(stream)?;
    if line.is_empty() {
        return Err(Failure::tool("the supervisor ended before it answered")
            .next("cargo xtask setup")
            .into());
    }
    Ok(serde_json::from_slice(&line).ok())
}

/// What the supervisor knows (`None` where it is of another version), and
/// whether it runs the very program that asks.
pub fn look(workspace: &Workspace) -> Result<(Option<Facts>, bool)> {
    let Some(response) = exchange(workspace, &Ask::Facts)? else {
        return Ok((None, false));
    };
    let facts = response.answer.ok();
    let facts = facts.and_then(|facts| serde_json::from_value(facts).ok());
    Ok((facts, response.program == exec::build()))
}

/// Reads the answer; ctrl-C and the limit end the wait, not the supervisor.
fn read_line(stream: UnixStream) -> Result<Vec<u8>> {
    stream
        .set_read_timeout(Some(wait::LOOK_FOR_INTERRUPT))
        .context("limiting a read")?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    wait::until(wait::SUPERVISOR_ANSWERS, || {
        match stream.read_until(b'\n', &mut line) {
            Ok(_) => Ok(Some(())),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error).context("reading the supervisor's answer"),
        }
    })?;
    Ok(line)
}

/// Connects through the folder of the socket where its whole path is longer
/// than a socket's name can be.
fn connect(socket: &Path) -> Result<UnixStream> {
    if socket.as_os_str().len() <= LONGEST_NAME {
        return Ok(UnixStream::connect(socket)?);
    }
    // The current folder is the process's: one thread at a time may leave it.
    static FOLDER: Mutex<()> = Mutex::new(());
    let _turn = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::env::current_dir().context("reading the current folder")?;
    std::env::set_current_dir(socket.parent().context("a socket lies in a folder")?)?;
    let stream = UnixStream::connect(paths::SOCKET);
    std::env::set_current_dir(&here)
        .with_context(|| format!("going back to {}", here.display()))?;
    Ok(stream?)
}

/// Starts a supervisor that outlives us; returns once it answers.
pub fn start(workspace: &Workspace) -> Result<()> {
    workspace.create()?;
    let path = paths::log(workspace);
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    let before = fs::metadata(&path).map_or(0, |found| found.len());
    let root = workspace.root.display().to_string();
    let command = Cmd::ourselves()?.args(["--root", &root, "local", "supervisor"]);
    let mut child = exec::spawn(&command, Stdio::null(), &log, false)?;
    wait::until(wait::SUPERVISOR_UP, || {
        if is_alive(workspace) && connect(&paths::socket(workspace)).is_ok() {
            return Ok(Some(()));
        }
        let ended = child.try_wait().context("looking after the supervisor")?;
        if ended.is_some() && !is_alive(workspace) {
            let said = said_since(&path, before);
            let told = format!("the supervisor ended while it started:\n{said}");
            let next = format!("less {}", quote_path(&path));
            return Err(Failure::tool(told).next(next).into());
        }
        Ok(None)
    })
}

fn said_since(log: &Path, position: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = usize::try_from(position).unwrap_or_default();
    let said = String::from_utf8_lossy(&bytes[from.min(bytes.len())..]);
    said.trim_end().to_owned()
}

/// Has the supervisor end, in whatever version it is, and waits until it and
/// everything it started are gone. One that does not hear is known by its command
/// line: what its lock says could be anybody's number.
pub fn stop(workspace: &Workspace) -> Result<()> {
    if let Ok(stream) = connect(&paths::socket(workspace)) {
        // Its end is the answer.
        let _ = protocol::send(&stream, &Ask::Stop);
    }
    let pids = orphans::supervisors(&workspace.root);
    for pid in &pids {
        exec::signal_process(*pid, Signal::SIGTERM);
    }
    wait::until(wait::SUPERVISOR_DOWN, || {
        Ok((!is_alive(workspace)).then_some(()))
    })
    .map_err(|error| error.context(hanging(workspace, &pids)))
}

fn hanging(workspace: &Workspace, pids: &[u32]) -> Failure {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let end = match pids.join(" ") {
        // One that was started by other words.
        none if none.is_empty() => format!("fuser -k {}", quote_path(&paths::lock(workspace))),
        pids => format!("kill -9 {pids}"),
    };
    Failure::timeout("the supervisor does not end").next(format!(
        "{end} && cargo xtask local stop, which ends what it leaves behind"
    ))
}
