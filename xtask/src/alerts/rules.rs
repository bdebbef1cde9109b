//! The rules as their file has them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use terms::lang::{self, fixed};

use super::expression::Condition;
use super::raised::{Alert, Annotations, State};
use super::series::Sample;

const FILE: &str = "monitoring/rules/rules.yaml";
/// The group that is evaluated here, too.
const GROUP: &str = "protection";

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    rules: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    pending: Option<String>,
    labels: Severity,
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Severity {
    severity: String,
}

/// One rule of the protection.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: String,
    pub condition: Condition,
    /// How long it has to hold.
    pub pending: Duration,
    severity: String,
    annotations: Annotations,
}

impl Rule {
    pub fn raised(&self, sample: &Sample, state: State) -> Alert {
        Alert {
            name: self.name.clone(),
            severity: self.severity.clone(),
            state,
            sentence: self.annotations.sentence().to_owned(),
            value: filled(self.annotations.value(), sample),
            runbook: self.annotations.runbook_url.clone(),
        }
    }
}

/// The rules that look at this moment alone.
pub(super) fn of_the_protection(root: &Path) -> Result<Vec<Rule>> {
    let path = root.join(FILE);
    let text = fs::read_to_string(&path);
    parse(&text.with_context(|| format!("reading {}", path.display()))?)
}

pub(super) fn parse(text: &str) -> Result<Vec<Rule>> {
    let file: File = serde_norway::from_str(text).with_context(|| format!("reading {FILE}"))?;
    let groups = file.groups.into_iter();
    let group = groups.filter(|group| group.name == GROUP);
    let rules = group.flat_map(|group| group.rules).map(|rule| {
        let condition = Condition::parse(&rule.expr);
        let pending = rule.pending.as_deref().unwrap_or("0s");
        let pending = humantime::parse_duration(pending);
        Ok(Rule {
            condition: condition.with_context(|| format!("{FILE}: the rule {}", rule.alert))?,
            pending: pending.with_context(|| format!("{FILE}: the rule {}", rule.alert))?,
            name: rule.alert,
            severity: rule.labels.severity,
            annotations: rule.annotations,
        })
    });
    rules.collect()
}

/// A template of Prometheus with its value: labels, and the value in the ways that the rules
/// have it.
fn filled(template: &str, sample: &Sample) -> String {
    let mut text = template.to_owned();
    while let Some((before, rest)) = text.split_once("{{") {
        let Some((asked, after)) = rest.split_once("}}") else {
            break;
        };
        let asked = asked.trim();
        let told = match asked.strip_prefix("$labels.") {
            Some(label) => sample.labels.get(label).cloned().unwrap_or_default(),
            None => in_words(asked, sample.value),
        };
        text = format!("{before}{told}{after}");
    }
    text
}

fn in_words(asked: &str, value: f64) -> String {
    let filter = asked.split('|').nth(1).unwrap_or_default();
    let seconds = Duration::try_from_secs_f64(value.round()).unwrap_or_default();
    match filter.trim() {
        "humanizeDuration" => humantime::format_duration(seconds).to_string(),
        "humanizePercentage" => format!("{} %", fixed(100.0 * value, 1)),
        "humanizeTimestamp" => {
            let moment = std::time::SystemTime::UNIX_EPOCH + seconds;
            lang::moment(&humantime::format_rfc3339_seconds(moment).to_string())
        }
        _ => fixed(value, 0),
    }
}
