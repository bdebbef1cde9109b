//! Ports on this machine.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

use crate::exec::quote;
use crate::failure::Failure;

use super::strays;

/// Below the range that Linux and macOS take for outgoing connections: a port
/// of that range could be gone between the moment it is found free and the
/// moment a replica listens on it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A free port, looked for from a place of its own for each `seed`.
pub fn find_free(seed: u64) -> Result<TcpListener> {
    let offset = (u64::from(std::process::id()).wrapping_mul(7919))
        .wrapping_add(seed.wrapping_mul(31))
        % u64::from(COUNT);
    let start = u16::try_from(offset).unwrap_or_default();
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .context("no port from 20000 to 31999 is free")
}

/// Takes a given port.
///
/// # Errors
/// Who has the port, where that is known, and what to do.
pub fn take(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        if error.kind() != ErrorKind::AddrInUse {
            return Failure::preflight(format!("port {port} cannot be taken: {error}"))
                .next("change service.port in lab.toml (0 takes any free one)")
                .into();
        }
        let (by, end) = match holder(port) {
            Some(holder) => (format!(" by {}", holder.name), holder.end),
            None => (String::new(), "end that program".to_owned()),
        };
        Failure::preflight(format!("port {port} is in use{by}"))
            .next(format!(
                "{end}, or change service.port in lab.toml (0 takes any free one)"
            ))
            .into()
    })
}

/// Who has a port, and what to type against it.
struct Holder {
    name: String,
    end: String,
}

impl Holder {
    fn of(pid: u32) -> Self {
        if let Some(root) = strays::lab_of(pid) {
            let root = quote(&root.to_string_lossy());
            return Self {
                name: format!("the lab of {root} (process {pid})"),
                end: format!("cargo xtask --root {root} local stop"),
            };
        }
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Self {
            name: format!("`{}` (process {pid})", name.trim()),
            end: "end that program".to_owned(),
        }
    }
}

/// The process that listens on a port, where the system tells (Linux, and
/// only of our own processes).
fn holder(port: u16) -> Option<Holder> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse() else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        if links.any(|link| link.to_string_lossy() == socket) {
            return Some(Holder::of(pid));
        }
    }
    None
}

/// From the kernel's table: the socket that listens (state 0A) on a port.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = columns.get(1)?.rsplit_once(':')?;
        let listens = *columns.get(3)? == "0A" && u16::from_str_radix(local, 16) == Ok(port);
        listens.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn a_port_in_use_is_named_with_its_holder_and_the_next_step() {
        let held = find_free(1).unwrap();
        let error = take(held.local_addr().unwrap().port()).unwrap_err();
        assert_eq!(kind(&error), Kind::Preflight);
        assert!(next(&error).unwrap().contains("lab.toml"));
        if cfg!(target_os = "linux") {
            let us = format!("process {}", std::process::id());
            assert!(error.to_string().contains(&us), "{error}");
        }
    }
}
