//! The alerts of `monitoring/rules/rules.yaml`: as Prometheus has raised them, or, where none
//! watches the lab, those of the group `protection` as they hold this moment.

mod clock;
mod expression;
mod history;
mod raised;
mod rules;
mod seen;
mod series;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::http;
pub use clock::{Clock, now};
use expression::Moment;
pub use history::{Raised, between};
pub use raised::{Alert, State, of_prometheus};
use rules::Rule;
pub use seen::replicas_seen;
pub use series::{NAME, Sample, parse as samples};

/// What holds now, by the rules of the protection and what one replica tells: a rule that wants
/// it to hold for a while has it pending, since nobody has watched.
///
/// # Errors
/// The rules cannot be read, or the application tells no metrics.
pub fn evaluated(root: &Path, url: &str) -> Result<Vec<Alert>> {
    let rules = rules::of_the_protection(root)?;
    let samples = told(url)?;
    let moment = Moment {
        now: now(),
        samples,
    };
    Ok(rules
        .iter()
        .flat_map(|rule| holding(rule, &moment))
        .collect())
}

/// What one replica tells of itself at this moment.
///
/// # Errors
/// It does not answer, or tells no metrics.
pub fn told(url: &str) -> Result<Vec<Sample>> {
    Ok(samples(&http::page(&format!("{url}/metrics"))?))
}

fn holding(rule: &Rule, moment: &Moment) -> Vec<Alert> {
    let state = match rule.pending == Duration::ZERO {
        true => State::Firing,
        false => State::Pending,
    };
    let held = rule.condition.evaluate(moment).into_iter();
    held.map(|sample| rule.raised(&sample, state)).collect()
}
