//! A service reached on a port of this machine through a `kubectl port-forward`,
//! which a small process keeps alive.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use terms::tr;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::{Kube, Port};
use crate::exec::{self, Cmd};
use crate::failure::Failure;
use crate::http;
use crate::place::Place;
use crate::wait;

/// Between two tries of a forward that ended.
const PAUSE: Duration = Duration::from_millis(300);
/// How often a forward is tried through; kubectl may outlive its pod.
const LOOK: Duration = Duration::from_secs(1);

impl Kube {
    /// Starts the process that keeps a forward alive.
    pub fn keep_forward(&self, port: &Port, host: u16) -> Result<()> {
        let forward = self.forward_command(port, host)?;
        let shell = format!("while :; do {forward}; sleep 1; done &");
        if !self.ctx.exec.change(&shell) {
            return Ok(());
        }
        let step = self.ctx.ui.step(tr!(
            "forward to {service}",
            "redirection vers {service}",
            service = port.service,
        ));
        self.ctx.workspace.create()?;
        let log = self
            .ctx
            .workspace
            .logs()
            .join(format!("forward-{}.log", port.service));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let keeper = Cmd::ourselves()?
            .args(["forward", "--keep", port.service])
            .args(["--port", &host.to_string(), "--root"])
            .args([self.ctx.workspace.root.to_string_lossy()])
            .args(["--lab", &self.ctx.options.workshop.word()]);
        exec::spawn(&keeper, Stdio::null(), &log, false)?;
        wait::until(wait::FORWARD_UP, || Ok(self.kept_port(port)))?;
        step.done(tr!(
            "kept alive on port {host}",
            "maintenue sur le port {host}"
        ));
        Ok(())
    }

    fn forward_command(&self, port: &Port, host: u16) -> Result<Cmd> {
        let service = format!("service/{}", port.service);
        let ports = format!("{host}:80");
        Ok(self.kubectl()?.cmd(["port-forward", &service, &ports]))
    }

    fn lock_file(&self, port: &Port) -> PathBuf {
        let name = format!("forward-{}-{}", self.cluster, port.service);
        self.ctx.workspace.state().join(name)
    }

    /// The port of a forward that is alive: its lock is held exactly as long.
    pub fn kept_port(&self, port: &Port) -> Option<u16> {
        let file = File::open(self.lock_file(port)).ok()?;
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let text = fs::read_to_string(self.lock_file(port)).ok()?;
        text.split_whitespace().nth(1)?.parse().ok()
    }

    /// The process that keeps a forward alive; ends when it is told to.
    pub fn keep(&self, service: &str, host: u16) -> Result<()> {
        let port = self
            .workload
            .ports
            .iter()
            .find(|port| port.service == service);
        let port = port.ok_or_else(|| {
            Failure::usage(tr!(
                "this lab has no service {service}",
                "ce lab n'a pas de service {service}",
            ))
            .next("cargo xtask forward")
        })?;
        // A session of its own: it outlives the terminal, and its process
        // group, named in the file, can be ended as one.
        let group = nix::unistd::setsid().context("leaving the terminal")?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.lock_file(port))
            .context("opening the forward's lock")?;
        lock.try_lock()
            .context("another process keeps this forward")?;
        // Where the folder is gone nobody can end us any more.
        let place = Place::of(&lock, &self.lock_file(port))?;
        fs::write(self.lock_file(port), format!("{group} {host}\n"))
            .context("naming the forward's process")?;
        let command = self.forward_command(port, host)?;
        let log = File::options().append(true).open("/dev/null")?;
        while !wait::interrupted() && place.holds() {
            // kubectl holds the lock too: while it lives the port is taken.
            let stdin = Stdio::from(lock.try_clone().context("sharing the lock")?);
            let mut kubectl = exec::spawn(&command, stdin, &log, false)?;
            watch(host, &mut kubectl, &place);
            // It is gone already where it ended by itself.
            let _ = kubectl.kill();
            kubectl.wait().context("waiting for kubectl")?;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends the forwards of this lab.
    pub fn stop_forward(&self) -> Result<()> {
        for port in &self.workload.ports {
            if self.kept_port(port).is_none() {
                continue;
            }
            let path = self.lock_file(port);
            let text = fs::read_to_string(&path).context("reading the forward's process")?;
            let group = text
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            let group: u32 = group.context("the forward's process is not named")?;
            if !self.ctx.exec.change(&format!("kill -- -{group}")) {
                continue;
            }
            exec::signal_group(group, Signal::SIGTERM);
            wait::until(wait::FORWARD_DOWN, || {
                Ok(self.kept_port(port).is_none().then_some(()))
            })?;
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }
}

/// Returns when the forward ended or leads nowhere any more, or the lab's folder
/// is gone.
fn watch(host: u16, kubectl: &mut std::process::Child, place: &Place) {
    let url = format!("http://127.0.0.1:{host}");
    let mut worked = false;
    while !wait::interrupted() && place.holds() && matches!(kubectl.try_wait(), Ok(None)) {
        let answers = http::page(&url).is_ok();
        if worked && !answers {
            return;
        }
        worked = worked || answers;
        std::thread::sleep(LOOK);
    }
}
