//! All runs, and how their figures moved.

use anyhow::Result;
use maud::{Markup, html};
use terms::{EngineName, Protection, Read, ScenarioName};

use super::{Cell, gameday, number, page, table, text, time};
use crate::model::{Document, Folder, Scenario, Unreadable};
use crate::plot::{Words, seconds, trend};

pub fn render(folders: &[Folder], unreadable: &[Unreadable]) -> Result<String> {
    let scenarios: Vec<(&Folder, &Scenario)> = folders
        .iter()
        .filter_map(|folder| match &folder.document {
            Document::Scenario(scenario) => Some((folder, scenario.as_ref())),
            Document::Drill(_) => None,
        })
        .collect();
    let mut kinds: Vec<Kind> = scenarios.iter().map(|(_, one)| kind(one)).collect();
    kinds.sort();
    kinds.dedup();
    let mut trends = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        trends.push(one_trend(index, kind, &scenarios)?);
    }
    let body = html! {
        p { (folders.len()) " results." }
        (left_out(unreadable))
        (drills(folders))
        (gameday::listed(&scenarios, link))
        h2 { "Runs, newest first" }
        (runs(&scenarios))
        h2 { "Trend" }
        @for trend in &trends { (trend) }
    };
    Ok(page("All runs", None, &body))
}

/// Runs that can be compared: scenario, protection, engine.
type Kind = (Read<ScenarioName>, Read<Protection>, Read<EngineName>);

fn kind(one: &Scenario) -> Kind {
    (
        one.scenario.clone(),
        one.protection.clone(),
        one.engine.clone(),
    )
}

fn link(folder: &Folder) -> Cell {
    let target = format!("{}/report.html", folder.name);
    Cell::Markup(html! { a href=(target) { (folder.began()) } })
}

/// The results that could not be read, named with the reason.
fn left_out(unreadable: &[Unreadable]) -> Markup {
    let rows = unreadable
        .iter()
        .map(|one| vec![text(one.name.clone()), text(one.why.clone())]);
    html! {
        @if !unreadable.is_empty() {
            h2 { "Results that cannot be drawn" }
            (table("Left out below", &["run", "why"], rows.collect()))
        }
    }
}

fn drills(folders: &[Folder]) -> Markup {
    let rows: Vec<Vec<Cell>> = folders
        .iter()
        .rev()
        .filter_map(|folder| match &folder.document {
            Document::Drill(drill) => Some(vec![
                link(folder),
                number(drill.groups.iter().map(|g| g.runs.len()).sum::<usize>()),
                number(drill.seed),
                text(promise(drill.passed)),
            ]),
            Document::Scenario(_) => None,
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            h2 { "Drills, newest first" }
            (table("Every drill", &["began", "runs", "seed", "objectives"], rows))
        }
    }
}

fn runs(scenarios: &[(&Folder, &Scenario)]) -> Markup {
    let rows = scenarios.iter().rev().map(|(folder, one)| {
        vec![
            link(folder),
            text(one.scenario.to_string()),
            text(one.engine.to_string()),
            text(one.protection.to_string()),
            number(one.rpo.lost),
            time(one.rto.seconds),
            number(one.client.failed),
            text(promise(one.passed)),
        ]
    });
    let headers = [
        "began",
        "scenario",
        "engine",
        "protection",
        "lost",
        "RTO (s)",
        "failed requests",
        "promise",
    ];
    table("Every scenario that ended", &headers, rows.collect())
}

fn promise(kept: bool) -> &'static str {
    if kept { "✓ kept" } else { "✗ broken" }
}

fn one_trend(index: usize, kind: &Kind, all: &[(&Folder, &Scenario)]) -> Result<Markup> {
    let same: Vec<&Scenario> = all
        .iter()
        .map(|(_, one)| *one)
        .filter(|one| self::kind(one) == *kind)
        .collect();
    let (scenario, protection, engine) = kind;
    let name = format!("{scenario}, {protection}, {engine}");
    let plot = |what: &str, id: &str, unit: &str, value: fn(&Scenario) -> f64| {
        let points: Vec<trend::Point> = same.iter().map(|one| (value(one), one.passed)).collect();
        let words = Words {
            id: &format!("{id}-{index}"),
            title: &format!("{what}, {name}"),
            description: &told(&points, unit),
        };
        trend::plot(&points, unit, &words)
    };
    let rto = plot("RTO", "rto", "RTO in seconds", |one| one.rto.seconds)?;
    let rpo = plot("Rows lost", "rpo", "rows lost", |one| one.rpo.lost as f64)?;
    Ok(html! {
        h3 { (name) }
        figure {
            (rto)
            figcaption { "RTO, " (same.len()) " runs; a cross where the promise was broken." }
        }
        figure { (rpo) figcaption { "Rows lost in the same runs." } }
    })
}

fn told(points: &[trend::Point], unit: &str) -> String {
    let values = || points.iter().map(|(value, _)| *value);
    format!(
        "{unit}: {} runs, from {} to {}, the last one {}. The table of runs has every figure.",
        points.len(),
        seconds(values().fold(f64::INFINITY, f64::min)),
        seconds(values().fold(0.0, f64::max)),
        seconds(values().next_back().unwrap_or_default()),
    )
}
