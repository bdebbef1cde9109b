//! One replica of the application.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::facts::Pod;
use crate::manifests::model::PodSpec;
use crate::wait;

use super::forward::Backend;
use super::ground::{Ground, restart_back_off};
use super::ports;
use super::probe::Probes;
use super::process::Process;
use super::protocol::Reply;
use super::release::Release;

pub struct Replica {
    name: String,
    template: PodSpec,
    /// What its process began with.
    release: Release,
    /// Another one is to take its place, whatever its template says.
    outdated: bool,
    state: State,
    restarts: u32,
    /// Ends in a row, without having run well in between.
    crashes: u32,
    /// It is to go, and another one takes its place.
    leaving: bool,
    /// Who hears when it is gone.
    waiting: Vec<Sender<Reply>>,
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
    ready: bool,
    _probes: Probes,
}

impl Replica {
    pub fn create(ground: &mut Ground) -> Self {
        let serial = ground.next_serial();
        let deployment = &ground.manifests.deployment;
        let mut replica = Self {
            name: format!("{}-{serial}", deployment.metadata.name),
            template: deployment.spec.template.spec.clone(),
            release: ground.release.clone(),
            outdated: false,
            state: State::Gone,
            restarts: 0,
            crashes: 0,
            leaving: false,
            waiting: Vec::new(),
        };
        replica.start(ground);
        replica
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.ready) && !self.leaving
    }

    /// Made from the template that is declared now, and not to be replaced.
    pub fn is_current(&self, template: &PodSpec) -> bool {
        self.template == *template && !self.outdated
    }

    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Has another one take its place as soon as that is ready.
    pub fn outdate(&mut self) {
        self.outdated = true;
    }

    pub fn mounts(&self, claim: &str) -> bool {
        let idle = matches!(self.state, State::Waiting | State::Gone);
        !idle && self.template.claims().any(|mounted| mounted == claim)
    }

    pub fn runs(&self, run: u64) -> bool {
        matches!(&self.state, State::Running(running) if running.process.run == run)
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

    fn start(&mut self, ground: &mut Ground) {
        if let Some(reason) = ground.obstacle(&self.template) {
            ground.note(&format!("{} waits: {reason}", self.name));
            self.state = State::Waiting;
            return;
        }
        // Settings and code are read by the process that begins now.
        self.release = ground.release.clone();
        match self.running(ground) {
            Ok(running) => self.state = State::Running(Box::new(running)),
            Err(error) => self.back_off(ground, &format!("could not be started: {error:#}")),
        }
    }

    fn running(&self, ground: &mut Ground) -> anyhow::Result<Running> {
        let run = ground.next_serial();
        // Free again when the replica takes it; if another program is faster,
        // the replica ends and the next attempt gets another port.
        let port = ports::find_free(run)?.local_addr()?.port();
        let set = [("PORT".to_owned(), port.to_string())];
        let process = ground.start(&self.name, run, &self.template, &set)?;
        let probes = Probes::begin(self.template.container(), run, port, &ground.events);
        let backend = Backend::new(run, port);
        Ok(Running {
            process,
            backend,
            ready: false,
            _probes: probes,
        })
    }

    fn back_off(&mut self, ground: &Ground, why: &str) {
        self.crashes += 1;
        self.restarts += 1;
        let pause = restart_back_off(self.crashes);
        ground.note(&format!(
            "{} {why}; again in {} s",
            self.name,
            pause.as_secs()
        ));
        self.state = State::BackOff {
            until: Instant::now() + pause,
        };
    }

    pub fn set_ready(&mut self, ground: &Ground, ready: bool) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        if ready && running.process.asked() {
            return;
        }
        if ready {
            ground.routes.add(&running.backend);
        } else {
            ground.routes.remove(running.process.run);
        }
        if running.ready != ready {
            running.ready = ready;
            let now = if ready {
                "is ready"
            } else {
                "is not ready any more"
            };
            ground.note(&format!("{} {now}", self.name));
        }
    }

    /// The liveness probe gave up on it: its process is replaced, within the
    /// same pod. It stays in the service while its readiness probe passes.
    pub fn restart(&mut self, ground: &Ground) {
        ground.note(&format!("{} does not answer its liveness probe", self.name));
        if let State::Running(running) = &mut self.state {
            running.process.ask();
        }
    }

    /// No new connections from here on; then it is asked to end.
    pub fn stop(&mut self, ground: &Ground) {
        self.leaving = true;
        if let State::Running(running) = &mut self.state {
            ground.routes.remove(running.process.run);
            running.ready = false;
            running.process.ask();
        } else {
            self.remove(ground);
        }
    }

    /// Ends it without warning, and for good; `waiting` hears when it is gone.
    /// The service learns of it by that end alone: until then it sends
    /// connections there, which fail.
    pub fn kill(&mut self, ground: &Ground, waiting: Sender<Reply>) {
        self.leaving = true;
        self.waiting.push(waiting);
        if let State::Running(running) = &mut self.state {
            running.process.kill();
        } else {
            self.remove(ground);
        }
    }

    fn remove(&mut self, ground: &Ground) {
        ground.clean(&self.name);
        self.state = State::Gone;
        for waiting in self.waiting.drain(..) {
            // Whoever asked may have gone away since.
            let _ = waiting.send(Reply::Done);
        }
    }

    pub fn exited(&mut self, ground: &Ground, how: &str) {
        let State::Running(running) = &self.state else {
            return;
        };
        ground.routes.remove(running.process.run);
        if self.leaving {
            ground.note(&format!("{} has ended", self.name));
            return self.remove(ground);
        }
        if running.process.started.elapsed() >= wait::RAN_WELL {
            self.crashes = 0;
        }
        self.back_off(ground, &format!("ended ({how})"));
    }

    /// Does what is due; says when to look again.
    pub fn advance(&mut self, ground: &mut Ground) -> Option<Instant> {
        match &mut self.state {
            State::Running(running) => running.process.advance(running.backend.open()),
            State::BackOff { until } if *until > Instant::now() => Some(*until),
            State::Waiting if ground.obstacle(&self.template).is_some() => None,
            State::BackOff { .. } | State::Waiting => {
                self.start(ground);
                None
            }
            State::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::local::event::Event;
    use crate::local::ground::testing;

    /// A replica that runs `sleep`, taken for ready: it has no probes.
    fn ready(ground: &mut Ground) -> Replica {
        let spec = &mut ground.manifests.deployment.spec.template.spec;
        let container = &mut spec.containers[0];
        container.command = vec!["sleep".into(), "60".into()];
        container.readiness_probe = None;
        container.liveness_probe = None;
        let mut replica = Replica::create(ground);
        replica.set_ready(ground, true);
        assert_eq!(ground.routes.count(), 1);
        replica
    }

    #[test]
    fn who_is_killed_stays_in_the_service_until_its_end_is_noticed() {
        let (mut ground, inbox) = testing::ground("killed");
        let mut replica = ready(&mut ground);
        let (waiting, heard) = mpsc::channel();
        replica.kill(&ground, waiting);
        assert_eq!(ground.routes.count(), 1, "nobody was told beforehand");
        assert!(heard.try_recv().is_err(), "answered before it was gone");
        match inbox.recv_timeout(Duration::from_secs(20)).unwrap() {
            Event::Exited { how, .. } => replica.exited(&ground, &how),
            other => panic!("{other:?}"),
        }
        assert_eq!(ground.routes.count(), 0);
        assert!(heard.try_recv().is_ok() && replica.is_gone());
        testing::remove(&ground);
    }

    #[test]
    fn who_fell_ill_stays_in_the_service_while_its_readiness_holds() {
        let (mut ground, _inbox) = testing::ground("ill");
        let mut replica = ready(&mut ground);
        replica.restart(&ground);
        assert_eq!(ground.routes.count(), 1);
        replica.set_ready(&ground, false);
        assert_eq!(ground.routes.count(), 0);
        replica.set_ready(&ground, true);
        assert_eq!(ground.routes.count(), 0, "it is being ended");
        testing::remove(&ground);
    }
}
