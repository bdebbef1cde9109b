//! A service on this machine: passes each connection to one of the ready replicas, in turn.
//! With none ready a connection is accepted and closed at once: the listener
//! stays ours (else another program could take the port during a disaster),
//! and the client learns without delay that nobody serves it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use terms::tr;

use crate::failure::Failure;
use crate::wait;

/// Connections at once, two threads and two open files each; further ones wait
/// to be accepted. A process may usually have 1024 files open.
const MOST: usize = 256;
const STACK: usize = 128 * 1024;
const BUFFER: usize = 16 * 1024;
/// Between two looks whether a connection has become free.
const FULL: Duration = Duration::from_millis(1);

/// A port of this machine that leads to one replica, and gets connections.
#[derive(Debug)]
pub struct Backend {
    port: u16,
    open: AtomicUsize,
}

impl Backend {
    pub fn new(port: u16) -> Arc<Self> {
        Arc::new(Self {
            port,
            open: AtomicUsize::new(0),
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections that it has not answered to the end.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Who gets new connections, in turn: the first of them the next one.
#[derive(Default)]
pub struct Routes(Mutex<Vec<Arc<Backend>>>);

impl Routes {
    pub fn add(&self, backend: &Arc<Backend>) {
        self.lock().push(Arc::clone(backend));
    }

    /// From here on the backend gets no new connection.
    pub fn remove(&self, backend: &Arc<Backend>) {
        self.lock().retain(|known| !Arc::ptr_eq(known, backend));
    }

    /// Counts the connection as open before anybody can stop the backend in
    /// the belief that it has none.
    fn pick(&self) -> Option<Ticket> {
        let mut backends = self.lock();
        let backend = Arc::clone(backends.first()?);
        backends.rotate_left(1);
        backend.open.fetch_add(1, Ordering::SeqCst);
        Some(Ticket(backend))
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Backend>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ticket(Arc<Backend>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves the listener until the process ends.
pub fn serve(listener: TcpListener, routes: Arc<Routes>) -> io::Result<()> {
    // Each connection holds a copy.
    let seat = Arc::new(());
    spawn(move || {
        loop {
            while Arc::strong_count(&seat) > MOST {
                thread::sleep(FULL);
            }
            let (taken, routes) = (Arc::clone(&seat), Arc::clone(&routes));
            let accepted = listener.accept().and_then(|(client, _)| {
                spawn(move || {
                    forward(&client, &routes);
                    drop(taken);
                })
            });
            if accepted.is_err() {
                // Out of files or threads, or the client was already gone.
                thread::sleep(FULL);
            }
        }
    })
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(())
}

/// A replica that does not listen costs the connection that was sent to it, as
/// in a Kubernetes service: no other takes its place, and nobody but the probes
/// and the end of the process takes it out of the service.
fn forward(client: &TcpStream, routes: &Routes) {
    let Some(ticket) = routes.pick() else {
        return;
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ticket.0.port));
    let Ok(server) = TcpStream::connect_timeout(&address, wait::REPLICA_CONNECTS) else {
        return;
    };
    // Small answers must not wait for more to come. It fails only where a side is
    // already gone.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    thread::scope(|scope| {
        let asking = || copy(client, &server);
        let asks = thread::Builder::new().stack_size(STACK);
        if asks.spawn_scoped(scope, asking).is_ok() {
            copy(&server, client);
        }
        // The replica has done its part: it may be stopped, and what its client
        // would say still is no matter.
        drop(ticket);
        close(client);
        close(&server);
    });
}

/// Copies one direction to its end and passes the end on.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) if to.write_all(&buffer[..read]).is_ok() => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return [from, to].into_iter().for_each(close),
        }
    }
    // It fails only where the other side is already gone.
    let _ = to.shutdown(Shutdown::Write);
}

fn close(side: &TcpStream) {
    // It fails only where that side is already closed.
    let _ = side.shutdown(Shutdown::Both);
}

/// The port itself, or any free one for 0.
pub fn free_port(port: u16) -> Result<u16> {
    let taken = |error| {
        Failure::preflight(tr!(
            "port {port} of this machine: {error}",
            "port {port} de cette machine : {error}",
        ))
        .next(tr!(
            "set another port in lab.toml (0 takes any free one)",
            "indiquez un autre port dans lab.toml (0 en prend un libre)",
        ))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn service() -> (u16, Arc<Routes>) {
        let (listener, port) = listen();
        let routes = Arc::new(Routes::default());
        serve(listener, Arc::clone(&routes)).unwrap();
        (port, routes)
    }

    /// Answers each connection, once its client has said everything.
    fn echo(listener: TcpListener) {
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut said = Vec::new();
                stream.read_to_end(&mut said).unwrap();
                stream.write_all(&said).unwrap();
            }
        });
    }

    fn talk(port: u16, text: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(text)?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_half_closed_connection_still_gets_its_whole_answer() {
        let (port, routes) = service();
        let (listener, behind) = listen();
        echo(listener);
        let backend = Backend::new(behind);
        routes.add(&backend);
        let large = vec![b'x'; 3 << 20];
        assert_eq!(talk(port, &large).unwrap(), large);
        // The client has its answer a moment before the call is over.
        let closed = || Ok((backend.open() == 0).then_some(()));
        crate::wait::until(crate::wait::ORPHANS_GONE, closed).unwrap();
    }

    #[test]
    fn clients_that_say_nothing_keep_nobody_from_being_served() {
        let (port, routes) = service();
        let (listener, behind) = listen();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut said = [0; 5];
                    if stream.read_exact(&mut said).is_ok() {
                        stream.write_all(&said).unwrap();
                    }
                });
            }
        });
        let backend = Backend::new(behind);
        routes.add(&backend);
        let silent: Vec<_> = (0..50)
            .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
            .collect();
        assert_eq!(talk(port, b"hello").unwrap(), b"hello");
        drop(silent);
    }

    #[test]
    fn a_replica_that_does_not_listen_costs_the_connections_that_meet_it() {
        let (port, routes) = service();
        let (dead, nobody) = listen();
        drop(dead);
        let (listener, behind) = listen();
        echo(listener);
        let dead = Backend::new(nobody);
        routes.add(&dead);
        routes.add(&Backend::new(behind));
        let answered = |_: &i32| talk(port, b"hello").is_ok_and(|answer| answer == b"hello");
        assert_eq!((0..8).filter(answered).count(), 4);
        routes.remove(&dead);
        assert_eq!((0..4).filter(answered).count(), 4);
    }

    #[test]
    fn without_a_replica_the_client_is_not_kept_waiting() {
        let (port, _routes) = service();
        let answer = talk(port, b"hello").unwrap_or_default();
        assert!(answer.is_empty());
    }
}
