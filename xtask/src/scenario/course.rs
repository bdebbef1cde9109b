//! The steps of a scenario: each is announced, timed, noted for the timeline, and shown
//! first with `--step`.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::Result;
use terms::lang::number;
use terms::{PhaseName, tr};

use crate::context::Context;
use crate::engine::{Engine, serving};
use crate::marker::{self, Marker};
use crate::measure::figures::milliseconds;
use crate::measure::ledger::Ledger;
use crate::measure::result::Moment;
use crate::measure::schedule::Backup;
use crate::scenario::run::Run;
use crate::wait;

/// Acknowledgements before the disaster, so that there is something to lose.
const ACKNOWLEDGED_BEFORE: usize = 60;
/// Acknowledgements after the recovery, so that the service is really back.
pub const ACKNOWLEDGED_AFTER: usize = 60;

pub struct Course<'a> {
    pub run: &'a Run<'a>,
    pub engine: &'a dyn Engine,
    pub ledger: &'a Ledger,
    /// When what the recovery needs had been prepared, and how long that took.
    prepared: (f64, f64),
    moments: RefCell<Vec<Moment>>,
}

/// A part that was carried out, in seconds of the ledger's clock.
pub struct Done<T> {
    pub value: T,
    pub began: f64,
    pub ended: f64,
}

impl<'a> Course<'a> {
    /// Begins while the client writes: prepares `what` the recovery will need, and
    /// returns at the moment of the disaster. From here on the run has to end
    /// its recovery, or the next command does.
    pub fn begin(
        run: &'a Run<'a>,
        engine: &'a dyn Engine,
        ledger: &'a Ledger,
        what: &str,
        prepare: impl Fn(&Context, &dyn Engine) -> Result<()>,
    ) -> Result<(Self, Marker)> {
        let (mut course, unfinished) = Self::begin_writing(run, engine, ledger)?;
        if run.options.draw.is_some() {
            // The drill's own interval stands for the schedule.
            engine.suspend_backups(true)?;
        }
        let step = run.ctx.ui.step(what);
        let began = ledger.now();
        prepare(run.ctx, engine)?;
        course.prepared = (ledger.now(), ledger.now() - began);
        step.done(tr!("taken", "prise"));
        run.wait_for_the_moment(Instant::now())?;
        Ok((course, unfinished))
    }

    /// The same where the recovery needs nothing that is not there.
    pub fn begin_as_it_is(
        run: &'a Run<'a>,
        engine: &'a dyn Engine,
        ledger: &'a Ledger,
    ) -> Result<(Self, Marker)> {
        let begun = Self::begin_writing(run, engine, ledger)?;
        run.wait_for_the_moment(Instant::now())?;
        Ok(begun)
    }

    fn begin_writing(
        run: &'a Run<'a>,
        engine: &'a dyn Engine,
        ledger: &'a Ledger,
    ) -> Result<(Self, Marker)> {
        let step = run.ctx.ui.step(tr!("the client writes", "le client écrit"));
        let unfinished = marker::begin(&run.ctx.workspace, engine.name(), run.scenario)?;
        run.acknowledged(engine, ledger, 0.0, ACKNOWLEDGED_BEFORE)?;
        step.done(tr!(
            "{ACKNOWLEDGED_BEFORE} acknowledged",
            "{ACKNOWLEDGED_BEFORE} acquittées"
        ));
        let course = Self {
            run,
            engine,
            ledger,
            prepared: (ledger.now(), 0.0),
            moments: RefCell::default(),
        };
        Ok((course, unfinished))
    }

    /// Carries out one part.
    pub fn act<T>(
        &self,
        what: &str,
        act: impl Fn(&Context, &dyn Engine) -> Result<T>,
    ) -> Result<Done<T>> {
        self.act_and_tell(what, act, done)
    }

    /// As [`Course::act`]; the step ends with what is told of the outcome.
    pub fn act_and_tell<T>(
        &self,
        what: &str,
        act: impl Fn(&Context, &dyn Engine) -> Result<T>,
        tell: impl Fn(&T) -> String,
    ) -> Result<Done<T>> {
        self.show(what, &act)?;
        self.carry_out(what, act, tell)
    }

    /// Carries out the disaster: who is interrupted before has nothing to restore.
    pub fn strike<T>(
        &self,
        mark: &Marker,
        what: &str,
        act: impl Fn(&Context, &dyn Engine) -> Result<T>,
    ) -> Result<Done<T>> {
        self.show(what, &act)?;
        mark.struck()?;
        self.run.progress.disaster(self.ledger.now());
        self.carry_out(what, act, done)
    }

    fn show<T>(&self, what: &str, act: impl Fn(&Context, &dyn Engine) -> Result<T>) -> Result<()> {
        self.run
            .pause(what, |ctx, engine| act(ctx, engine).map(drop))
    }

    fn carry_out<T>(
        &self,
        what: &str,
        act: impl Fn(&Context, &dyn Engine) -> Result<T>,
        tell: impl Fn(&T) -> String,
    ) -> Result<Done<T>> {
        let step = self.run.ctx.ui.step(what);
        let began = self.moment(what);
        let value = act(self.run.ctx, self.engine)?;
        let ended = self.ledger.now();
        step.done(tell(&value));
        Ok(Done {
            value,
            began,
            ended,
        })
    }

    /// The backup that was prepared, where so many of the newest points will
    /// not do; one more than that had been taken.
    pub fn backup(&self, passed_over: usize) -> Backup {
        let (ended, seconds) = self.prepared;
        Backup {
            ended,
            seconds: seconds / (passed_over + 1) as f64,
            passed_over,
        }
    }

    /// Waits for the first request to fail since a moment: users notice. Returns
    /// when that was.
    pub fn noticed(&self, since: f64) -> Result<f64> {
        wait::until(wait::FAILURE_NOTICED, || {
            Ok(self.ledger.failed_since(since))
        })
    }

    /// Waits as long as a person takes to decide, from when the outage was
    /// noticed on, where that was asked for; returns that phase.
    pub fn decided(&self, noticed: f64) -> Result<Option<(PhaseName, f64)>> {
        let Some(delay) = self.run.options.operator_delay else {
            return Ok(None);
        };
        let shown = number(delay);
        let words = tr!(
            "a person decides, {shown} s",
            "une personne décide, {shown} s"
        );
        let step = self.run.ctx.ui.step(&words);
        self.moment(&words);
        self.enters(PhaseName::Decided);
        // The disaster may have gone on after users noticed it.
        let left = (noticed + delay - self.ledger.now()).max(0.0);
        wait::pause(Duration::from_secs_f64(left))?;
        step.done(tr!("the recovery begins", "la reprise commence"));
        Ok(Some((PhaseName::Decided, self.ledger.now())))
    }

    /// Waits until users are served again, by every replica.
    pub fn served_again(&self, since: f64) -> Result<()> {
        self.enters(PhaseName::Serving);
        let step = self.run.ctx.ui.step(tr!(
            "service back through the URL",
            "service de retour par l'URL",
        ));
        self.run
            .acknowledged(self.engine, self.ledger, since, ACKNOWLEDGED_AFTER)?;
        serving::wait_until_ready(self.engine)?;
        step.done(tr!(
            "writes are acknowledged again",
            "les écritures sont de nouveau acquittées",
        ));
        Ok(())
    }

    /// Lets onlookers know, before the disaster, which phase follows the moment at which users
    /// notice it, where nobody has to decide: that may be before the disaster is complete.
    pub fn will_begin_with(&self, phase: PhaseName) {
        let decides = self.run.options.operator_delay.is_some();
        self.enters(if decides { PhaseName::Decided } else { phase });
    }

    /// Lets onlookers know that a phase of the recovery begins. The result has them as they
    /// were measured.
    pub fn enters(&self, phase: PhaseName) {
        self.run.progress.phase(self.ledger.now(), Some(phase));
    }

    /// Lets onlookers know that the service is back.
    pub fn is_back(&self) {
        self.run.progress.phase(self.ledger.now(), None);
    }

    /// Keeps what happens now for the timeline of the run; returns when that is.
    pub fn moment(&self, what: &str) -> f64 {
        let now = self.ledger.now();
        self.run.progress.moment(now, what);
        self.moments.borrow_mut().push(Moment {
            at: milliseconds(now),
            what: what.to_owned(),
        });
        now
    }

    pub fn into_moments(self) -> Vec<Moment> {
        self.moments.into_inner()
    }
}

/// What is told of a part that either fails or is done.
fn done<T>(_: &T) -> String {
    tr!("done", "fait")
}
