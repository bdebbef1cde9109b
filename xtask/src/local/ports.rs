//! Ports on this machine.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
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

/// A free port, looked for from another place by each process each time: what is
/// found is taken only a moment later.
pub fn find_free() -> Result<TcpListener> {
    static FOUND: AtomicU32 = AtomicU32::new(0);
    let found = FOUND.fetch_add(31, Ordering::Relaxed);
    let offset = std::process::id().wrapping_mul(7919).wrapping_add(found);
    let start = u16::try_from(offset % u32::from(COUNT)).unwrap_or_default();
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .context("no port from 20000 to 31999 is free")
}

/// Takes a given port.
///
/// # Errors
/// What is in the way, and what to do.
pub fn take(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
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
}
