//! The process that keeps a forward alive: it listens on the port itself and passes each
//! connection to a ready pod, as a service of the cluster does, through a
//! `kubectl port-forward` for each of them. One to the service would end with its pod.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Kube, Port};
use crate::balance::{self, Backend, Routes, free_port};
use crate::exec::{self, Cmd};
use crate::place::Place;
use crate::wait;

/// Between two tries of a forward, or of a watch, that ended.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two looks at a forward.
const LOOK: Duration = Duration::from_millis(20);
/// How often a forward is tried through: kubectl may outlive its connection.
const TRY: Duration = Duration::from_secs(1);
/// For an answer through it.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a pod that ends is led to where no other one can be reached yet: it answers for
/// two seconds after it is no longer ready (`preStop`).
const LAST_RESORT: Duration = Duration::from_secs(3);
/// For connections to a pod that gets no new ones to end.
const DRAINED: Duration = Duration::from_secs(10);

/// Where a forward leads: a pod or, where pods cannot be watched, the service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    name: String,
    port: u16,
}

/// One forward, as the one who ends it sees it.
#[derive(Default)]
struct Forward {
    ended: AtomicBool,
    serving: Mutex<Option<Arc<Backend>>>,
}

impl Forward {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst) || wait::interrupted()
    }

    /// It gets connections from here on, unless it was ended meanwhile.
    fn serve(&self, backend: &Arc<Backend>, routes: &Routes) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_ended() {
            routes.add(backend);
            *serving = Some(Arc::clone(backend));
        }
    }

    fn serves(&self) -> bool {
        let serving = self.serving.lock();
        serving.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// It gets no connection any more.
    fn leave(&self, routes: &Routes) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = serving.take() {
            routes.remove(&backend);
        }
    }

    fn end(&self, routes: &Routes) {
        self.ended.store(true, Ordering::SeqCst);
        self.leave(routes);
    }
}

/// The forwards to pods that get requests, and to those that got them until just now.
#[derive(Default)]
struct Forwards {
    wanted: BTreeMap<Target, Arc<Forward>>,
    leaving: Vec<(Arc<Forward>, Instant)>,
}

impl Forwards {
    /// Returns those that have to be begun.
    fn want(&mut self, targets: Vec<Target>) -> Vec<(Target, Arc<Forward>)> {
        let now = Instant::now();
        let gone = self.wanted.extract_if(.., |one, _| !targets.contains(one));
        self.leaving.extend(gone.map(|(_, forward)| (forward, now)));
        let mut begun = Vec::new();
        for target in targets {
            self.wanted.entry(target.clone()).or_insert_with(|| {
                let forward = Arc::<Forward>::default();
                begun.push((target, Arc::clone(&forward)));
                forward
            });
        }
        begun
    }

    /// Ends those that are not wanted any more. As in a service, a pod that is being ended
    /// and still answers is better than none: kubectl may need longer to reach the next one.
    fn let_go(&mut self, routes: &Routes) {
        let others = self.wanted.values().any(|forward| forward.serves());
        self.leaving.retain(|(forward, since)| {
            let stays = !others && forward.serves() && since.elapsed() < LAST_RESORT;
            if !stays {
                forward.end(routes);
            }
            stays
        });
    }

    fn end(&self, routes: &Routes) {
        let leaving = self.leaving.iter().map(|(forward, _)| forward);
        for forward in self.wanted.values().chain(leaving) {
            forward.end(routes);
        }
    }
}

pub(super) struct Keeper<'a> {
    pub kube: &'a Kube,
    pub port: &'a Port,
    /// Held as long as anything of the forward lives: kubectl holds it too.
    pub lock: &'a File,
    pub place: &'a Place,
}

impl Keeper<'_> {
    /// Returns when it is told to end, or the lab's folder is gone.
    pub fn keep(&self, listener: TcpListener) -> Result<()> {
        let routes = Arc::new(Routes::default());
        balance::serve(listener, Arc::clone(&routes)).context("starting the forward")?;
        let over = AtomicBool::new(false);
        let (sender, seen) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| self.watch(&sender, &over));
            let mut forwards = Forwards::default();
            while !wait::interrupted() && self.place.holds() {
                if let Ok(wanted) = seen.recv_timeout(PAUSE) {
                    for (target, forward) in forwards.want(wanted) {
                        let routes = Arc::clone(&routes);
                        scope.spawn(move || self.tend(&target, &forward, &routes));
                    }
                }
                forwards.let_go(&routes);
            }
            over.store(true, Ordering::SeqCst);
            forwards.end(&routes);
        });
        Ok(())
    }

    /// Tells of the pods that get requests, each time that they change.
    fn watch(&self, sender: &Sender<Vec<Target>>, over: &AtomicBool) {
        let ended = || over.load(Ordering::SeqCst) || wait::interrupted();
        while !ended() {
            let Ok((mut kubectl, pipe)) = self.start_watch() else {
                thread::sleep(PAUSE);
                continue;
            };
            let (told, done) = (AtomicBool::new(false), AtomicBool::new(false));
            thread::scope(|scope| {
                scope.spawn(|| {
                    self.read(pipe, sender, &told);
                    done.store(true, Ordering::SeqCst);
                });
                while !ended() && !done.load(Ordering::SeqCst) {
                    thread::sleep(LOOK);
                }
                stop(&mut kubectl);
            });
            if !told.load(Ordering::SeqCst) {
                // As where this account may not look at them.
                let service = format!("service/{}", self.port.service);
                let target = Target {
                    name: service,
                    port: 80,
                };
                // Nobody listens any more once the forward has ended.
                let _ = sender.send(vec![target]);
                thread::sleep(TRY);
            }
            thread::sleep(PAUSE);
        }
    }

    fn start_watch(&self) -> Result<(Child, std::io::PipeReader)> {
        let selector = format!("kubernetes.io/service-name={}", self.port.service);
        let words = ["get", "endpointslices", "-l", &selector, "--watch"];
        let words = words
            .into_iter()
            .chain(["--output-watch-events", "-o", "json"]);
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let writer = File::from(OwnedFd::from(writer));
        let kubectl = self.spawn(&self.kube.kubectl()?.cmd(words), &writer)?;
        Ok((kubectl, reader))
    }

    fn read(&self, pipe: std::io::PipeReader, sender: &Sender<Vec<Target>>, told: &AtomicBool) {
        let mut slices = BTreeMap::new();
        let events = serde_json::Deserializer::from_reader(BufReader::new(pipe));
        let events = events.into_iter::<Value>().map_while(Result::ok);
        for event in events.filter(|event| event["type"].is_string()) {
            note(&mut slices, &event);
            told.store(true, Ordering::SeqCst);
            let mut all: Vec<Target> = slices.values().flatten().cloned().collect();
            all.sort();
            // A pod with addresses of two kinds is in two slices.
            all.dedup();
            if sender.send(all).is_err() {
                return;
            }
        }
    }

    /// Keeps the forward to one target, until it is ended.
    fn tend(&self, target: &Target, forward: &Forward, routes: &Routes) {
        while !forward.has_ended() {
            if let Ok((port, mut kubectl)) = self.start(target) {
                let backend = Backend::new(port);
                serve(forward, routes, &backend, port, &mut kubectl);
                drain(&backend);
                stop(&mut kubectl);
            }
            if !forward.has_ended() {
                thread::sleep(PAUSE);
            }
        }
    }

    fn start(&self, target: &Target) -> Result<(u16, Child)> {
        let port = free_port(0)?;
        let ports = format!("{port}:{}", target.port);
        let words = ["port-forward", &target.name, &ports];
        let nowhere = File::options().write(true).open("/dev/null")?;
        let kubectl = self.spawn(&self.kube.kubectl()?.cmd(words), &nowhere)?;
        Ok((port, kubectl))
    }

    fn spawn(&self, cmd: &Cmd, output: &File) -> Result<Child> {
        let stdin = Stdio::from(self.lock.try_clone().context("sharing the lock")?);
        exec::spawn(cmd, stdin, output, false)
    }
}

/// Returns when the forward was ended, or kubectl leads nowhere any more.
fn serve(
    forward: &Forward,
    routes: &Routes,
    backend: &Arc<Backend>,
    port: u16,
    kubectl: &mut Child,
) {
    let mut lives = || matches!(kubectl.try_wait(), Ok(None));
    while !listens(port) {
        if forward.has_ended() || !lives() {
            return;
        }
        thread::sleep(LOOK);
    }
    forward.serve(backend, routes);
    let (mut failures, mut tried) = (0, Instant::now());
    while !forward.has_ended() && lives() && failures < 2 {
        thread::sleep(LOOK);
        if tried.elapsed() >= TRY {
            failures = if answers(port) { 0 } else { failures + 1 };
            tried = Instant::now();
        }
    }
    forward.leave(routes);
}

/// Lets connections that are open end by themselves, for a while.
fn drain(backend: &Backend) {
    let since = Instant::now();
    while backend.open() > 0 && since.elapsed() < DRAINED && !wait::interrupted() {
        thread::sleep(LOOK);
    }
}

fn stop(kubectl: &mut Child) {
    // It is gone already where it ended by itself.
    let _ = kubectl.kill();
    let _ = kubectl.wait();
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether anything answers through it, whatever it says.
fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        stream.read(&mut [0; 16])
    };
    ask().is_ok_and(|read| read > 0)
}

/// Keeps what an event says of one slice of the service's endpoints.
fn note(slices: &mut BTreeMap<String, Vec<Target>>, event: &Value) {
    let slice = &event["object"];
    let name = slice["metadata"]["name"].as_str().unwrap_or_default();
    if event["type"] == "DELETED" {
        slices.remove(name);
        return;
    }
    let port = slice["ports"][0]["port"].as_u64();
    let port = port.and_then(|port| u16::try_from(port).ok());
    let endpoints = slice["endpoints"].as_array().into_iter().flatten();
    // What says nothing of it counts as ready.
    let ready = endpoints.filter(|one| one["conditions"]["ready"] != false);
    let pods = ready.filter_map(|one| {
        let pod = one["targetRef"]["name"].as_str()?;
        Some(Target {
            name: format!("pod/{pod}"),
            port: port?,
        })
    });
    slices.insert(name.to_owned(), pods.collect());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: &str, endpoints: &[(&str, Option<bool>)]) -> Value {
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|(pod, ready)| json!({"targetRef": {"name": pod}, "conditions": {"ready": ready}}))
            .collect();
        json!({"type": kind, "object": {"metadata": {"name": "flask-1"},
            "ports": [{"port": 8080}], "endpoints": endpoints}})
    }

    fn pods(slices: &BTreeMap<String, Vec<Target>>) -> Vec<&str> {
        let all = slices.values().flatten();
        all.map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn pods_that_are_not_ready_get_no_connection() {
        let mut slices = BTreeMap::new();
        let some = [("a", Some(true)), ("b", Some(false)), ("c", None)];
        note(&mut slices, &event("ADDED", &some));
        assert_eq!(pods(&slices), ["pod/a", "pod/c"]);
        note(&mut slices, &event("MODIFIED", &[("b", Some(true))]));
        assert_eq!(pods(&slices), ["pod/b"]);
        assert_eq!(slices["flask-1"][0].port, 8080);
        note(&mut slices, &event("DELETED", &[("b", Some(true))]));
        assert!(pods(&slices).is_empty());
    }

    #[test]
    fn a_forward_that_was_ended_serves_nobody() {
        let (routes, forward, backend) = (Routes::default(), Forward::default(), Backend::new(1));
        forward.serve(&backend, &routes);
        forward.end(&routes);
        assert!(forward.has_ended() && forward.serving.lock().unwrap().is_none());
        forward.serve(&backend, &routes);
        assert!(forward.serving.lock().unwrap().is_none());
    }

    #[test]
    fn the_last_pod_is_led_to_until_another_one_is_reached() {
        let target = |pod: &str| Target {
            name: format!("pod/{pod}"),
            port: 8080,
        };
        let (routes, mut forwards) = (Routes::default(), Forwards::default());
        let [(_, old)] = &forwards.want(vec![target("a")])[..] else {
            panic!("one is begun");
        };
        old.serve(&Backend::new(1), &routes);
        let [(_, new)] = &forwards.want(vec![target("b")])[..] else {
            panic!("one is begun");
        };
        forwards.let_go(&routes);
        assert!(old.serves(), "nobody else does");
        new.serve(&Backend::new(2), &routes);
        forwards.let_go(&routes);
        assert!(!old.serves() && old.has_ended() && new.serves());
        assert_eq!(routes.count(), 1);

        forwards.want(Vec::new());
        forwards.let_go(&routes);
        assert!(new.serves());
        new.leave(&routes);
        forwards.let_go(&routes);
        assert!(new.has_ended(), "it leads nowhere any more");
    }
}
