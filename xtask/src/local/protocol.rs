//! What the supervisor can be asked through its socket: one request and one
//! answer a connection, each a line of JSON. Every answer is given at once, but
//! for a volume's deletion: who waits for what comes of it asks for the facts again.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terms::lang::{self, Lang};
use terms::tr;

use crate::exec;
use crate::facts::JobSource;
use crate::failure::{self, Failure};
use crate::wait;
use crate::workspace::Workspace;

use super::desired::{Copies, Wanted};
use super::paths;

/// Longer requests come from nobody of ours.
const LONGEST_REQUEST: u64 = 1 << 20;

/// One request: what is asked, in the language of who asks.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request<A> {
    pub lang: Lang,
    pub ask: A,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// [`crate::facts::Facts`].
    Facts,
    /// What `kubectl apply` does, with these copies elsewhere; what was changed, in words.
    Apply(Option<Copies>),
    /// What is declared and not in force everywhere yet, in words.
    Pending(Option<Copies>),
    /// The settings that a replica would begin with, by their names.
    Settings,
    Scale(u32),
    Suspend(bool),
    /// The pod that the job runs in.
    RunJob {
        name: String,
        source: JobSource,
    },
    /// The job that runs, or ran, in a pod; none where it is gone.
    Job(String),
    DeleteJobs,
    DeleteVolume(String),
    Kill {
        pod: String,
        hard: bool,
    },
    /// To have Prometheus run, or not; what runs already reads its files anew.
    Watch(Option<Wanted>),
    /// [`crate::facts::monitoring::Watched`]; none where nothing watches it.
    Watched,
    /// [`crate::facts::offsite::Shipping`]; none where no copies are made.
    Copying,
    /// To end, and everything that it runs with it.
    Stop,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Response {
    /// The build of the supervisor's program.
    pub program: String,
    pub answer: Answer,
}

/// What was asked for, of a type of its own for each request.
pub type Answer = Result<Value, Problem>;

/// Why something was not done.
#[derive(Debug, Deserialize, Serialize)]
pub struct Problem {
    /// It was asked for what cannot be, and nothing was changed.
    pub refused: bool,
    pub message: String,
    pub next: String,
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        let next = failure::next(&error).unwrap_or("cargo xtask status");
        Self {
            refused: failure::kind(&error) == failure::Kind::Usage,
            message: format!("{error:#}"),
            next: next.to_owned(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let kind = if problem.refused {
            failure::Kind::Usage
        } else {
            failure::Kind::Tool
        };
        Self::new(kind, problem.message).next(problem.next)
    }
}

/// Requests or answers that one side does not understand.
pub fn stranger() -> Failure {
    Failure::tool(tr!(
        "the supervisor is of another version of the lab",
        "le superviseur est d'une autre version du lab",
    ))
    .next(tr!(
        "cargo xtask setup (replaces it)",
        "cargo xtask setup (le remplace)"
    ))
}

/// Writes one message.
pub fn send(mut stream: &UnixStream, message: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(message)? + "\n";
    stream
        .write_all(line.as_bytes())
        .context("writing to the supervisor's socket")
}

/// Takes requests until the process ends. The current folder has to be the
/// one of the socket: a path from the root may be longer than a socket's name
/// can be.
pub fn listen(
    workspace: &Workspace,
    answer: impl Fn(Ask) -> Answer + Send + Sync + 'static,
) -> Result<()> {
    // Whoever made it is gone: we hold the supervisor's lock.
    let _ = fs::remove_file(paths::socket(workspace));
    let listener = UnixListener::bind(paths::SOCKET)
        .with_context(|| format!("listening on {}", paths::socket(workspace).display()))?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // Whoever asked may have gone away.
            thread::spawn(move || serve(&stream, &*answer).ok());
        }
    });
    Ok(())
}

fn serve(stream: &UnixStream, answer: &impl Fn(Ask) -> Answer) -> Result<()> {
    stream.set_read_timeout(Some(wait::REQUEST_SENT))?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_REQUEST)).read_line(&mut line)?;
    let request: Result<Request<Ask>, _> = serde_json::from_str(&line);
    let response = Response {
        program: exec::build().to_owned(),
        answer: match request {
            Ok(Request { lang, ask }) => lang::speaking(lang, || answer(ask)),
            Err(_) => Err(anyhow::Error::from(stranger()).into()),
        },
    };
    send(stream, &response)
}
