//! What every scenario does: a steady state before, a client that writes all
//! along, and the comparison at the end.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::app::{self, Point};
use crate::context::Context;
use crate::engine::{Engine, Facts};
use crate::failure::Failure;
use crate::measure::client::{Client, Load};
use crate::measure::compare::{self, Rows, Verdict};
use crate::measure::ledger::{Ledger, Request};
use crate::wait;

/// One run of a scenario and the folder that keeps its results.
pub struct Run<'a> {
    pub ctx: &'a Context,
    pub scenario: &'static str,
    pub folder: PathBuf,
    /// What the client's messages begin with: unique to this run.
    prefix: String,
}

/// The lab as it must be before and after a disaster.
pub struct Steady {
    pub url: String,
    pub protection: String,
}

impl<'a> Run<'a> {
    pub fn create(ctx: &'a Context, scenario: &'static str) -> Result<Self> {
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let stamp = now.replace([':', '.'], "-");
        let folder = ctx.lab.runs().join(format!("{stamp}-{scenario}"));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        Ok(Self {
            ctx,
            scenario,
            folder,
            prefix: format!("{scenario}-{stamp}"),
        })
    }

    /// Fails unless every replica is ready, backups run on schedule and the
    /// database is there.
    pub fn steady_state(&self, engine: &dyn Engine) -> Result<Steady> {
        let facts = engine.facts()?;
        let url = facts.url.clone().unwrap_or_default();
        let app = app::status(&url)?;
        if let Some(trouble) = unsteady(&facts, &app) {
            return Err(
                Failure::promise(format!("the lab is not in its steady state: {trouble}"))
                    .next("cargo xtask status")
                    .into(),
            );
        }
        Ok(Steady {
            url,
            protection: app.protection,
        })
    }

    /// A verified point that is known to be good.
    pub fn verified_backup(&self, engine: &dyn Engine) -> Result<Point> {
        let taken = app::backup(engine)?.context("a scenario has no dry run")?;
        let point = taken.value.point;
        if point.status != "verified" {
            let reason = point.reason.as_deref().unwrap_or("no reason given");
            return Err(Failure::promise(format!(
                "the new backup {} is {}: {reason}",
                point.name, point.status
            ))
            .next("cargo xtask restore --list")
            .into());
        }
        Ok(point)
    }

    /// Starts the measuring client with its ledger in the run's folder.
    pub fn client(&self, url: &str) -> Result<Client> {
        let load = Load {
            rate: self.ctx.config.client.rate(),
            connections: self.ctx.config.client.connections(),
        };
        let path = self.folder.join("ledger.jsonl");
        Client::start(url, &self.prefix, load, &path)
    }

    /// Waits until the client had that many acknowledgements since a moment.
    pub fn acknowledged(&self, ledger: &Ledger, since: f64, count: usize) -> Result<()> {
        wait::until(wait::APP_SERVES, || {
            Ok((ledger.acknowledged_since(since) >= count).then_some(()))
        })
    }

    /// The folder as a person would type it.
    pub fn shown_folder(&self) -> String {
        let folder = self.folder.strip_prefix(&self.ctx.lab.root);
        folder.unwrap_or(&self.folder).display().to_string()
    }
}

fn unsteady(facts: &Facts, app: &app::Status) -> Option<String> {
    if facts.ready() < facts.wanted as usize || facts.wanted == 0 {
        let (ready, wanted) = (facts.ready(), facts.wanted);
        return Some(format!("{ready} of {wanted} replicas are ready"));
    }
    if facts.suspended {
        return Some("backups are suspended".into());
    }
    if app.needs_restore {
        return Some("the database is gone and waits for a restore".into());
    }
    None
}

/// What the client did and what the database holds in the end.
pub struct Outcome {
    pub requests: Vec<Request>,
    pub after: Rows,
    pub verdict: Verdict,
}

impl Outcome {
    /// Ends the client, reads the database and compares.
    pub fn settle(client: Client, before: &Rows, engine: &dyn Engine) -> Result<Self> {
        let requests = client.finish()?;
        let after = app::dump(engine)?;
        let verdict = compare::compare(before, &requests, &after);
        Ok(Self {
            requests,
            after,
            verdict,
        })
    }

    /// When the first request sent at or after `since` was acknowledged whose
    /// row is really there: the service is back.
    pub fn first_verified(&self, since: f64) -> Option<&Request> {
        use crate::measure::ledger::Outcome::Acknowledged;
        let verified = self.requests.iter().filter(|request| {
            let Acknowledged { id, .. } = request.outcome else {
                return false;
            };
            let row = self.after.get(&id);
            request.sent >= since && row.is_some_and(|row| row.message == request.message)
        });
        verified.min_by(|a, b| a.ended.total_cmp(&b.ended))
    }

    /// Promises about rows that were broken, in words.
    pub fn broken(&self) -> Vec<String> {
        let found = [
            (
                self.verdict.phantom.len(),
                "rows are present that nobody sent",
            ),
            (
                self.verdict.changed.len(),
                "acknowledged rows have another content",
            ),
        ];
        let broken = found.iter().filter(|(count, _)| *count > 0);
        broken
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}
