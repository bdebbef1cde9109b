//! The socket through which commands ask the supervisor.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context, Result};

use crate::exec;
use crate::lab::Lab;
use crate::wait;

use super::event::Event;
use super::paths;
use super::protocol::{self, PROTOCOL, Reply, Request, Response};

/// Takes requests until the process ends. The current folder has to be the
/// one of the socket: a path from the root may be longer than a socket's name
/// can be.
pub fn listen(lab: &Lab, events: &Sender<Event>) -> Result<()> {
    // Whoever made it is gone: we hold the supervisor's lock.
    let _ = fs::remove_file(paths::socket(lab));
    let listener = UnixListener::bind(paths::SOCKET)
        .with_context(|| format!("listening on {}", paths::socket(lab).display()))?;
    let events = events.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let events = events.clone();
            thread::spawn(move || {
                // Whoever asked went away.
                let _ = serve(&stream, &events);
            });
        }
    });
    Ok(())
}

fn serve(stream: &UnixStream, events: &Sender<Event>) -> Result<()> {
    stream
        .set_read_timeout(Some(wait::REQUEST_SENT))
        .context("limiting a request")?;
    let reply = match protocol::receive_request(stream) {
        Ok(Request {
            protocol: PROTOCOL,
            ask,
        }) => {
            let (answer, reply) = mpsc::channel();
            events
                .send(Event::Asked { ask, answer })
                .context("handing a request on")?;
            reply
                .recv()
                .context("waiting for the answer to a request")?
        }
        _ => Reply::Stranger,
    };
    protocol::send(
        stream,
        &Response {
            protocol: PROTOCOL,
            program: exec::build().to_owned(),
            reply,
        },
    )
}
