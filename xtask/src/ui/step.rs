//! A step that takes time, and what came of it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};
use terms::lang::{both, fixed};
use terms::tr;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Onlooker, Told, Ui};

/// A step under way. Dropped unfinished, it says that it did not finish.
pub struct Step {
    ui: Ui,
    what: String,
    bar: Option<ProgressBar>,
    start: Instant,
    finished: bool,
}

impl Ui {
    /// Tells somebody of each step from now on, or nobody; not of what is only shown.
    pub fn tell_steps_to(&self, onlooker: Option<Onlooker>) {
        let lock = self.inner.onlooker.lock();
        *lock.unwrap_or_else(PoisonError::into_inner) = onlooker;
    }

    fn tell(&self, told: Told<'_>) {
        let lock = self.inner.onlooker.lock();
        let onlooker = lock.unwrap_or_else(PoisonError::into_inner);
        if let Some(onlooker) = onlooker.as_ref().filter(|_| !self.shown_only) {
            onlooker(told);
        }
    }

    /// Begins a step that takes time: a bar with the elapsed time on a
    /// terminal, a line when it begins and one when it ends elsewhere.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        self.tell(Told::Began(&what));
        let bar = self.inner.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = bars.add(ProgressBar::new_spinner().with_style(style));
            bar.set_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.err(&format!("[{:>7}s] {what} …", fixed(self.elapsed(), 2)));
        }
        Step {
            ui: self.clone(),
            what,
            bar,
            start: Instant::now(),
            finished: false,
        }
    }
}

impl Step {
    /// Ends the step; `outcome` says in a few words what came of it. Where it was
    /// shown only, nothing did.
    pub fn done(self, outcome: impl AsRef<str>) {
        if self.ui.shown_only {
            self.found(tr!("shown", "montré"));
        } else {
            self.found(outcome);
        }
    }

    /// Ends a step that changes nothing, and is carried out in a dry run too.
    pub fn found(mut self, outcome: impl AsRef<str>) {
        self.finish(outcome.as_ref());
        let timing = (self.what.clone(), self.start.elapsed());
        self.ui.lock_timings().push(timing);
    }

    fn finish(&mut self, outcome: &str) {
        self.finished = true;
        self.ui.tell(Told::Ended(&self.what, outcome));
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = self.start.elapsed().as_secs_f64();
        let colon = both(":", " :");
        self.ui.err(&format!(
            "[{:>7}s] {}{colon} {outcome} ({} s)",
            fixed(self.ui.elapsed(), 2),
            self.what,
            fixed(took, 2)
        ));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.finish(both("not finished", "non terminé").text());
        }
    }
}
