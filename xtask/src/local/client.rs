//! How commands reach the supervisor: find it, start it, replace it, ask it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::exec::{self, Cmd, quote_path};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::lab::Lab;
use crate::wait::{self, Wait};

use super::protocol::{self, Ask, PROTOCOL, Reply, Request, Response};
use super::{paths, process};

/// What a Unix socket's name can hold on every system.
const LONGEST_NAME: usize = 100;

/// Whether a supervisor lives: the lock is held exactly as long.
pub fn is_alive(lab: &Lab) -> bool {
    process::is_held(&paths::lock(lab))
}

/// Asks, and waits for the answer as long as `wait` allows.
///
/// # Errors
/// Where the supervisor refuses, fails, or does not answer.
pub fn ask(lab: &Lab, ask: Ask, wait: Wait) -> Result<Reply> {
    match exchange(lab, ask, wait)?.reply {
        Reply::Refused { message, next } => Err(Failure::usage(message).next(next).into()),
        Reply::Failed { message, next } => Err(Failure::tool(message).next(next).into()),
        Reply::Stranger => Err(
            Failure::tool("the supervisor is of another version of the lab")
                .next("cargo xtask setup (replaces it)")
                .into(),
        ),
        reply => Ok(reply),
    }
}

fn exchange(lab: &Lab, ask: Ask, wait: Wait) -> Result<Response> {
    let stream = wait::until(wait::SUPERVISOR_UP, || match connect(&paths::socket(lab)) {
        Ok(stream) => Ok(Some(stream)),
        // It is about to listen, or about to end.
        Err(_) if is_alive(lab) => Ok(None),
        Err(_) => Err(down()),
    })?;
    converse(stream, ask, wait)
}

fn converse(stream: UnixStream, ask: Ask, wait: Wait) -> Result<Response> {
    protocol::send(
        &stream,
        &Request {
            protocol: PROTOCOL,
            ask,
        },
    )?;
    let line = read_line(stream, wait)?;
    if line.is_empty() {
        return Err(Failure::tool("the supervisor ended before it answered")
            .next("cargo xtask setup")
            .into());
    }
    let known = protocol::parse::<Response>(&line);
    let known = known.ok().filter(|one| one.protocol == PROTOCOL);
    Ok(known.unwrap_or(Response {
        protocol: PROTOCOL,
        program: String::new(),
        reply: Reply::Stranger,
    }))
}

fn down() -> anyhow::Error {
    Failure::tool("the lab is down: no supervisor runs")
        .next("cargo xtask setup")
        .into()
}

/// Reads the answer; ctrl-C and the limit end the wait, not the supervisor.
fn read_line(mut stream: UnixStream, wait: Wait) -> Result<String> {
    stream
        .set_read_timeout(Some(wait::LOOK_FOR_INTERRUPT))
        .context("limiting a read")?;
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    while bytes.last() != Some(&b'\n') {
        wait::check_interrupt()?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if is_pause(&error) && start.elapsed() < wait.limit => {}
            Err(error) if is_pause(&error) => return Err(wait.ran_out()),
            Err(error) => return Err(error).context("reading the supervisor's answer"),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Connects through the folder of the socket where its whole path is longer
/// than a socket's name can be.
fn connect(socket: &Path) -> Result<UnixStream> {
    if socket.as_os_str().len() <= LONGEST_NAME {
        return Ok(UnixStream::connect(socket)?);
    }
    // The current folder is the process's: one thread at a time may leave it.
    static FOLDER: Mutex<()> = Mutex::new(());
    let _turn = FOLDER
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let here = std::env::current_dir().context("reading the current folder")?;
    let there = socket.parent().context("a socket lies in a folder")?;
    std::env::set_current_dir(there)?;
    let stream = UnixStream::connect(paths::SOCKET);
    std::env::set_current_dir(&here)
        .with_context(|| format!("going back to {}", here.display()))?;
    Ok(stream?)
}

/// What the supervisor knows; `None` where it is of another version.
pub fn facts(lab: &Lab) -> Result<Option<Facts>> {
    match exchange(lab, Ask::Facts, wait::SUPERVISOR_ANSWERS)?.reply {
        Reply::Facts(facts) => Ok(Some(facts)),
        _ => Ok(None),
    }
}

/// Whether the supervisor runs the very program that asks.
pub fn is_of_this_build(lab: &Lab) -> Result<bool> {
    let answer = exchange(lab, Ask::Facts, wait::SUPERVISOR_ANSWERS)?;
    Ok(answer.program == exec::build())
}

/// The command line of the supervisor.
pub fn command(lab: &Lab) -> Result<Cmd> {
    let root = lab.root.display().to_string();
    Ok(Cmd::ourselves()?.args(["--root", &root, "local", "supervisor"]))
}

/// Starts a supervisor that outlives us; returns once it answers.
pub fn start(lab: &Lab) -> Result<()> {
    lab.create()?;
    let path = paths::log(lab);
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    let before = fs::metadata(&path).map_or(0, |found| found.len());
    let mut child = exec::spawn(&command(lab)?, Stdio::null(), &log, false)?;
    wait::until(wait::SUPERVISOR_UP, || {
        if is_alive(lab) && connect(&paths::socket(lab)).is_ok() {
            return Ok(Some(()));
        }
        if child
            .try_wait()
            .context("looking after the supervisor")?
            .is_some()
            && !is_alive(lab)
        {
            return Err(Failure::tool(format!(
                "the supervisor ended while it started:\n{}",
                said_since(&path, before)
            ))
            .next(format!("less {}", quote_path(&path)))
            .into());
        }
        Ok(None)
    })
}

fn said_since(log: &Path, position: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = usize::try_from(position)
        .unwrap_or_default()
        .min(bytes.len());
    String::from_utf8_lossy(&bytes[from..])
        .trim_end()
        .to_owned()
}

/// Asks the supervisor to end, in whatever version it is, and waits until it
/// and everything it started are gone.
///
/// # Errors
/// Where it does not hear, and its lock does not say which process it is.
pub fn stop(lab: &Lab) -> Result<()> {
    if !hears_of_its_end(lab)? {
        end_the_holder(lab)?;
    }
    wait::until(wait::SUPERVISOR_DOWN, || Ok((!is_alive(lab)).then_some(())))
        .map_err(|error| error.context(hanging(lab)))
}

/// It was told, and does not end.
fn hanging(lab: &Lab) -> Failure {
    let holder = fs::read_to_string(paths::lock(lab)).unwrap_or_default();
    let pid = holder.trim();
    Failure::timeout(format!("the supervisor (process {pid}) does not end")).next(format!(
        "kill -9 {pid} && cargo xtask local stop, which ends what it leaves behind"
    ))
}

/// Through the socket: whoever answers there is the supervisor, whatever its
/// lock says.
fn hears_of_its_end(lab: &Lab) -> Result<bool> {
    let Ok(stream) = connect(&paths::socket(lab)) else {
        return Ok(false);
    };
    let reply = converse(stream, Ask::Stop, wait::END_HEARD);
    wait::check_interrupt()?;
    Ok(reply.is_ok_and(|answer| matches!(answer.reply, Reply::Done)))
}

/// By its number, for one that is starting, hangs, or is of another version.
fn end_the_holder(lab: &Lab) -> Result<()> {
    let lock = paths::lock(lab);
    // Empty for an instant, while the supervisor starts.
    let holder = wait::until(wait::SUPERVISOR_LOCK, || {
        let holder = fs::read_to_string(&lock).unwrap_or_default();
        Ok((!holder.is_empty() || !is_alive(lab)).then_some(holder))
    });
    wait::check_interrupt()?;
    if is_alive(lab) {
        let pid = holder.ok().and_then(|holder| holder.trim().parse().ok());
        let pid = pid.filter(|pid| is_supervisor(*pid));
        exec::signal_process(pid.ok_or_else(|| unknown(lab))?, Signal::SIGTERM);
    }
    Ok(())
}

/// Whether a process is a supervisor: the number in a damaged lock could be
/// anybody's.
fn is_supervisor(pid: u32) -> bool {
    let pid = pid.to_string();
    let ps = Cmd::new("ps").args(["-ww", "-o", "args=", "-p", &pid]);
    exec::output(&ps).is_ok_and(|said| said.stdout.contains("local supervisor"))
}

fn unknown(lab: &Lab) -> anyhow::Error {
    let lock = paths::lock(lab);
    let found = format!(
        "the supervisor runs and does not hear, and {} does not say which process it is",
        lock.display()
    );
    let root = lab.root.display();
    Failure::tool(found)
        .next(format!("pkill -f -- '--root {root} local supervisor'"))
        .into()
}
