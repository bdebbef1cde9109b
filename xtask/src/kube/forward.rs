//! A service reached on a port of this machine through a `kubectl port-forward` for each
//! of its pods, which a small process keeps alive.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use terms::tr;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::keeper::Keeper;
use super::{Kube, Port};
use crate::exec::{self, Cmd, quote_path};
use crate::failure::Failure;
use crate::place::Place;
use crate::wait;

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
            .args(["--lab", self.ctx.options.lab.word()])
            .args(["--engine", self.engine.word()]);
        let mut kept = exec::spawn(&keeper, Stdio::null(), &log, false)?;
        wait::until(wait::FORWARD_UP, || {
            if let Some(up) = self.listening_port(port) {
                return Ok(Some(up));
            }
            match kept.try_wait().context("looking at the forward")? {
                Some(_) => Err(self.ended(port, host).into()),
                None => Ok(None),
            }
        })?;
        step.done(tr!(
            "kept alive on port {host}",
            "maintenue sur le port {host}"
        ));
        Ok(())
    }

    fn ended(&self, port: &Port, host: u16) -> Failure {
        let service = port.service;
        let log = format!("forward-{service}.log");
        let log = self.ctx.workspace.logs().join(log);
        Failure::tool(tr!(
            "the forward to {service} on port {host} ended at once",
            "la redirection vers {service} sur le port {host} s'est arrêtée aussitôt",
        ))
        .next(format!("tail {}", quote_path(&log)))
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
        let mut ports = self.workload.ports.iter().chain(&self.workload.watching);
        let port = ports.find(|port| port.service == service);
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
        // What a process of before wrote there means another group.
        lock.set_len(0).context("clearing the forward's lock")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, host))
            .with_context(|| format!("listening on port {host}"))?;
        // Where the folder is gone nobody can end us any more.
        let place = Place::of(&lock, &self.lock_file(port))?;
        fs::write(self.lock_file(port), format!("{group} {host}\n"))
            .context("naming the forward's process")?;
        Keeper {
            kube: self,
            port,
            lock: &lock,
            place: &place,
        }
        .keep(listener)
    }

    /// The port of a forward that takes connections: what a process that was killed had
    /// started may live on without it.
    pub fn listening_port(&self, port: &Port) -> Option<u16> {
        let host = self.kept_port(port)?;
        let accepted = TcpStream::connect((Ipv4Addr::LOCALHOST, host));
        accepted.is_ok().then_some(host)
    }

    /// Whether a forward to the service takes connections, which is said; ends what is
    /// left of one that takes none.
    pub fn has_live_forward(&self, port: &Port) -> Result<bool> {
        if self.listening_port(port).is_none() {
            self.end_forward(port)?;
            return Ok(false);
        }
        let service = port.service;
        self.ctx.ui.note(&tr!(
            "the forward to {service} is alive",
            "la redirection vers {service} est en vie",
        ));
        Ok(true)
    }

    /// Ends the forwards to the application.
    pub fn stop_forward(&self) -> Result<()> {
        let mut ports = self.workload.ports.iter();
        ports.try_for_each(|port| self.end_forward(port))
    }

    /// Ends all forwards of this lab.
    pub fn stop_forwards(&self) -> Result<()> {
        self.stop_forward()?;
        self.stop_watching_forwards()
    }

    /// Ends those that lead to what watches it.
    pub fn stop_watching_forwards(&self) -> Result<()> {
        let mut ports = self.workload.watching.iter();
        ports.try_for_each(|port| self.end_forward(port))
    }

    fn end_forward(&self, port: &Port) -> Result<()> {
        if self.kept_port(port).is_none() {
            return Ok(());
        }
        let path = self.lock_file(port);
        let text = fs::read_to_string(&path).context("reading the forward's process")?;
        let group = text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok());
        let group: u32 = group.context("the forward's process is not named")?;
        if !self.ctx.exec.change(&format!("kill -- -{group}")) {
            return Ok(());
        }
        exec::signal_group(group, Signal::SIGTERM);
        wait::until(wait::FORWARD_DOWN, || {
            Ok(self.kept_port(port).is_none().then_some(()))
        })?;
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
    }
}
