//! Reading what a command prints, to its end and no further.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::wait;

/// A pipe that a thread of its own reads.
pub(super) struct Draining {
    read: Arc<Mutex<Vec<u8>>>,
    over: Receiver<io::Result<()>>,
}

pub(super) fn drain(pipe: Option<impl Read + Send + 'static>) -> Draining {
    let read = Arc::<Mutex<Vec<u8>>>::default();
    let (sender, over) = mpsc::channel();
    let into = Arc::clone(&read);
    thread::spawn(move || {
        let ended = pipe.map_or(Ok(()), |pipe| read_to_end(pipe, &into));
        // Nobody listens any more when the caller gave up.
        let _ = sender.send(ended);
    });
    Draining { read, over }
}

fn read_to_end(mut pipe: impl Read, into: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => lock(into).extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// All that was read from the pipe of a command that has ended. A grandchild
/// may hold it open for ever: what that has yet to say is not the command's
/// output, and what was said before is.
///
/// # Errors
/// The pipe could not be read: part of the output would be missing.
pub(super) fn collect(draining: Draining) -> Result<String> {
    if let Ok(ended) = draining.over.recv_timeout(wait::PIPE_CLOSED) {
        ended.context("reading what a command printed")?;
    }
    let bytes = std::mem::take(&mut *lock(&draining.read));
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{Cmd, output};

    #[test]
    fn what_was_said_is_there_although_a_grandchild_holds_the_pipe() {
        let script = "echo result; echo words >&2; sleep 20 & exit 3";
        let output = output(&Cmd::new("sh").args(["-c", script])).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("result\n", "words\n")
        );
    }

    #[test]
    fn a_pipe_that_cannot_be_read_is_an_error_and_no_shorter_output() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("torn"))
            }
        }
        let error = collect(drain(Some(b"begun, ".chain(Broken)))).unwrap_err();
        assert!(format!("{error:#}").contains("torn"), "{error:#}");
    }
}
