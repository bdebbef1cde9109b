//! Ports on this machine.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use terms::tr;

use crate::exec::quote_path;
use crate::failure::Failure;

use super::orphans;

/// Below the range that Linux and macOS take for outgoing connections: a port
/// of that range could be gone between the moment it is found free and the
/// moment a replica listens on it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that no lab of this machine takes until this is dropped, listened on or not.
///
/// A replica listens about a second after its port was found. Without the hold, a replica of
/// another lab could take the port meanwhile, pass the probes of this one, and get its writes:
/// so the UDP port of the same number is bound, which each lab does before it takes a port,
/// which no replica needs, and which the system gives back however a lab ends.
#[derive(Debug)]
pub struct Held {
    port: u16,
    _hold: UdpSocket,
}

impl Held {
    /// `None`: another lab or program has it.
    fn listening(port: u16) -> Option<(Self, TcpListener)> {
        let hold = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some((Self { port, _hold: hold }, listener))
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A free port to listen on now.
pub fn find_free() -> Result<TcpListener> {
    find().map(|(_, listener)| listener)
}

/// A free port for a process that will listen on it; to be kept until that has ended.
pub fn hold_free() -> Result<Held> {
    find().map(|(held, _)| held)
}

/// Looked for from another place by each process each time, as labs look at the same moment.
fn find() -> Result<(Held, TcpListener)> {
    static FOUND: AtomicU32 = AtomicU32::new(0);
    let found = FOUND.fetch_add(31, Ordering::Relaxed);
    let offset = std::process::id().wrapping_mul(7919).wrapping_add(found);
    let start = u16::try_from(offset % u32::from(COUNT)).unwrap_or_default();
    first_free(start)
}

fn first_free(start: u16) -> Result<(Held, TcpListener)> {
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find_map(Held::listening)
        .context("no port from 20000 to 31999 is free")
}

/// Takes a given port.
///
/// # Errors
/// What is in the way, and what to do.
pub fn take(port: u16) -> Result<TcpListener> {
    listen_on(port).map_err(|error| {
        let (said, way) = match (error.kind(), orphans::lab_with(port)) {
            (ErrorKind::AddrInUse, Some(root)) => (
                tr!(
                    "port {port} is in use by the lab of {folder}",
                    "le port {port} est utilisé par le lab de {folder}",
                    folder = root.display(),
                ),
                tr!(
                    "cargo xtask --root {folder} local stop, or ",
                    "cargo xtask --root {folder} local stop, ou ",
                    folder = quote_path(&root),
                ),
            ),
            (ErrorKind::AddrInUse, None) => (
                tr!("port {port} is in use", "le port {port} est utilisé"),
                tr!(
                    "end the program that lsof -i :{port} names, or ",
                    "arrêtez le programme que nomme lsof -i :{port}, ou ",
                ),
            ),
            _ => (
                tr!(
                    "port {port} cannot be taken: {error}",
                    "le port {port} ne peut pas être pris : {error}",
                ),
                String::new(),
            ),
        };
        let next = tr!(
            "{way}set another port in lab.toml (0 takes any free one)",
            "{way}indiquez un autre port dans lab.toml (0 en prend un libre)",
        );
        Failure::preflight(said).next(next).into()
    })
}

fn listen_on(port: u16) -> io::Result<TcpListener> {
    if !(FIRST..FIRST + COUNT).contains(&port) {
        return TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    }
    // Where a replica of another lab may be about to listen.
    let found = Held::listening(port).map(|(_, listener)| listener);
    found.ok_or_else(|| ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn a_port_in_use_is_told_with_the_next_step() {
        let port = find_free().unwrap().local_addr().unwrap().port();
        let held = take(port).unwrap();
        let error = take(port).unwrap_err();
        assert_eq!(kind(&error), Kind::Preflight);
        let next = next(&error).unwrap();
        assert!(next.contains("lab.toml") && next.contains("lsof"), "{next}");
        drop(held);
    }

    #[test]
    fn a_held_port_is_nobody_elses_before_its_replica_listens() {
        let held = hold_free().unwrap();
        let place = held.port() - FIRST;
        let (other, _) = first_free(place).unwrap();
        assert_ne!(other.port(), held.port());
        assert!(take(held.port()).is_err());
        let replica = TcpListener::bind((Ipv4Addr::LOCALHOST, held.port()));
        assert!(replica.is_ok(), "the hold keeps labs away alone");
        let port = held.port();
        drop((held, replica));
        assert_eq!(first_free(place).unwrap().0.port(), port);
    }
}
