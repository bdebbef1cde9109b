//! Probes of the replicas: a thread for each, which ends with the process it
//! looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::http;
use crate::manifests::model::Probe;

/// A probe that looks again and again, until it is dropped.
#[derive(Debug)]
pub struct Probing {
    passes: Arc<AtomicBool>,
    _keep: Sender<()>,
}

impl Probing {
    /// Begins to look at what listens on `port`; the verdict is `passes` until
    /// enough answers agree.
    pub fn begin(probe: &Probe, port: u16, passes: bool) -> Self {
        let passes = Arc::new(AtomicBool::new(passes));
        let (keep, ended) = mpsc::channel();
        let (probe, verdict) = (probe.clone(), Arc::clone(&passes));
        thread::spawn(move || look(&probe, port, &verdict, &ended));
        Self {
            passes,
            _keep: keep,
        }
    }

    pub fn passes(&self) -> bool {
        self.passes.load(Ordering::Relaxed)
    }

    /// One that has its verdict and looks no more.
    #[cfg(test)]
    pub fn decided(passes: bool) -> Self {
        Self {
            passes: Arc::new(AtomicBool::new(passes)),
            _keep: mpsc::channel().0,
        }
    }
}

/// The first look is at once, as a kubelet's when a container has started; from one to the
/// next is a period, however long the answer takes.
fn look(probe: &Probe, port: u16, passes: &AtomicBool, ended: &Receiver<()>) {
    let url = format!("http://127.0.0.1:{port}{}", probe.http_get.path);
    let mut pause = Duration::from_secs(probe.initial_delay_seconds);
    let mut count = Count::default();
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
        let begun = Instant::now();
        let answers = http::answers(&url, probe.timeout_seconds);
        if let Some(verdict) = count.verdict(probe, answers) {
            passes.store(verdict, Ordering::Relaxed);
        }
        pause = Duration::from_secs(probe.period_seconds).saturating_sub(begun.elapsed());
    }
}

/// Answers in a row.
#[derive(Default)]
struct Count {
    last: bool,
    same: u32,
}

impl Count {
    /// What the thresholds say, once enough answers agree.
    fn verdict(&mut self, probe: &Probe, answers: bool) -> Option<bool> {
        let same = if answers == self.last { self.same } else { 0 };
        (self.last, self.same) = (answers, same.saturating_add(1));
        let enough = if answers {
            probe.success_threshold
        } else {
            probe.failure_threshold
        };
        (self.same >= enough).then_some(answers)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What users wait for after a recovery must not be shorter than on a cluster.
    #[test]
    fn a_process_that_was_never_ready_is_asked_no_more_often_than_declared() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = "{httpGet: {path: /, port: 80}, periodSeconds: 1, timeoutSeconds: 1}";
        let probing = Probing::begin(&serde_norway::from_str(text).unwrap(), port, false);
        // Closed at once: no answer.
        drop(listener.accept().unwrap());
        let first = Instant::now();
        drop(listener.accept().unwrap());
        assert!(first.elapsed() >= Duration::from_millis(900));
        assert!(!probing.passes());
    }

    /// One that hangs is noticed as soon as on a cluster.
    #[test]
    fn a_process_that_does_not_answer_is_asked_at_the_period_all_the_same() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = "{httpGet: {path: /, port: 80}, periodSeconds: 3, timeoutSeconds: 3}";
        let probing = Probing::begin(&serde_norway::from_str(text).unwrap(), port, true);
        let hanging = listener.accept().unwrap();
        let first = Instant::now();
        let _next = listener.accept().unwrap();
        assert!(first.elapsed() < Duration::from_secs(5), "{probing:?}");
        drop(hanging);
    }

    #[test]
    fn thresholds_count_answers_in_a_row() {
        let text = "{httpGet: {path: /, port: 80}, failureThreshold: 2, successThreshold: 2}";
        let probe: Probe = serde_norway::from_str(text).unwrap();
        let mut count = Count::default();
        let answers = [true, false, true, true, false, true, false, false];
        let verdicts = answers.map(|answer| count.verdict(&probe, answer));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(verdicts, [None, None, None, yes, None, None, None, no]);
    }
}
