//! What the supervisor can be asked through its socket: one request and one
//! response a connection, each a line of JSON.

use crate::facts::{Facts, JobSource};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Raised when requests or responses change; another supervisor is replaced.
pub const PROTOCOL: u32 = 2;

/// Longer requests come from nobody of ours.
const LONGEST_REQUEST: u64 = 1 << 20;

#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    pub protocol: u32,
    pub ask: Ask,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Facts,
    /// What `kubectl apply` does.
    Apply,
    /// Replicas that began with other settings or other code are replaced.
    RollOut,
    /// What is declared and not in force.
    Pending,
    /// The settings that a replica would begin with.
    Settings,
    Scale(u32),
    Suspend(bool),
    RunJob {
        name: String,
        source: JobSource,
    },
    DeleteJobs,
    DeleteVolume(String),
    Kill {
        pod: String,
        hard: bool,
    },
    Stop,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Response {
    pub protocol: u32,
    /// The build of the supervisor's program.
    pub program: String,
    pub reply: Reply,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done,
    Facts(Facts),
    /// What was changed or would be, in words; nothing where nothing is.
    Changes(Vec<String>),
    Settings(BTreeMap<String, String>),
    Job {
        succeeded: bool,
        reason: Option<String>,
        log: String,
    },
    /// Asked for what cannot be; nothing was changed.
    Refused {
        message: String,
        next: String,
    },
    /// Something broke under way.
    Failed {
        message: String,
        next: String,
    },
    /// The other side speaks another protocol.
    Stranger,
}

/// Writes one message.
pub fn send(mut stream: &UnixStream, message: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(message)? + "\n";
    stream
        .write_all(line.as_bytes())
        .context("writing to the supervisor's socket")
}

/// Reads the request of a connection.
pub fn receive_request(stream: &UnixStream) -> Result<Request> {
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_REQUEST))
        .read_line(&mut line)
        .context("reading a request")?;
    parse(&line)
}

/// Reads one message from its line.
pub fn parse<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).context("understanding what came through the supervisor's socket")
}
