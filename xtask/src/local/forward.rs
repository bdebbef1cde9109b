//! The service: passes each connection to one of the ready replicas, in turn.
//! With none ready a connection is accepted and closed at once: the listener
//! stays ours (else another program could take the port during a disaster),
//! and the client learns without delay that nobody serves it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wait;

/// Connections at once, two threads and two open files each; further ones wait
/// to be accepted. A process may usually have 1024 files open.
const MAX_WORKERS: usize = 256;
/// How often a direction that waits for the client looks whether it still matters.
const LOOK_UP: Duration = Duration::from_secs(2);
const STACK: usize = 128 * 1024;
const BUFFER: usize = 16 * 1024;

/// One process of a replica that gets connections.
#[derive(Debug)]
pub struct Backend {
    pub run: u64,
    pub port: u16,
    open: AtomicUsize,
}

impl Backend {
    pub fn new(run: u64, port: u16) -> Arc<Self> {
        Arc::new(Self {
            run,
            port,
            open: AtomicUsize::new(0),
        })
    }

    /// Connections that it has not answered to the end.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Who gets new connections.
#[derive(Default)]
pub struct Routes {
    inner: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    backends: Vec<Arc<Backend>>,
    next: usize,
}

impl Routes {
    pub fn add(&self, backend: &Arc<Backend>) {
        let mut turn = self.lock();
        if turn.backends.iter().all(|known| known.run != backend.run) {
            turn.backends.push(Arc::clone(backend));
        }
    }

    /// From here on the backend gets no new connection.
    pub fn remove(&self, run: u64) {
        self.lock().backends.retain(|known| known.run != run);
    }

    /// Counts the connection as open before anybody can stop the backend in
    /// the belief that it has none.
    fn pick(&self) -> Option<Ticket> {
        let mut turn = self.lock();
        if turn.backends.is_empty() {
            return None;
        }
        turn.next = (turn.next + 1) % turn.backends.len();
        let backend = Arc::clone(&turn.backends[turn.next]);
        backend.open.fetch_add(1, Ordering::SeqCst);
        Some(Ticket(backend))
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.lock().backends.len()
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ticket(Arc<Backend>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The service. Threads are started when all are busy and stay: starting two
/// for each connection would take longer than to forward it.
struct Service {
    listener: TcpListener,
    routes: Arc<Routes>,
    workers: AtomicUsize,
    idle: AtomicUsize,
}

/// Serves the listener until the process ends.
pub fn serve(listener: TcpListener, routes: Arc<Routes>) -> std::io::Result<()> {
    let service = Arc::new(Service {
        listener,
        routes,
        workers: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
    });
    start_worker(&service)
}

fn start_worker(service: &Arc<Service>) -> std::io::Result<()> {
    let partner = Partner::start()?;
    service.workers.fetch_add(1, Ordering::SeqCst);
    let own = Arc::clone(service);
    spawn(move || work(&own, &partner))
}

fn work(service: &Arc<Service>, partner: &Partner) {
    loop {
        service.idle.fetch_add(1, Ordering::SeqCst);
        let accepted = service.listener.accept();
        let last = service.idle.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && service.workers.load(Ordering::SeqCst) < MAX_WORKERS {
            // Without one more, connections wait for those that are served.
            let _ = start_worker(service);
        }
        match accepted {
            Ok((client, _)) => forward(client, service, partner),
            // Out of open files, or the client was already gone.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(())
}

/// A connection that is being forwarded.
struct Call {
    client: TcpStream,
    server: TcpStream,
    /// The replica has said all it had to say.
    answered: AtomicBool,
}

/// The thread that carries what clients say, while its worker carries what
/// replicas answer.
struct Partner {
    calls: Sender<Arc<Call>>,
    done: Receiver<()>,
}

impl Partner {
    fn start() -> std::io::Result<Self> {
        let (calls, inbox) = mpsc::channel::<Arc<Call>>();
        let (tell, done) = mpsc::channel();
        spawn(move || {
            for call in inbox {
                copy(&call.client, &call.server, &call.answered);
                drop(call);
                // The worker waits for it.
                let _ = tell.send(());
            }
        })?;
        Ok(Self { calls, done })
    }
}

/// A replica that does not listen costs the connection that was sent to it, as
/// in a Kubernetes service: no other takes its place, and nobody but the probes
/// and the end of the process takes it out of the service.
fn forward(client: TcpStream, service: &Service, partner: &Partner) {
    let Some(ticket) = service.routes.pick() else {
        return;
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ticket.0.port));
    if let Ok(server) = TcpStream::connect_timeout(&address, wait::REPLICA_CONNECTS) {
        pump(client, server, ticket, partner);
    }
}

/// Copies both ways until both sides said all they had to say.
fn pump(client: TcpStream, server: TcpStream, ticket: Ticket, partner: &Partner) {
    // Small answers must not wait for more to come.
    let ready = client
        .set_nodelay(true)
        .and_then(|()| server.set_nodelay(true))
        .and_then(|()| client.set_read_timeout(Some(LOOK_UP)));
    let call = Arc::new(Call {
        client,
        server,
        answered: AtomicBool::new(false),
    });
    if ready.is_err() || partner.calls.send(Arc::clone(&call)).is_err() {
        return;
    }
    copy(&call.server, &call.client, &AtomicBool::new(false));
    // The replica has done its part: it may be stopped.
    drop(ticket);
    call.answered.store(true, Ordering::Relaxed);
    // It fails only where the partner is gone, and then there is nothing to
    // wait for.
    let _ = partner.done.recv();
}

/// Copies one direction to its end and passes the end on. `over` says that
/// nobody is interested any more.
fn copy(mut from: &TcpStream, mut to: &TcpStream, over: &AtomicBool) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                if to.write_all(&buffer[..read]).is_err() {
                    return close(from, to);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if over.load(Ordering::Relaxed) {
                    return close(from, to);
                }
            }
            Err(_) => return close(from, to),
        }
    }
    // It fails only where the other side is already gone.
    let _ = to.shutdown(Shutdown::Write);
}

fn close(from: &TcpStream, to: &TcpStream) {
    for side in [from, to] {
        // It fails only where that side is already closed.
        let _ = side.shutdown(Shutdown::Both);
    }
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
        let backend = Backend::new(1, behind);
        routes.add(&backend);
        let large = vec![b'x'; 3 << 20];
        assert_eq!(talk(port, &large).unwrap(), large);
        // The client has its answer a moment before the call is over.
        let closed = || Ok((backend.open() == 0).then_some(()));
        crate::wait::until(crate::wait::END_HEARD, closed).unwrap();
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
        let backend = Backend::new(1, behind);
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
        routes.add(&Backend::new(1, nobody));
        routes.add(&Backend::new(2, behind));
        let answered = |_: &i32| talk(port, b"hello").is_ok_and(|answer| answer == b"hello");
        assert_eq!((0..8).filter(answered).count(), 4);
        routes.remove(1);
        assert_eq!((0..4).filter(answered).count(), 4);
    }

    #[test]
    fn without_a_replica_the_client_is_not_kept_waiting() {
        let (port, _routes) = service();
        let answer = talk(port, b"hello").unwrap_or_default();
        assert!(answer.is_empty());
    }
}
