//! An alert that is raised, or about to be.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use terms::lang::{self, Lang, both};
use terms::tr;

use crate::http;

/// One alert, as a person is told of it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Alert {
    pub name: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    pub state: State,
    /// In the language of who reads it.
    pub sentence: String,
    /// In that language, too.
    pub value: String,
    /// Where it is written what to do.
    pub runbook: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds, and not yet for as long as the rule wants.
    Pending,
    Firing,
}

impl Alert {
    /// All that there is to tell a person.
    pub fn told(&self) -> String {
        let Self {
            name,
            severity,
            sentence,
            value,
            runbook,
            ..
        } = self;
        let pending = match self.state {
            State::Firing => "",
            State::Pending => both(", if it stays so", ", si cela dure").text(),
        };
        tr!(
            "{name} ({severity}{pending}): {sentence} {value}. {runbook}",
            "{name} ({severity}{pending}) : {sentence} {value}. {runbook}",
        )
    }
}

/// What a rule says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Annotations {
    pub summary: String,
    pub summary_fr: String,
    pub value: String,
    /// Where the value has words.
    pub value_fr: Option<String>,
    pub runbook_url: String,
}

impl Annotations {
    /// The sentence, in the language of who reads it.
    pub fn sentence(&self) -> &str {
        match lang::chosen() {
            Lang::English => &self.summary,
            Lang::French => &self.summary_fr,
        }
    }

    /// What it is about, in that language.
    pub fn value(&self) -> &str {
        match (lang::chosen(), &self.value_fr) {
            (Lang::French, Some(value)) => value,
            _ => &self.value,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    labels: BTreeMap<String, String>,
    annotations: Annotations,
    state: State,
}

/// The alerts that a Prometheus has, the most severe first.
///
/// # Errors
/// It does not answer as one.
pub fn of_prometheus(url: &str) -> Result<Vec<Alert>> {
    read(&http::page(&format!("{url}/api/v1/alerts"))?)
}

fn read(text: &str) -> Result<Vec<Alert>> {
    let answer: Answer = serde_json::from_str(text).context("reading Prometheus' alerts")?;
    let alerts = answer.data.alerts.into_iter().map(|told| {
        let label = |name: &str| told.labels.get(name).cloned().unwrap_or_default();
        Alert {
            name: label("alertname"),
            severity: label("severity"),
            state: told.state,
            sentence: told.annotations.sentence().to_owned(),
            value: told.annotations.value().to_owned(),
            runbook: told.annotations.runbook_url,
        }
    });
    let mut alerts: Vec<Alert> = alerts.collect();
    alerts.sort_by_key(|alert| (rank(&alert.severity), alert.name.clone()));
    Ok(alerts)
}

/// The most severe first.
pub(super) fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_alert_comes_first() {
        let alert = |name: &str, severity: &str, state: &str| {
            serde_json::json!({
                "labels": {"alertname": name, "severity": severity}, "state": state, "value": "1e+00",
                "activeAt": "2026-11-30T10:00:00Z",
                "annotations": {"summary": "It is.", "summary_fr": "C'est.", "value": "1",
                    "runbook_url": "docs/runbook.md#x"},
            })
        };
        let all = [
            alert("ReplicaLost", "info", "firing"),
            alert("Unprotected", "critical", "pending"),
        ];
        let text = serde_json::json!({"status": "success", "data": {"alerts": all}});
        let read = read(&text.to_string()).unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|one| (one.name.as_str(), one.state))
            .collect();
        assert_eq!(
            told,
            [
                ("Unprotected", State::Pending),
                ("ReplicaLost", State::Firing)
            ]
        );
        assert_eq!(read[0].sentence, "It is.");
    }

    #[test]
    fn sentence_and_value_are_in_the_language_of_who_reads_them() {
        let told = |lang, annotations: &str| {
            let annotations: Annotations = serde_json::from_str(annotations).unwrap();
            lang::speaking(lang, || {
                format!("{} {}", annotations.sentence(), annotations.value())
            })
        };
        let words = r#"{"summary": "It is.", "summary_fr": "C'est.", "value": "2 old",
            "value_fr": "vieux de 2", "runbook_url": ""}"#;
        assert_eq!(told(Lang::English, words), "It is. 2 old");
        assert_eq!(told(Lang::French, words), "C'est. vieux de 2");
        let name = r#"{"summary": "It is.", "summary_fr": "C'est.", "value": "pra-data",
            "runbook_url": ""}"#;
        assert_eq!(told(Lang::French, name), "C'est. pra-data");
    }
}
