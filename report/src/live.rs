//! The page of a run that goes on: one address of this machine, drawn anew while the disaster
//! happens, by a process of its own that only reads what the run writes. Nothing that a browser
//! does or does not do reaches the client that measures.

mod frame;
mod gallery;
mod reading;
mod request;
mod seen;
mod server;

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use terms::tr;

use gallery::Gallery;
use reading::Reading;

/// Between two pictures.
const PACE: Duration = Duration::from_millis(500);

/// Serves the page of the newest run under `runs` that this process plays, on a port of this
/// machine (0: one that is free), until standard input ends; `tell` hears its address. What
/// ended then is still drawn, and sent to those who watch.
///
/// # Errors
/// The port cannot be had.
pub fn serve(runs: &Path, process: u32, port: u16, tell: impl FnOnce(&str)) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| tr!("listening on port {port}", "écoute sur le port {port}"))?;
    let port = listener.local_addr()?.port();
    let gallery = Arc::new(Gallery::default());
    let mut reading = Reading::new(runs, process);
    gallery.show(frame::draw(&reading.look(false))?);
    server::start(listener, Arc::clone(&gallery));
    tell(&format!("http://127.0.0.1:{port}/"));
    let ended = end_of_input();
    while !ended.load(Ordering::Relaxed) {
        thread::sleep(PACE);
        // What nobody looks at costs next to nothing.
        let seen = reading.look(false);
        if gallery.has_viewers() {
            gallery.show(frame::draw(&seen)?);
        }
    }
    gallery.show_last(frame::draw(&reading.look(true))?);
    gallery.until_all_have_it();
    Ok(())
}

/// Becomes true when whoever started this process has ended, or wants it to.
fn end_of_input() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
        told.store(true, Ordering::Relaxed);
    });
    ended
}
