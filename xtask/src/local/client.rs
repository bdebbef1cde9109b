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
use terms::{lang, tr};

use crate::exec::{self, Cmd, quote_path};
use crate::facts::Facts;
use crate::failure::{self, Failure, Kind};
use crate::wait::{self, Wait};
use crate::workspace::Workspace;

use super::protocol::{self, Ask, Request, Response};
use super::{orphans, paths, process};

/// What a Unix socket's name can hold on every system.
const LONGEST_NAME: usize = 100;

/// Whether a supervisor lives: the lock is held exactly as long.
pub fn is_alive(workspace: &Workspace) -> bool {
    process::is_held(&paths::lock(workspace))
}

/// # Errors
/// No supervisor runs.
pub fn insist_on_life(workspace: &Workspace) -> Result<()> {
    if is_alive(workspace) {
        return Ok(());
    }
    let said = tr!(
        "the supervisor is gone, and the lab with it",
        "le superviseur a disparu, et le lab avec lui"
    );
    let next = tr!(
        "cargo xtask setup, which starts it again; what it said last is in \
         .lab/logs/supervisor.log",
        "cargo xtask setup, qui le relance ; ses derniers mots sont dans .lab/logs/supervisor.log"
    );
    Err(Failure::tool(said).next(next).into())
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
            Err(_) => Err(Failure::tool(tr!(
                "the lab is down: no supervisor runs",
                "le lab est arrêté : aucun superviseur ne tourne",
            ))
            .next("cargo xtask setup")
            .into()),
        }
    })?;
    let limit = match ask {
        Ask::Facts => wait::SUPERVISOR_TELLS,
        _ => wait::SUPERVISOR_ANSWERS,
    };
    let line = protocol::send(&stream, &request(ask)).and_then(|()| read_line(stream, limit));
    match line {
        Err(error) if failure::kind(&error) == Kind::Timeout => Err(silent(workspace, error)),
        Ok(line) if !line.is_empty() => Ok(serde_json::from_slice(&line).ok()),
        Err(error) if !is_hung_up(&error) => Err(error),
        _ => Err(ended_while_asked(workspace)),
    }
}

/// As the supervisor expects it.
fn request(ask: &Ask) -> Request<&Ask> {
    Request {
        lang: lang::chosen(),
        ask,
    }
}

/// It lives and says nothing: the system knows whether somebody stopped it.
fn silent(workspace: &Workspace, error: anyhow::Error) -> anyhow::Error {
    let Some(pid) = orphans::holder(workspace).filter(|pid| orphans::is_stopped(*pid)) else {
        return error;
    };
    let said = tr!(
        "the supervisor (process {pid}) is stopped, as by SIGSTOP or ctrl-Z",
        "le superviseur (processus {pid}) est suspendu, comme par SIGSTOP ou ctrl-Z"
    );
    error.context(Failure::timeout(said).next(format!("kill -CONT {pid}")))
}

/// Whether the other side of the socket is gone.
fn is_hung_up(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        )
    })
}

/// It hung up, so it ends: once this is said, its lock is free, unless that takes
/// longer than an end may.
fn ended_while_asked(workspace: &Workspace) -> anyhow::Error {
    let free = wait::until(wait::SUPERVISOR_DOWN, || {
        Ok((!is_alive(workspace)).then_some(()))
    });
    free.err().unwrap_or_else(|| {
        Failure::tool(tr!(
            "the supervisor ended before it answered",
            "le superviseur s'est arrêté avant de répondre",
        ))
        .next("cargo xtask setup")
        .into()
    })
}

/// A supervisor as it answers.
pub struct Look {
    /// `None` where it is of another version.
    pub facts: Option<Facts>,
    /// Whether it runs the very program that asks.
    pub ours: bool,
}

/// `None` where no supervisor runs, one that ended while it was asked included.
pub fn look(workspace: &Workspace) -> Result<Option<Look>> {
    if !is_alive(workspace) {
        return Ok(None);
    }
    let response = match exchange(workspace, &Ask::Facts) {
        Err(_) if !is_alive(workspace) => return Ok(None),
        response => response?,
    };
    Ok(Some(response.map_or(STRANGER, |response| {
        let facts = response.answer.ok();
        Look {
            facts: facts.and_then(|facts| serde_json::from_value(facts).ok()),
            ours: response.program == exec::build(),
        }
    })))
}

const STRANGER: Look = Look {
    facts: None,
    ours: false,
};

/// Reads the answer; ctrl-C and the limit end the wait, not the supervisor.
fn read_line(stream: UnixStream, limit: Wait) -> Result<Vec<u8>> {
    stream
        .set_read_timeout(Some(wait::LOOK_FOR_INTERRUPT))
        .context("limiting a read")?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    wait::until(limit, || match stream.read_until(b'\n', &mut line) {
        Ok(_) => Ok(Some(())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        Err(error) => Err(error).context("reading the supervisor's answer"),
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
            let told = tr!(
                "the supervisor ended while it started:\n{said}",
                "le superviseur s'est arrêté pendant son démarrage :\n{said}",
            );
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
/// everything it started are gone.
///
/// # Errors
/// Where it does not hear, and its lock does not say which process it is.
pub fn stop(workspace: &Workspace) -> Result<()> {
    if !hears_of_its_end(workspace)? {
        end_the_holder(workspace)?;
    }
    wait::until(wait::SUPERVISOR_DOWN, || {
        Ok((!is_alive(workspace)).then_some(()))
    })
    .map_err(|error| error.context(hanging(workspace)))
}

/// Through the socket: whoever answers there is the supervisor, whatever its lock
/// says.
fn hears_of_its_end(workspace: &Workspace) -> Result<bool> {
    let Ok(stream) = connect(&paths::socket(workspace)) else {
        return Ok(false);
    };
    let line = protocol::send(&stream, &request(&Ask::Stop))
        .and_then(|()| read_line(stream, wait::END_HEARD));
    wait::check_interrupt()?;
    let response = line.map(|line| serde_json::from_slice::<Response>(&line));
    Ok(matches!(response, Ok(Ok(response)) if response.answer.is_ok()))
}

/// By its number, for one that is starting, hangs, or is of another version.
fn end_the_holder(workspace: &Workspace) -> Result<()> {
    // Its lock is empty for an instant, while it starts.
    let holder = wait::until(wait::SUPERVISOR_LOCK, || {
        let holder = orphans::holder(workspace);
        Ok((holder.is_some() || !is_alive(workspace)).then_some(holder))
    });
    wait::check_interrupt()?;
    match holder {
        Ok(Some(pid)) => {
            exec::signal_process(pid, Signal::SIGTERM);
            if orphans::is_stopped(pid) {
                // Or it would not hear of it.
                exec::signal_process(pid, Signal::SIGCONT);
            }
        }
        Ok(None) => {}
        Err(_) => return Err(unknown(workspace).into()),
    }
    Ok(())
}

fn unknown(workspace: &Workspace) -> Failure {
    let lock = paths::lock(workspace);
    let found = tr!(
        "the supervisor runs and does not hear, and {lock} does not say which process it is",
        "le superviseur tourne et n'entend pas, et {lock} ne dit pas quel processus c'est",
        lock = lock.display(),
    );
    Failure::tool(found).next(by_hand(workspace))
}

/// It was told, and does not end.
fn hanging(workspace: &Workspace) -> Failure {
    let next = match orphans::holder(workspace) {
        Some(pid) => tr!(
            "kill -9 {pid} && cargo xtask local stop, which ends what it leaves behind",
            "kill -9 {pid} && cargo xtask local stop, qui arrête ce qu'il laisse derrière lui",
        ),
        None => by_hand(workspace),
    };
    Failure::timeout(tr!(
        "the supervisor does not end",
        "le superviseur ne s'arrête pas",
    ))
    .next(next)
}

fn by_hand(workspace: &Workspace) -> String {
    let lock = quote_path(&paths::lock(workspace));
    tr!(
        "fuser -v {lock} shows it; kill it, then cargo xtask local stop",
        "fuser -v {lock} le montre ; arrêtez-le (kill), puis cargo xtask local stop",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// As a supervisor that ends does: the connection is closed unread, and the
    /// lock is let go of a moment later.
    #[test]
    fn one_that_ends_while_it_is_asked_is_gone() {
        let root = std::env::temp_dir().join(format!("pra-client-{}", std::process::id()));
        let workspace = Workspace::at(root.clone());
        workspace.create().unwrap();
        let lock = File::create(paths::lock(&workspace)).unwrap();
        lock.lock().unwrap();
        let listener = UnixListener::bind(paths::socket(&workspace)).unwrap();
        let ending = thread::spawn(move || {
            drop(listener.accept().unwrap());
            thread::sleep(wait::LOOK_FOR_INTERRUPT);
            drop((listener, lock));
        });
        assert!(look(&workspace).unwrap().is_none());
        ending.join().unwrap();
        fs::remove_dir_all(root).unwrap();
    }
}
