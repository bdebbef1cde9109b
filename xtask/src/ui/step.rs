//! A step that takes time, and what came of it.

use std::time::Instant;

use indicatif::ProgressBar;

use super::Ui;

/// A step under way. Dropped unfinished, it says that it did not finish.
pub struct Step {
    pub(super) ui: Ui,
    pub(super) what: String,
    pub(super) bar: Option<ProgressBar>,
    pub(super) start: Instant,
    pub(super) finished: bool,
}

impl Step {
    /// Ends the step; `outcome` says in a few words what came of it. Where it was
    /// shown only, nothing did.
    pub fn done(self, outcome: impl AsRef<str>) {
        if self.ui.shown_only {
            self.found("shown");
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
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = self.start.elapsed().as_secs_f64();
        self.ui.err(&format!(
            "[{:7.2}s] {}: {outcome} ({took:.2} s)",
            self.ui.elapsed(),
            self.what
        ));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.finish("not finished");
        }
    }
}
