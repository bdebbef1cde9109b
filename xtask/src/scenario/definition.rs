//! What a scenario says of itself: what it breaks, what must hold, what it needs of
//! an engine, and how the lab is put back where it was cut off.

use anyhow::Result;
use terms::lang::Both;
use terms::{EngineName, ScenarioName, tr};

use crate::context::Context;
use crate::engine::capability::{self, Capability};
use crate::engine::{self, Engine};
use crate::failure::Failure;
use crate::measure::result::ScenarioResult;
use crate::scenario::everything::{self, Loss as Everything};
use crate::scenario::ha::loss::{self, Loss};
use crate::scenario::healing;
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;

/// A disaster that can be asked for by name or number.
pub struct Scenario {
    pub number: u32,
    pub name: ScenarioName,
    pub title: Both,
    pub breaks: Both,
    pub holds: Both,
    pub takes: Both,
    /// What it needs of an engine, which not every one has.
    pub needs: &'static [Capability],
    /// The recovery needs no person.
    pub by_itself: bool,
    /// What it takes from the lab for good, even where it passes; the person is asked
    /// first.
    pub takes_for_good: Option<Both>,
    pub way: Way,
    /// What puts the lab back after a run that was cut off.
    pub repair: Repair,
}

/// How a scenario goes.
pub enum Way {
    /// As every outage that somebody recovers from.
    Outage(&'static Disaster),
    /// As every loss that takes all but a copy.
    Everything(&'static Everything),
    /// As every loss that a replicated database recovers from by itself.
    Loss(&'static Loss),
    /// In a way of its own.
    Own {
        play: fn(&Run, &dyn Engine) -> Result<ScenarioResult>,
        /// The same changes as shell, for a dry run.
        show: fn(&Context, &dyn Engine) -> Result<()>,
        /// What breaks, alone; `None` where that is nothing to recover from.
        strike: Option<Strike>,
    },
}

/// Breaks something. Afterwards users miss something until somebody recovers it.
pub type Strike = fn(&Context, &dyn Engine) -> Result<()>;

impl Scenario {
    /// Causes the disaster, recovers, and measures.
    pub fn play(&self, run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
        match &self.way {
            Way::Outage(disaster) => outage::play(disaster, run, engine),
            Way::Everything(loss) => everything::play(loss, run, engine),
            Way::Loss(loss) => loss::play(loss, run, engine),
            Way::Own { play, .. } => play(run, engine),
        }
    }

    /// The changes of the scenario as shell, for a dry run; `auto` where nobody restores.
    pub fn show(&self, ctx: &Context, engine: &dyn Engine, auto: bool) -> Result<()> {
        match &self.way {
            Way::Outage(disaster) => outage::show(disaster, ctx, engine, auto),
            Way::Everything(loss) => everything::show(loss, ctx, engine),
            Way::Loss(loss) => loss::show(loss, engine),
            Way::Own { show, .. } => show(ctx, engine),
        }
    }

    /// What breaks in this disaster, alone, for somebody else to recover from; `None`
    /// where the lab recovers by itself, or is gone altogether.
    pub fn strike(&self) -> Option<Strike> {
        match &self.way {
            Way::Outage(disaster) => Some(disaster.strike),
            Way::Loss(_) | Way::Everything(_) => None,
            Way::Own { strike, .. } => *strike,
        }
    }

    /// The first line of output: which disaster, on which engine.
    pub fn announced(&self, engine: EngineName) -> String {
        let (number, title) = (self.number, self.title);
        tr!(
            "Scenario {number} on {engine}, {title}",
            "Scénario {number} sur {engine}, {title}"
        )
    }

    /// The engines on which this disaster cannot be had, and why.
    pub fn not_on(&self) -> impl Iterator<Item = (EngineName, Both)> {
        let engines = EngineName::ALL.iter().copied();
        engines.filter_map(|engine| Some((engine, self.hindrance(engine)?)))
    }

    /// Refuses an engine on which this disaster cannot be had.
    pub fn insist_on(&self, engine: EngineName) -> Result<()> {
        let Some(why) = self.hindrance(engine) else {
            return Ok(());
        };
        let refused = capability::refusal(self.name.word(), engine, why);
        Err(refused.next("cargo xtask scenario --list").into())
    }

    fn hindrance(&self, engine: EngineName) -> Option<Both> {
        capability::hindrance(self.needs, engine::lacks(engine))
    }

    /// Whether the lab can restore by itself what this takes from it.
    pub fn heals(&self) -> bool {
        matches!(&self.way, Way::Outage(disaster) if disaster.heals)
    }

    /// Refuses `--auto` for a scenario from which the lab does not recover by itself.
    pub fn insist_on_healing(&self, auto: bool) -> Result<()> {
        match auto && !self.heals() {
            true => Err(healing::refuse(self.name.word())),
            false => Ok(()),
        }
    }

    /// Refuses a disaster that nothing would bring this lab back from, as `lab.toml` and the keys
    /// of this checkout tell.
    pub fn insist_on_a_way_back(&self, ctx: &Context) -> Result<()> {
        match &self.way {
            Way::Everything(loss) => (loss.insist)(ctx),
            Way::Outage(_) | Way::Loss(_) | Way::Own { .. } => Ok(()),
        }
    }

    /// Refuses `--operator-delay` for a scenario that recovers by itself.
    pub fn insist_on_decider(&self, operator_delay: Option<f64>) -> Result<()> {
        if operator_delay.is_none() || !self.by_itself {
            return Ok(());
        }
        let name = self.name;
        let said = tr!(
            "--operator-delay means nothing for {name}: it recovers by itself, nobody decides \
             anything",
            "--operator-delay n'a pas de sens pour {name} : il se rétablit seul, personne n'a \
             rien à décider",
        );
        Err(Failure::usage(said)
            .next(format!("cargo xtask scenario {}", self.name))
            .into())
    }
}
