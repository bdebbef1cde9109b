//! One look at a lab: whatever it can be asked, and why it could not be asked the rest.

use std::time::Instant;

use serde::Serialize;
use terms::{EngineName, LabName, Labelled, Protection, tr};

use super::doing::{self, Doing};
use super::rate::{self, Rate, Rates};
use crate::alerts::{self, Alert, Sample};
use crate::app;
use crate::commands::status::watched;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::facts::Facts;
use crate::game;

/// Replicas that are asked what they have counted, at most.
const ASKED: usize = 4;

/// A lab as it was seen at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    pub lab: LabName,
    pub engine: Option<EngineName>,
    pub running: bool,
    pub url: Option<String>,
    pub ready: usize,
    pub wanted: u32,
    /// Backups are suspended.
    pub suspended: bool,
    pub rows: Option<u64>,
    pub requests_per_second: Option<f64>,
    /// Of so many replicas.
    pub replicas_heard: usize,
    pub protection: Option<Protection>,
    pub needs_restore: bool,
    /// As it was heard last: an application that is away tells nothing.
    pub newest_point: Option<Point>,
    pub journal: Option<Journal>,
    /// `None` where none are made.
    pub offsite: Option<Copies>,
    /// `None` where nobody can tell.
    pub alerts: Option<Vec<Alert>>,
    /// The command that has the lab.
    pub holder: Option<String>,
    pub doing: Option<Doing>,
    /// A game day goes on.
    pub gameday: bool,
    /// What could not be asked, and why.
    pub trouble: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub name: String,
    pub age_seconds: f64,
    /// How long ago the application said so.
    pub heard_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Journal {
    /// `required`, `best-effort` or `off`.
    pub mode: String,
    /// The number of its last transaction.
    pub position: Option<f64>,
    /// Transactions that no journal has.
    pub lag: Option<f64>,
    pub damaged: bool,
}

/// Copies elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Copies {
    /// Seconds; `None` where nothing there leads to the present, or nothing was written yet.
    pub behind: Option<f64>,
    pub failing: bool,
}

/// Looks again and again, and keeps what one look alone cannot tell.
pub struct Looker<'a> {
    ctx: &'a Context,
    began: Instant,
    rates: Rates,
    /// The newest point, and when it was heard of.
    point: Option<(String, f64, Instant)>,
}

impl<'a> Looker<'a> {
    pub fn new(ctx: &'a Context) -> Self {
        Self {
            ctx,
            began: Instant::now(),
            rates: Rates::default(),
            point: None,
        }
    }

    pub fn look(&mut self) -> Look {
        let mut look = Look::of_nothing(self.ctx.options.lab);
        match engine::select(self.ctx) {
            Ok(engine) => self.at(engine.as_ref(), &mut look),
            Err(error) => look.fails(&tr!("engine", "moteur"), &error),
        }
        match self.ctx.workspace.holder() {
            Ok(holder) => look.holder = holder,
            Err(error) => look.fails(&tr!("lock", "verrou"), &error),
        }
        let holder = look.holder.as_deref();
        look.doing = holder.and_then(|holder| doing::of(&self.ctx.workspace, holder));
        look
    }

    fn at(&mut self, engine: &dyn Engine, look: &mut Look) {
        look.engine = Some(engine.name());
        look.gameday = matches!(
            game::running(&self.ctx.workspace, engine.name()),
            Ok(Some(_))
        );
        let facts = match engine.facts() {
            Ok(facts) => facts,
            Err(error) => return look.fails(&tr!("engine", "moteur"), &error),
        };
        look.has(&facts);
        if !facts.running {
            self.point = None;
            return;
        }
        if let Err(error) = engine.insist_on_ownership() {
            return look.fails(&tr!("lab", "lab du checkout"), &error);
        }
        self.listen(&facts, look);
        let (watched, alerts) = watched::look(self.ctx, engine, &facts);
        look.alerts = alerts;
        look.trouble
            .extend(watched.as_ref().and_then(watched::trouble));
    }

    /// What the application says of itself.
    fn listen(&mut self, facts: &Facts, look: &mut Look) {
        if let Some(url) = facts.url.as_deref().filter(|_| facts.ready() > 0) {
            match app::status(url) {
                Ok(status) => self.said(&status, look),
                Err(error) => look.fails(&tr!("application", "l'application"), &error),
            }
            for _ in 0..facts.ready().min(ASKED) {
                // One that cannot tell has said so above, or is without metrics.
                let Ok(samples) = alerts::told(url) else {
                    continue;
                };
                self.rates
                    .hear(&samples, self.began.elapsed().as_secs_f64());
                look.journal = journal(&samples).or(look.journal.take());
                look.offsite = copies(&samples).or(look.offsite.take());
            }
        }
        let now = self.began.elapsed().as_secs_f64();
        let rate = self.rates.at(now, facts.ready());
        look.requests_per_second = rate.map(|rate: Rate| rate.requests);
        look.replicas_heard = rate.map_or(0, |rate| rate.replicas);
        look.newest_point = self.point.as_ref().map(|(name, age, heard)| Point {
            name: name.clone(),
            age_seconds: age + heard.elapsed().as_secs_f64(),
            heard_seconds: heard.elapsed().as_secs_f64(),
        });
    }

    fn said(&mut self, status: &app::Status, look: &mut Look) {
        look.rows = status.count;
        look.protection = Some(status.protection);
        look.needs_restore = status.needs_restore;
        let file = status.last_backup_file.clone();
        let point = file.zip(status.backup_age_seconds);
        self.point = point.map(|(file, age)| (file, age, Instant::now()));
    }
}

fn journal(samples: &[Sample]) -> Option<Journal> {
    let mode = rate::label(samples, "pra_protection_info", "journal")?;
    (!mode.is_empty()).then(|| Journal {
        mode: mode.to_owned(),
        position: rate::value(samples, "pra_journal_position"),
        lag: rate::value(samples, "pra_journal_lag_transactions"),
        damaged: rate::value(samples, "pra_journal_damaged") == Some(1.0),
    })
}

fn copies(samples: &[Sample]) -> Option<Copies> {
    let failing = rate::value(samples, "pra_offsite_failing")?;
    Some(Copies {
        behind: rate::value(samples, "pra_offsite_lag_seconds"),
        failing: failing == 1.0,
    })
}

impl Look {
    pub fn of_nothing(lab: LabName) -> Self {
        Self {
            lab,
            engine: None,
            running: false,
            url: None,
            ready: 0,
            wanted: 0,
            suspended: false,
            rows: None,
            requests_per_second: None,
            replicas_heard: 0,
            protection: None,
            needs_restore: false,
            newest_point: None,
            journal: None,
            offsite: None,
            alerts: None,
            holder: None,
            doing: None,
            gameday: false,
            trouble: Vec::new(),
        }
    }

    fn has(&mut self, facts: &Facts) {
        self.running = facts.running;
        self.url.clone_from(&facts.url);
        self.ready = facts.ready();
        self.wanted = facts.wanted;
        self.suspended = facts.suspended;
    }

    /// Something could not be asked.
    fn fails(&mut self, what: &str, error: &anyhow::Error) {
        let why = format!("{error:#}");
        let first = why.lines().next().unwrap_or_default();
        self.trouble
            .push(tr!("{what}: {first}", "{what} : {first}"));
    }

    /// Which lab on which engine, and where its users reach it.
    pub fn place(&self) -> String {
        let mut parts = vec![self.lab.label()];
        parts.extend(self.engine.map(|engine| engine.label()));
        parts.extend(self.url.clone());
        parts.join(" · ")
    }
}
