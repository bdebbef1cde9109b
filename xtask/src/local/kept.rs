//! A process beside the replicas that is kept running: one that ends is started again, with the
//! pauses of a kubelet.

use std::time::{Duration, Instant};

use terms::tr;

use crate::wait;

use super::launch::Launch;
use super::process::{Ended, Process};
use super::shared::{Shared, restart_back_off};

pub struct Kept {
    /// Of its pod.
    pub name: &'static str,
    launch: Launch,
    grace: Duration,
    state: State,
    crashes: u32,
    leaving: bool,
}

enum State {
    Running(Box<Process>),
    BackOff {
        until: Instant,
        pause: Duration,
        trouble: Trouble,
    },
    Gone,
}

/// Why it does not run; in words only once it is told, in the language of who asks.
enum Trouble {
    Ended(String),
    NotStarted(String),
}

impl Trouble {
    fn told(&self, pause: Duration) -> String {
        let seconds = pause.as_secs();
        match self {
            Self::Ended(how) => tr!(
                "it ended ({how}); again in {seconds} s",
                "il s'est arrêté ({how}) ; nouvel essai dans {seconds} s",
            ),
            Self::NotStarted(error) => tr!(
                "it could not be started: {error}; again in {seconds} s",
                "il n'a pas pu être démarré : {error} ; nouvel essai dans {seconds} s",
            ),
        }
    }
}

impl Kept {
    /// Starts it; `grace` is how long it may take once it is asked to end.
    pub fn begin(name: &'static str, launch: Launch, grace: Duration, shared: &Shared) -> Self {
        let mut kept = Self {
            name,
            launch,
            grace,
            state: State::Gone,
            crashes: 0,
            leaving: false,
        };
        kept.start(shared);
        kept
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Why it does not run; `None` where it does.
    pub fn trouble(&self) -> Option<String> {
        match &self.state {
            State::BackOff { pause, trouble, .. } => Some(trouble.told(*pause)),
            State::Running(_) | State::Gone => None,
        }
    }

    /// Has it read its files anew.
    pub fn reload(&self) {
        if let State::Running(process) = &self.state {
            process.reload();
        }
    }

    pub fn stop(&mut self) {
        self.leaving = true;
        match &mut self.state {
            State::Running(process) => process.ask(),
            State::BackOff { .. } => self.state = State::Gone,
            State::Gone => {}
        }
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared) {
        match &mut self.state {
            State::Running(process) => {
                if let Some(ended) = process.advance(0) {
                    self.ended(shared, &ended);
                }
            }
            State::BackOff { until, .. } if *until <= Instant::now() => self.start(shared),
            State::BackOff { .. } | State::Gone => {}
        }
    }

    fn ended(&mut self, shared: &Shared, ended: &Ended) {
        if self.leaving {
            shared.clean(self.name);
            self.state = State::Gone;
            return;
        }
        if let State::Running(process) = &self.state
            && process.started.elapsed() >= wait::RAN_WELL
        {
            self.crashes = 0;
        }
        self.back_off(shared, Trouble::Ended(ended.how.clone()));
    }

    fn back_off(&mut self, shared: &Shared, trouble: Trouble) {
        self.crashes += 1;
        let pause = restart_back_off(self.crashes);
        shared.note(&format!("{}: {}", self.name, trouble.told(pause)));
        let until = Instant::now() + pause;
        self.state = State::BackOff {
            until,
            pause,
            trouble,
        };
    }

    fn start(&mut self, shared: &Shared) {
        match Process::start(&shared.workspace, self.name, &self.launch, self.grace) {
            Ok(process) => self.state = State::Running(Box::new(process)),
            Err(error) => self.back_off(shared, Trouble::NotStarted(format!("{error:#}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::lang::{self, Lang};

    #[test]
    fn why_it_does_not_run_is_told_in_the_language_of_who_asks() {
        let ended = Trouble::Ended("signal: 9".to_owned());
        let told = |lang| lang::speaking(lang, || ended.told(Duration::from_secs(10)));
        assert_eq!(told(Lang::English), "it ended (signal: 9); again in 10 s");
        let french = "il s'est arrêté (signal: 9) ; nouvel essai dans 10 s";
        assert_eq!(told(Lang::French), french);
    }
}
