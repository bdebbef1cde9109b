//! One replica of the application.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::facts::Pod;
use crate::manifests::model::Probe;
use crate::manifests::ports::PROBE_PORT;
use crate::wait;

use super::ports::{self, Held};
use super::probe::Probing;
use super::process::{Ended, Process};
use super::release::Release;
use super::shared::{Shared, restart_back_off};
use crate::balance::Backend;

pub struct Replica {
    pub name: String,
    /// What its process began with.
    release: Arc<Release>,
    state: State,
    restarts: u32,
    /// Ends in a row, without having run well in between.
    crashes: u32,
    /// It is to go, and another one takes its place.
    leaving: bool,
}

enum State {
    /// For what it mounts, as a pending pod does.
    Waiting,
    Running(Box<Running>),
    BackOff {
        until: Instant,
    },
    Gone,
}

struct Running {
    process: Process,
    backend: Arc<Backend>,
    /// Its ports: for users and for probes.
    _held: [Held; 2],
    routed: bool,
    readiness: Option<Probing>,
    liveness: Option<Probing>,
}

impl Replica {
    pub fn create(shared: &mut Shared) -> Self {
        let deployment = shared.manifests.deployment.name().to_owned();
        let mut replica = Self {
            name: shared.next_name(&deployment),
            release: Arc::clone(&shared.release),
            state: State::Gone,
            restarts: 0,
            crashes: 0,
            leaving: false,
        };
        replica.start(shared);
        replica
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.routed) && !self.leaving
    }

    /// It runs what is declared now, and is not to be replaced.
    pub fn is_current(&self, shared: &Shared) -> bool {
        Arc::ptr_eq(&self.release, &shared.release) || self.release == shared.release
    }

    /// What a release has that it does not run yet, in words.
    pub fn changes(&self, release: &Release) -> Vec<String> {
        self.release.changes(release)
    }

    pub fn mounts(&self, claim: &str) -> bool {
        let idle = matches!(self.state, State::Waiting | State::Gone);
        !idle && self.release.pod.claims().any(|mounted| mounted == claim)
    }

    /// Where it answers, ready or not, while its process runs.
    pub fn port(&self) -> Option<u16> {
        match &self.state {
            State::Running(running) => Some(running.backend.port()),
            State::Waiting | State::BackOff { .. } | State::Gone => None,
        }
    }

    pub fn facts(&self) -> Pod {
        let asked = matches!(&self.state, State::Running(running) if running.process.asked());
        Pod {
            name: self.name.clone(),
            ready: self.is_ready(),
            restarts: self.restarts,
            stopping: self.leaving || asked,
        }
    }

    fn start(&mut self, shared: &Shared) {
        // The process that begins now reads what is declared now.
        self.release = Arc::clone(&shared.release);
        if let Some(reason) = shared.obstacle(&self.release.pod) {
            shared.note(&format!("{} waits: {reason}", self.name));
            self.state = State::Waiting;
            return;
        }
        match self.running(shared) {
            Ok(running) => self.state = State::Running(Box::new(running)),
            Err(error) => self.back_off(shared, &format!("could not be started: {error:#}")),
        }
    }

    fn running(&self, shared: &Shared) -> Result<Running> {
        // If another program than a lab is faster, the replica ends and the next attempt
        // gets others.
        let held = [ports::hold_free()?, ports::hold_free()?];
        let [port, probe_port] = [held[0].port(), held[1].port()];
        let container = self.release.pod.container();
        let mut set = vec![("PORT".to_owned(), port.to_string())];
        if container.has_probe_port() {
            set.push((PROBE_PORT.to_owned(), probe_port.to_string()));
        }
        let process = shared.start(&self.name, &self.release.pod, &set)?;
        let begin = |probe: &Option<Probe>, passes| {
            let probe = probe.as_ref()?;
            let apart = container.is_for_probes(&probe.http_get.port);
            let asked = if apart { probe_port } else { port };
            Some(Probing::begin(probe, asked, passes))
        };
        Ok(Running {
            process,
            backend: Backend::new(port),
            _held: held,
            routed: false,
            readiness: begin(&container.readiness_probe, false),
            liveness: begin(&container.liveness_probe, true),
        })
    }

    fn back_off(&mut self, shared: &Shared, why: &str) {
        self.crashes += 1;
        self.restarts += 1;
        let pause = restart_back_off(self.crashes);
        let seconds = pause.as_secs();
        shared.note(&format!("{} {why}; again in {seconds} s", self.name));
        self.state = State::BackOff {
            until: Instant::now() + pause,
        };
    }

    /// No new connections from here on; then it is asked to end.
    pub fn stop(&mut self, shared: &Shared) {
        self.leaving = true;
        if let State::Running(running) = &mut self.state {
            running.route(shared, false);
            running.process.ask();
        } else {
            self.remove(shared);
        }
    }

    /// Ends it without warning, and for good. The service learns of it by that
    /// end alone: until then it sends connections there, which fail.
    pub fn kill(&mut self, shared: &Shared) {
        self.leaving = true;
        if let State::Running(running) = &mut self.state {
            running.process.kill();
        } else {
            self.remove(shared);
        }
    }

    fn remove(&mut self, shared: &Shared) {
        shared.clean(&self.name);
        self.state = State::Gone;
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared) {
        match &mut self.state {
            State::Running(running) => match running.process.advance(running.backend.open()) {
                Some(ended) => self.ended(shared, &ended),
                None => running.heed_probes(&self.name, shared),
            },
            State::BackOff { until } if *until > Instant::now() => {}
            State::Waiting if shared.obstacle(&self.release.pod).is_some() => {}
            State::BackOff { .. } | State::Waiting => self.start(shared),
            State::Gone => {}
        }
    }

    fn ended(&mut self, shared: &Shared, ended: &Ended) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        running.route(shared, false);
        if self.leaving {
            shared.note(&format!("{} has ended", self.name));
            return self.remove(shared);
        }
        if running.process.started.elapsed() >= wait::RAN_WELL {
            self.crashes = 0;
        }
        self.back_off(shared, &format!("ended ({})", ended.how));
    }
}

impl Running {
    fn route(&mut self, shared: &Shared, routed: bool) {
        match (self.routed, routed) {
            (false, true) => shared.routes.add(&self.backend),
            (true, false) => shared.routes.remove(&self.backend),
            _ => {}
        }
        self.routed = routed;
    }

    /// Where the liveness probe gave up on it, its process is replaced, within the
    /// same pod; it stays in the service while its readiness probe passes.
    fn heed_probes(&mut self, name: &str, shared: &Shared) {
        let asked = self.process.asked();
        let passes = self.readiness.as_ref().is_some_and(Probing::passes);
        if passes != self.routed && !(passes && asked) {
            self.route(shared, passes);
            let now = if passes {
                "is ready"
            } else {
                "is not ready any more"
            };
            shared.note(&format!("{name} {now}"));
        }
        let lives = self.liveness.as_ref().is_none_or(Probing::passes);
        if !lives && !asked {
            shared.note(&format!("{name} does not answer its liveness probe"));
            self.process.ask();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::shared::testing;

    /// A replica that runs `sleep`, with probes that have their verdict.
    fn ready(shared: &mut Shared) -> Replica {
        let release = Arc::make_mut(&mut shared.release);
        release.pod.containers[0].command = vec!["sleep".into(), "60".into()];
        let mut replica = Replica::create(shared);
        verdict(&mut replica, shared, true, true);
        assert_eq!(shared.routes.count(), 1);
        replica
    }

    fn verdict(replica: &mut Replica, shared: &Shared, ready: bool, lives: bool) {
        let State::Running(running) = &mut replica.state else {
            panic!("it does not run");
        };
        running.readiness = Some(Probing::decided(ready));
        running.liveness = Some(Probing::decided(lives));
        replica.advance(shared);
    }

    #[test]
    fn who_is_killed_stays_in_the_service_until_its_end_is_noticed() {
        let mut shared = testing::shared("killed");
        let mut replica = ready(&mut shared);
        replica.kill(&shared);
        assert_eq!(shared.routes.count(), 1, "nobody was told beforehand");
        let gone = || {
            replica.advance(&shared);
            Ok(replica.is_gone().then_some(()))
        };
        wait::until(wait::ORPHANS_GONE, gone).unwrap();
        assert_eq!(shared.routes.count(), 0);
        testing::remove(&shared);
    }

    #[test]
    fn who_fell_ill_stays_in_the_service_while_its_readiness_holds() {
        let mut shared = testing::shared("ill");
        // It takes its time to end.
        let mut replica = ready(&mut shared);
        verdict(&mut replica, &shared, true, false);
        assert!(replica.facts().stopping);
        assert_eq!(shared.routes.count(), 1);
        verdict(&mut replica, &shared, false, false);
        assert_eq!(shared.routes.count(), 0);
        verdict(&mut replica, &shared, true, true);
        assert_eq!(shared.routes.count(), 0, "it is being ended");
        testing::remove(&shared);
    }
}
