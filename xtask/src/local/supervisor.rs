//! The supervisor: one thread owns all state and takes events in turn.

mod declared;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use anyhow::Result;

use crate::facts::Facts;
use crate::failure;
use crate::manifests;
use crate::wait;

use super::event::Event;
use super::ground::Ground;
use super::job::{JobRun, earlier};
use super::jobs::{self, Jobs};
use super::protocol::{Ask, Reply};
use super::replica::Replica;
use super::{logs, volumes};
use crate::cron;

pub struct Supervisor {
    ground: Ground,
    events: Receiver<Event>,
    replicas: Vec<Replica>,
    jobs: Jobs,
    stopping: bool,
    logs_seen: Instant,
}

impl Supervisor {
    pub fn new(ground: Ground, events: Receiver<Event>) -> Self {
        Self {
            ground,
            events,
            replicas: Vec::new(),
            jobs: Jobs::default(),
            stopping: false,
            logs_seen: Instant::now(),
        }
    }

    /// Runs until it is asked to stop and everything it started is gone.
    pub fn run(mut self) {
        loop {
            self.end_without_a_folder();
            let again = self.advance();
            if self.stopping && self.replicas.is_empty() && self.jobs.all_done() {
                return;
            }
            match self
                .events
                .recv_timeout(again.saturating_duration_since(Instant::now()))
            {
                Ok(event) => {
                    self.end_without_a_folder();
                    self.handle(event);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // It cannot happen while the ground holds a sender.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Pods know their volumes by paths that lead nowhere now, or to another lab.
    fn end_without_a_folder(&mut self) {
        if !self.stopping && !self.ground.place.holds() {
            self.ground
                .note("the folder of this lab is gone, or another one has its place");
            self.stop();
        }
    }

    /// Does what is due; says when to look again at the latest.
    fn advance(&mut self) -> Instant {
        let ground = &mut self.ground;
        let mut again = Some(Instant::now() + wait::PLACE_LOOK);
        if !self.stopping {
            again = earlier(
                again,
                Some(self.jobs.keep_schedule(ground, jobs::since_1970())),
            );
        }
        again = earlier(again, self.jobs.advance(ground));
        for replica in &mut self.replicas {
            again = earlier(again, replica.advance(ground));
        }
        self.replicas.retain(|replica| !replica.is_gone());
        if !self.stopping {
            self.reconcile();
        }
        self.keep_logs_small();
        again.unwrap_or_else(Instant::now)
    }

    /// Makes as many replicas as are wanted, of the template that is declared.
    fn reconcile(&mut self) {
        let wanted = self.ground.wishes.replicas as usize;
        let template = self.ground.manifests.deployment.spec.template.spec.clone();
        let staying = |replicas: &[Replica], current: bool| {
            let stays = |r: &&Replica| !r.is_leaving() && r.is_current(&template) == current;
            replicas.iter().filter(stays).count()
        };
        let outdated = staying(&self.replicas, false);
        // While outdated ones are replaced there is one more than wanted.
        let room = wanted + usize::from(outdated > 0 && wanted > 0);
        while staying(&self.replicas, true) < wanted
            && staying(&self.replicas, true) + staying(&self.replicas, false) < room
        {
            self.replicas.push(Replica::create(&mut self.ground));
        }
        // An outdated one goes as soon as its successor is ready, and none has
        // to stay for its own sake: it may be the template that is broken.
        let coming = |r: &&Replica| r.is_current(&template) && !r.is_leaving() && !r.is_ready();
        let coming = self.replicas.iter().filter(coming).count();
        let kept = wanted + if outdated > 0 { coming } else { 0 };
        let all = staying(&self.replicas, true) + outdated;
        let surplus = all.saturating_sub(kept);
        self.stop_some(surplus, &template);
    }

    /// Stops outdated replicas first, then those nobody is served by, then the
    /// newest.
    fn stop_some(&mut self, count: usize, template: &manifests::model::PodSpec) {
        let mut staying: Vec<&mut Replica> = self
            .replicas
            .iter_mut()
            .rev()
            .filter(|replica| !replica.is_leaving())
            .collect();
        staying.sort_by_key(|replica| (replica.is_current(template), replica.is_ready()));
        for replica in staying.into_iter().take(count) {
            replica.stop(&self.ground);
        }
    }

    fn keep_logs_small(&mut self) {
        let due = self.logs_seen.elapsed() >= wait::HOUSEKEEPING;
        if !due || !self.ground.place.holds() {
            return;
        }
        self.logs_seen = Instant::now();
        let replicas = self
            .replicas
            .iter()
            .map(|replica| replica.name().to_owned());
        let jobs = self.jobs.iter().flat_map(|job| job.pods().iter().cloned());
        let alive: BTreeSet<String> = replicas.chain(jobs).collect();
        let kept = logs::rotate(&self.ground.lab)
            .and_then(|()| logs::forget_old(&self.ground.lab, &alive));
        if let Err(error) = kept {
            self.ground.note(&format!("{error:#}"));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Exited { run, code, how } => {
                self.jobs.exited(&self.ground, run, code, &how);
                self.with_replica(run, |replica, ground| replica.exited(ground, &how));
            }
            Event::Ready { run, passing } => {
                self.with_replica(run, |replica, ground| replica.set_ready(ground, passing));
            }
            Event::Unhealthy { run } => {
                self.with_replica(run, |replica, ground| replica.restart(ground));
            }
            Event::Asked { ask, answer } => self.answer(ask, answer),
            Event::Stop => self.stop(),
        }
    }

    fn with_replica(&mut self, run: u64, act: impl FnOnce(&mut Replica, &Ground)) {
        if let Some(replica) = self.replicas.iter_mut().find(|replica| replica.runs(run)) {
            act(replica, &self.ground);
        }
    }

    fn stop(&mut self) {
        if !self.stopping {
            self.ground.note("stops");
        }
        self.stopping = true;
        for replica in &mut self.replicas {
            if !replica.is_leaving() {
                replica.stop(&self.ground);
            }
        }
        self.jobs.end_all(&self.ground);
    }

    /// Answers at once, or hands `answer` on to whoever will know.
    fn answer(&mut self, ask: Ask, answer: Sender<Reply>) {
        let waiting = answer.clone();
        let reply = match ask {
            Ask::Facts => Ok(Some(Reply::Facts(self.facts()))),
            Ask::Stop => {
                self.stop();
                Ok(Some(Reply::Done))
            }
            _ if self.stopping => Ok(Some(refused(
                "the supervisor is about to end",
                "cargo xtask setup",
            ))),
            Ask::Apply => self.apply(),
            Ask::RollOut => Ok(Some(self.roll_out())),
            Ask::Pending => self.pending(),
            Ask::Settings => Ok(Some(self.settings())),
            Ask::Scale(replicas) => self.wish(|wishes| wishes.replicas = replicas),
            Ask::Suspend(suspended) => self.suspend(suspended),
            Ask::RunJob { name, source } => self.run_job(&name, source, waiting),
            Ask::DeleteJobs => {
                self.jobs.delete_all(&self.ground, waiting);
                Ok(None)
            }
            Ask::DeleteVolume(claim) => self.delete_volume(&claim, waiting),
            Ask::Kill { pod, hard } => Ok(self.kill(&pod, hard, waiting)),
        };
        let reply = reply.unwrap_or_else(|error| Some(broken(&error)));
        if let Some(reply) = reply {
            // Whoever asked may have gone away since.
            let _ = answer.send(reply);
        }
    }

    fn facts(&self) -> Facts {
        let ground = &self.ground;
        Facts {
            running: !self.stopping,
            url: ground
                .wishes
                .port
                .map(|port| format!("http://127.0.0.1:{port}")),
            wanted: ground.wishes.replicas,
            pods: self.replicas.iter().map(Replica::facts).collect(),
            schedule: ground.manifests.cron_job.spec.schedule.clone(),
            suspended: ground.wishes.suspended,
            volumes: volumes::list(&ground.lab, &ground.manifests.claims),
            jobs: self.jobs.iter().map(JobRun::facts).collect(),
        }
    }

    /// Changes what is wanted: on disk first, so that it is not forgotten.
    fn wish(&mut self, change: impl FnOnce(&mut super::wishes::Wishes)) -> Result<Option<Reply>> {
        let mut wishes = self.ground.wishes.clone();
        change(&mut wishes);
        wishes.save(&self.ground.lab)?;
        self.ground.wishes = wishes;
        Ok(Some(Reply::Done))
    }

    fn suspend(&mut self, suspended: bool) -> Result<Option<Reply>> {
        self.ground.note(if suspended {
            "backups are suspended"
        } else {
            "backups are resumed"
        });
        self.wish(|wishes| wishes.suspended = suspended)
    }

    fn run_job(
        &mut self,
        name: &str,
        source: crate::facts::JobSource,
        waiting: Sender<Reply>,
    ) -> Result<Option<Reply>> {
        let begun = self.jobs.run(&mut self.ground, name, source, waiting)?;
        Ok(begun.err().map(|why| refused(&why, "cargo xtask status")))
    }

    fn delete_volume(&mut self, claim: &str, waiting: Sender<Reply>) -> Result<Option<Reply>> {
        if !self
            .ground
            .manifests
            .claims
            .iter()
            .any(|known| known == claim)
        {
            let known = self.ground.manifests.claims.join(", ");
            let message = format!("k8s/ declares no claim {claim}; it declares {known}");
            return Ok(Some(refused(&message, "cargo xtask status")));
        }
        let users = self.users(claim);
        if !users.is_empty() {
            let message = format!("volume {claim} is in use by {}", users.join(", "));
            let next = "cargo xtask local scale 0 && cargo xtask local delete-jobs";
            return Ok(Some(refused(&message, next)));
        }
        let unique = self.ground.next_serial();
        let Some(aside) = volumes::set_aside(&self.ground.lab, claim, unique)? else {
            return Ok(Some(Reply::Done));
        };
        self.ground.note(&format!("volume {claim} is deleted"));
        std::thread::spawn(move || {
            let reply =
                volumes::remove(&aside).map_or_else(|error| broken(&error), |()| Reply::Done);
            // Whoever asked may have gone away since.
            let _ = waiting.send(reply);
        });
        Ok(None)
    }

    fn users(&self, claim: &str) -> Vec<String> {
        let replicas = self.replicas.iter().filter(|replica| replica.mounts(claim));
        let jobs = self.jobs.iter().filter(|job| job.mounts(claim));
        replicas
            .map(|replica| replica.name().to_owned())
            .chain(jobs.map(|job| format!("job {}", job.name)))
            .collect()
    }

    /// A replica that is killed answers once it is gone; one that is asked to
    /// stop takes its time, and nobody waits for it here.
    fn kill(&mut self, pod: &str, hard: bool, waiting: Sender<Reply>) -> Option<Reply> {
        let Some(replica) = self
            .replicas
            .iter_mut()
            .find(|replica| replica.name() == pod)
        else {
            let known: Vec<&str> = self.replicas.iter().map(Replica::name).collect();
            let message = format!("there is no pod {pod}; there are: {}", known.join(", "));
            return Some(refused(&message, "cargo xtask status"));
        };
        if hard {
            replica.kill(&self.ground, waiting);
            return None;
        }
        replica.stop(&self.ground);
        Some(Reply::Done)
    }
}

/// A lab that is new has missed no run yet.
pub fn this_minute() -> cron::Minute {
    cron::minute(jobs::since_1970())
}

fn refused(message: &str, next: &str) -> Reply {
    Reply::Refused {
        message: message.to_owned(),
        next: next.to_owned(),
    }
}

fn broken(error: &anyhow::Error) -> Reply {
    let next = failure::next(error)
        .unwrap_or("cargo xtask status")
        .to_owned();
    let message = format!("{error:#}");
    match failure::kind(error) {
        failure::Kind::Usage => Reply::Refused { message, next },
        _ => Reply::Failed { message, next },
    }
}
