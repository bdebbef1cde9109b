//! What the application answers: its routes, and `/status` beside what is so.

use std::time::Instant;

use anyhow::Result;
use serde_json::Value;
use terms::tr;

use super::observation::Observation;
use crate::http;
use crate::marking::facts::{Killed, LabFacts, Look, Route, StatusFacts};
use crate::wait;

const KEYS: [&str; 3] = ["count", "last_backup_file", "backup_age_seconds"];
/// Farther back than any backup of a marking is old.
const AN_HOUR: f64 = 3600.0;

impl Observation<'_> {
    /// The routes of the workshop, each against what it is announced to do.
    pub(super) fn routes(&mut self, facts: &mut LabFacts) -> Result<()> {
        let step = self.ui.step("routes".to_owned());
        let url = self.url()?;
        let count = |url: &str| http::get(url, "/count", &[]).ok()?.body["count"].as_u64();
        let json = |path: &'static str| Route {
            path,
            wrong: wrong(&url, path, |_| true),
        };
        facts.routes = vec![json("/"), json("/health")];
        let before = count(&url);
        let message = self.ledger.write(&url);
        let mut add = Route {
            path: "/add",
            wrong: None,
        };
        if message.is_none() {
            let sent = http::get(&url, "/add", &[("message", "check")]);
            add.wrong = Some(match sent {
                Ok(answer) => answer.complaint(),
                Err(error) => format!("{error:#}"),
            });
        }
        let after = count(&url);
        let counted = after.is_some() && after == before.map(|count| count + 1);
        let told = format!("{before:?} → {after:?}");
        let message = message.unwrap_or_default();
        let has_it = |body: &Value| {
            let rows = body.as_array().into_iter().flatten();
            rows.clone().any(|row| row["message"] == message.as_str())
        };
        facts.routes.extend([
            add,
            Route {
                path: "/count",
                wrong: (!counted).then_some(told),
            },
            Route {
                path: "/consultation",
                wrong: wrong(&url, "/consultation", has_it),
            },
        ]);
        step.found(format!("{}", facts.routes.len()));
        Ok(())
    }

    /// `/status`, with the schedule suspended: what is newest stays so.
    pub(super) fn status(&mut self, facts: &mut LabFacts) -> Result<()> {
        let step = self.ui.step(tr!(
            "/status beside what is so",
            "/status face à la réalité"
        ));
        let mut status = StatusFacts {
            mounts_backup: self.lab.mounts_backup()?,
            at_first: self.look()?,
            ..StatusFacts::default()
        };
        let url = self.url()?;
        self.ledger.write_some(&url, 3);
        status.after_a_write = self.look()?;
        let listing = self.list()?;
        if let Some((newest, born)) = self.newest(&listing) {
            self.lab.set_modified(&newest, born - AN_HOUR)?;
            let look = self.look();
            self.lab.set_modified(&newest, born)?;
            status.touched = Some(look?);
        }
        facts.status = Some(status);
        step.found("3");
        Ok(())
    }

    fn look(&mut self) -> Result<Look> {
        let url = self.url()?;
        let rows = self.rows()?;
        if let Some(why) = rows.unsound {
            anyhow::bail!(
                "{}",
                tr!(
                    "the database cannot be read: {why}",
                    "la base ne peut pas être lue : {why}"
                )
            );
        }
        let before = self.list()?.now;
        let answer = http::get(&url, "/status", &[]);
        let listing = self.list()?;
        let newest = self.newest(&listing);
        let between = newest.as_ref().map(|(name, born)| {
            let took = self.took.get(name).copied().unwrap_or_default();
            (before - born, listing.now - born + took)
        });
        let mut look = Look {
            rows: rows.rows,
            age_between: between,
            age: newest.as_ref().map(|(_, born)| listing.now - born),
            newest: newest.map(|(name, _)| name),
            ..Look::default()
        };
        match answer {
            Ok(answer) if answer.ok() => read_status(&answer.body, &mut look),
            Ok(answer) => look.failed = Some(answer.complaint()),
            Err(error) => look.failed = Some(format!("{error:#}")),
        }
        Ok(look)
    }

    /// Scenario 1: a pod dies.
    pub(super) fn kill(&mut self, facts: &mut LabFacts) -> Result<()> {
        let step = self.ui.step(tr!("a pod is killed", "un pod est tué"));
        let (before, start) = (self.ledger.so_far(), Instant::now());
        self.lab.kill_pod()?;
        self.wait_until_served()?;
        let seconds = start.elapsed().as_secs_f64();
        let rows = self.rows()?;
        facts.killed = Some(Killed {
            seconds,
            missing: before.difference(&rows.messages).count() as u64,
            rows: before.len() as u64,
        });
        let look = self.look()?;
        if let Some(status) = &mut facts.status {
            status.after_the_kill = Some(look);
        }
        step.found(tr!("back", "de retour"));
        Ok(())
    }

    /// Until the application counts its rows again.
    pub(super) fn wait_until_served(&mut self) -> Result<()> {
        wait::until(wait::MARKED_APP, || {
            let Ok(url) = self.lab.url() else {
                wait::check_interrupt()?;
                return Ok(None);
            };
            let counted = http::get(&url, "/count", &[]);
            Ok(counted.is_ok_and(|answer| answer.ok()).then_some(()))
        })
    }
}

fn read_status(body: &Value, look: &mut Look) {
    let there = |key: &&str| body.get(key).is_some();
    look.keys = KEYS.into_iter().filter(there).collect();
    look.count = body["count"].as_u64();
    look.last_backup_file = body["last_backup_file"].as_str().map(str::to_owned);
    look.backup_age_seconds = body["backup_age_seconds"].as_f64();
}

/// Why a route does not do what it should; `None` where it does.
fn wrong(url: &str, path: &str, right: impl Fn(&Value) -> bool) -> Option<String> {
    match http::get(url, path, &[]) {
        Ok(answer) if answer.ok() && right(&answer.body) => None,
        Ok(answer) if answer.ok() => {
            let body: String = answer.body.to_string().chars().take(120).collect();
            Some(body)
        }
        Ok(answer) => Some(format!("HTTP {}", answer.status)),
        Err(error) => Some(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_of_another_kind_is_there_and_has_no_value() {
        let mut look = Look::default();
        let body = json!({"count": "7", "last_backup_file": null, "backup_age_seconds": 12});
        read_status(&body, &mut look);
        assert_eq!(look.keys, KEYS);
        assert_eq!((look.count, look.last_backup_file), (None, None));
        assert_eq!(look.backup_age_seconds, Some(12.0));
    }
}
