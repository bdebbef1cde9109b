//! Probes of the replicas: a thread for each, which ends with the process it
//! looks at.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::http;
use crate::manifests::model::{Container, Probe};

use super::event::Event;

/// Ends the probes when it is dropped.
#[derive(Debug)]
pub struct Probes {
    _running: Vec<Sender<()>>,
}

impl Probes {
    /// Begins to look at the process `run`, which listens on `port`.
    pub fn begin(container: &Container, run: u64, port: u16, events: &Sender<Event>) -> Self {
        let looks: [(Option<&Probe>, Look); 2] = [
            (container.readiness_probe.as_ref(), readiness),
            (container.liveness_probe.as_ref(), liveness),
        ];
        let mut running = Vec::new();
        for (probe, look) in looks {
            let Some(probe) = probe.cloned() else {
                continue;
            };
            let (keep, ended) = mpsc::channel();
            let events = events.clone();
            thread::spawn(move || {
                look(&Target {
                    probe,
                    run,
                    port,
                    ended,
                    events,
                })
            });
            running.push(keep);
        }
        Self { _running: running }
    }
}

type Look = fn(&Target);

struct Target {
    probe: Probe,
    run: u64,
    port: u16,
    ended: Receiver<()>,
    events: Sender<Event>,
}

impl Target {
    /// Waits; false once the process is nobody's business any more.
    fn pause(&self, time: Duration) -> bool {
        matches!(
            self.ended.recv_timeout(time),
            Err(RecvTimeoutError::Timeout)
        )
    }

    fn answers(&self) -> bool {
        let path = &self.probe.http_get.path;
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        http::answers(&url, self.probe.timeout_seconds)
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more once the supervisor is ending.
        let _ = self.events.send(event);
    }

    fn period(&self) -> Duration {
        Duration::from_secs(self.probe.period_seconds)
    }

    fn initial_delay(&self) -> Duration {
        Duration::from_secs(self.probe.initial_delay_seconds)
    }
}

/// The first look is at once, as a kubelet's when a container has started.
fn readiness(target: &Target) {
    if !target.pause(target.initial_delay()) {
        return;
    }
    let mut count = Count::default();
    loop {
        if let Some(passing) = count.verdict(&target.probe, target.answers()) {
            target.tell(Event::Ready {
                run: target.run,
                passing,
            });
        }
        if !target.pause(target.period()) {
            return;
        }
    }
}

fn liveness(target: &Target) {
    if !target.pause(target.initial_delay()) {
        return;
    }
    let mut count = Count::default();
    loop {
        if count.verdict(&target.probe, target.answers()) == Some(false) {
            return target.tell(Event::Unhealthy { run: target.run });
        }
        if !target.pause(target.period()) {
            return;
        }
    }
}

/// Answers in a row.
#[derive(Default)]
struct Count {
    good: u32,
    bad: u32,
}

impl Count {
    /// What the thresholds say, once enough answers agree.
    fn verdict(&mut self, probe: &Probe, answers: bool) -> Option<bool> {
        if answers {
            *self = Self {
                good: self.good.saturating_add(1),
                bad: 0,
            };
            return (self.good >= probe.success_threshold).then_some(true);
        }
        *self = Self {
            good: 0,
            bad: self.bad.saturating_add(1),
        };
        (self.bad >= probe.failure_threshold).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// What users wait for after a recovery must not be shorter than on a cluster.
    #[test]
    fn a_process_that_was_never_ready_is_asked_no_more_often_than_declared() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = "{httpGet: {port: 80}, periodSeconds: 1, timeoutSeconds: 1}";
        let (keep, ended) = mpsc::channel::<()>();
        let (events, _inbox) = mpsc::channel();
        let target = Target {
            probe: serde_norway::from_str(text).unwrap(),
            run: 1,
            port,
            ended,
            events,
        };
        thread::spawn(move || readiness(&target));
        // Closed at once: no answer.
        drop(listener.accept().unwrap());
        let first = Instant::now();
        drop(listener.accept().unwrap());
        assert!(first.elapsed() >= Duration::from_millis(900));
        drop(keep);
    }

    #[test]
    fn thresholds_count_answers_in_a_row() {
        let text = "{httpGet: {port: 80}, failureThreshold: 2, successThreshold: 2}";
        let probe: Probe = serde_norway::from_str(text).unwrap();
        let mut count = Count::default();
        let answers = [true, false, true, true, false, true, false, false];
        let verdicts = answers.map(|answer| count.verdict(&probe, answer));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(verdicts, [None, None, None, yes, None, None, None, no]);
    }
}
